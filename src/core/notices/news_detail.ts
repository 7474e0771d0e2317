import { formatLocal } from "../time/local_time.ts";
import type { SubjectNews } from "./next_subject.ts";

/** Times in details: stored in UTC, as the nodes of a store may differ in their zones. */
const TIMES = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** The detail of news in words, its times in a zone. Details of missed ticks are stored as JSON. */
export function newsDetail(
  { event, detail }: Pick<SubjectNews, "event" | "detail">,
  timezone: string,
): string | null {
  if (detail === null) return null;
  const time = (at: number) => formatLocal(at, timezone);
  if (event !== "missed" || !/^\{.*\}$/s.test(detail)) {
    return detail.replaceAll(TIMES, (text) => time(Date.parse(text)));
  }
  const { from, to, count } = JSON.parse(detail) as { from: number; to: number; count: number };
  return count === 1 ? `due ${time(from)}` : `${count} runs, due from ${time(from)} to ${time(to)}`;
}
