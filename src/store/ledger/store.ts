import type { Instant } from "../../platform/clock.ts";
import type { RecordStore } from "../records.ts";
import type {
  ChangeHint,
  Committed,
  DueSchedulesRequest,
  NextDueRequest,
  OpenRequest,
  PutSchedule,
  Store,
  StoreInfo,
} from "../store.ts";
import { checkLimit } from "./checks.ts";
import { closedError } from "../closed_error.ts";
import { blockOf, listBlocks } from "./claiming/blocks.ts";
import { claim, quietMs, reap, renew } from "./claiming/claims.ts";
import { nextDue } from "./claiming/next_due.ts";
import { Listeners } from "./hints.ts";
import { type Allowed, checkMark, markAt, setMark } from "./maintenance/marks.ts";
import { findProblems } from "./maintenance/problems.ts";
import { readRecords, removeOrphans, removeRecords, writeRecords } from "./maintenance/records.ts";
import { advance } from "./operations/advance.ts";
import { backfill } from "./operations/backfill.ts";
import { cancel } from "./operations/cancel.ts";
import { correctTimes } from "./operations/correct_times.ts";
import { enqueue } from "./operations/enqueue.ts";
import { appendLogs } from "./operations/logs.ts";
import { recordRuns } from "./operations/external_runs.ts";
import { joinNode, leaveNode, listNodes, reportNode, setNodeWorkers } from "./operations/nodes.ts";
import { addNews, putMemo, removeMemos } from "./operations/memos.ts";
import { removePause, setPause } from "./operations/pauses.ts";
import { putSteps, signal } from "./operations/flows.ts";
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
import { type LedgerRead, LedgerReader } from "./reader.ts";
import type { LedgerState, Moment } from "./state.ts";

/** The argument of a method of the store. */
type Request<Name extends keyof Store> = Store[Name] extends (request: infer R) => unknown ? R
  : never;

/** Properties of an operation for the ledger. */
type OperationKind = OperationOptions & {
  /** The marks of the store that allow it; absent: see {@link Allowed} "begun". */
  readonly allowedDuring?: Allowed;
  /** Its use of this node's clock, for people; refused while that clock may be wrong. */
  readonly clockUse?: string;
};

const NEW: OperationKind = { allowedDuring: "new" };
const ALWAYS: OperationKind = { allowedDuring: "moving" };
const RETAIN: OperationKind = { clockUse: "delete what has expired" };
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
  readonly #listeners = new Listeners();
  #info: StoreInfo | null = null;
  #opening: Promise<StoreInfo> | null = null;
  #openCount = 0;
  #lastWallMs = 0;
  readonly #turn = () => this.#owner.turn();

  readonly enqueue = this.#operation("enqueue", enqueue, NEW);
  readonly claim = this.#operation("claim", claim, CLAIM);
  readonly renew = this.#operation("renew", renew, RENEW);
  readonly settle: Store["settle"] = this.#operation("settle", settle);
  readonly cancel = this.#operation("cancel", cancel);
  readonly redrive = this.#operation("redrive", redrive, NEW);
  readonly recordRuns = this.#operation("record a run", recordRuns, NEW);
  readonly putSteps = this.#operation("record steps", putSteps);
  readonly signal = this.#operation("send a signal", signal);
  readonly appendLogs = this.#operation("append logs", appendLogs);
  readonly advance = this.#operation("advance", advance, ADVANCE);
  readonly backfill = this.#operation("backfill", backfill, NEW);
  readonly deleteSchedule = this.#operation("delete a schedule", deleteSchedule, NEW);
  readonly correctTimes = this.#operation("correct times", correctTimes);
  readonly retain = this.#operation("delete instances", retain, RETAIN);
  readonly setPause = this.#operation("pause", setPause, NEW);
  readonly removePause = this.#operation("resume", removePause, NEW);
  readonly putMemo = this.#operation("write a memo", putMemo);
  readonly addNews = this.#operation("add news", addNews);
  readonly removeMemos = this.#operation("delete memos", removeMemos);
  readonly reportNode = this.#operation("report", reportNode, REPORT);
  readonly setNodeWorkers = this.#operation("resize", setNodeWorkers);
  readonly #reap = this.#operation("reap", reap, REAP);
  readonly #putSchedule = this.#operation("write a schedule", putSchedule, NEW);
  readonly #correctSchedule = this.#operation("write a schedule", putSchedule, CORRECT_SCHEDULE);
  readonly #joinNode = this.#operation("join", joinNode, ALWAYS);
  readonly #leaveNode = this.#operation("leave", leaveNode, ALWAYS);

  readonly records: RecordStore = {
    readRecords: async (request) => {
      const page = await this.read("read records", (state) => readRecords(state, request));
      await this.#owner.turn();
      return page;
    },
    writeRecords: this.#operation("write records", writeRecords, ALWAYS),
    removeRecords: this.#operation("remove records", removeRecords, ALWAYS),
    getMark: () => this.read("read the store's mark", (state) => markAt(state, this.#lastWallMs)),
    setMark: this.#operation("mark the store", setMark, ALWAYS),
    findProblems: ({ limit }) =>
      this.read("check for problems", (state, turn) => findProblems(state, limit, turn)),
    removeOrphans: this.#operation("delete orphans", removeOrphans, ALWAYS),
    size: () => this.read("measure the store", ({ tables }) => tables.maintenance.size(), "own"),
    compact: () =>
      this.read("compact the store", ({ tables }) => tables.maintenance.compact(), "own"),
  };

  /** @param ownerOf makes the owner; it calls `publish` after each commit */
  constructor(ownerOf: (publish: () => void) => LedgerOwner) {
    super();
    this.#owner = ownerOf(() => this.#publish());
    this.#state = this.#owner.state;
  }

  get problem(): string | null | undefined {
    const { problem } = this.#owner;
    return problem ? problem.message : problem;
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

  async reap(request: Request<"reap">) {
    const taken = await this.#reap(request);
    if (this.#info && this.#state.leases.size === 0) this.#state.tables.rest?.();
    return taken;
  }

  quietMs(at: Instant): number {
    if (!this.#info || this.#state.tables.shared) return 0;
    return quietMs(this.#state, this.#owner.momentOf(at));
  }

  putSchedule(request: PutSchedule) {
    return request.isByClock ? this.#correctSchedule(request) : this.#putSchedule(request);
  }

  dueSchedules(request: DueSchedulesRequest) {
    return this.read("list due schedules", (state) => {
      checkLimit(request.limit, "list due schedules");
      const moment = this.#owner.momentOf(request.at);
      return state.tables.schedules.due(state.dueBy(moment, request), request);
    }, "own");
  }

  async clearInstances(request: Request<"clearInstances">) {
    const ids = await this.read(
      "delete instances",
      (state, turn) => findCleared(state, request, turn),
    );
    return await this.#write(
      "delete instances",
      request.at,
      (state, moment) => removeCleared(state, moment, ids),
    );
  }

  async clearLogs(request: Request<"clearLogs">) {
    const places = await this.read("delete logs", (state, turn) => findLogs(state, request, turn));
    return await this.#write("delete logs", request.at, (state) => removeLogs(state, places));
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
    const joined = await this.#joinNode(request);
    await clocks?.joined?.(request.id, request.leaseMs);
    return joined;
  }

  async leaveNode(request: Request<"leaveNode">) {
    await this.#owner.clocks?.left?.(request.id);
    return await this.#leaveNode(request);
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
    read: LedgerRead<T>,
    freshness: Freshness = "committed",
  ): Promise<T> {
    if (this.#owner.refresh) await this.#owner.refresh(freshness);
    if (!this.#info) throw closedError(action);
    return await read(this.#state, this.#turn);
  }

  protected get storeId(): string {
    return this.#info!.storeId;
  }

  /** A method that runs an operation. @param action for messages */
  #operation<R, T>(
    action: string,
    operation: (state: LedgerState, moment: Moment, request: R) => T,
    kind?: OperationKind,
  ) {
    return (request: R & { readonly at: Instant }): Promise<Committed<T>> => {
      const run = (state: LedgerState, moment: Moment) => operation(state, moment, request);
      return this.#write(action, request.at, run, kind);
    };
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
