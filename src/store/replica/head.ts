import { JobError } from "../../core/errors.ts";
import type { LedgerState } from "../ledger/state.ts";
import { VERSION } from "../../platform/version.ts";
import { newerFormat } from "../newer_format.ts";
import { type OpenRequest, STORE_FORMAT } from "../store.ts";
import { newStoreId } from "../store_id.ts";
import { KEYS } from "./keys.ts";
import type { MediumChanges } from "./medium.ts";

/** Revisions between two versions: the most operations of one commit. */
export const REV_STEP = 4_096;
/** Most writers in a head; a commit with a lost result is looked for within seconds. */
const WRITERS_MAX = 32;

/** The store's own numbers, written with every commit. */
export interface Head {
  readonly format: number;
  /** The version of the program that made this format of it; absent from the first formats. */
  readonly madeBy?: string;
  readonly storeId: string;
  readonly epoch: number;
  readonly rev: number;
  readonly at: number;
  readonly seq: number;
  /** Place of the last log line. */
  readonly place: number;
  /** The last commit of each writer: its number and the version it made. */
  readonly writers: Readonly<Record<string, readonly [number: number, version: number]>>;
}

/** The head in a commit or an image; null without one. */
export function findHead({ puts }: Pick<MediumChanges, "puts">): Head | null {
  const pair = puts.findLast(([key]) => key === KEYS.head);
  return pair ? JSON.parse(pair[1]) as Head : null;
}

/** The head of an empty medium. */
export function firstHead(request: OpenRequest): Head {
  return {
    format: STORE_FORMAT,
    madeBy: VERSION,
    storeId: newStoreId(request),
    epoch: 0,
    rev: 0,
    at: 0,
    seq: 0,
    place: 0,
    writers: {},
  };
}

/** The head after a commit, with members added by newer versions. */
export function nextHead(
  head: Head,
  { at, seq, epoch }: LedgerState,
  commit: {
    readonly writer: string;
    readonly number: number;
    readonly version: number;
    readonly operations: number;
    readonly place: number;
  },
): Head {
  const { writer, number, version, operations, place } = commit;
  const rev = version * REV_STEP + operations;
  const numbers = { rev, at, seq, place, epoch: Math.max(head.epoch, epoch) };
  return { ...head, ...numbers, writers: withWriter(head, writer, [number, version]) };
}

/** True if a commit of a writer led to a head. */
export function hasCommit({ writers }: Head, writer: string, number: number): boolean {
  return (writers[writer]?.[0] ?? 0) >= number;
}

/** True if this is the writer's last commit. */
export function isCommitOf(
  { writers }: Head,
  writer: string,
  commit: { readonly number: number; readonly version: number },
): boolean {
  const [number, version] = writers[writer] ?? [];
  return number === commit.number && version === commit.version;
}

/** @throws JobError `conflict` for a head of a newer version, or of something else */
export function checkHead(head: Head | null, location: string): Head {
  if (!head || typeof head.format !== "number" || typeof head.storeId !== "string") {
    throw new JobError("conflict", `Cannot open ${location}: it is not a store of jobs`, {
      hint: "Name another place, or another namespace of it",
    });
  }
  if (head.format <= STORE_FORMAT) return head;
  const { format, madeBy } = head;
  const about = { what: `Cannot open ${location}`, format, known: STORE_FORMAT, madeBy };
  throw newerFormat(about, "conflict");
}

/** The head as this version writes it: older ones refuse it if unreadable. */
export function withFormat(head: Head): Head {
  return head.format < STORE_FORMAT ? { ...head, format: STORE_FORMAT, madeBy: VERSION } : head;
}

function withWriter(
  { writers }: Head,
  writer: string,
  commit: readonly [number: number, version: number],
): Head["writers"] {
  const { [writer]: _, ...others } = writers;
  const entries = Object.entries(others);
  if (entries.length >= WRITERS_MAX) {
    entries.sort(([, [, left]], [, [, right]]) => right - left).length = WRITERS_MAX - 1;
  }
  return { ...Object.fromEntries(entries), [writer]: commit };
}
