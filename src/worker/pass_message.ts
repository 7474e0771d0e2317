import type { ErrorInfo } from "../core/instance.ts";
import type { AttemptResult, FromWorker } from "./protocol.ts";

const TYPES: Readonly<Record<FromWorker["type"], (message: Fields) => boolean>> = {
  hello: () => true,
  unfit: ({ message }) => typeof message === "string",
  started: () => true,
  progress: () => true,
  call: () => true,
  // Group 1 would be every process that there is.
  group: ({ group }) => group === null || (isWhole(group) && (group as number) > 1),
  decided: ({ result }) => isResult(result),
  result: ({ result, tookMs }) =>
    isResult(result) && (tookMs === undefined || typeof tookMs === "number"),
  refused: () => true,
  late: ({ error }) => isError(error),
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * Pass on a message of a worker, unless it is none of ours: job code can send its own, and what it makes up must neither reach the
 * store nor end anything but its own attempt. Members that the receiver reads with care are not looked at.
 */
export function passMessage(message: unknown, receive: (message: FromWorker) => void): void {
  if (!isTable(message) || typeof message.type !== "string") return;
  if (!Object.hasOwn(TYPES, message.type)) return;
  if (TYPES[message.type as FromWorker["type"]](message)) receive(message as unknown as FromWorker);
}

function isResult(value: unknown): value is AttemptResult {
  if (!isTable(value)) return false;
  switch (value.type) {
    case "ok":
      return isJson(value.resultsJson);
    case "error":
      return isError(value.error) && isWish(value.wish);
    case "snooze":
      return isWhole(value.delayMs) && (value.delayMs as number) >= 0;
    default:
      return false;
  }
}

function isJson(value: unknown): boolean {
  try {
    return typeof value === "string" && Array.isArray(JSON.parse(value));
  } catch {
    return false;
  }
}

function isError(value: unknown): value is ErrorInfo {
  if (!isTable(value) || typeof value.name !== "string" || typeof value.message !== "string") {
    return false;
  }
  const { stack, exitCode, signal } = value;
  return (stack === undefined || typeof stack === "string") &&
    (exitCode === undefined || exitCode === null || isWhole(exitCode)) &&
    (signal === undefined || signal === null || typeof signal === "string");
}

function isWish(value: unknown): boolean {
  if (value === undefined || value === "never" || value === "discarded") return true;
  return typeof value === "number" && Number.isFinite(value);
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isTable(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
