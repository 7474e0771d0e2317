import { makeJsonVisible, makeVisible } from "../core/text/safe_text.ts";
import { snakeCase } from "../core/text/snake_case.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import type { Clock } from "./clock.ts";

/** Severity of a record of the daemon's own log. */
export type LoggerLevel = "debug" | "info" | "warn" | "error";

/** The daemon's own log. Fields are appended as key=value, their names in snake case. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

type FieldValue = string | number | boolean | null | undefined;

/** Values that accompany a record; undefined ones are omitted. */
export type LogFields = Readonly<Record<string, FieldValue>>;

const RANK: Readonly<Record<LoggerLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

// Quoting keeps one record on one line, for any value.
function fieldText(value: FieldValue): string {
  if (typeof value !== "string") return String(value);
  return /^[\w.:/@+,-]+$/.test(value) ? value : makeJsonVisible(JSON.stringify(value));
}

/**
 * A logger that writes one line a record: time, level, message, fields. Control characters are
 * escaped, so that text from a job or a caller can neither forge a record nor control a terminal.
 */
export function createLogger(
  options: {
    readonly clock: Clock;
    readonly level: LoggerLevel;
    readonly format: "text" | "json";
    readonly write: (line: string) => void;
    readonly mask?: SecretMask;
  },
): Logger {
  const { mask } = options;
  const masked = (value: FieldValue) =>
    typeof value === "string" && mask !== undefined ? mask.text(value) : value;
  const emit = (level: LoggerLevel, message: string, fields: LogFields = {}) => {
    if (RANK[level] < RANK[options.level]) return;
    const time = new Date(options.clock.now().wallMs).toISOString();
    const text = mask?.text(message) ?? message;
    const values = Object.entries(fields)
      .map(([key, value]) => [snakeCase(key), masked(value)] as const);
    if (options.format === "json") {
      const record = { time, level, message: text, ...Object.fromEntries(values) };
      options.write(`${makeJsonVisible(JSON.stringify(record))}\n`);
      return;
    }
    const tail = values.filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${fieldText(value)}`).join("");
    options.write(`${time} ${level.toUpperCase().padEnd(5)} ${makeVisible(text)}${tail}\n`);
  };
  return {
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
