import type { Clock } from "./clock.ts";

/** How grave a record of the daemon's own log is. */
export type LoggerLevel = "debug" | "info" | "warn" | "error";

/** The daemon's own log. Fields are appended as key=value. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Values that accompany a record; undefined ones are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const RANK: Readonly<Record<LoggerLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

// Quoting keeps one record on one line, whatever a value holds.
function field(value: string | number | boolean | null | undefined): string {
  if (typeof value !== "string") return String(value);
  return /^[\w.:/@+,-]+$/.test(value) ? value : JSON.stringify(value);
}

/** A logger that writes one line a record: time, level, message, fields. */
export function createLogger(
  options: {
    readonly clock: Clock;
    readonly level: LoggerLevel;
    readonly format: "text" | "json";
    readonly write: (line: string) => void;
  },
): Logger {
  const emit = (level: LoggerLevel, message: string, fields: LogFields = {}) => {
    if (RANK[level] < RANK[options.level]) return;
    const time = new Date(options.clock.now().wallMs).toISOString();
    if (options.format === "json") {
      options.write(JSON.stringify({ time, level, message, ...fields }) + "\n");
      return;
    }
    const tail = Object.entries(fields).filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${field(value)}`).join("");
    const text = message.replaceAll(/[\r\n]+/g, " ");
    options.write(`${time} ${level.toUpperCase().padEnd(5)} ${text}${tail}\n`);
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
