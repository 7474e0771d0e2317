import type { ErrorCode } from "../../../src/core/errors.ts";
import type { JobClient, JobMethods } from "../../../src/rpc/client/client.ts";
import { HOSTILE_TEXTS } from "./texts.ts";

/** One call of gRPC, and what it comes to. */
export interface CallCase {
  readonly name: string;
  readonly call: (client: JobClient) => Promise<unknown>;
  readonly outcome: Outcome;
}

/** Accepted, refused with one code, or, for texts that differ, one of several. */
export type Outcome = "ok" | ErrorCode | readonly ("ok" | ErrorCode)[];

type Fields = Readonly<Record<string, unknown>>;

/** A method, and what its request has beside the text. */
interface Place {
  readonly method: keyof JobMethods;
  readonly request: (text: string) => Fields;
  readonly outcome: Outcome;
  /** Of single texts. */
  readonly except?: Readonly<Record<string, Outcome>>;
}

/** The texts of more than a thousand characters. */
const TOO_LONG = {
  "marks upon marks": "invalid_argument",
  "a megabyte": "invalid_argument",
} as const;

/** Every field that takes a text. */
const PLACES: Readonly<Record<string, Place>> = {
  "kind of a run": {
    method: "scheduleJob",
    request: (kind) => ({ kind }),
    outcome: "not_found",
    except: { nothing: "invalid_argument", ...TOO_LONG },
  },
  "kind that is looked up": {
    method: "getJob",
    request: (kind) => ({ kind }),
    outcome: "not_found",
    except: { nothing: "invalid_argument", ...TOO_LONG },
  },
  "argument that is echoed": {
    method: "scheduleJob",
    request: (text) => ({ kind: "echo", arguments: [text] }),
    outcome: "ok",
  },
  "id of an instance": {
    method: "getInstance",
    request: (uuid) => ({ uuid }),
    outcome: "invalid_argument",
    // It might be how one begins.
    except: { "a number": "not_found" },
  },
  "page token": {
    method: "lookupInstances",
    request: (pageToken) => ({ query: { pageToken } }),
    outcome: "invalid_argument",
    except: { nothing: "ok" },
  },
  "kind of a filter": {
    method: "lookupInstances",
    request: (kind) => ({ query: { kind } }),
    outcome: "ok",
    except: TOO_LONG,
  },
  "unique key": {
    method: "scheduleJob",
    request: (uniqueKey) => ({ kind: "waits", uniqueKey, afterMs: 3_600_000n }),
    outcome: "ok",
    except: {
      "NUL": "invalid_argument",
      "emoji": "invalid_argument",
      ...TOO_LONG,
    },
  },
  "cron expression": {
    method: "scheduleJob",
    request: (cron) => ({ kind: "waits", cron }),
    outcome: "invalid_argument",
    // As clients of go-job say that there is none.
    except: { nothing: "ok" },
  },
  "reason of a pause": {
    method: "pause",
    request: (reason) => ({ kind: "waits", reason }),
    outcome: "ok",
    except: TOO_LONG,
  },
};

function callOf(client: JobClient, method: keyof JobMethods, request: Fields): Promise<unknown> {
  return (client[method] as (request: Fields) => Promise<unknown>)(request);
}

function placeCases(): CallCase[] {
  return Object.entries(PLACES).flatMap(([place, { method, request, outcome, except = {} }]) =>
    Object.entries(HOSTILE_TEXTS).map(([text, value]) => ({
      name: `${place}: ${text}`,
      call: (client: JobClient) => callOf(client, method, request(value)),
      outcome: Object.hasOwn(except, text) ? except[text]! : outcome,
    }))
  );
}

/**
 * JSON of arguments for `typed(count: number, when: Date, data: { a: number[] }, mode: "x" | "y")`.
 */
const ARGUMENTS: readonly (readonly [json: string, outcome: Outcome])[] = [
  ["", "invalid_argument"],
  ["{", "invalid_argument"],
  ["null", "invalid_argument"],
  ["1", "invalid_argument"],
  ['"text"', "invalid_argument"],
  ["[]", "invalid_argument"],
  ['[1,"2026-01-01",{"a":[1]},"x"]', "ok"],
  ['[1,"2026-01-01",{"a":[1]},"x",5]', "invalid_argument"],
  ['[1e999,"2026-01-01",{"a":[1]},"x"]', "invalid_argument"],
  ['["NaN","2026-01-01",{"a":[1]},"x"]', "invalid_argument"],
  ['["0x10","2026-01-01",{"a":[1]},"x"]', "invalid_argument"],
  ['[9007199254740993,"2026-01-01",{"a":[1]},"x"]', "invalid_argument"],
  ['[1,"2026-02-30",{"a":[1]},"x"]', "invalid_argument"],
  ['[1,"+275760-09-13T00:00:00.001Z",{"a":[1]},"x"]', "invalid_argument"],
  ['[1,"2026-01-01",{"a":"1"},"x"]', "invalid_argument"],
  ['[1,"2026-01-01",{"a":[1],"b":2},"x"]', "ok"],
  ['[1,"2026-01-01",{"a":[1],"__proto__":{"admin":true}},"x"]', "ok"],
  ['[1,"2026-01-01",{"__proto__":{"a":[1]}},"x"]', "invalid_argument"],
  ['[1,"2026-01-01",{"a":[1]},"z"]', "invalid_argument"],
  ['{"count":1,"when":"2026-01-01","data":{"a":[]},"mode":"y"}', "ok"],
  ['{"count":1,"count":2,"when":"2026-01-01","data":{"a":[]},"mode":"y"}', "invalid_argument"],
  ['{"__proto__":{"count":1},"when":"2026-01-01","data":{"a":[]},"mode":"y"}', "invalid_argument"],
  ['{"constructor":1}', "invalid_argument"],
  [`[${"[".repeat(100_000)}${"]".repeat(100_000)}]`, "invalid_argument"],
  [`[1,"2026-01-01",{"a":[${"1,".repeat(300_000)}1]},"x"]`, "ok"],
  [`[1,"2026-01-01",{"a":[${"1,".repeat(600_000)}1]},"x"]`, "invalid_argument"],
  ['\ufeff[1,"2026-01-01",{"a":[1]},"x"]', "invalid_argument"],
  ['[1,"2026-01-01",{"a":[1]},"x"] // comment', "invalid_argument"],
  ["[1,'2026-01-01',{a:[1]},'x',]", "invalid_argument"],
];

const CRON: readonly (readonly [cron: string, outcome: Outcome])[] = [
  ["* * * *", "invalid_argument"],
  ["* * * * * * *", "invalid_argument"],
  ["60 * * * *", "invalid_argument"],
  ["-1 * * * *", "invalid_argument"],
  ["1-0 * * * *", "invalid_argument"],
  ["*/0 * * * *", "invalid_argument"],
  ["*/99999999999 * * * *", "invalid_argument"],
  ["0 0 30 2 *", "invalid_argument"],
  ["0 0 31 2,4,6,9,11 *", "invalid_argument"],
  ["0 0 29 2 *", "ok"],
  ["0 0 * * 8", "invalid_argument"],
  ["0 0 ? * MON#6", "invalid_argument"],
  ["0 0 L * *", "ok"],
  ["@reboot", "ok"],
  ["@nightly", "invalid_argument"],
  ["@every 0s", "invalid_argument"],
  ["@every 1ms", "invalid_argument"],
  ["@every -1h", "invalid_argument"],
  ["@every 99999999999h", "invalid_argument"],
  [`${"1,".repeat(600)}1 * * * *`, "invalid_argument"],
  ["٣ * * * *", "invalid_argument"],
  ["1e1 * * * *", "invalid_argument"],
  ["0x1 * * * *", "invalid_argument"],
  ["* * * * * # comment", "invalid_argument"],
];

/** Numbers and times at their limits and beyond. */
const NUMBERS: Readonly<Record<string, readonly [request: Fields, outcome: Outcome]>> = {
  "a delay below zero": [{ afterMs: -1n }, "invalid_argument"],
  "a delay of all bits": [{ afterMs: 2n ** 63n - 1n }, "invalid_argument"],
  "a delay of a thousand years": [{ afterMs: 31_557_600_000_000n }, "ok"],
  "a time before Christ": [{ at: { seconds: -99_999_999_999n, nanos: 0 } }, "invalid_argument"],
  "a time beyond all dates": [{ at: { seconds: 2n ** 62n, nanos: 0 } }, "invalid_argument"],
  "a time with nanoseconds below zero": [{ at: { seconds: 1n, nanos: -5 } }, "invalid_argument"],
  "a priority below all": [{ priority: -2_147_483_648 }, "invalid_argument"],
  "a priority above all": [{ priority: 2_147_483_647 }, "ok"],
  "a timeout below zero": [{ timeoutMs: -1n }, "invalid_argument"],
  "a timeout of all bits": [{ timeoutMs: 2n ** 63n - 1n }, "invalid_argument"],
  "a deadline below zero": [{ deadlineMs: -1n }, "invalid_argument"],
  "retries below for ever": [{ maxRetries: -2 }, "invalid_argument"],
  "retries of all bits": [{ maxRetries: 2_147_483_647 }, "ok"],
  "a jitter of all bits": [{ cron: "@daily", jitterMs: 2n ** 63n - 1n }, "invalid_argument"],
  "an unknown zone": [{ cron: "@daily", timezone: "Mars/Olympus" }, "invalid_argument"],
  "a zone that is a path": [{ cron: "@daily", timezone: "../../etc/passwd" }, "invalid_argument"],
  "an unknown overlap": [{ cron: "@daily", overlap: "explode" }, "invalid_argument"],
  "an unknown misfire": [{ cron: "@daily", misfire: "__proto__" }, "invalid_argument"],
  "an unknown conflict": [{ uniqueKey: "a", onConflict: "constructor" }, "invalid_argument"],
  "both a time and a delay": [{ at: { seconds: 1n, nanos: 0 }, afterMs: 1n }, "invalid_argument"],
  "both a delay and a cron": [{ cron: "@daily", afterMs: 1n }, "invalid_argument"],
  "a UUID of another version": [
    { uuid: "00000000-0000-4000-8000-000000000000" },
    ["ok", "invalid_argument"],
  ],
  "a UUID in capitals": [{ uuid: "01234567-89AB-7DEF-8123-456789ABCDEF" }, [
    "ok",
    "invalid_argument",
  ]],
  "a blackout without end": [
    { cron: "@daily", recurrence: { blackout: ["22:00-"] } },
    "invalid_argument",
  ],
  "a blackout of always": [
    { cron: "@daily", recurrence: { blackout: ["00:00-24:00"] } },
    ["ok", "invalid_argument"],
  ],
  "ten thousand blackouts": [
    { cron: "@daily", recurrence: { blackout: Array(10_000).fill("sat-sun") } },
    "invalid_argument",
  ],
  "no runs at most": [{ cron: "@daily", recurrence: { runsMax: 0 } }, "invalid_argument"],
};

/** Requests that ask for much, or for nothing. */
const QUERIES: readonly (readonly [keyof JobMethods, Fields, Outcome])[] = [
  ["lookupInstances", { query: { pageSize: 0 } }, "invalid_argument"],
  ["lookupInstances", { query: { pageSize: -1 } }, "invalid_argument"],
  ["lookupInstances", { query: { pageSize: 2_147_483_647 } }, ["ok", "invalid_argument"]],
  ["lookupInstances", { query: { states: [3, 99] } }, "invalid_argument"],
  ["lookupInstances", { query: { uuids: Array(2_000).fill("0") } }, "invalid_argument"],
  ["lookupInstanceLogs", { level: "loud" }, "invalid_argument"],
  ["lookupInstanceLogs", { query: { uuid: "*" } }, "invalid_argument"],
  ["cancelInstances", {}, "invalid_argument"],
  ["cancelInstances", { query: {} }, "invalid_argument"],
  ["cancelInstances", { query: { uuid: "" } }, "invalid_argument"],
  ["retryInstance", { uuid: "0" }, ["invalid_argument", "not_found"]],
  ["signalInstance", { name: "go" }, "invalid_argument"],
  ["signalInstance", { uuid: "0", name: "go" }, ["invalid_argument", "not_found"]],
  ["signalInstance", { kind: "x", uniqueKey: "\x1b[2J", name: "a/b" }, "invalid_argument"],
  ["signalInstance", { kind: "x", uniqueKey: "y", name: "" }, "invalid_argument"],
  ["listSteps", { uuid: "" }, "invalid_argument"],
  ["freezeInstance", { uuid: "0" }, ["invalid_argument", "not_found"]],
  ["freezeInstance", { uuid: "", thaw: true, reason: "\x1b[2J" }, "invalid_argument"],
  ["waitInstance", { uuid: "" }, "invalid_argument"],
  ["explain", {}, "invalid_argument"],
  ["explain", { limit: 2_147_483_647 }, "invalid_argument"],
  ["explain", { spanMs: 2n ** 62n, at: { seconds: 0n, nanos: 0 } }, "invalid_argument"],
  ["updateSchedule", { id: "" }, ["invalid_argument", "not_found"]],
  ["deleteSchedule", { id: "\x1b[2J" }, "not_found"],
  ["resizeWorkers", { count: -1 }, "invalid_argument"],
  ["resizeWorkers", { count: 2_147_483_647 }, "invalid_argument"],
  ["scheduleJobs", { requests: [] }, ["ok", "invalid_argument"]],
  ["scheduleJobs", { requests: Array(2_000).fill({ kind: "echo" }) }, "invalid_argument"],
];

/** All calls of the corpus. */
export const CALLS: readonly CallCase[] = [
  ...placeCases(),
  ...ARGUMENTS.map(([argumentsJson, outcome]): CallCase => ({
    name: `arguments: ${argumentsJson.slice(0, 60)}`,
    call: (client) => client.scheduleJob({ kind: "typed", argumentsJson }),
    outcome,
  })),
  ...CRON.map(([cron, outcome]): CallCase => ({
    name: `cron: ${cron.slice(0, 60)}`,
    call: (client) => client.scheduleJob({ kind: "waits", cron }),
    outcome,
  })),
  ...Object.entries(NUMBERS).map(([name, [request, outcome]]): CallCase => ({
    name,
    call: (client) =>
      client.scheduleJob({ kind: "waits", afterMs: undefined, ...request } as never),
    outcome,
  })),
  ...QUERIES.map(([method, request, outcome], index): CallCase => ({
    name: `${method} ${index}`,
    call: (client) => callOf(client, method, request),
    outcome,
  })),
];
