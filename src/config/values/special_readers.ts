import { resolve } from "node:path";
import { parseBlackout } from "../../core/time/blackout.ts";
import { isJobError } from "../../core/errors.ts";
import { IO_PRIORITY } from "../../core/job/job.ts";
import { parseScheduleText, type ScheduleText } from "../../core/time/ticks.ts";
import { isNodeName, NODE_NAME_WANTED } from "../../core/job/tags.ts";
import { parseZonedTime } from "../../core/time/wall_time.ts";
import { readNetwork } from "../../core/network.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { accepted, integer, list, parsedText, type Reader, string, TEXT } from "./readers.ts";
import { SECRET } from "./secrets.ts";
import { childOf } from "./source.ts";

/** A failure by the name of its error, its exit code or its signal. */
export const FAILURE_NAME: Reader<string | number> = {
  schema: { anyOf: [TEXT, { type: "integer", minimum: 0, maximum: 255 }] },
  wanted: "the name of an error, an exit code from 0 to 255, or a signal",
  read(field, report) {
    const { value } = field;
    if (typeof value === "string" && /^\d+$/.test(value)) {
      return report.mismatch(field, this.wanted, "Write an exit code without quotes");
    }
    if (typeof value === "string" && value !== "") return value;
    const isCode = typeof value === "number" && Number.isInteger(value) && value >= 0 &&
      value <= 255;
    return isCode ? value : report.mismatch(field, this.wanted);
  },
};

/** The address of the heartbeat. It may be a secret, so no message shows it. */
export const HEARTBEAT_URL: Reader<string> = {
  ...SECRET,
  read(field, report) {
    const text = SECRET.read(field, report);
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    if (url === null || !["https:", "http:"].includes(url.protocol)) {
      return report.value(field, "found no URL, wanted one that begins with https://");
    }
    if (url.username === "" && url.password === "") return text;
    return report.value(field, "found a user or a password in the URL, which are not sent");
  },
};

/** A host and a port as one text; "" is off. */
export const HTTP_ADDRESS: Reader<{ readonly host: string; readonly port: number } | null> =
  accepted(
    '"HOST:PORT", or "" for off',
    TEXT,
    (value) => {
      if (value === "") return null;
      const match = typeof value === "string"
        ? /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value)
        : null;
      const port = Number(match?.[3] ?? NaN);
      return match !== null && port <= 65_535 ? { host: match[1] ?? match[2]!, port } : undefined;
    },
  );

const PORT = integer(0, 65_535);

/** A port; "" is off. */
export const SERVER_PORT: Reader<number | null> = {
  schema: { anyOf: [PORT.schema, { const: "" }] },
  wanted: `${PORT.wanted}, or "" for off`,
  read: (field, report) => field.value === "" ? null : PORT.read(field, report),
};

/** A path for browsers, with a slash at both ends. */
export const BASE_PATH: Reader<string> = parsedText(
  'a path such as "/jobs"',
  (text) => {
    // Without "." and "..", which browsers resolve.
    const isPath = /^\/(?:(?!\.{1,2}(?:\/|$))[\w.~-]+\/)*(?:(?!\.{1,2}$)[\w.~-]+)?$/.test(text);
    if (!isPath || text.length > PATH_LENGTH_MAX) return undefined;
    return text.endsWith("/") ? text : `${text}/`;
  },
);
const PATH_LENGTH_MAX = 200;

/** A URL for browsers, without anything behind its path. */
export const SITE_URL: Reader<string> = parsedText(
  'a URL such as "https://ops.example.org/jobs/"',
  (text) => {
    const url = URL.parse(text);
    if (url === null || !["https:", "http:"].includes(url.protocol)) return undefined;
    const { username, password, search, hash } = url;
    return username + password + search + hash === "" ? url.href : undefined;
  },
);

/** An IP address, or a network as an address and the length of its prefix. */
export const NETWORK: Reader<string> = parsedText(
  'an address or a network such as "10.0.0.0/8"',
  (text) => readNetwork(text) === null ? undefined : text,
);

/** The Unix socket: "auto", a path, or "" for off. */
export const SOCKET_PATH: Reader<string | null> = {
  schema: TEXT,
  wanted: '"auto", a path, or "" for off',
  read(field, report) {
    const { value } = field;
    if (typeof value !== "string" || value.includes("\0")) {
      return report.mismatch(field, this.wanted);
    }
    if (value === "auto") return value;
    if (value === "") return null;
    if (isWindows()) {
      const problem = "Windows has no Unix sockets";
      return report.value(field, problem, "Leave it out: clients of this machine use TCP");
    }
    const path = resolve(field.source.baseDir, value);
    // The kernel keeps the path in 108 bytes.
    if (new TextEncoder().encode(path).length <= 107) return path;
    return report.value(field, `the path "${path}" is over 107 bytes long`, "Use a shorter one");
  },
};

/** The id of a node, or a tag. */
export const NODE_NAME: Reader<string> = accepted(
  NODE_NAME_WANTED,
  TEXT,
  (value) => isNodeName(value) ? value : undefined,
);

/** The name of a channel; its existence is checked when all tables are read. */
export const CHANNEL_NAME: Reader<string> = accepted(
  "the name of a channel",
  TEXT,
  (value) => typeof value === "string" && value !== "" ? value : undefined,
);

/** A cron expression, a nickname or `@every`. */
export const SCHEDULE_TEXT: Reader<ScheduleText> = {
  schema: TEXT,
  wanted: 'a schedule such as "30 2 * * *", "@daily" or "@every 15m"',
  read(field, report) {
    const { value } = field;
    if (typeof value !== "string") return report.mismatch(field, this.wanted);
    try {
      return parseScheduleText(value, { seed: String(field.path[1]) });
    } catch (error) {
      if (!isJobError(error)) throw error;
      return report.value(field, error.message, error.hint);
    }
  },
};

/** A text that `parse` accepts; kept as written. */
function checkedText(wanted: string, parse: (text: string) => unknown): Reader<string> {
  return parsedText(wanted, (text) => {
    parse(text);
    return text;
  });
}

/** A point in time, as text: without an offset its zone is known later. */
export const TIME: Reader<string> = checkedText(
  'a date, or a date and a time, such as "2026-12-24" or "2026-12-24T18:00:00Z"',
  (text) => parseZonedTime(text, "UTC"),
);

/** A window in which nothing may run. */
export const BLACKOUT: Reader<string> = checkedText(
  'a window such as "22:00-06:00", "sat-sun", "mon-fri 08:00-18:00" or "2026-12-24/2026-12-27"',
  parseBlackout,
);

/** An octal file mode mask as text. */
export const UMASK: Reader<number> = parsedText(
  'an octal mask as a string such as "022"',
  (text) => /^0?[0-7]{1,3}$/.test(text) ? parseInt(text, 8) : undefined,
);

/** A priority for disks. */
export const IONICE: Reader<string> = parsedText(
  '"idle", "best-effort:0" to "best-effort:7", or "realtime:0" to "realtime:7"',
  (text) => IO_PRIORITY.test(text) ? text : undefined,
);

/** An argument of a command: its parameter's name, or its position. */
export const ARGUMENT_NAME: Reader<string | number> = accepted(
  "the name of a parameter, or a position from 1",
  { anyOf: [TEXT, { type: "integer", minimum: 1 }] },
  (value) => {
    if (typeof value === "string" && value !== "") return value;
    return Number.isSafeInteger(value) && value as number >= 1 ? value as number : undefined;
  },
);

/** Arguments by position or by name, as written. */
export const ARGUMENTS: Reader<readonly unknown[] | Readonly<Record<string, unknown>>> = accepted(
  "a list, or a table of arguments by name",
  { type: ["array", "object"] },
  (value) => Array.isArray(value) || isObject(value) ? value : undefined,
);

const ARGV_PARTS = list(string({ isEmptyAllowed: true }), { minLength: 1 });

/** A command as argv. */
export const ARGV: Reader<readonly string[]> = {
  schema: ARGV_PARTS.schema,
  wanted: "a list: the program and its arguments",
  read(field, report) {
    if (typeof field.value === "string") {
      return report.mismatch(field, this.wanted, 'For a line of the shell write run = "…"');
    }
    const read = ARGV_PARTS.read(field, report);
    if (read?.[0] === "") {
      return report.value(childOf(field, 0, ""), 'found "", wanted the program to run');
    }
    return read;
  },
};

const POOL_MAX = integer(1, 10_000);

/** Most attempts at once by the name of a pool. */
export const POOLS: Reader<Readonly<Record<string, number>>> = {
  schema: { type: "object", additionalProperties: POOL_MAX.schema },
  wanted: "a table of numbers by the name of a pool",
  read(field, report) {
    const { value } = field;
    if (!isObject(value)) return report.mismatch(field, this.wanted);
    const read = Object.entries(value).map(([name, max]) =>
      [name, POOL_MAX.read(childOf(field, name, max), report)] as const
    );
    if (read.some(([, max]) => max === undefined)) return undefined;
    return Object.fromEntries(read) as Record<string, number>;
  },
};
