import type { Instance } from "../../core/instance.ts";
import type {
  FindIds,
  GapRequest,
  HistoryQuery,
  InstanceQuery,
  LaterRequest,
  LogQuery,
  LogTailQuery,
  PageRequest,
  ScheduleQuery,
  SpanCountRequest,
  Store,
  StoreReads,
  StoreStats,
  UpcomingQuery,
} from "../store.ts";
import { checkLimit } from "./checks.ts";
import type { Freshness } from "./owner.ts";
import {
  endOfLogs,
  pageOfFates,
  pageOfLogs,
  pageOfSchedules,
  tailOfLogs,
} from "./reading/pages.ts";
import { countInstances, listHistory, listInstances, readerOfLogs } from "./reading/reads.ts";
import { countSpans, listGaps, listLater } from "./reading/spans.ts";
import { listUpcoming } from "./reading/upcoming.ts";
import { listMemos } from "./operations/memos.ts";
import type { LedgerState } from "./state.ts";
import type { MemoRange } from "./tables/tables.ts";

/**
 * Reads the state of a ledger. `turn` yields to everything else waiting in the event loop; the
 * state may change meanwhile.
 */
export type LedgerRead<T> = (state: LedgerState, turn: () => Promise<void>) => T | Promise<T>;

/** The reads of a ledger, for its owner or another reader. */
export abstract class LedgerReader implements StoreReads {
  /**
   * Read the state once it is fresh enough; by default with everything acknowledged to anyone.
   *
   * @throws JobError `unavailable`, with the action, if it is closed
   */
  protected abstract read<T>(
    action: string,
    read: LedgerRead<T>,
    freshness?: Freshness,
  ): Promise<T>;
  /** UUID of this body of data. */
  protected abstract get storeId(): string;

  getSchedule(id: string) {
    return this.read("get a schedule", ({ tables }) => tables.schedules.get(id));
  }

  listSchedules(query: ScheduleQuery, page: PageRequest) {
    return this.read(
      "list schedules",
      ({ tables }) => pageOfSchedules(query, page, (range) => tables.schedules.list(range)),
    );
  }

  listFates(query: Parameters<Store["listFates"]>[0], page: PageRequest) {
    return this.read(
      "list fates",
      ({ tables }) =>
        pageOfFates(query, page, (range) => tables.ticks.list(query.scheduleId, range)),
    );
  }

  listMemos(range: MemoRange) {
    return this.read("list memos", (state) => listMemos(state, range));
  }

  upcoming(query: UpcomingQuery) {
    const find = (state: LedgerState, turn: () => Promise<void>) =>
      listUpcoming(state, query, turn);
    return this.read("look for what is due next", find);
  }

  stats(): Promise<StoreStats> {
    return this.read("count instances", countInstances);
  }

  get(id: string): Promise<Instance | null> {
    const find = ({ tables }: LedgerState) => tables.instances.get(id)?.instance ?? null;
    return this.read("get an instance", find);
  }

  async findIds({ part, limit, enough = Infinity, signal }: FindIds): Promise<readonly string[]> {
    checkLimit(limit, "find ids");
    return await this.read("find an instance", async ({ tables }, turn) => {
      const found: string[] = [];
      let compared = 0;
      for (const next of tables.instances.idsWith(part)) {
        if (typeof next === "string") {
          if (found.push(next) === limit) break;
          continue;
        }
        compared += next;
        if (signal?.aborted || (found.length > 0 && compared >= enough)) break;
        await turn();
      }
      return found;
    });
  }

  list(query: InstanceQuery, page: PageRequest) {
    return this.read("list instances", (state, turn) => listInstances(state, query, page, turn));
  }

  history(query: HistoryQuery, page: PageRequest) {
    return this.read("list history", (state, turn) => listHistory(state, query, page, turn));
  }

  logs(query: LogQuery, page: PageRequest) {
    return this.read(
      "list logs",
      (state, turn) => pageOfLogs(query, page, readerOfLogs(state, query.instanceId), turn),
    );
  }

  tailLogs(query: LogTailQuery, request: Parameters<Store["tailLogs"]>[1]) {
    const read = (state: LedgerState) =>
      tailOfLogs(this.storeId, query, request, readerOfLogs(state, query.instanceId));
    return this.read("follow logs", read, "own");
  }

  logEnd() {
    return this.read(
      "follow logs",
      (state) => endOfLogs(this.storeId, readerOfLogs(state, undefined)),
    );
  }

  countSpans(request: SpanCountRequest) {
    return this.read("count instances", (state, turn) => countSpans(state, request, turn));
  }

  listLater(request: LaterRequest) {
    return this.read("list waiting instances", (state) => listLater(state, request));
  }

  listGaps(request: GapRequest) {
    return this.read("list ticks without a run", (state) => listGaps(state, request));
  }
}
