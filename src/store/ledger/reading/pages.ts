import { Buffer } from "node:buffer";
import { JobError } from "../../../core/errors.ts";
import {
  type HistoryEntry,
  type Instance,
  LOG_LEVELS,
  type StoredLogEntry,
} from "../../../core/instance.ts";
import type { ScheduleRecord, TickFate } from "../../../core/time/schedule.ts";
import { instanceChars, logChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import type {
  HistoryQuery,
  LogQuery,
  LogTail,
  LogTailQuery,
  Page,
  PageRequest,
  ScheduleQuery,
} from "../../store.ts";
import { checkLimit, checkPage } from "../checks.ts";
import type { PlacedLog } from "../tables/row.ts";
import type { EndedAttempt } from "../../records.ts";
import type { LogRange, ScheduleTable } from "../tables/tables.ts";
import { mergeHistory } from "./history.ts";

const LAST = Number.MAX_SAFE_INTEGER;
/** Fewest and most log lines read at a time. */
const LINES_MIN = 100;
const LINES_MAX = 1_000;

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

/** Matching rows, and the last inspected row if more may follow. */
interface FoundRows {
  readonly rows: readonly PlacedInstance[];
  readonly lookedTo?: { readonly seq: number; readonly createdAt: number } | undefined;
}

type Found<T> = readonly T[] | Promise<readonly T[]>;
type ReadLogs = (range: Omit<LogRange, "instanceSeq">) => Found<PlacedLog>;
type ScheduleRange = Parameters<ScheduleTable["list"]>[0];

/**
 * A page of instances by order of acceptance. A page is full once its payloads have
 * {@link PAGE_CHARS_MAX} characters.
 *
 * @param read up to `limit` rows that match, in the range's order
 */
export async function pageOfInstances(
  page: PageRequest,
  read: (range: Range, limit: number) => Promise<FoundRows>,
): Promise<Page<Instance>> {
  checkPage(page, "list instances");
  const isReverse = page.order !== "oldest";
  const [last] = page.token === undefined
    ? []
    : readToken<number>(page.token, "instances", ["number"]);
  const from = last !== undefined && !isReverse ? last + 1 : 1;
  const to = last !== undefined && isReverse ? last - 1 : LAST;
  // One more than the page needs shows whether there is a next page.
  const { rows, lookedTo } = await read({ from, to, isReverse }, page.limit + 1);
  const shown = rows.slice(0, page.limit);
  const items = shown.map(({ instance }) => instance);
  const chars = items.reduce((sum, instance) => sum + instanceChars(instance), 0);
  if (lookedTo !== undefined) {
    const nextToken = writeToken("instances", [lookedTo.seq]);
    return { items, nextToken, lookedTo: lookedTo.createdAt };
  }
  const hasMore = rows.length > page.limit || chars >= PAGE_CHARS_MAX;
  return { items, nextToken: hasMore ? writeToken("instances", [shown.at(-1)!.seq]) : null };
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
  const { lookMax = Infinity } = page;
  const items: HistoryEntry[] = [];
  let place: readonly [number, number] = [lastSeq!, lastIndex!];
  let looked = 0;
  for await (const row of rowsFrom(Math.max(1, lastSeq!))) {
    looked += 1;
    // Everything is read of a single instance.
    if (looked > lookMax && query.instanceId === undefined) {
      return { items, nextToken: writeToken("history", [row.seq - 1, LAST]) };
    }
    const { settledAt } = row.instance;
    if (query.after !== undefined && settledAt !== null && settledAt < query.after) continue;
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
 * A page of log lines: for one instance in the order written, for many by time. A page is full at
 * {@link PAGE_CHARS_MAX} characters.
 *
 * @param read lines of the query's instance, or of all
 */
export async function pageOfLogs(
  query: LogQuery,
  page: PageRequest,
  read: ReadLogs,
  turn?: () => Promise<void>,
): Promise<Page<StoredLogEntry>> {
  checkPage(page, "list logs");
  const isBack = query.newestFirst === true;
  checkLines(query, isBack);
  const [at, place] = page.token === undefined
    ? await firstPlace(query, isBack, read)
    : readToken<number>(page.token, "logs", ["number", "number"]);
  const after = at === undefined ? undefined : { at, place: place! };
  const request = { limit: page.limit + 1, charsMax: PAGE_CHARS_MAX, after, isBack };
  const lines = await collectLogs(query, request, read, turn);
  const shown = lines.slice(0, page.limit);
  const items = shown.map(({ entry }) => entry);
  const last = shown.at(-1);
  const hasMore = lines.length > page.limit || logChars(shown) >= PAGE_CHARS_MAX;
  return {
    items,
    nextToken: hasMore ? writeToken("logs", [last!.entry.at, last!.place]) : null,
  };
}

/** @throws JobError `invalid_argument` for lines of many instances from their end, or by number */
function checkLines({ instanceId, fromLine }: LogQuery, isBack: boolean): void {
  if (instanceId !== undefined || (!isBack && fromLine === undefined)) return;
  const what = isBack ? "from the newest line" : "from a line";
  throw new JobError("invalid_argument", `Cannot list the logs of many instances ${what}`, {
    path: isBack ? "newestFirst" : "fromLine",
    hint: "Name an instance",
  });
}

/** The place before the first line of a page without a token; none at the very beginning. */
async function firstPlace(
  { fromLine, after = -LAST }: LogQuery,
  isBack: boolean,
  read: ReadLogs,
): Promise<readonly number[]> {
  if (fromLine === undefined) return isBack ? [after, LAST] : [];
  const place = await placeBefore(isBack ? fromLine + 1 : fromLine, read);
  // Going back, the page begins before the first line that is too late.
  return [after, isBack ? place + 1 : place];
}

/** The last place before the line of a number, by halving: numbers rise with places. */
async function placeBefore(line: number, read: ReadLogs): Promise<number> {
  const [last] = await read({ order: "back", afterPlace: LAST, limit: 1 });
  if (!last || last.entry.seq < line) return last?.place ?? 0;
  let low = 0;
  let high = last.place - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [next] = await read({ order: "written", afterPlace: middle, limit: 1 });
    if (next!.entry.seq >= line) high = middle;
    else low = next!.place;
  }
  return high;
}

/**
 * Up to `limit` lines of a query by time, after the given line; fewer once they have `charsMax`
 * characters.
 *
 * @param read lines of the query's instance, or of all
 */
export async function collectLogs(
  query: LogQuery,
  { limit, charsMax = Infinity, after = { at: query.after ?? -LAST, place: 0 }, isBack = false }: {
    readonly limit: number;
    readonly charsMax?: number;
    readonly after?: { readonly at: number; readonly place: number } | undefined;
    /** Back from that line; only for one instance. */
    readonly isBack?: boolean;
  },
  read: ReadLogs,
  turn?: () => Promise<void>,
): Promise<readonly PlacedLog[]> {
  const { after: start = -LAST, before = LAST } = query;
  const chunkLimit = Math.min(LINES_MAX, Math.max(limit, LINES_MIN));
  const lines: PlacedLog[] = [];
  let chars = 0;
  let { at: afterAt, place: afterPlace } = after;
  for (;;) {
    const range = { afterAt, afterPlace, beforeAt: before, limit: chunkLimit };
    const order = isBack ? "back" : "time";
    const chunk = await read({ order, ...range, charsMax: PAGE_CHARS_MAX });
    for (const line of chunk) {
      const { at, message } = line.entry;
      if (!isWantedLog(line, query) || at < start || at >= before) continue;
      lines.push(line);
      chars += message.length;
      if (lines.length === limit || chars >= charsMax) return lines;
    }
    if (chunk.length < chunkLimit && logChars(chunk) < PAGE_CHARS_MAX) return lines;
    const last = chunk.at(-1)!;
    [afterAt, afterPlace] = [last.entry.at, last.place];
    await turn?.();
  }
}

/**
 * The next lines in the order written, after a cursor. A cursor of another body of data starts at
 * the oldest line: all lines are new to its reader.
 *
 * @param read lines of the query's instance, or of all
 */
export async function tailOfLogs(
  storeId: string,
  query: LogTailQuery,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
  read: ReadLogs,
): Promise<LogTail> {
  checkLimit(limit, "follow logs");
  const [from, place] = cursor === null
    ? [storeId, 0]
    : readToken(cursor, "tail", ["string", "number"]);
  const afterPlace = from === storeId ? Number(place) : 0;
  const lines = await read({ order: "written", afterPlace, limit });
  return {
    items: lines.filter((line) => isWantedLog(line, query)).map(({ entry }) => entry),
    cursor: writeToken("tail", [storeId, lines.at(-1)?.place ?? afterPlace]),
    isEnd: lines.length < limit,
  };
}

/** The cursor after the last written line. @param read lines of all instances */
export async function endOfLogs(storeId: string, read: ReadLogs): Promise<string> {
  const [last] = await read({ order: "newest", limit: 1 });
  return writeToken("tail", [storeId, last?.place ?? 0]);
}

function isWantedLog({ entry }: PlacedLog, { kind, level }: LogTailQuery): boolean {
  if (kind !== undefined && entry.kind !== kind) return false;
  return level === undefined || LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(level);
}

/** A page of schedules by id. @param read schedules after an id, in order */
export async function pageOfSchedules(
  { kind, origin, withRemoved = false }: ScheduleQuery,
  page: PageRequest,
  read: (range: ScheduleRange) => Found<ScheduleRecord>,
): Promise<Page<ScheduleRecord>> {
  checkPage(page, "list schedules");
  const isReverse = page.order !== "oldest";
  const limit = page.limit + 1;
  let [afterId = null] = page.token === undefined
    ? []
    : readToken<string>(page.token, "schedules", ["string"]);
  const items: ScheduleRecord[] = [];
  for (;;) {
    const records = await read({ afterId, isReverse, limit });
    for (const record of records) {
      const isWanted = (kind ?? record.kind) === record.kind &&
        (origin ?? record.origin) === record.origin &&
        (withRemoved || record.removedAt === undefined);
      if (!isWanted) continue;
      if (items.length === page.limit) {
        return { items, nextToken: writeToken("schedules", [items.at(-1)!.id]) };
      }
      items.push(record);
    }
    if (records.length < limit) return { items, nextToken: null };
    afterId = records.at(-1)!.id;
  }
}

/** A page of fates by due time. @param read fates in a range, in its order */
export async function pageOfFates(
  query: { readonly after?: number; readonly before?: number },
  page: PageRequest,
  read: (range: Range & { readonly limit: number }) => Found<TickFate>,
): Promise<Page<TickFate>> {
  checkPage(page, "list fates");
  const isReverse = page.order !== "oldest";
  let from = Math.ceil(query.after ?? -LAST);
  let to = query.before === undefined ? LAST : Math.ceil(query.before) - 1;
  if (page.token !== undefined) {
    const [last] = readToken<number>(page.token, "fates", ["number"]);
    if (isReverse) to = Math.min(to, last! - 1);
    else from = Math.max(from, last! + 1);
  }
  const found = await read({ from, to, isReverse, limit: page.limit + 1 });
  const items = found.slice(0, page.limit);
  const hasMore = found.length > page.limit;
  return { items, nextToken: hasMore ? writeToken("fates", [items.at(-1)!.from]) : null };
}

/** The list that a token continues; other lists refuse it. */
type TokenType = "instances" | "history" | "logs" | "tail" | "fates" | "schedules";

/** The place of a page's last item as opaque text. */
function writeToken(type: TokenType, place: readonly (number | string)[]): string {
  return Buffer.from(JSON.stringify([type, ...place])).toString("base64url");
}

/** The place in a token. @throws JobError `invalid_argument` for another type or shape */
function readToken<T extends number | string>(
  token: string,
  type: TokenType,
  shape: readonly ("number" | "string")[],
): readonly T[] {
  try {
    const [tokenType, ...place] = JSON.parse(Buffer.from(token, "base64url").toString());
    const isValid = tokenType === type && place.length === shape.length &&
      place.every((part: unknown, index: number) =>
        typeof part === shape[index] && (typeof part === "string" || Number.isSafeInteger(part))
      );
    if (isValid) return place;
  } catch {
    // Refused below like every other unreadable token.
  }
  const shown = token.length > 60 ? `${token.slice(0, 60)}…` : token;
  throw new JobError(
    "invalid_argument",
    `Cannot read page token "${shown.toWellFormed()}": this list did not return it`,
    { path: "token", hint: "Start again without a token" },
  );
}
