import { isUuid, LOG_LEVELS, type LogEntry } from "../core/instance.ts";
import { isObject } from "../core/text/object_keys.ts";
import { cutText } from "../core/text/text_bytes.ts";
import { LINE_BYTES_MAX } from "../worker/output/line_splitter.ts";
import {
  type Fields,
  isCount,
  isWhole,
  readResult,
  readUsage,
  START_READERS,
  TEXT_BYTES_MAX,
} from "../worker/validate_message.ts";
import type { AbortCause, FreezeProblem } from "../worker/executor.ts";
import {
  type CommandUsage,
  ENTRIES_MAX,
  type FoundRun,
  type FromSupervisor,
  RUNS_MAX,
  RUNS_TOTAL_MAX,
} from "./protocol.ts";

/** Longest line: each byte that is not UTF-8 becomes one character, and our own lines are short. */
const LINE_LENGTH_MAX = 2 * LINE_BYTES_MAX;

/** Longest marker: a token, a dot and a number. */
const SEAL_LENGTH_MAX = 64;

const CAUSES: readonly unknown[] = ["timeout", "deadline", "canceled", "drain", "lease"];

const SOURCES: readonly LogEntry["source"][] = ["stdout", "stderr", "system"];

/** Readers by message type, which keep only known members; null if the message is invalid. */
const READERS: Readonly<
  Record<FromSupervisor["type"], (message: Fields) => FromSupervisor | null>
> = {
  unfit: START_READERS.unfit,
  hello: (message) => {
    const hello = START_READERS.hello(message);
    const { isAdoptable, program, lastRun } = message;
    return hello && {
      ...hello,
      isAdoptable: isAdoptable === true,
      program: typeof program === "string" && isWhole(lastRun) ? program : null,
      lastRun: isWhole(lastRun) ? lastRun : 0,
    };
  },
  runs: ({ runs: given, isLast }) => {
    const runs = readList(given, RUNS_MAX, readRun);
    return runs && { type: "runs", runs, isLast: isLast === true };
  },
  attached: () => ({ type: "attached" }),
  running: ({ runs }) => {
    const isList = Array.isArray(runs) && runs.length <= RUNS_TOTAL_MAX && runs.every(isWhole);
    return isList ? { type: "running", runs } : null;
  },
  // Process 1 would mean everything.
  started: ({ run, pid, isBounded }) =>
    isWhole(run) && isWhole(pid) && pid > 1
      ? { type: "started", run, pid, isBounded: isBounded === true }
      : null,
  frozen: ({ run, problem: given }) => {
    const problem = given === null ? null : readProblem(given);
    if (!isWhole(run) || (given !== null && problem === null)) return null;
    return { type: "frozen", run, problem };
  },
  log: ({ run, first, entries: given }) => {
    const entries = readList(given, ENTRIES_MAX, readEntry);
    return isWhole(run) && isWhole(first) && entries ? { type: "log", run, first, entries } : null;
  },
  usage: ({ runs: given }) => {
    const runs = readList(given, ENTRIES_MAX, readCommandUsage);
    return runs && { type: "usage", runs };
  },
  ended: ({ run, result: given, stderrTail, usage: used, agoMs, aborted }) => {
    const result = given === null ? null : readResult(given);
    if (!isWhole(run) || typeof stderrTail !== "string") return null;
    if (given !== null && result === null) return null;
    const usage = readUsage(used);
    if (usage === null && used !== undefined && used !== null) return null;
    const tail = cutText(stderrTail, TEXT_BYTES_MAX);
    const ended = { type: "ended", run, result, stderrTail: tail, usage } as const;
    return {
      ...ended,
      ...(isWhole(agoMs) ? { agoMs } : {}),
      ...(aborted === null || CAUSES.includes(aborted)
        ? { aborted: aborted as AbortCause | null }
        : {}),
    };
  },
};

/**
 * Read a message of a supervisor; null if it is not one. A command has the rights of its
 * supervisor, so it may forge messages: only known members are kept, and each text is bounded.
 */
export function readMessage(message: unknown): FromSupervisor | null {
  if (!isObject(message) || typeof message.type !== "string") return null;
  if (!Object.hasOwn(READERS, message.type)) return null;
  return READERS[message.type as FromSupervisor["type"]](message);
}

/** A list of at most `max` items; null if it or one of them is invalid. */
function readList<T>(
  given: unknown,
  max: number,
  read: (item: unknown) => T | null,
): readonly T[] | null {
  if (!Array.isArray(given) || given.length > max) return null;
  const items = given.map(read);
  return items.every((item) => item !== null) ? items : null;
}

function readRun(value: unknown): FoundRun | null {
  if (!isObject(value) || !isObject(value.claim)) return null;
  const { run, pid, ageMs, leftMs, frozenMs, claim: { id, fence, seal } } = value;
  const isRun = isWhole(run) && isWhole(fence) && isWhole(ageMs) && isWhole(leftMs) &&
    isWhole(frozenMs) &&
    (pid === null || (isWhole(pid) && pid > 1)) &&
    typeof id === "string" && isUuid(id) &&
    typeof seal === "string" && seal.length <= SEAL_LENGTH_MAX;
  if (!isRun) return null;
  const isFrozen = value.isFrozen === true;
  const endedAgoMs = isWhole(value.endedAgoMs) ? value.endedAgoMs : null;
  const found = { run, claim: { id, fence, seal }, pid, ageMs, endedAgoMs, leftMs };
  const aborted = CAUSES.includes(value.aborted) ? { aborted: value.aborted as AbortCause } : {};
  return { ...found, isFrozen, frozenMs, ...aborted };
}

function readProblem(value: unknown): FreezeProblem | null {
  if (!isObject(value) || typeof value.message !== "string") return null;
  const message = cutText(value.message, TEXT_BYTES_MAX);
  return { type: value.type === "groups" ? "groups" : "state", message };
}

function readEntry(value: unknown): LogEntry | null {
  if (!isObject(value)) return null;
  const { at, level, source, message } = value as Partial<Record<keyof LogEntry, unknown>>;
  const isEntry = isWhole(at) && LOG_LEVELS.includes(level as LogEntry["level"]) &&
    SOURCES.includes(source as LogEntry["source"]) &&
    typeof message === "string" && message.length <= LINE_LENGTH_MAX;
  if (!isEntry) return null;
  return { at, level, source, message } as LogEntry;
}

function readCommandUsage(value: unknown): CommandUsage | null {
  const usage = readUsage(value);
  if (usage === null) return null;
  const given = value as Partial<Record<keyof CommandUsage, unknown>>;
  const { run, rssBytes, openFiles, processes } = given;
  if (!isWhole(run) || !isCount(rssBytes) || !isCount(processes)) return null;
  if (openFiles !== null && !isCount(openFiles)) return null;
  return { run, ...usage, rssBytes, openFiles, processes };
}
