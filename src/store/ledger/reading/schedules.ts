import type { ScheduleRecord, TickFate } from "../../../core/job/schedule.ts";
import type { Page, PageRequest, ScheduleQuery } from "../../store.ts";
import { checkPage } from "../checks.ts";
import type { LedgerState } from "../state.ts";
import { readToken, writeToken } from "./page_token.ts";
import { SchedulePage } from "./pages.ts";

/** A page of schedules by id. */
export function listSchedules(
  state: LedgerState,
  query: ScheduleQuery,
  page: PageRequest,
): Page<ScheduleRecord> {
  const filling = new SchedulePage(query, page);
  for (;;) {
    const whole = filling.add(state.tables.schedules.list(filling.wanted));
    if (whole) return whole;
  }
}

/** A page of fates by due time. */
export function listFates(
  state: LedgerState,
  query: { readonly scheduleId: string; readonly after?: number; readonly before?: number },
  page: PageRequest,
): Page<TickFate> {
  checkPage(page, "list fates");
  const isReverse = page.order !== "oldest";
  let from = query.after ?? -Number.MAX_SAFE_INTEGER;
  let to = query.before === undefined ? Number.MAX_SAFE_INTEGER : query.before - 1;
  if (page.token !== undefined) {
    const [last] = readToken<number>(page.token, "fates", ["number"]);
    if (isReverse) to = Math.min(to, last! - 1);
    else from = Math.max(from, last! + 1);
  }
  const range = { from, to, isReverse, limit: page.limit + 1 };
  const found = state.tables.ticks.list(query.scheduleId, range);
  const items = found.slice(0, page.limit);
  const hasMore = found.length > page.limit;
  return { items, nextToken: hasMore ? writeToken("fates", [items.at(-1)!.from]) : null };
}
