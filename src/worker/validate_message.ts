import { DURATION_MS_MAX } from "../core/time/duration.ts";
import { boundError, ENCODE_DEPTH_MAX } from "../core/arguments/encode.ts";
import type { AttemptUsage, ErrorInfo } from "../core/instance.ts";
import { PAYLOAD_BYTES_MAX } from "../core/payload_chars.ts";
import { isDeeperThan } from "../core/arguments/json_text.ts";
import {
  PUTS_MAX,
  STEP_CHARS_MAX,
  STEP_KEY_LENGTH_MAX,
  type StepPut,
  type Wait,
  WAIT_TYPES,
  WAITS_MAX,
} from "../core/wait.ts";
import { isObject } from "../core/text/object_keys.ts";
import { cutText, utf8Bytes } from "../core/text/text_bytes.ts";
import type { RetryWish } from "./executor.ts";
import { readProgress } from "./progress_reporter.ts";
import type { AttemptResult, FromWorker } from "./protocol.ts";

/** The members of a message that has not been checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** Longest text of a message that is shown to people, in bytes. */
export const TEXT_BYTES_MAX = 8_192;
/** Longest name of a method, in characters. */
const METHOD_LENGTH_MAX = 100;

/** Readers of the first message, which workers and supervisors share. */
export const START_READERS = {
  hello: ({ version, pid }: Fields) =>
    isWhole(version) && isWhole(pid) ? { type: "hello", version, pid } as const : null,
  unfit: ({ message }: Fields) =>
    typeof message === "string"
      ? { type: "unfit", message: cutText(message, TEXT_BYTES_MAX) } as const
      : null,
};

/** Readers by message type, which keep only known members; null if the message is invalid. */
const READERS: Readonly<Record<FromWorker["type"], (message: Fields) => FromWorker | null>> = {
  ...START_READERS,
  started: ({ run }) => isWhole(run) ? { type: "started", run } : null,
  progress: ({ run, progress: given }) => {
    const progress = isObject(given) ? readProgress(given.done, given.total) : null;
    return isWhole(run) && progress !== null ? { type: "progress", run, progress } : null;
  },
  call: readCall,
  decided: ({ run, result: given }) => {
    const result = readResult(given);
    return isWhole(run) && result !== null ? { type: "decided", run, result } : null;
  },
  result: readResultMessage,
  refused: ({ run }) => isWhole(run) ? { type: "refused", run } : null,
  late: ({ run, error: given }) => {
    const error = readError(given);
    return isWhole(run) && error !== null ? { type: "late", run, error } : null;
  },
};

/** A message from a worker: a valid one, an unreadable one of a known type, or a foreign one. */
export type ReadMessage = FromWorker | "malformed" | "foreign";

/**
 * Read a message of a worker. Job code can forge messages, which must neither reach the store nor
 * end more than its own attempt. Only known members are kept, and each text is bounded.
 */
export function validateMessage(message: unknown): ReadMessage {
  if (!isObject(message) || typeof message.type !== "string") return "foreign";
  if (!Object.hasOwn(READERS, message.type)) return "foreign";
  return READERS[message.type as FromWorker["type"]](message) ?? "malformed";
}

function readCall({ run, call, method, args }: Fields): FromWorker | null {
  if (!isWhole(run) || !isWhole(call) || !Array.isArray(args)) return null;
  if (typeof method !== "string" || method.length > METHOD_LENGTH_MAX) return null;
  return { type: "call", run, call, method, args };
}

function readResultMessage(message: Fields): FromWorker | null {
  const { run, token, reuse, isExclusive, tookMs, isSilent, usage: used } = message;
  const result = readResult(message.result);
  if (!isWhole(run) || result === null) return null;
  if (reuse !== "clean" && reuse !== "grace" && reuse !== null) return null;
  if (tookMs !== undefined && typeof tookMs !== "number") return null;
  const usage = used === undefined ? undefined : readUsage(used);
  if (usage === null) return null;
  return {
    type: "result",
    run,
    ...(typeof token === "string" ? { token } : {}),
    result,
    reuse,
    isExclusive: isExclusive === true,
    tookMs,
    isSilent: isSilent === true,
    ...(usage === undefined ? {} : { usage }),
  };
}

/** Resources that an attempt used; null if it is invalid. */
export function readUsage(value: unknown): AttemptUsage | null {
  if (!isObject(value)) return null;
  const { maxRssBytes, cpuMs } = value as Partial<Record<keyof AttemptUsage, unknown>>;
  if (maxRssBytes !== null && !isCount(maxRssBytes)) return null;
  return cpuMs === null || isCount(cpuMs) ? { maxRssBytes, cpuMs } : null;
}

/** The result of an attempt; null if it is invalid. */
export function readResult(value: unknown): AttemptResult | null {
  if (!isObject(value)) return null;
  switch (value.type) {
    case "ok": {
      const { resultsJson, exitCode } = value;
      if (!isResults(resultsJson)) return null;
      const steps = value.steps === undefined ? [] : listOf(value.steps, PUTS_MAX, readPut);
      if (steps === null) return null;
      return {
        type: "ok",
        resultsJson,
        ...(steps.length === 0 ? {} : { steps }),
        ...(isWhole(exitCode) ? { exitCode } : {}),
      };
    }
    case "error": {
      const { wish } = value;
      const error = readError(value.error);
      if (error === null || !isWish(wish)) return null;
      return wish === undefined ? { type: "error", error } : { type: "error", error, wish };
    }
    case "unstarted": {
      const error = readError(value.error);
      return error === null ? null : { type: "unstarted", error };
    }
    case "snooze":
      return isDelay(value.delayMs) ? { type: "snooze", delayMs: value.delayMs } : null;
    case "park":
      return readPark(value);
    default:
      return null;
  }
}

function readPark({ waits: given, steps: put }: Fields): AttemptResult | null {
  const waits = listOf(given, WAITS_MAX, readWait);
  const steps = listOf(put, PUTS_MAX, readPut);
  // Without a wait it would never continue.
  if (waits === null || waits.length === 0 || steps === null) return null;
  return { type: "park", waits, steps };
}

function readWait(value: unknown): Wait | null {
  if (!isObject(value)) return null;
  const { key, type, name, until } = value;
  if (key !== null && !isKey(key)) return null;
  if (!WAIT_TYPES.includes(type as Wait["type"]) || typeof name !== "string") return null;
  if (until !== null && !isWhole(until)) return null;
  return { key, type: type as Wait["type"], name: name.slice(0, STEP_KEY_LENGTH_MAX), until };
}

function readPut(value: unknown): StepPut | null {
  if (!isObject(value)) return null;
  const { key, data, isNew } = value;
  if (!isKey(key) || typeof data !== "string" || data.length > STEP_CHARS_MAX) return null;
  if (!isJson(data)) return null;
  return { key, data, ...(isNew === true ? { isNew } : {}) };
}

function isKey(key: unknown): key is string {
  return typeof key === "string" && key !== "" && key.length <= STEP_KEY_LENGTH_MAX &&
    key.isWellFormed() && !key.includes("\0");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The items of a list, each read; null if one is invalid or there are too many. */
function listOf<T>(
  list: unknown,
  most: number,
  read: (item: unknown) => T | null,
): readonly T[] | null {
  if (!Array.isArray(list) || list.length > most) return null;
  const items = list.map(read);
  return items.every((item) => item !== null) ? items as readonly T[] : null;
}

function isResults(text: unknown): text is string {
  if (typeof text !== "string" || text.length > PAYLOAD_BYTES_MAX) return false;
  // Most results are far too short for that.
  if (text.length * 3 > PAYLOAD_BYTES_MAX && utf8Bytes(text) > PAYLOAD_BYTES_MAX) return false;
  try {
    return Array.isArray(JSON.parse(text)) && !isDeeperThan(text, ENCODE_DEPTH_MAX + 1);
  } catch {
    return false;
  }
}

function readError(value: unknown): ErrorInfo | null {
  if (!isObject(value) || typeof value.name !== "string" || typeof value.message !== "string") {
    return null;
  }
  const { stack, exitCode, signal } = value;
  const isError = (stack === undefined || typeof stack === "string") &&
    (exitCode === undefined || exitCode === null || isWhole(exitCode)) &&
    (signal === undefined || signal === null || typeof signal === "string");
  return isError ? boundError(value as unknown as ErrorInfo) : null;
}

function isWish(value: unknown): value is RetryWish | undefined {
  return value === undefined || value === "never" || value === "discarded" || isDelay(value);
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= DURATION_MS_MAX;
}

/** True for a whole number that is exact as a `number`. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** True for a number of things. */
export function isCount(value: unknown): value is number {
  return isWhole(value) && value >= 0;
}
