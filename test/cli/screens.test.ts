// What people see at 60, 80 and 120 columns, as text in the folder screens.
// UPDATE_SCREENS=1 bun test ./test/cli/screens.test.ts writes it anew: read the difference.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import test from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { displayWidth } from "../../src/cli/output/table.ts";
import { JobState } from "../../src/rpc/gen/job_pb.ts";
import { type Answers, cli, NOW } from "../support/worlds/cli_world.ts";
import { historyEntry, instance, job, logEntry, schedule } from "../support/worlds/cli_messages.ts";

const WIDTHS = [60, 80, 120];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const at = (distanceMs: number) => timestampFromMs(NOW + distanceMs);
/** Ids of one moment, which begin alike. */
const idOf = (number: number) =>
  `01938f2c-7d3e-7000-8000-5b1c0a7e${number.toString(16).padStart(4, "0")}`;

type Changes = Parameters<typeof instance>[0] & object;

function run(number: number, kind: string, changes: Changes) {
  const isFinal = "completedAt" in changes || "terminatedAt" in changes ||
    "timedOutAt" in changes || "canceledAt" in changes;
  return instance({
    ...{ uuid: idOf(number), kind, reason: undefined, node: "web1", completedAt: undefined },
    ...{ arguments: [], results: [], durationMs: isFinal ? 1_900n : undefined },
    ...changes,
  } as Changes);
}

const FAILED = run(1, "backup", {
  ...{ state: JobState.TERMINATED, reason: "error", attempts: 2, failures: 2, maxRetries: 1 },
  error: "rsync: connection to backup.example.com timed out\nrsync error: code 30",
  errorDetail: { name: "Error", message: "rsync: connection timed out", exitCode: 30 },
  processedAt: at(-5 * MINUTE),
  terminatedAt: at(-3 * MINUTE),
  durationMs: 120_000n,
  arguments: ["/srv/shop"],
  scheduleId: "config:backup:0",
  retryOf: idOf(15),
});
const HOSTILE = run(9, "週次レポート\u202e\x1b[31m", {
  ...{ state: JobState.COMPLETED, reason: "ok", completedAt: at(-2 * HOUR) },
  results: ["\u2066売上\u2069 \x07🎉 e\u0301 \t ok"],
});
const INSTANCES = [
  run(2, "import-orders", {
    ...{ state: JobState.PROCESSING, progress: { done: 42, total: 100 } },
    ...{ processedAt: at(-95 * SECOND), arguments: ["2026-11-24", "eu"] },
  }),
  FAILED,
  run(3, "sync-orders", {
    ...{
      state: JobState.SCHEDULED,
      reason: "error",
      failures: 2,
      error: "the shop does not respond",
    },
    dueAt: at(40 * SECOND),
  }),
  run(4, "newsletter", {
    ...{ state: JobState.SCHEDULED, dueAt: at(2 * HOUR), arguments: ["spring", "de"] },
  }),
  run(5, "render-video", {
    ...{ state: JobState.SCHEDULED, dueAt: at(-10 * MINUTE) },
    blockedBy: { limit: "node", name: "render-video", used: 0n, max: 0n },
  }),
  run(6, "report", {
    ...{ state: JobState.COMPLETED, reason: "ok", completedAt: at(-20 * MINUTE) },
    results: ["14 pages in /srv/reports/2026-11-24.pdf"],
  }),
  run(7, "report", {
    ...{ state: JobState.TIMED_OUT, reason: "timeout", timedOutAt: at(-50 * MINUTE) },
    ...{ durationMs: 3_600_000n, error: "The attempt took longer than 1h" },
  }),
  run(8, "newsletter", {
    ...{ state: JobState.CANCELLED, reason: "canceled", canceledAt: at(-HOUR) },
    ...{ durationMs: undefined, arguments: ["winter", "de"] },
  }),
  HOSTILE,
];
/** As the daemon sends it. */
const SIGNATURE = JSON.stringify({
  doc: [
    "Copies the shop to the backup server",
    "",
    "It copies only what has changed since the last run, and verifies each file at the end.",
  ].join("\n"),
  parameters: [
    {
      ...{
        role: "argument",
        name: "folder",
        is_optional: false,
        is_rest: false,
        doc: "The folder to copy from",
      },
      shape: { type: "string" },
    },
    {
      ...{
        role: "argument",
        name: "verify",
        is_optional: true,
        is_rest: false,
        default_text: "true",
      },
      ...{ shape: { type: "boolean" }, doc: "Read each file again, and compare its hash" },
    },
  ],
  ...{ is_typed: true, warnings: [], result_count: 0 },
});
const BACKUP = {
  ...job(),
  ...{
    kind: "backup",
    description: "Copies the shop to the backup server",
    cronSpec: "30 2 * * *",
  },
  ...{ signatureJson: SIGNATURE },
  ...{ usage: "backup <folder: string>", cronSpecs: ["30 2 * * *"], limits: ["1 at once"] },
};
const JOBS = [
  BACKUP,
  {
    ...{ ...job(), kind: "import-orders", description: "Imports the orders of a day" },
    ...{ usage: "import-orders <day: Date> [region: string]", cronSpec: undefined, cronSpecs: [] },
  },
  {
    ...{ ...job(), kind: "system.history.cleaner", description: "Deletes finished instances" },
    ...{ usage: "system.history.cleaner <before: Date>", cronSpec: undefined, cronSpecs: [] },
  },
];
const SCHEDULES = [
  {
    ...{ ...schedule("config:backup:0"), kind: "backup", origin: "config", cron: "30 2 * * *" },
    ...{ status: "active", nextAt: at(14.5 * HOUR), nextRunAt: at(14.5 * HOUR) },
    ...{ lastAt: at(-9.5 * HOUR), arguments: ["/srv"] },
    lastRunAt: at(-9.5 * HOUR),
  },
  {
    ...{ ...schedule(idOf(0x77)), kind: "newsletter", cron: "0 9 * * 1-5", status: "paused" },
    ...{ timezone: "Europe/Berlin", nextAt: at(20 * HOUR), nextRunAt: at(20 * HOUR) },
    arguments: ["spring", "de"],
  },
  {
    ...{ ...schedule("config:import-orders-of-the-shop:0"), kind: "import-orders-of-the-shop" },
    ...{ cron: "*/10 * * * *", origin: "config", status: "active", skipUntil: at(HOUR) },
    ...{ nextAt: at(10 * MINUTE), nextRunAt: at(HOUR) },
  },
];
const TIMELINE = {
  ...{ from: at(-24 * HOUR), to: at(0), total: 600n, isEstimate: true },
  counts: [
    { kind: "import-orders-of-the-shop", completed: [512n], terminated: [2n], unfinished: [1n] },
    { kind: "週次レポート", completed: [80n], timedOut: [3n] },
    { completed: [3n], canceled: [1n] },
  ],
};
const NODES = [
  {
    ...{ id: "web1", state: "live", host: "web1.example.com", version: "1.4.0", kindCount: 12 },
    ...{
      pid: 812n,
      workers: 8,
      busy: 3,
      tags: ["eu"],
      startedAt: at(-50 * HOUR),
      seenAt: at(-SECOND),
    },
  },
  {
    ...{
      id: "gpu-berlin-2",
      state: "draining",
      host: "10.0.4.17",
      version: "1.4.0",
      kindCount: 14,
    },
    ...{ pid: 4021n, workers: 2, busy: 2, tags: ["gpu", "eu"], startedAt: at(-3 * HOUR) },
    seenAt: at(-4 * SECOND),
  },
  {
    ...{ id: "web2", state: "lost", host: "web2.example.com", version: "1.3.9", kindCount: 12 },
    ...{ pid: 77n, workers: 8, busy: 8, startedAt: at(-80 * HOUR), seenAt: at(-31 * MINUTE) },
  },
];
const STATUS = {
  ...{ node: "web1", version: "1.4.0", startedAt: at(-50 * HOUR), storeType: "sqlite" },
  ...{ storeLocation: "/var/lib/jobctl/jobctl.db", schedules: 2n, nextScheduleAt: at(14.5 * HOUR) },
  workers: { count: 8, busy: 3, alive: 4 },
  kinds: [
    { kind: "backup", completed: 211n, terminated: 3n, timedOut: 1n },
    { kind: "import-orders", processing: 1n, scheduled: 12n, completed: 48_211n },
    { kind: "newsletter", scheduled: 2n, completed: 90n, canceled: 1n },
  ],
  blocks: [{ limit: "concurrency", name: "import-orders", used: 1n, max: 1n }],
};
const PAUSES = [{ kind: "newsletter", reason: "the template is being rewritten", at: at(-HOUR) }];
const INCIDENTS = [{
  ...{ id: idOf(0x99), type: "job", name: "backup", events: ["failed"], count: 3n },
  ...{ openedAt: at(-26 * HOUR), lastAt: at(-3 * MINUTE) },
  lastError:
    'Command "/bin/sh" exited with code 30: rsync: connection to backup.example.com timed out',
}];
const SILENCES = [{
  ...{ kind: "backup", by: "eva", reason: "the backup server moves to another building" },
  ...{ since: at(-HOUR), until: at(5 * HOUR) },
}];
const CHANNELS = [{
  ...{ name: "operations", to: "mail to operations@example.com", on: ["failed", "missed", "lost"] },
  jobs: ["backup", "import-*"],
}];
const SESSIONS = [{
  ...{ id: "3f9a01c23f9a01c2", name: "eva", role: "operator", address: "10.20.30.40" },
  ...{ createdAt: at(-HOUR), usedAt: at(-MINUTE), expiresAt: at(11 * HOUR) },
}];
const HISTORY = [
  historyEntry(JobState.SCHEDULED, NOW - 10 * MINUTE),
  historyEntry(JobState.PROCESSING, NOW - 9 * MINUTE),
  { ...historyEntry(JobState.SCHEDULED, NOW - 7 * MINUTE), reason: "timeout" },
  { ...historyEntry(JobState.PROCESSING, NOW - 5 * MINUTE), attempt: 2 },
  { ...historyEntry(JobState.TERMINATED, NOW - 3 * MINUTE), attempt: 2, reason: "error" },
];
const LOG = [
  {
    ...logEntry(3, "rsync: connection to backup.example.com timed out"),
    level: "error",
    attempt: 2,
  },
  logEntry(2, "2431 files"),
  logEntry(1, "begin"),
];
const STATS = {
  ...{ totals: { completed: 205n, failed: 3n, timedOut: 1n }, successRate: 205 / 209 },
  ...{ usualP50Ms: 95_000, usualP99Ms: 171_000, lastSuccessAt: at(-33 * HOUR) },
  ...{ lastFailureAt: at(-3 * MINUTE), last: [FAILED, { ...FAILED, uuid: idOf(0x10) }] },
};

const SCREENS: readonly (readonly [file: string, argv: readonly string[], answers: Answers])[] = [
  ["list_instances", ["list", "instances"], { lookupInstances: { instances: INSTANCES } }],
  ["list_dead", ["list", "dead"], {
    lookupInstances: { instances: [FAILED, INSTANCES[6]] },
  }],
  ["list_jobs", ["list", "jobs"], { listRegisteredJobs: { jobs: JOBS } }],
  [
    "status_since",
    ["status", "--since", "24h"],
    { getStatus: STATUS, lookupTimeline: TIMELINE },
  ],
  ["list_schedules", ["list", "schedules"], { listSchedules: { schedules: SCHEDULES } }],
  ["list_timers", ["list", "timers"], { listSchedules: { schedules: SCHEDULES } }],
  ["list_nodes", ["list", "nodes"], { listNodes: { nodes: NODES } }],
  ["list_pauses", ["list", "pauses"], { listPauses: { pauses: PAUSES } }],
  ["list_silences", ["list", "silences"], { listSilences: { silences: SILENCES } }],
  ["notices_list", ["notices", "list"], { listChannels: { channels: CHANNELS } }],
  ["sessions", ["sessions"], { listSessions: { sessions: SESSIONS } }],
  ["history", ["history", idOf(1)], {
    ...{ getInstance: { instance: FAILED }, lookupInstanceHistory: { entries: HISTORY } },
  }],
  ["incidents", ["incidents"], { listIncidents: { incidents: INCIDENTS } }],
  ["status", ["status"], {
    ...{ getStatus: STATUS, listPauses: { pauses: PAUSES } },
    listIncidents: { incidents: INCIDENTS },
  }],
  ["describe_instance", ["describe", "instance", idOf(1)], {
    ...{
      getInstance: { instance: FAILED },
      lookupInstanceHistory: { entries: HISTORY },
    },
    lookupInstanceLogs: { entries: LOG },
  }],
  ["describe_job", ["describe", "job", "backup"], {
    ...{ getJob: { job: BACKUP }, listSchedules: { schedules: SCHEDULES.slice(0, 1) } },
    ...{ getJobStats: STATS, listIncidents: { incidents: INCIDENTS } },
  }],
];

async function screenOf(argv: readonly string[], answers: Answers, columns: number) {
  const { stdout, code, stderr } = await cli([...argv, "--no-color"], {
    ...{ answers, columns, isTerminal: true },
  });
  assert.equal(code, 0, stderr);
  return stdout;
}

for (const [name, argv, answers] of SCREENS) {
  test(`${argv.slice(0, 2).join(" ")} fits into 60, 80 and 120 columns`, async () => {
    const texts = [];
    for (const columns of WIDTHS) {
      const screen = await screenOf(argv, answers, columns);
      for (const line of screen.split("\n")) {
        // Lines of a log are never cut.
        const isLog = /^ {2}\d{4}-\d\d-\d\d .*(INFO|ERROR)/.test(line);
        assert.ok(isLog || displayWidth(line) <= columns, `${columns}: ${line}`);
      }
      texts.push(`$ jobctl ${argv.join(" ")}   # ${columns} columns\n${screen}`);
    }
    const path = new URL(`./screens/${name}.txt`, import.meta.url);
    const text = texts.join("\n");
    if (process.env.UPDATE_SCREENS === "1") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
  });
}

test("a row with wide characters, control characters and marks is aligned with the others", async () => {
  const answers = { lookupInstances: { instances: [FAILED, HOSTILE] } };
  const screen = await screenOf(["list", "instances"], answers, 80);
  const [head, plain, hostile] = screen.split("\n").map((line) => line);
  const place = displayWidth(head!.slice(0, head!.indexOf("STATE")));
  assert.equal(displayWidth(plain!.slice(0, plain!.indexOf("failed"))), place);
  assert.equal(displayWidth(hostile!.slice(0, hostile!.indexOf("done"))), place);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(screen, /[\u0000-\u0009\u000b-\u001f\u202e\u2066\u2069]/);
});
