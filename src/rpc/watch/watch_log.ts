import { NOTICE_KINDS } from "../../core/notices/notice.ts";
import { JOB_STATES } from "../../core/state.ts";
import type { KindCounts, WatchResponse } from "../gen/job_pb.ts";
import { encodeMessage, fillMessage } from "../model/message_codec.ts";
import { tableOf } from "../model/message_table.ts";
import { DELIMITED, WireWriter } from "../model/wire_format.ts";

/** Most kinds, and most changed instances, in one message. */
const KINDS_MAX = 1_000;
const CHANGES_MAX = 100;
/** Most messages whose changed instances are remembered, for slow readers. */
const REMEMBERED_MAX = 60;

const WATCH = "job.v1.WatchResponse";
const COUNTS_OF_KIND = "job.v1.KindCounts";

/** A part of a message: the response of another method. */
export type PartName =
  | "status"
  | "running"
  | "upcoming"
  | "failures"
  | "incidents"
  | "pauses"
  | "nodes";

/** Counts of a kind, and the message that contained them. */
interface KnownCounts {
  readonly counts: KindCounts;
  readonly seq: number;
}

/** The instances that changed before a message. */
interface KnownChanges {
  readonly seq: number;
  readonly changes: readonly { readonly uuid: string; readonly kind: string }[];
  readonly hasMissed: boolean;
}

/**
 * The messages to watchers of one question, and their times. The message after any earlier one is
 * made from it: the changes since, or everything.
 */
export class WatchLog {
  /** Begins the cursors of this log. */
  readonly #name: string;
  readonly #parts = new Map<PartName, { readonly bytes: Uint8Array; readonly seq: number }>();
  readonly #kinds = new Map<string, KnownCounts>();
  #totals: KnownCounts | null = null;
  /** The same without notices, which no user started. */
  #shown: KnownCounts | null = null;
  #changes: readonly KnownChanges[] = [];
  #problem: string | undefined;
  #at = 0;
  #seq = 0;
  #isDirty = false;
  /** Messages after an earlier one, by its number; emptied by each new one. */
  readonly #messages = new Map<number, Uint8Array>();

  /** @param name differs from every earlier log's, even in earlier processes */
  constructor(name: string) {
    this.#name = name;
  }

  /** Number of the last message; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  /** Total number of instances in a state. */
  totalOf(state: "scheduled" | "processing" | "terminated" | "timedOut"): bigint {
    return this.#totals?.counts[state] ?? 0n;
  }

  /** True if this part was ever set. */
  has(name: PartName): boolean {
    return this.#parts.has(name);
  }

  /** The number of the message at a cursor; 0 for a cursor of another log. */
  placeOf(cursor: string | undefined): number {
    const [, name, seq] = /^([^.]+)\.(\d{1,15})$/.exec(cursor ?? "") ?? [];
    const place = Number(seq);
    return name === this.#name && place <= this.#seq ? place : 0;
  }

  /** @param bytes the encoded response */
  setPart(name: PartName, bytes: Uint8Array): void {
    const known = this.#parts.get(name);
    if (known && isSame(known.bytes, bytes)) return;
    this.#parts.set(name, { bytes, seq: this.#seq + 1 });
    this.#isDirty = true;
  }

  /** Set the counts of all kinds. @returns true if any has changed */
  setKinds(kinds: readonly KindCounts[]): boolean {
    const seq = this.#seq + 1;
    const totals = countsOf("");
    const shown = countsOf("");
    const gone = new Set(this.#kinds.keys());
    let hasChanged = false;
    for (const counts of kinds) {
      addCounts(totals, counts);
      if (!counts.kind.startsWith(NOTICE_KINDS)) addCounts(shown, counts);
      gone.delete(counts.kind);
      const known = this.#kinds.get(counts.kind);
      if (known && hasSameCounts(known.counts, counts)) continue;
      this.#kinds.set(counts.kind, { counts, seq });
      hasChanged = true;
    }
    for (const kind of gone) {
      if (hasSameCounts(this.#kinds.get(kind)!.counts, NONE)) continue;
      this.#kinds.set(kind, { counts: countsOf(kind), seq });
      hasChanged = true;
    }
    if (!this.#totals || !hasSameCounts(this.#totals.counts, totals)) {
      this.#totals = { counts: totals, seq };
    }
    if (!this.#shown || !hasSameCounts(this.#shown.counts, shown)) {
      this.#shown = { counts: shown, seq };
    }
    this.#isDirty ||= hasChanged;
    return hasChanged;
  }

  /** Add changed instances. @param hasMissed true if there are further, unknown ones */
  addChanges(
    changes: Iterable<{ readonly uuid: string; readonly kind: string }>,
    hasMissed: boolean,
  ): void {
    const listed = [...changes];
    if (listed.length === 0 && !hasMissed) return;
    const known: KnownChanges = {
      seq: this.#seq + 1,
      changes: listed.slice(0, CHANGES_MAX),
      hasMissed: hasMissed || listed.length > CHANGES_MAX,
    };
    this.#changes = [...this.#changes, known].slice(-REMEMBERED_MAX);
    this.#isDirty = true;
  }

  /** @param problem why nothing can be read; undefined without a problem */
  setProblem(problem: string | undefined): void {
    this.#isDirty ||= problem !== this.#problem;
    this.#problem = problem;
  }

  /** Publish the changes. @returns false if nothing has changed */
  publish(at: number): boolean {
    if (!this.#isDirty) return false;
    this.#isDirty = false;
    this.#seq += 1;
    this.#at = at;
    this.#messages.clear();
    return true;
  }

  /** An empty message. */
  silence(at: number): Uint8Array {
    return encodeMessage(WATCH, { cursor: this.#cursor(), at, problem: this.#problem });
  }

  /** The message after the one with a number, or everything for 0. All readers share the bytes. */
  messageAfter(seq: number): Uint8Array {
    let message = this.#messages.get(seq);
    if (message === undefined) this.#messages.set(seq, message = this.#encode(seq));
    return message;
  }

  #cursor(): string {
    return `${this.#name}.${this.#seq}`;
  }

  #encode(seq: number): Uint8Array {
    const isWhole = seq === 0;
    const kinds: KindCounts[] = [];
    let hasMoreKinds = false;
    for (const known of this.#kinds.values()) {
      if (known.seq <= seq || (isWhole && hasSameCounts(known.counts, NONE))) continue;
      if (kinds.length === KINDS_MAX) {
        hasMoreKinds = true;
        break;
      }
      kinds.push(known.counts);
    }
    const start = encodeMessage<WatchResponse>(WATCH, {
      cursor: this.#cursor(),
      at: this.#at,
      isWhole,
      totals: this.#shown && this.#shown.seq > seq ? this.#shown.counts : undefined,
      kinds,
      kindsMissed: hasMoreKinds,
      problem: this.#problem,
      ...(isWhole ? {} : this.#changesAfter(seq)),
    });
    const writer = new WireWriter();
    writer.raw(start);
    for (const { name, number } of tableOf(WATCH).fields) {
      const part = this.#parts.get(name as PartName);
      if (part === undefined || part.seq <= seq) continue;
      writer.uint(number * 8 + DELIMITED);
      writer.bytes(part.bytes);
    }
    return writer.finish();
  }

  #changesAfter(seq: number) {
    const after = this.#changes.filter((known) => known.seq > seq);
    // Changes in the first messages after `seq` may be forgotten.
    const isKnown = this.#changes.length < REMEMBERED_MAX || this.#changes[0]!.seq <= seq + 1;
    const changed = new Map(
      after.flatMap(({ changes }) => changes).map((one) => [one.uuid, one] as const),
    );
    const changesMissed = !isKnown || changed.size > CHANGES_MAX ||
      after.some(({ hasMissed }) => hasMissed);
    return { changed: [...changed.values()].slice(0, CHANGES_MAX), changesMissed };
  }
}

const [, ...COUNTS] = JOB_STATES;

function countsOf(kind: string): KindCounts {
  return fillMessage(COUNTS_OF_KIND, { kind }) as KindCounts;
}

const NONE = countsOf("");

function hasSameCounts(left: KindCounts, right: KindCounts): boolean {
  return COUNTS.every((name) => left[name] === right[name]);
}

function addCounts(totals: KindCounts, counts: KindCounts): void {
  for (const name of COUNTS) totals[name] += counts[name];
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.byteLength !== right.byteLength) return false;
  for (let index = 0; index < left.byteLength; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
