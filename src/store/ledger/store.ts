import type { Instant } from "../../platform/clock.ts";
import type {
  ChangeHint,
  ClaimRequest,
  Committed,
  DueSchedulesRequest,
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
import { nextDue } from "./claiming/next_due.ts";
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
import { removePause, setPause } from "./operations/pauses.ts";
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

/** The argument of a method of the store. */
type Request<Name extends keyof Store> = Store[Name] extends (request: infer R) => unknown ? R
  : never;

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
      const opened = this.#info ?? await this.#opening;
      if (opened) return { ...opened, recovered: [] };
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

  enqueue(request: Request<"enqueue">) {
    return this.#run("enqueue", enqueue, request, NEW);
  }

  claim(request: ClaimRequest) {
    return this.#run("claim", claim, request, CLAIM);
  }

  renew(request: RenewRequest) {
    return this.#run("renew", renew, request, RENEW);
  }

  settle(request: Request<"settle">) {
    return this.#run("settle", settle, request);
  }

  cancel(request: Request<"cancel">) {
    return this.#run("cancel", cancel, request);
  }

  async reap(request: Request<"reap">) {
    const taken = await this.#run("reap", reap, request, REAP);
    if (this.#info && this.#state.leases.size === 0) this.#state.tables.rest?.();
    return taken;
  }

  quietMs(at: Instant): number {
    if (!this.#info || this.#state.tables.shared) return 0;
    return quietMs(this.#state, this.#owner.momentOf(at));
  }

  redrive(request: Request<"redrive">) {
    return this.#run("redrive", redrive, request, NEW);
  }

  appendLogs(request: Request<"appendLogs">) {
    return this.#run("append logs", appendLogs, request);
  }

  advance(request: Request<"advance">) {
    return this.#run("advance", advance, request, ADVANCE);
  }

  backfill(request: Request<"backfill">) {
    return this.#run("backfill", backfill, request, NEW);
  }

  putSchedule(request: PutSchedule) {
    const kind = request.isByClock ? CORRECT_SCHEDULE : NEW;
    return this.#run("write a schedule", putSchedule, request, kind);
  }

  deleteSchedule(request: Request<"deleteSchedule">) {
    return this.#run("delete a schedule", deleteSchedule, request, NEW);
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

  correctTimes(request: Request<"correctTimes">) {
    return this.#run("correct times", correctTimes, request);
  }

  retain(request: Request<"retain">) {
    return this.#run("delete instances", retain, request);
  }

  async clearInstances(request: Request<"clearInstances">) {
    const find = (state: LedgerState) => findCleared(state, request, () => this.turn());
    const ids = await this.read("delete instances", find);
    return await this.#write("delete instances", request.at, (state) => removeCleared(state, ids));
  }

  async clearLogs(request: Request<"clearLogs">) {
    const find = (state: LedgerState) => findLogs(state, request, () => this.turn());
    const places = await this.read("delete logs", find);
    return await this.#write("delete logs", request.at, (state) => removeLogs(state, places));
  }

  setPause(request: Request<"setPause">) {
    return this.#run("pause", setPause, request, NEW);
  }

  removePause(request: Request<"removePause">) {
    return this.#run("resume", removePause, request, NEW);
  }

  listPauses() {
    return this.read("list pauses", ({ pauses }) => {
      const isLive = (until: number | null) => until === null || until > this.#lastWallMs;
      return [...pauses.values()].filter(({ until }) => isLive(until));
    });
  }

  async joinNode(request: Request<"joinNode">) {
    const { clocks } = this.#owner;
    clocks?.joining?.(request.id);
    const joined = await this.#run("join", joinNode, request, ALWAYS);
    await clocks?.joined?.(request.id, request.leaseMs);
    return joined;
  }

  reportNode(request: Request<"reportNode">) {
    return this.#run("report", reportNode, request, REPORT);
  }

  async leaveNode(request: Request<"leaveNode">) {
    await this.#owner.clocks?.left?.(request.id);
    return await this.#run("leave", leaveNode, request, ALWAYS);
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

  setNodeWorkers(request: Request<"setNodeWorkers">) {
    return this.#run("resize", setNodeWorkers, request);
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

  #run<R extends { readonly at: Instant }, T>(
    action: string,
    operation: (state: LedgerState, moment: Moment, request: R) => T,
    request: R,
    kind?: OperationKind,
  ): Promise<Committed<T>> {
    const run = (state: LedgerState, moment: Moment) => operation(state, moment, request);
    return this.#write(action, request.at, run, kind);
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
