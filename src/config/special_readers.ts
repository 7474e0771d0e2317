import { resolve } from "node:path";
import { parseBlackout } from "../core/time/blackout.ts";
import { isJobError, JobError } from "../core/errors.ts";
import { IO_PRIORITY } from "../core/job/job.ts";
import { parseScheduleText, type ScheduleText } from "../core/time/ticks.ts";
import { isNodeName, NODE_NAME_WANTED } from "../core/job/tags.ts";
import { parseZonedTime } from "../core/time/wall_time.ts";
import { integer, list, parsedText, type Reader, string, TEXT } from "./readers.ts";
import { childOf, isTable } from "./source.ts";
import type { Config } from "./config.ts";

/** A failure by the name of its error, its exit code or its signal. */
export function failureName(): Reader<string | number> {
  const wanted = "the name of an error, an exit code from 0 to 255, or a signal";
  return {
    schema: { anyOf: [TEXT, { type: "integer", minimum: 0, maximum: 255 }] },
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value === "string" && /^\d+$/.test(value)) {
        return report.mismatch(field, wanted, "Write an exit code without quotes");
      }
      if (typeof value === "string" && value !== "") return value;
      const isCode = typeof value === "number" && Number.isInteger(value) && value >= 0 &&
        value <= 255;
      return isCode ? value : report.mismatch(field, wanted);
    },
  };
}

/** A host and a port as one text; "" is off. */
export function httpAddress(): Reader<Config["server"]["http"]> {
  const wanted = '"HOST:PORT", or "" for off';
  return {
    schema: TEXT,
    wanted,
    read(field, report) {
      const { value } = field;
      if (value === "") return null;
      const match = typeof value === "string"
        ? /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value)
        : null;
      const port = Number(match?.[3] ?? NaN);
      if (match === null || !(port <= 65_535)) return report.mismatch(field, wanted);
      return { host: match[1] ?? match[2]!, port };
    },
  };
}

/** The Unix socket: "auto", a path, or "" for off. */
export function socketPath(): Reader<string | null> {
  const wanted = '"auto", a path, or "" for off';
  return {
    schema: TEXT,
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value !== "string" || value.includes("\0")) return report.mismatch(field, wanted);
      if (value === "auto") return value;
      if (value === "") return null;
      const path = resolve(field.source.baseDir, value);
      // The kernel keeps the path in 108 bytes.
      if (new TextEncoder().encode(path).length <= 107) return path;
      return report.value(field, `the path "${path}" is over 107 bytes long`, "Use a shorter one");
    },
  };
}

/** The id of a node, or a tag. */
export function nodeName(): Reader<string> {
  const wanted = NODE_NAME_WANTED;
  return {
    schema: TEXT,
    wanted,
    read: (field, report) => isNodeName(field.value) ? field.value : report.mismatch(field, wanted),
  };
}

/** A cron expression, a nickname or `@every`. */
export function scheduleText(): Reader<ScheduleText> {
  const wanted = 'a schedule such as "30 2 * * *", "@daily" or "@every 15m"';
  return {
    schema: TEXT,
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value !== "string") return report.mismatch(field, wanted);
      try {
        return parseScheduleText(value, { seed: String(field.path[1]) });
      } catch (error) {
        if (!isJobError(error)) throw error;
        return report.value(field, error.message, error.hint);
      }
    },
  };
}

/** A text that `parse` takes; kept as it was written. */
function checkedText(wanted: string, parse: (text: string) => unknown): Reader<string> {
  return parsedText(wanted, (text) => {
    parse(text);
    return text;
  });
}

/** A point in time, as text: without an offset it is meant in a zone that is known later. */
export function time(): Reader<string> {
  const wanted = 'a date, or a date and a time, such as "2026-12-24" or "2026-12-24T18:00:00Z"';
  return checkedText(wanted, (text) => parseZonedTime(text, "UTC"));
}

/** A window in which nothing is to run. */
export function blackout(): Reader<string> {
  const wanted =
    'a window such as "22:00-06:00", "sat-sun", "mon-fri 08:00-18:00" or "2026-12-24/2026-12-27"';
  return checkedText(wanted, parseBlackout);
}

/** An octal file mode mask as text. */
export function umask(): Reader<number> {
  const wanted = 'an octal mask as a string such as "022"';
  return parsedText(
    wanted,
    (text) => /^0?[0-7]{1,3}$/.test(text) ? parseInt(text, 8) : undefined,
  );
}

/** A priority for disks. */
export function ionice(): Reader<string> {
  return checkedText(
    '"idle", "best-effort:0" to "best-effort:7", or "realtime:0" to "realtime:7"',
    (text) => {
      if (!IO_PRIORITY.test(text)) throw new JobError("invalid_argument", `found "${text}"`);
    },
  );
}

/** An argument of a command: its parameter's name, or its position. */
export function argumentName(): Reader<string | number> {
  const wanted = "the name of a parameter, or a position from 1";
  return {
    schema: { anyOf: [TEXT, { type: "integer", minimum: 1 }] },
    wanted,
    read(field, report) {
      const { value } = field;
      if (typeof value === "string" && value !== "") return value;
      if (Number.isSafeInteger(value) && value as number >= 1) return value as number;
      return report.mismatch(field, wanted);
    },
  };
}

/** Arguments by position or by name, as written. */
export function args(): Reader<readonly unknown[] | Readonly<Record<string, unknown>>> {
  const wanted = "a list, or a table of arguments by name";
  return {
    schema: { type: ["array", "object"] },
    wanted,
    read(field, report) {
      const { value } = field;
      return Array.isArray(value) || isTable(value) ? value : report.mismatch(field, wanted);
    },
  };
}

/** A command as argv. */
export function argv(): Reader<readonly string[]> {
  const parts = list(string({ isEmptyAllowed: true }), { minLength: 1 });
  return {
    schema: parts.schema,
    wanted: "a list: the program and its arguments",
    read(field, report) {
      if (typeof field.value === "string") {
        return report.mismatch(field, this.wanted, 'For a line of the shell write run = "…"');
      }
      const read = parts.read(field, report);
      if (read?.[0] === "") {
        return report.value(childOf(field, 0, ""), 'found "", wanted the program to run');
      }
      return read;
    },
  };
}

/** Most attempts at once by the name of a pool. */
export function pools(): Reader<Readonly<Record<string, number>>> {
  const count = integer(1, 10_000);
  const wanted = "a table of numbers by the name of a pool";
  return {
    schema: { type: "object", additionalProperties: count.schema },
    wanted,
    read(field, report) {
      const { value } = field;
      if (!isTable(value)) return report.mismatch(field, wanted);
      const read = Object.entries(value).map(([name, max]) =>
        [name, count.read(childOf(field, name, max), report)] as const
      );
      if (read.some(([, max]) => max === undefined)) return undefined;
      return Object.fromEntries(read) as Record<string, number>;
    },
  };
}
