import type { Instant } from "../../platform/clock.ts";
import type {
  Advance,
  Backfill,
  ChangeHint,
  ClaimRequest,
  Committed,
  DueSchedulesRequest,
  InstanceQuery,
  LogAppend,
  NewInstance,
  NextDueRequest,
  OpenRequest,
  PutSchedule,
  RenewRequest,
  Store,
  StoreInfo,
} from "../store.ts";
import { checkLimit, closedError } from "./checks.ts";
import { blockOf, listBlocks } from "./claiming/blocks.ts";
import { claim, quietMs, reap, renew } from "./claiming/claims.ts";
import { Listeners } from "./hints.ts";
import { LedgerRecords } from "./maintenance/ledger_records.ts";
import { type Allowed, checkMark } from "./maintenance/marks.ts";
import { advance } from "./operations/advance.ts";
import { backfill } from "./operations/backfill.ts";
import { cancel } from "./operations/cancel.ts";
import { correctTimes } from "./operations/correct_times.ts";
import { enqueue } from "./operations/enqueue.ts";
import { appendLogs } from "./operations/logs.ts";
import { joinNode, leaveNode, listNodes, reportNode, setNodeWorkers } from "./operations/nodes.ts";
import { nextDue, removePause, setPause } from "./operations/pauses.ts";
import { redrive } from "./operations/redrive.ts";
import {
  findCleared,
  findLogs,
  removeCleared,
  removeLogs,
  retain,
} from "./operations/retention.ts";
import { deleteSchedule, putSchedule } from "./operations/schedules.ts";
import { settle } from "./operations/settle.ts";
import type { Freshness, LedgerOwner, OperationOptions } from "./owner.ts";
import { LedgerReader } from "./reader.ts";
import { countInstances } from "./reading/reads.ts";
import type { LedgerState, Moment } from "./state.ts";

/** How a ledger runs an operation. */
type OperationKind = OperationOptions & {
  /** The marks of the store that allow it; absent: see {@link Allowed} "begun". */
  readonly allowedDuring?: Allowed;
  /** What it does by this node's clock, for people; refused while that clock may be wrong. */
  readonly clockUse?: string;
};

const NEW: OperationKind = { allowedDuring: "new" };
const ALWAYS: OperationKind = { allowedDuring: "moving" };
const CLAIM: OperationKind = { canBeLate: true, clockUse: "claim" };
// Called every other second, mostly for nothing.
const REAP: OperationKind = {
  canBeLate: true,
  clockUse: "take back expired claims",
  isIdle: (state, moment) => quietMs(state, moment) > 0,
};
const ADVANCE: OperationKind = { ...NEW, clockUse: "fire due ticks" };
const CORRECT_SCHEDULE: OperationKind = { ...NEW, clockUse: "correct a schedule" };
// A sole owner keeps leases and nodes in memory.
const isNotShared = ({ tables }: LedgerState) => tables.shared === undefined;
const RENEW: OperationKind = { canBeLate: true, isIdle: isNotShared };
const REPORT: OperationKind = { ...ALWAYS, isIdle: isNotShared };

/**
 * The store's semantics over the tables of any {@link LedgerOwner}. Several nodes of one process
 * may open it; the last to close closes it, and only the first opening recovers.
 */
export class LedgerStore extends LedgerReader implements Store {
  readonly #owner: LedgerOwner;
  readonly #state: LedgerState;
  readonly records = new LedgerRecords({
    write: (action, at, operation) => this.#write(action, at, operation, ALWAYS),
    read: (action, read, freshness) => this.read(action, read, freshness),
    lastWallMs: () => this.#lastWallMs,
    turn: () => this.turn(),
  });
  readonly #listeners = new Listeners();
  #info: StoreInfo | null = null;
  #opening: Promise<StoreInfo> | null = null;
  #openCount = 0;
  #lastWallMs = 0;

  /** @param ownerOf makes the owner; it calls `publish` after each commit */
  constructor(ownerOf: (publish: () => void) => LedgerOwner) {
    super();
    this.#owner = ownerOf(() => this.#publish());
    this.#state = this.#owner.state;
  }

  async open(request: OpenRequest): Promise<StoreInfo> {
    this.#openCount += 1;
    try {
      const there = this.#info ?? await this.#opening;
      if (there) return { ...there, recovered: [] };
      this.#opening = this.#owner.open(request);
      return this.#info = await this.#opening;
    } catch (error) {
      this.#openCount -= 1;
      throw error;
    } finally {
      this.#opening = null;
    }
  }

  async close(): Promise<void> {
    if (!this.#info) return;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.#info = null;
    await this.#owner.clocks?.close?.();
    await this.#owner.close();
  }

  enqueue(request: { readonly at: Instant; readonly instances: readonly NewInstance[] }) {
    return this.#write(
      "enqueue",
      request.at,
      (state, moment) => enqueue(state, moment, request.instances),
      NEW,
    );
  }

  claim(request: ClaimRequest) {
    return this.#write(
      "claim",
      request.at,
      (state, moment) => claim(state, moment, request),
      CLAIM,
    );
  }

  renew(request: RenewRequest) {
    const { at } = request;
    return this.#write("renew", at, (state, moment) => renew(state, moment, request), RENEW);
  }

  settle(request: Parameters<Store["settle"]>[0]) {
    return this.#write(
      "settle",
      request.at,
      (state, moment) => settle(state, moment, request.settlements),
    );
  }

  cancel(request: { readonly at: Instant; readonly query: InstanceQuery; readonly limit: number }) {
    return this.#write("cancel", request.at, (state, moment) => cancel(state, moment, request));
  }

  async reap({ at, limit }: { readonly at: Instant; readonly limit: number }) {
    const taken = await this.#write(
      "reap",
      at,
      (state, moment) => reap(state, moment, limit),
      REAP,
    );
    if (this.#info && this.#state.leases.size === 0) this.#state.tables.rest?.();
    return taken;
  }

  quietMs(at: Instant): number {
    if (!this.#info || this.#state.tables.shared) return 0;
    return quietMs(this.#state, this.#owner.momentOf(at));
  }

  redrive(request: Parameters<Store["redrive"]>[0]) {
    const { at } = request;
    return this.#write("redrive", at, (state, moment) => redrive(state, moment, request), NEW);
  }

  appendLogs(request: { readonly at: Instant; readonly appends: readonly LogAppend[] }) {
    return this.#write("append logs", request.at, (state) => appendLogs(state, request.appends));
  }

  advance(request: { readonly at: Instant; readonly advances: readonly Advance[] }) {
    const { at, advances } = request;
    return this.#write("advance", at, (state, moment) => advance(state, moment, advances), ADVANCE);
  }

  backfill(request: { readonly at: Instant; readonly backfill: Backfill }) {
    return this.#write(
      "backfill",
      request.at,
      (state, moment) => backfill(state, moment, request.backfill),
      NEW,
    );
  }

  putSchedule(request: PutSchedule) {
    return this.#write(
      "write a schedule",
      request.at,
      (state) => putSchedule(state, request),
      request.isByClock ? CORRECT_SCHEDULE : NEW,
    );
  }

  deleteSchedule(request: { readonly at: Instant; readonly id: string }) {
    return this.#write(
      "delete a schedule",
      request.at,
      (state) => deleteSchedule(state, request.id),
      NEW,
    );
  }

  dueSchedules(request: DueSchedulesRequest) {
    return this.read("list due schedules", (state) => {
      checkLimit(request.limit, "list due schedules");
      const moment = this.#owner.momentOf(request.at);
      return state.tables.schedules.due(state.dueBy(moment, request), request);
    }, "own");
  }

  stats() {
    return this.read("count instances", countInstances);
  }

  correctTimes(request: { readonly at: Instant; readonly ids: readonly string[] }) {
    return this.#write(
      "correct times",
      request.at,
      (state, moment) => correctTimes(state, moment, request.ids),
    );
  }

  retain(request: { readonly at: Instant; readonly limit: number }) {
    return this.#write(
      "delete instances",
      request.at,
      (state, moment) => retain(state, moment, request.limit),
    );
  }

  async clearInstances(request: Parameters<Store["clearInstances"]>[0]) {
    const find = (state: LedgerState) => findCleared(state, request, () => this.turn());
    const ids = await this.read("delete instances", find);
    return await this.#write("delete instances", request.at, (state) => removeCleared(state, ids));
  }

  async clearLogs(request: Parameters<Store["clearLogs"]>[0]) {
    const find = (state: LedgerState) => findLogs(state, request, () => this.turn());
    const places = await this.read("delete logs", find);
    return await this.#write("delete logs", request.at, (state) => removeLogs(state, places));
  }

  setPause(
    request: {
      readonly at: Instant;
      readonly kind: string | null;
      readonly until: number | null;
      readonly reason: string;
    },
  ) {
    return this.#write(
      "pause",
      request.at,
      (state, moment) => setPause(state, moment, request),
      NEW,
    );
  }

  removePause(request: { readonly at: Instant; readonly kind: string | null }) {
    return this.#write("resume", request.at, (state, moment) => {
      const isPaused = (state.pauses.get(request.kind)?.until ?? Infinity) > moment.wallMs;
      return removePause(state, request.kind) && isPaused;
    }, NEW);
  }

  listPauses() {
    return this.read("list pauses", ({ pauses }) => {
      const isLive = (until: number | null) => until === null || until > this.#lastWallMs;
      return [...pauses.values()].filter(({ until }) => isLive(until));
    });
  }

  async joinNode(request: Parameters<Store["joinNode"]>[0]) {
    const { at, id, leaseMs } = request;
    const { clocks } = this.#owner;
    clocks?.joining?.(id);
    const join = (state: LedgerState, moment: Moment) => joinNode(state, moment, request);
    const joined = await this.#write("join", at, join, ALWAYS);
    await clocks?.joined?.(id, leaseMs);
    return joined;
  }

  reportNode(request: Parameters<Store["reportNode"]>[0]) {
    const { at } = request;
    return this.#write("report", at, (state, moment) => reportNode(state, moment, request), REPORT);
  }

  async leaveNode(request: Parameters<Store["leaveNode"]>[0]) {
    await this.#owner.clocks?.left?.(request.id);
    const leave = (state: LedgerState, moment: Moment) => leaveNode(state, moment, request);
    return await this.#write("leave", request.at, leave, ALWAYS);
  }

  listNodes(request: { readonly at: Instant }) {
    return this.read("list nodes", (state) => {
      const records = listNodes(state, this.#owner.momentOf(request.at));
      const { clocks } = this.#owner;
      return records.map((record) => {
        const skewMs = clocks?.skewOf?.(record.id);
        return skewMs === undefined ? record : { ...record, skewMs };
      });
    });
  }

  setNodeWorkers(request: Parameters<Store["setNodeWorkers"]>[0]) {
    return this.#write(
      "resize",
      request.at,
      (state, moment) => setNodeWorkers(state, moment, request),
    );
  }

  nextDue(request: NextDueRequest) {
    return this.read("find the next due time", (state) => {
      const moment = this.#owner.momentOf(request.at);
      return { at: moment.wallMs, ...nextDue(state, moment, request) };
    }, "own");
  }

  blockOf(request: NextDueRequest & { readonly id: string }) {
    const find = (state: LedgerState) => blockOf(state, this.#owner.momentOf(request.at), request);
    return this.read("find what blocks an instance", find);
  }

  blocks(request: NextDueRequest) {
    const find = (state: LedgerState) =>
      listBlocks(state, this.#owner.momentOf(request.at), request);
    return this.read("list blocks", find, "own");
  }

  subscribe(listener: (hint: ChangeHint) => void): () => void {
    return this.#listeners.add(listener);
  }

  protected async read<T>(
    action: string,
    read: (state: LedgerState) => T | Promise<T>,
    freshness: Freshness = "committed",
  ): Promise<T> {
    if (this.#owner.refresh) await this.#owner.refresh(freshness);
    if (!this.#info) throw closedError(action);
    return await read(this.#state);
  }

  protected get storeId(): string {
    return this.#info!.storeId;
  }

  protected turn(): Promise<void> {
    return this.#owner.turn();
  }

  #write<T>(
    action: string,
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    options: OperationKind = {},
  ): Promise<Committed<T>> {
    if (!this.#info) return Promise.reject(closedError(action));
    const { clocks } = this.#owner;
    if (clocks && options.clockUse !== undefined) {
      try {
        clocks.check(options.clockUse);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#owner.run(at, (state, moment) => {
      this.#lastWallMs = moment.wallMs;
      checkMark(state, moment, action, options.allowedDuring ?? "begun");
      return operation(state, moment);
    }, options);
  }

  #publish(): void {
    const { hints } = this.#state;
    this.#state.hints = [];
    this.#listeners.notify(hints);
  }
}
