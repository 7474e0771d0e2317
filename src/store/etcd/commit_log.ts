import { isJobError, JobError } from "../../core/errors.ts";
import type { Random } from "../../platform/random.ts";
import type { MediumChanges, MediumCommit } from "../replica/medium.ts";
import { decodeChanges, encodeChanges, tooLarge } from "./bundle.ts";
import type { EtcdCalls } from "./calls.ts";
import {
  isValue,
  type Operation,
  putOf,
  rangesOf,
  readOf,
  readTogether,
  runTransaction,
} from "./keys.ts";
import { KV } from "./gen/etcd_pb.ts";
import type { KeyValue } from "./gen/kv_pb.ts";
import { LAYOUT, type Layout, PIECE_BYTES_MAX, textOf } from "./layout.ts";

/** Most parts of one commit: a hundred megabytes of deflated rows. */
const PARTS_MAX = 100;
/** Parts written at a time. */
const PARTS_TOGETHER = 8;
const TOKEN_BYTES = 9;
const STORE_ID_BYTES = 15;

/** The value of the head key. */
export interface LogHead {
  readonly version: number;
  /** The id of the body of data; a new one after everything was deleted. */
  readonly storeId: string;
  /** The unparsed value. */
  readonly text: string;
}

/** A commit in the log. */
export interface LogEntry {
  readonly version: number;
  readonly storeId: string;
  readonly token: string;
  /** 0 if the changes are in the entry itself. */
  readonly partCount: number;
  readonly bytes: Uint8Array;
}

/** A commit whose outcome is unknown. */
interface UnsureCommit {
  readonly version: number;
  readonly token: string;
  readonly payload: Buffer;
}

/** The head of a store as read; null without one. */
export function parseHead(kvs: readonly KeyValue[]): LogHead | null {
  const value = kvs[0]?.value;
  if (value === undefined) return null;
  const text = textOf(value);
  const [version = "", storeId = ""] = text.split(" ");
  return { version: Number(version), storeId, text };
}

/** A log entry as read. @throws JobError `internal` for other data */
export function parseEntry(layout: Layout, { key, value }: KeyValue): LogEntry {
  const end = value.indexOf(0x0a);
  const words = textOf(value.subarray(0, Math.max(0, end))).split(" ");
  const [storeId = "", token = "", parts = ""] = words;
  if (token === "" || !/^\d{1,3}$/.test(parts)) {
    throw new JobError("internal", `Cannot read the key "${textOf(key)}": it is not a commit`, {
      hint: "Something else writes below the store's prefix on etcd",
    });
  }
  return {
    version: layout.versionOf(key),
    storeId,
    token,
    partCount: Number(parts),
    bytes: value.subarray(end + 1),
  };
}

/**
 * The changes of a commit, read from its parts if any, at a revision or, with 0, now.
 *
 * @throws JobError `conflict` if they are folded by now
 */
export async function readChanges(
  calls: EtcdCalls,
  layout: Layout,
  { version, token, partCount, bytes }: LogEntry,
  revision = 0n,
): Promise<MediumChanges> {
  if (partCount === 0) return decodeChanges(bytes);
  const parts: Uint8Array[] = [];
  for (let number = 0; number < partCount; number += 1) {
    const key = layout.partKey(version, token, number);
    const about = { action: "read a commit" };
    const { message } = await calls.call(KV.method.range, { key, revision }, about);
    if (message.kvs[0] === undefined) {
      throw new JobError("conflict", `Cannot read commit ${version}: it is folded by now`);
    }
    parts.push(message.kvs[0].value);
  }
  return decodeChanges(Buffer.concat(parts));
}

/**
 * Appends commits: one transaction sets the head and writes the log entry if the head is as
 * expected. Tokens show if a commit that was sent twice, or had no response, was made.
 */
export class CommitLog {
  readonly #calls: EtcdCalls;
  readonly #layout: Layout;
  readonly #random: Random;
  #head: LogHead | null = null;
  #unsure: UnsureCommit | null = null;

  constructor(calls: EtcdCalls, layout: Layout, random: Random) {
    this.#calls = calls;
    this.#layout = layout;
    this.#random = random;
  }

  /** The newest head seen; null before any. */
  get head(): LogHead | null {
    return this.#head;
  }

  /**
   * Note a head as read.
   *
   * @param since the known head at the start of the read: responses may overtake each other
   * @throws JobError `conflict` if the data is gone, or was replaced
   */
  note(head: LogHead | null, since: LogHead | null): void {
    if (since !== null && head?.storeId !== since.storeId) throw this.#vanished(head);
    if (head !== null && head.version >= (this.#head?.version ?? 0)) this.#head = head;
  }

  /** Continue from a fully loaded head, even an earlier one, as after restoring a backup. */
  reset(head: LogHead | null, since: LogHead | null): void {
    this.note(head, since);
    this.#head = head;
  }

  /** Note a commit that the watch reported. @throws JobError as {@link note} */
  noteEntry({ version, storeId, token }: LogEntry): void {
    this.note({ version, storeId, text: headText(version, storeId, token) }, this.#head);
  }

  /**
   * Make a commit.
   *
   * @returns its size in bytes; null if the head has changed
   * @throws JobError `unavailable` or `resource_exhausted` if the outcome is unknown: repeat it
   * unchanged to find out
   */
  async commit(commit: MediumCommit, isWanted: () => boolean): Promise<number | null> {
    const payload = encodeChanges(commit);
    const again = this.#unsure?.version === commit.next && this.#unsure.payload.equals(payload)
      ? this.#unsure
      : null;
    this.#unsure = null;
    const token = again?.token ?? this.#token(TOKEN_BYTES);
    const known = this.#head;
    if ((known?.version ?? 0) !== commit.expected) {
      const isMine = again !== null && await this.#isMine(commit.next, token);
      return isMine ? payload.length : null;
    }
    const storeId = known?.storeId ?? this.#token(STORE_ID_BYTES);
    try {
      const partCount = await this.#putParts({ version: commit.next, token, payload, isWanted });
      const start = Buffer.from(`${storeId} ${token} ${partCount}\n`);
      const value = partCount === 0 ? Buffer.concat([start, payload]) : start;
      const head = { version: commit.next, storeId, text: headText(commit.next, storeId, token) };
      const outcome = await this.#append(known, head, { value, isWanted });
      if (outcome === "made") return payload.length;
      // An earlier try may have succeeded, and others may have continued from it.
      const isUnclear = again !== null || outcome === "unclear";
      return isUnclear && await this.#isMine(commit.next, token) ? payload.length : null;
    } catch (error) {
      // etcd also reports the alarm of a write that it applies: the write that exceeds the quota.
      if (isJobError(error, "unavailable") || isJobError(error, "resource_exhausted")) {
        this.#unsure = { version: commit.next, token, payload };
      }
      throw error;
    }
  }

  /** Set the head and write the log entry, if the head is unchanged. */
  async #append(
    known: LogHead | null,
    head: LogHead,
    { value, isWanted }: { readonly value: Buffer; readonly isWanted: () => boolean },
  ): Promise<"made" | "lost" | "unclear"> {
    const layout = this.#layout;
    const { message, isRepeated } = await runTransaction(this.#calls, {
      action: "commit",
      conditions: [isValue(layout.head, known?.text ?? null)],
      success: [
        putOf(layout.head, head.text),
        putOf(layout.logKey(head.version), value),
        ...known === null ? firstOperations(layout, head.storeId) : [],
      ],
      failure: [readOf(layout.head)],
    }, { isWrite: true, isWanted });
    const found = message.succeeded ? head : parseHead(rangesOf(message)[0]?.kvs ?? []);
    this.note(found, known);
    if (found?.text === head.text) return "made";
    return isRepeated ? "unclear" : "lost";
  }

  /** True if the commit of a version has this token. A folded one counts as another's. */
  async #isMine(version: number, token: string): Promise<boolean> {
    const { ranges } = await readTogether(this.#calls, "look for a commit", [
      readOf(this.#layout.logKey(version)),
    ]);
    const kv = ranges[0]?.kvs[0];
    return kv !== undefined && parseEntry(this.#layout, kv).token === token;
  }

  /** Write the parts of a payload too large for one request. @returns their number */
  async #putParts(
    { version, token, payload, isWanted }: UnsureCommit & { readonly isWanted: () => boolean },
  ): Promise<number> {
    if (payload.length <= PIECE_BYTES_MAX) return 0;
    const count = Math.ceil(payload.length / PIECE_BYTES_MAX);
    if (count > PARTS_MAX) throw tooLarge(payload.length, PARTS_MAX * PIECE_BYTES_MAX, "bytes");
    const putPart = (number: number) => {
      const value = payload.subarray(number * PIECE_BYTES_MAX, (number + 1) * PIECE_BYTES_MAX);
      const key = this.#layout.partKey(version, token, number);
      const about = { action: "put a part of a commit", isWrite: true, isWanted };
      return this.#calls.call(KV.method.put, { key, value }, about);
    };
    // Parts alone commit nothing, and a fold deletes unused ones.
    for (let from = 0; from < count && isWanted(); from += PARTS_TOGETHER) {
      const length = Math.min(PARTS_TOGETHER, count - from);
      await Promise.all(Array.from({ length }, (_, index) => putPart(from + index)));
    }
    if (isWanted()) return count;
    throw new JobError("unavailable", "Cannot commit: it took too long");
  }

  #token(byteCount: number): string {
    return Buffer.from(this.#random.bytes(byteCount)).toString("base64url");
  }

  #vanished(found: LogHead | null): JobError {
    const where = `etcd, prefix "${this.#layout.prefix}/"`;
    return new JobError(
      "conflict",
      found === null
        ? `Cannot use the store on ${where}: its data is gone`
        : `Cannot use the store on ${where}: another store is in its place`,
      { hint: "Restore the data, or restart the daemons to accept the present content" },
    );
  }
}

function headText(version: number, storeId: string, token: string): string {
  return `${version} ${storeId} ${token}`;
}

/** The additional operations of a store's first commit. */
function firstOperations(layout: Layout, storeId: string): Operation[] {
  return [
    putOf(layout.store, JSON.stringify({ id: storeId, layout: LAYOUT })),
    putOf(layout.fold, "0"),
  ];
}
