import type { Instance } from "../../core/instance.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  PageRequest,
  Store,
  StoreReads,
} from "../store.ts";
import { logEnd, tailLogs } from "./reading/log_tail.ts";
import { listHistory, listInstances, listLogs } from "./reading/reads.ts";
import { listFates, listSchedules } from "./operations/schedules.ts";
import type { LedgerState } from "./state.ts";

/** The reads of a ledger, for its owner or another reader. */
export abstract class LedgerReader implements StoreReads {
  /** The current state. @throws JobError `unavailable`, naming the action, if it is closed */
  protected abstract reader(action: string): LedgerState;
  /** UUID of this body of data. */
  protected abstract get storeId(): string;
  /** Yields to everything else waiting in the event loop. */
  protected abstract turn(): Promise<void>;

  async getSchedule(id: string) {
    return this.reader("get a schedule").tables.schedules.get(id);
  }

  async listSchedules(query: Parameters<Store["listSchedules"]>[0], page: PageRequest) {
    return listSchedules(this.reader("list schedules"), query, page);
  }

  async listFates(
    query: { readonly scheduleId: string; readonly after?: number; readonly before?: number },
    page: PageRequest,
  ) {
    return listFates(this.reader("list fates"), query, page);
  }

  async get(id: string): Promise<Instance | null> {
    return this.reader("get an instance").tables.instances.get(id)?.instance ?? null;
  }

  async list(query: InstanceQuery, page: PageRequest) {
    return await listInstances(this.reader("list instances"), query, page, () => this.turn());
  }

  async history(query: HistoryQuery, page: PageRequest) {
    return await listHistory(this.reader("list history"), query, page, () => this.turn());
  }

  async logs(query: LogQuery, page: PageRequest) {
    return await listLogs(this.reader("list logs"), query, page, () => this.turn());
  }

  async tailLogs(query: LogTailQuery, request: Parameters<Store["tailLogs"]>[1]) {
    return tailLogs(this.reader("follow logs"), this.storeId, query, request);
  }

  async logEnd() {
    return logEnd(this.reader("follow logs"), this.storeId);
  }
}
