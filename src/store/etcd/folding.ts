import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { parseEntry, readChanges } from "./commit_log.ts";
import type { EtcdCalls } from "./calls.ts";
import {
  deleteOf,
  isValue,
  type Operation,
  putOf,
  rangesOf,
  readOf,
  readTogether,
  runTransaction,
} from "./keys.ts";
import type { KeyValue } from "./gen/kv_pb.ts";
import { type Layout, PIECE_BYTES_MAX, textOf } from "./layout.ts";
import { operationsOf } from "./row_pieces.ts";

/** Commits in the log at which a node folds them. */
export const FOLD_COMMITS = 512;
/** Bytes of commits in the log at which a node folds them. */
const FOLD_BYTES = 8 * 1024 * 1024;
/** Commits read at a time. */
const READ_ENTRIES = 16;
/** Characters of rows collected before a write: a row that changed often is written once. */
const ROWS_CHARACTERS_MAX = 32 * 1024 * 1024;
/** Most operations of one transaction; etcd allows 128. */
const OPERATIONS_MAX = 120;
const TOKEN_BYTES = 9;
/** Age at which an unfinished fold counts as a dead node's. */
const ABANDONED_MS = 30_000;

/** Progress of folding the log into rows. */
export interface FoldState {
  readonly version: number;
  /** The token of the fold under way; null for none. */
  readonly token: string | null;
}

/** The value of the fold key: `VERSION` or `VERSION TOKEN`. */
export function parseFold(kvs: readonly KeyValue[]): FoldState {
  const value = kvs[0]?.value;
  const [version = "0", token] = value === undefined ? [] : textOf(value).split(" ");
  return { version: Number(version), token: token ?? null };
}

/** Parts of {@link Folding}. */
interface FoldingOptions {
  readonly calls: EtcdCalls;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Folds the log into rows, so that a start reads each row once and the log stays short. One node
 * folds at a time, by a token in the fold key that every transaction compares. An interrupted fold
 * leaves rows newer than `fold`; the log, read over them, has all later changes.
 */
export class Folding {
  readonly #options: FoldingOptions;
  /** Commits and bytes since the last fold: this node's, and ones found at its start. */
  #commits = 0;
  #bytes = 0;
  #seen: { readonly text: string; readonly atMs: number } | null = null;
  #running: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: FoldingOptions) {
    this.#options = options;
  }

  /** Note commits; a long log is folded in the background. */
  note(commits: number, bytes: number): void {
    this.#commits += commits;
    this.#bytes += bytes;
    const isLong = this.#commits >= FOLD_COMMITS || this.#bytes >= FOLD_BYTES;
    if (!isLong || this.#running !== null || this.#isStopped) return;
    const { logger } = this.#options;
    this.#running = this.fold().then(() => {}, (thrown) => {
      const { message } = toJobError(thrown, "Cannot fold the log");
      logger.warn("The store's log on etcd could not be compacted; trying again later", {
        error: message,
      });
    }).finally(() => {
      this.#running = null;
    });
    this.#commits = 0;
    this.#bytes = 0;
  }

  /** End the fold under way after its transaction, so that others can continue it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Fold all current commits. @returns the folded version; null if another node is folding */
  async fold(): Promise<number | null> {
    const { calls, layout, random } = this.#options;
    const { ranges } = await readTogether(calls, "look at the log", [
      readOf(layout.fold),
      readOf(layout.head),
    ]);
    const [foldRange, headRange] = ranges;
    const state = parseFold(foldRange?.kvs ?? []);
    const target = Number.parseInt(textOf(headRange?.kvs[0]?.value ?? new Uint8Array()), 10);
    if (!(target > state.version) || this.#isBusy(state)) return null;
    const token = Buffer.from(random.bytes(TOKEN_BYTES)).toString("base64url");
    const claim = `${state.version} ${token}`;
    if (!await this.#run(foldText(state), [putOf(layout.fold, claim)], claim)) return null;
    for (let from = state.version; from < target;) {
      from = this.#isStopped ? -1 : await this.#foldSome(claim, from, target);
      if (from >= 0) continue;
      // Rows may be newer than the fold key: the log has all later changes.
      const left = String(state.version);
      if (this.#isStopped) await this.#run(claim, [putOf(layout.fold, left)], left);
      return null;
    }
    const done = [
      putOf(layout.fold, String(target)),
      deleteOf(layout.logUpTo(target)),
      deleteOf(layout.partsUpTo(target)),
    ];
    return await this.#run(claim, done, String(target)) ? target : null;
  }

  /** Write rows that some commits changed. @returns the last of these, or -1 after a takeover */
  async #foldSome(claim: string, from: number, target: number): Promise<number> {
    const { calls, layout } = this.#options;
    const rows = new Map<string, string | null>();
    let version = from;
    for (let characters = 0; version < target && characters < ROWS_CHARACTERS_MAX;) {
      const entries = await this.#readEntries(claim, version, target);
      if (entries === null) return -1;
      for (const entry of entries) {
        const { puts, deletes } = await readChanges(calls, layout, entry);
        for (const [key, value] of puts) {
          rows.set(key, value);
          characters += value.length;
        }
        for (const key of deletes) rows.set(key, null);
        version = entry.version;
      }
    }
    return await this.#write(claim, rows) ? version : -1;
  }

  /** The commits after one; null if another node took over. */
  async #readEntries(claim: string, from: number, target: number) {
    const { calls, layout } = this.#options;
    const { ranges } = await readTogether(calls, "read the log", [
      readOf(layout.fold),
      readOf({ ...layout.logAfter(from), end: layout.logKey(target + 1) }, READ_ENTRIES),
    ]);
    if (foldText(parseFold(ranges[0]?.kvs ?? [])) !== claim) return null;
    const entries = (ranges[1]?.kvs ?? []).map((kv) => parseEntry(layout, kv));
    if (entries[0]?.version === from + 1) return entries;
    throw new JobError("internal", `Cannot fold the log: commit ${from + 1} is missing`);
  }

  async #write(claim: string, rows: ReadonlyMap<string, string | null>): Promise<boolean> {
    let batch: Operation[] = [];
    let byteCount = 0;
    for (const [key, value] of rows) {
      for (const { operation, bytes } of operationsOf(this.#options.layout, key, value)) {
        const isFull = batch.length >= OPERATIONS_MAX || byteCount + bytes > PIECE_BYTES_MAX;
        if (isFull && batch.length > 0) {
          if (this.#isStopped || !await this.#run(claim, batch)) return false;
          batch = [];
          byteCount = 0;
        }
        batch.push(operation);
        byteCount += bytes;
      }
    }
    return batch.length === 0 || await this.#run(claim, batch);
  }

  /**
   * Run a transaction if the fold key is `expected`. @returns true if it ran. Repeating it is
   * harmless: the key is `wanted` then
   */
  async #run(
    expected: string,
    success: readonly Operation[],
    wanted: string = expected,
  ): Promise<boolean> {
    const { calls, layout } = this.#options;
    const { message } = await runTransaction(calls, {
      action: "fold the log",
      conditions: [isValue(layout.fold, expected)],
      success,
      failure: [readOf(layout.fold)],
    });
    return message.succeeded ||
      foldText(parseFold(rangesOf(message)[0]?.kvs ?? [])) === wanted;
  }

  #isBusy(state: FoldState): boolean {
    if (state.token === null) return false;
    const text = foldText(state);
    const nowMs = this.#options.clock.now().monotonicMs;
    if (this.#seen?.text !== text) this.#seen = { text, atMs: nowMs };
    return nowMs - this.#seen.atMs < ABANDONED_MS;
  }
}

function foldText({ version, token }: FoldState): string {
  return token === null ? String(version) : `${version} ${token}`;
}
