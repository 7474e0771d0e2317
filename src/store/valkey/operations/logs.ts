import { LOG_LEVELS, type LogLevel, type StoredLogEntry } from "../../../core/instance.ts";
import { checkLimit, checkPage } from "../../ledger/checks.ts";
import { readToken, writeToken } from "../../ledger/reading/page_token.ts";
import { pageOfLogs } from "../../ledger/reading/pages.ts";
import type { PlacedLog } from "../../ledger/tables/row.ts";
import { PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import type { Committed, LogQuery, LogTail, LogTailQuery, Page, PageRequest } from "../../store.ts";
import { Unpacker } from "../codec/msgpack.ts";
import type { OperationQueue } from "./operation_queue.ts";

/** Most lines of one call. */
const LINES_MIN = 100;
const LINES_MAX = 1_000;
const LAST = Number.MAX_SAFE_INTEGER;

interface Range {
  readonly order: "time" | "written" | "newest";
  readonly instanceId?: string | undefined;
  readonly afterAt: number;
  readonly afterPlace: number;
  readonly beforeAt: number;
  readonly limit: number;
}

/** Lists, follows and deletes log lines. */
export class LogReads {
  readonly #queue: OperationQueue;
  /** Id of the data that the lines belong to. */
  storeId = "";

  constructor(queue: OperationQueue) {
    this.#queue = queue;
  }

  list(query: LogQuery, page: PageRequest): Promise<Page<StoredLogEntry>> {
    return pageOfLogs(page, (limit, after) => this.#collect(query, limit, after, PAGE_CHARS_MAX));
  }

  /** A cursor of other data starts at the oldest line, since all lines are new to its owner. */
  async tail(
    query: LogTailQuery,
    { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
  ): Promise<LogTail> {
    checkPage({ limit }, "follow logs");
    const [from, place] = cursor === null
      ? [this.storeId, 0]
      : readToken(cursor, "tail", ["string", "number"]);
    const afterPlace = from === this.storeId ? Number(place) : 0;
    const { instanceId } = query;
    const lines = await this.#read({
      ...{ order: "written", instanceId, afterAt: 0, afterPlace, beforeAt: 0, limit },
    });
    return {
      items: lines.filter((line) => isWanted(line, query)).map(({ entry }) => entry),
      cursor: writeToken("tail", [this.storeId, lines.at(-1)?.place ?? afterPlace]),
      isEnd: lines.length < limit,
    };
  }

  /** Lines of all instances after a place, in the order of writing. */
  after(afterPlace: number, limit: number): Promise<readonly PlacedLog[]> {
    return this.#read({ order: "written", afterAt: 0, afterPlace, beforeAt: 0, limit });
  }

  async end(): Promise<string> {
    const [last] = await this.#read({
      ...{ order: "newest", afterAt: 0, afterPlace: 0, beforeAt: 0, limit: 1 },
    });
    return writeToken("tail", [this.storeId, last?.place ?? 0]);
  }

  async clear(
    { query, limit }: { readonly query: LogQuery; readonly limit: number },
  ): Promise<Committed<number>> {
    checkLimit(limit, "delete log lines");
    const lines = await this.#collect(query, limit, undefined);
    return await this.#queue.write({
      family: "retention",
      action: "removeLines",
      weight: lines.length,
      args: [lines.map(({ place }) => place)],
      read: (from) => from.read() as number,
    });
  }

  async #collect(
    query: LogQuery,
    wanted: number,
    first: { readonly at: number; readonly place: number } | undefined,
    charsMax = Infinity,
  ): Promise<readonly PlacedLog[]> {
    const { instanceId } = query;
    const start = Math.ceil(query.after ?? -LAST);
    const beforeAt = Math.ceil(query.before ?? LAST);
    const limit = Math.min(LINES_MAX, Math.max(wanted, LINES_MIN));
    const lines: PlacedLog[] = [];
    let chars = 0;
    let after = first ?? { at: start, place: 0 };
    for (;;) {
      const chunk = await this.#read({
        ...{
          order: "time",
          instanceId,
          afterAt: after.at,
          afterPlace: after.place,
          beforeAt,
          limit,
        },
      });
      for (const line of chunk) {
        const { at } = line.entry;
        if (!isWanted(line, query) || at < start || at >= beforeAt) continue;
        lines.push(line);
        chars += line.entry.message.length;
        if (lines.length === wanted || chars >= charsMax) return lines;
      }
      if (chunk.length < limit) return lines;
      const last = chunk.at(-1)!;
      after = { at: last.entry.at, place: last.place };
    }
  }

  #read(range: Range): Promise<readonly PlacedLog[]> {
    const { order, instanceId, afterAt, afterPlace, beforeAt, limit } = range;
    return this.#queue.read({
      family: "retention",
      action: "readLines",
      weight: limit,
      args: [order, instanceId ?? false, afterAt, afterPlace, beforeAt, limit],
      read: (from) => {
        const lines: PlacedLog[] = [];
        for (let left = from.list() / 2; left > 0; left--) {
          const place = from.read() as number;
          lines.push({ place, entry: readLine(from.bytes()!) });
        }
        return lines;
      },
    });
  }
}

function readLine(bytes: Uint8Array): StoredLogEntry {
  const [at, level, message, source, attempt, fence, seq, instanceId, kind] = new Unpacker(bytes)
    .read() as [
      number,
      LogLevel,
      string,
      StoredLogEntry["source"],
      number,
      number,
      number,
      string,
      string,
    ];
  return { at, level, message, source, instanceId, kind, attempt, fence, seq };
}

function isWanted(
  { entry }: PlacedLog,
  { kind, level }: { readonly kind?: string; readonly level?: LogLevel },
): boolean {
  if (kind !== undefined && entry.kind !== kind) return false;
  return level === undefined || LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(level);
}
