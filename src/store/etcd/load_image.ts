import { isJobError, JobError } from "../../core/errors.ts";
import type { MediumImage, MediumPair } from "../replica/medium.ts";
import { type CommitLog, parseEntry, parseHead, readChanges } from "./commit_log.ts";
import type { EtcdCalls } from "./calls.ts";
import { boundsOf, readOf, readTogether } from "./keys.ts";
import { KV } from "./gen/etcd_pb.ts";
import { parseFold } from "./folding.ts";
import type { Layout } from "./layout.ts";
import { PieceReader } from "./row_pieces.ts";

/** Intended size of a page of rows, in bytes. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** Pieces of the first page: few enough to be small in any case. */
const PAGE_PIECES_FIRST = 64;
const PAGE_PIECES_MAX = 10_000;
/** Largest growth from page to page: the next rows may be larger. */
const PAGE_GROWTH = 4;
const LOG_ENTRIES = 32;

/** Parts of a load. */
export interface LoadOptions {
  readonly calls: EtcdCalls;
  readonly layout: Layout;
  readonly log: CommitLog;
  /** Called with the number of unfolded commits, and their bytes. */
  readonly noteLog: (commits: number, bytes: number) => void;
}

/** Everything at one moment: rows at one revision, and over them the commits unfolded by then. */
export async function loadImage(options: LoadOptions): Promise<MediumImage> {
  const { calls, layout, log } = options;
  const since = log.head;
  const { revision, ranges } = await readTogether(calls, "read the head", [
    readOf(layout.head),
    readOf(layout.fold),
  ]);
  const head = parseHead(ranges[0]?.kvs ?? []);
  log.reset(head, since);
  if (head === null) return { version: 0, pairs: noPairs() };
  const range = { from: parseFold(ranges[1]?.kvs ?? []).version, to: head.version };
  return { version: head.version, pairs: untilCompacted(readPairs(options, revision, range)) };
}

/** A compaction may remove the moment during the read: the reader then takes a later one. */
async function* untilCompacted(
  pairs: AsyncIterable<readonly MediumPair[]>,
): AsyncGenerator<readonly MediumPair[]> {
  try {
    yield* pairs;
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
    throw new JobError("unavailable", "Cannot read the store: it was compacted meanwhile", {
      hint: "Try again; compact with a retention of some minutes at least",
      cause: error,
    });
  }
}

async function* noPairs(): AsyncGenerator<readonly MediumPair[]> {}

async function* readPairs(
  options: LoadOptions,
  revision: bigint,
  range: Range,
): AsyncGenerator<readonly MediumPair[]> {
  const { calls, layout } = options;
  const changed = await readLog(options, revision, range);
  const reader = new PieceReader(layout);
  let limit = PAGE_PIECES_FIRST;
  const query = { ...boundsOf(layout.rows), revision };
  for await (const kvs of pagesOfRange(calls, query, "read rows", () => limit)) {
    const pairs = reader.take(kvs).filter(([rowKey]) => !changed.has(rowKey));
    if (pairs.length > 0) yield pairs;
    limit = nextLimit(kvs);
  }
  const rest = [...changed].filter((pair): pair is [string, string] => pair[1] !== null);
  if (rest.length > 0) yield rest;
}

/** Unfolded commits: from after one, up to another. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** Rows that unfolded commits changed; null: deleted. @throws JobError `internal` on a gap */
async function readLog(
  { calls, layout, noteLog }: LoadOptions,
  revision: bigint,
  { from, to }: Range,
) {
  const changed = new Map<string, string | null>();
  let version = from;
  const query = { ...boundsOf(layout.logAfter(0)), revision };
  for await (const kvs of pagesOfRange(calls, query, "read the log", () => LOG_ENTRIES)) {
    for (const kv of kvs) {
      const entry = parseEntry(layout, kv);
      if (entry.version > from && entry.version !== ++version) throw missing(version);
      const { puts, deletes } = await readChanges(calls, layout, entry, revision);
      for (const [rowKey, value] of puts) changed.set(rowKey, value);
      for (const rowKey of deletes) changed.set(rowKey, null);
    }
    noteLog(kvs.length, kvs.reduce((sum, { value }) => sum + value.length, 0));
  }
  if (version < to) throw missing(version + 1);
  return changed;
}

/** The pairs of a range at a revision, page by page; the last page may be empty. */
async function* pagesOfRange(
  calls: LoadOptions["calls"],
  query: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly revision: bigint },
  action: string,
  limit: () => number,
) {
  for (let { key } = query;;) {
    const request = { ...query, key, limit: BigInt(limit()) };
    const { message: { kvs, more } } = await calls.call(KV.method.range, request, { action });
    yield kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

function missing(version: number): JobError {
  return new JobError("internal", `Cannot read the store: commit ${version} is missing`, {
    hint:
      "Something deleted keys below the store's prefix on etcd: restore a backup into an empty store",
  });
}

function nextLimit(kvs: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]) {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const wanted = Math.floor(PAGE_BYTES / Math.max(1, bytes / kvs.length));
  return Math.max(1, Math.min(PAGE_PIECES_MAX, PAGE_GROWTH * kvs.length, wanted));
}
