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
  StoreStats,
} from "../store.ts";
import { cancel } from "./operations/cancel.ts";
import { advance } from "./operations/advance.ts";
import { backfill } from "./operations/backfill.ts";
import { checkLimit, closedError } from "./checks.ts";
import { claim, quietMs, reap, renew } from "./claiming/claims.ts";
import { blockOf, listBlocks } from "./claiming/blocks.ts";
import { enqueue } from "./operations/enqueue.ts";
import { GroupCommit, type LedgerOwner, type OperationGroup, REV_GAP } from "./group.ts";
import { Listeners } from "./hints.ts";
import { LedgerRecords } from "./maintenance/ledger_records.ts";
import { appendLogs } from "./operations/logs.ts";
import { joinNode, leaveNode, listNodes, reportNode, setNodeWorkers } from "./operations/nodes.ts";
import { checkMark, checkOpening } from "./maintenance/marks.ts";
import { ALWAYS, LATE, NEW, type OperationKind, REAP, RENEW, REPORT } from "./operation_kinds.ts";
import { nextDue, removePause, setPause } from "./operations/pauses.ts";
import { countInstances } from "./reading/reads.ts";
import { LedgerReader } from "./reader.ts";
import { recover } from "./operations/recover.ts";
import { redrive } from "./operations/redrive.ts";
import { correctTimes } from "./operations/correct_times.ts";
import {
  findCleared,
  findLogs,
  removeCleared,
  removeLogs,
  retain,
} from "./operations/retention.ts";
import { deleteSchedule, putSchedule } from "./operations/schedules.ts";
import { settle } from "./operations/settle.ts";
import { LedgerState, type Moment } from "./state.ts";
import type { Tables } from "./tables/tables.ts";

/** What a ledger store is made of. */
export interface LedgerOptions {
  /** The clock that counts for all, when several simulated nodes share the store; otherwise the callers' own. */
  readonly clock?: (() => Instant) | undefined;
  /** Runs a callback after everything that this turn of the event loop brought; without it operations run at once. */
  readonly defer?: ((callback: () => void) => void) | undefined;
}

/**
 * The store's semantics over any {@link Tables}: what one owner with the data at hand needs, in memory or in SQLite. May be
 * opened by several nodes of one process; the last to close closes it, and only the first opening recovers.
 */
export class LedgerStore extends LedgerReader implements Store {
  readonly #state: LedgerState;
  readonly #group: OperationGroup;
  readonly #owner: LedgerOwner | null = null;
  readonly #options: LedgerOptions;
  readonly records = new LedgerRecords({
    write: (action, at, operation) => this.#write(action, at, operation, ALWAYS),
    reader: (action) => this.reader(action),
    lastWallMs: () => this.#lastWallMs,
    synced: () => this.synced(),
    turn: () => this.turn(),
  });
  readonly #listeners = new Listeners();
  #info: StoreInfo | null = null;
  #openCount = 0;
  #lastWallMs = 0;

  /** @param ownerOf makes what shares the data with other owners; absent: this object is the only one */
  constructor(
    tables: Tables,
    options: LedgerOptions,
    ownerOf?: (state: LedgerState, publish: () => void) => LedgerOwner,
  ) {
    super();
    this.#options = options;
    this.#state = new LedgerState(tables, { hasOwnClock: options.clock !== undefined });
    const publish = () => this.#publish();
    if (ownerOf) this.#group = this.#owner = ownerOf(this.#state, publish);
    else {
      const { clock, defer = null } = options;
      this.#group = new GroupCommit(this.#state, { clock, defer, publish });
    }
  }

  async open(request: OpenRequest): Promise<StoreInfo> {
    this.#openCount += 1;
    if (this.#info) return { ...this.#info, recovered: [] };
    const state = this.#state;
    try {
      if (this.#owner) return this.#info = await this.#owner.open(request);
      const { storeId, epoch, format } = state.tables.open(request);
      state.epoch = epoch;
      state.hasUnleased = request.isMaintenance === true;
      state.leases.clear();
      state.nodes.clear();
      state.load();
      // Revisions answered but not stored before a crash are not given again.
      state.rev += REV_GAP;
      const base = { type: state.tables.type, location: state.tables.location, storeId, epoch };
      this.#info = { ...base, format, isDurable: state.tables.isDurable, recovered: [] };
      if (!request.isMaintenance) checkOpening(state.mark, state.tables.location);
      const opening = this.#group.run(request.at, request.isMaintenance ? () => [] : recover);
      await this.#group.drain();
      const { rev, value } = await opening;
      return this.#info = { ...this.#info, rev, recovered: value };
    } catch (error) {
      this.#openCount -= 1;
      this.#info = null;
      state.tables.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.#info) return;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.#info = null;
    await this.#group.drain();
    this.#state.tables.close();
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
    return this.#write("claim", request.at, (state, moment) => claim(state, moment, request), LATE);
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
    return quietMs(this.#state, this.#group.momentOf(at));
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
    return this.#write("advance", at, (state, moment) => advance(state, moment, advances), NEW);
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
      NEW,
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

  async dueSchedules(request: DueSchedulesRequest) {
    const state = this.reader("list due schedules");
    checkLimit(request.limit, "list due schedules");
    const moment = this.#group.momentOf(request.at);
    return state.tables.schedules.due(state.dueBy(moment, request), request);
  }

  async stats(): Promise<StoreStats> {
    return countInstances(this.reader("count instances"));
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
    const ids = await findCleared(this.reader("delete instances"), request, () => this.turn());
    return await this.#write("delete instances", request.at, (state) => removeCleared(state, ids));
  }

  async clearLogs(request: Parameters<Store["clearLogs"]>[0]) {
    const places = await findLogs(this.reader("delete logs"), request, () => this.turn());
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

  async listPauses() {
    const pauses = [...this.reader("list pauses").pauses.values()];
    return pauses.filter(({ until }) => until === null || until > this.#lastWallMs);
  }

  joinNode(request: Parameters<Store["joinNode"]>[0]) {
    const { at } = request;
    return this.#write("join", at, (state, moment) => joinNode(state, moment, request), ALWAYS);
  }

  reportNode(request: Parameters<Store["reportNode"]>[0]) {
    const { at } = request;
    return this.#write("report", at, (state, moment) => reportNode(state, moment, request), REPORT);
  }

  leaveNode(request: Parameters<Store["leaveNode"]>[0]) {
    const { at } = request;
    return this.#write("leave", at, (state, moment) => leaveNode(state, moment, request), ALWAYS);
  }

  async listNodes(request: { readonly at: Instant }) {
    return listNodes(this.reader("list nodes"), this.#group.momentOf(request.at));
  }

  setNodeWorkers(request: Parameters<Store["setNodeWorkers"]>[0]) {
    return this.#write(
      "resize",
      request.at,
      (state, moment) => setNodeWorkers(state, moment, request),
    );
  }

  async nextDue(request: NextDueRequest) {
    const state = this.reader("look for what is due");
    const at = this.#options.clock?.() ?? request.at;
    return { at: at.wallMs, ...nextDue(state, this.#group.momentOf(at), request) };
  }

  async blockOf(request: NextDueRequest & { readonly id: string }) {
    const state = this.reader("look for what blocks an instance");
    return blockOf(state, this.#group.momentOf(request.at), request);
  }

  async blocks(request: NextDueRequest) {
    const state = this.reader("look for what is blocked");
    return listBlocks(state, this.#group.momentOf(request.at), request);
  }

  subscribe(listener: (hint: ChangeHint) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Resolves when this object knows everything that anybody was answered. */
  protected synced(): Promise<void> {
    return Promise.resolve();
  }

  protected turn(): Promise<void> {
    return new Promise((resolve) => this.#options.defer ? this.#options.defer(resolve) : resolve());
  }

  #write<T>(
    action: string,
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    options: OperationKind = {},
  ): Promise<Committed<T>> {
    if (!this.#info) return Promise.reject(closedError(action));
    return this.#group.run(at, (state, moment) => {
      this.#lastWallMs = moment.wallMs;
      checkMark(state, moment, action, options.reach ?? "begun");
      return operation(state, moment);
    }, options);
  }

  protected reader(action: string): LedgerState {
    if (!this.#info) throw closedError(action);
    return this.#state;
  }

  protected get storeId(): string {
    return this.#info!.storeId;
  }

  #publish(): void {
    const { hints } = this.#state;
    this.#state.hints = [];
    this.#listeners.tell(hints);
  }
}
