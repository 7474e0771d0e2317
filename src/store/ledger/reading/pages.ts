import type { HistoryEntry, Instance, StoredLogEntry } from "../../../core/instance.ts";
import type { ScheduleRecord } from "../../../core/job/schedule.ts";
import type { HistoryQuery, Page, PageRequest, ScheduleQuery } from "../../store.ts";
import { checkPage } from "../checks.ts";
import { mergeHistory } from "./history.ts";
import { instanceChars, logChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { readToken, writeToken } from "./page_token.ts";
import type { EndedAttempt, PlacedLog } from "../tables/row.ts";

/** A part of the order of acceptance, both ends included. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly isReverse: boolean;
}

/** An instance with its place in the order of acceptance. */
interface PlacedInstance {
  readonly seq: number;
  readonly instance: Instance;
}

/** A place among log lines by time. */
export interface LogPlace {
  readonly at: number;
  readonly place: number;
}

/**
 * A page of instances by order of acceptance. A page is full once its payloads have
 * {@link PAGE_CHARS_MAX} characters.
 *
 * @param read up to `limit` rows that match, in the range's order
 */
export async function pageOfInstances(
  page: PageRequest,
  read: (range: Range, limit: number) => Promise<readonly PlacedInstance[]>,
): Promise<Page<Instance>> {
  checkPage(page, "list instances");
  const isReverse = page.order !== "oldest";
  const [last] = page.token === undefined
    ? []
    : readToken<number>(page.token, "instances", ["number"]);
  const from = last !== undefined && !isReverse ? last + 1 : 1;
  const to = last !== undefined && isReverse ? last - 1 : Number.MAX_SAFE_INTEGER;
  // One more than the page has tells whether there is a next page.
  const rows = await read({ from, to, isReverse }, page.limit + 1);
  const shown = rows.slice(0, page.limit);
  const chars = shown.reduce((sum, { instance }) => sum + instanceChars(instance), 0);
  const hasMore = rows.length > page.limit || chars >= PAGE_CHARS_MAX;
  return {
    items: shown.map(({ instance }) => instance),
    nextToken: hasMore ? writeToken("instances", [shown.at(-1)!.seq]) : null,
  };
}

/**
 * A page of the history of one instance, or of many: by order of acceptance, each oldest first.
 *
 * @param rowsFrom rows of the query from a place on
 */
export async function pageOfHistory<Row extends PlacedInstance>(
  query: HistoryQuery,
  page: PageRequest,
  rowsFrom: (seq: number) => AsyncIterable<Row>,
  endedAttemptsOf: (row: Row) => readonly EndedAttempt[],
): Promise<Page<HistoryEntry>> {
  checkPage(page, "list history");
  const [lastSeq, lastIndex] = page.token === undefined
    ? [0, -1]
    : readToken<number>(page.token, "history", ["number", "number"]);
  const items: HistoryEntry[] = [];
  let place: readonly [number, number] = [lastSeq!, lastIndex!];
  for await (const row of rowsFrom(Math.max(1, lastSeq!))) {
    const entries = mergeHistory(row.instance, endedAttemptsOf(row));
    for (const [index, entry] of entries.entries()) {
      if (row.seq === lastSeq && index <= lastIndex!) continue;
      if (query.after !== undefined && entry.at < query.after) continue;
      if (query.before !== undefined && entry.at >= query.before) continue;
      if (items.length === page.limit) return { items, nextToken: writeToken("history", place) };
      items.push(entry);
      place = [row.seq, index];
    }
  }
  return { items, nextToken: null };
}

/**
 * A page of log lines: of one instance in the order written, of many by time. A page is full at
 * {@link PAGE_CHARS_MAX} characters.
 *
 * @param read up to `limit` lines that match, after the place if one is given
 */
export async function pageOfLogs(
  page: PageRequest,
  read: (limit: number, after: LogPlace | undefined) => Promise<readonly PlacedLog[]>,
): Promise<Page<StoredLogEntry>> {
  checkPage(page, "list logs");
  const [at, place] = page.token === undefined
    ? []
    : readToken<number>(page.token, "logs", ["number", "number"]);
  const lines = await read(page.limit + 1, at === undefined ? undefined : { at, place: place! });
  const shown = lines.slice(0, page.limit);
  const items = shown.map(({ entry }) => entry);
  const last = shown.at(-1);
  const hasMore = lines.length > page.limit || logChars(shown) >= PAGE_CHARS_MAX;
  return {
    items,
    nextToken: hasMore ? writeToken("logs", [last!.entry.at, last!.place]) : null,
  };
}

/** A page of schedules by id, as it fills. */
export class SchedulePage {
  readonly #query: ScheduleQuery;
  readonly #limit: number;
  readonly #isReverse: boolean;
  readonly #items: ScheduleRecord[] = [];
  #afterId: string | null;

  constructor(query: ScheduleQuery, page: PageRequest) {
    checkPage(page, "list schedules");
    this.#query = query;
    this.#limit = page.limit;
    this.#isReverse = page.order !== "oldest";
    this.#afterId = page.token === undefined
      ? null
      : readToken<string>(page.token, "schedules", ["string"])[0]!;
  }

  /** The schedules to read next. */
  get wanted(): { afterId: string | null; isReverse: boolean; limit: number } {
    return { afterId: this.#afterId, isReverse: this.#isReverse, limit: this.#limit + 1 };
  }

  /** Add the schedules read. @returns the page once it is complete */
  add(records: readonly ScheduleRecord[]): Page<ScheduleRecord> | null {
    const { kind, origin, withRemoved = false } = this.#query;
    const items = this.#items;
    for (const record of records) {
      const isWanted = (kind ?? record.kind) === record.kind &&
        (origin ?? record.origin) === record.origin &&
        (withRemoved || record.removedAt === undefined);
      if (!isWanted) continue;
      if (items.length === this.#limit) {
        return { items, nextToken: writeToken("schedules", [items.at(-1)!.id]) };
      }
      items.push(record);
    }
    if (records.length <= this.#limit) return { items, nextToken: null };
    this.#afterId = records.at(-1)!.id;
    return null;
  }
}
