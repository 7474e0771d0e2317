import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import { type CommandSpec, NO_PROCESS } from "../../../src/core/job/job.ts";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { jobTable, loadModules, NOW_MS, OPTIONS } from "../../support/processes/job_modules.ts";
import { testOnBun } from "../../support/on_bun.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const COMMAND: CommandSpec = {
  argv: ["/bin/sh", "-c", "echo $1", "jobctl"],
  ...NO_PROCESS,
  stdin: null,
  successCodes: [0],
  parameters: [],
  hasRest: false,
  allowsDash: false,
};
const DAILY: ScheduleSpec = {
  cron: "0 6 * * *",
  everyMs: null,
  timezone: "UTC",
  overlap: "skip",
  misfire: "latest",
  misfireWithinMs: 86_400_000,
  jitterMs: 0,
};

test("loadJobs() loads functions, definitions and arrays, each with its signature", async () => {
  const { jobs, problems, directory } = await loadModules({
    "sum.ts": "/** Adds. */\nexport default (x: number, y: number): number => x + y;",
    "billing/invoice.ts": "export default async function (order: { id: bigint }): Promise<void> {}",
    "plain.js": "export default function (a, b) { return a; }",
    "named.ts": `export default {
      kind: "other-name", description: "Named.", priority: 1, timeout: "1m", killAfter: 5, retry: 3, keep: "1h",
      run(day: Date) {}, onComplete() {}, onStateChange() {},
    };`,
    "many.ts": `import { helper } from "./_helper.ts";
      export default [
        { kind: "a", run: helper },
        { kind: "b", params: "x: bigint", retry: { max: -1, initial: "5s" }, run: (x) => x },
      ];`,
    "_helper.ts":
      "export function helper(x: string) { return x; }\nenum Color { Red }\nexport const c = Color.Red;",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(Object.keys(jobs), ["a", "b", "billing.invoice", "other-name", "plain", "sum"]);
  const usages = Object.values(jobs).map((job) => describeSignature(job.kind, job.signature));
  assert.deepEqual(usages, [
    "a <x: string>",
    "b <x: bigint>",
    "billing.invoice <order: { id: bigint }>",
    "other-name <day: Date>",
    "plain <a: unknown> <b: unknown>",
    "sum <x: number> <y: number>",
  ]);
  const { source, ...named } = jobs["other-name"]!;
  assert.deepEqual(named.options, {
    ...OPTIONS,
    priority: 1,
    timeoutMs: 60_000,
    killAfterMs: 5,
    retry: { ...OPTIONS.retry, max: 3 },
    keepSuccessMs: 3_600_000,
    keepFailureMs: 3_600_000,
  });
  assert.deepEqual(named.hasHandler, {
    onComplete: true,
    onTerminate: false,
    retryDelay: false,
    onStateChange: true,
  });
  assert.equal(named.description, "Named.");
  assert.equal(named.registeredAt, NOW_MS);
  assert.ok(source.type === "module");
  assert.equal(source.path, join(directory, "named.ts"));
  assert.equal(source.entry, "other-name");
  assert.match(source.version, /^[0-9a-f]{16}$/);
  assert.equal(jobs.sum?.description, "Adds.");
  assert.equal(jobs.b?.options.retry.initialMs, 5_000);
});

testOnBun(
  "loadJobs() reads no tests, declarations, hidden files and directories named like modules",
  async () => {
    const files = {
      "a.ts": "export default () => {};",
      "a.test.ts": "throw 1;",
      "a.d.ts": "throw 1;",
      "_b.ts": "throw 1;",
      ".c.ts": "throw 1;",
      "_lib/d.ts": "throw 1;",
      "node_modules/e/index.js": "throw 1;",
      "notes.md": "",
      "f.ts/inner.ts": "throw 1;",
    };
    await withTempDir(files, async ({ path }) => {
      symlinkSync(path, join(path, "again"));
      mkdirSync(join(path, "empty"));
      const { jobs, problems } = await loadModules({}, { modules: [path] });
      assert.deepEqual(Object.keys(jobs), ["a"]);
      assert.deepEqual(problems, []);
    });
  },
);

test("loadJobs() starts no process when there are no modules", async () => {
  const { problems } = await loadModules({}, { describeCommand: ["/nowhere/at/all"] });
  assert.deepEqual(problems, []);
});

test("loadJobs() tells why modules cannot be loaded when their process cannot start", async () => {
  const { problems } = await loadModules(
    { "a.ts": "export default () => {};", "b.ts": "export default () => {};" },
    { describeCommand: ["/nowhere/at/all"] },
  );
  assert.deepEqual(problems.map((problem) => problem.job), ["a", "b"]);
  assert.match(problems[0]!.message, /Cannot start the process that loads modules: .*ENOENT/);
});

test("fault 55: loadJobs() refuses each bad module with its place and loads the others", async () => {
  const { jobs, problems, directory } = await loadModules({
    "good1.ts": "export default () => {};",
    "syntax.ts": "const a = 1;\nexport default (x: ) => {};",
    "nothing.ts": "export const a = 1;",
    "number.ts": "export default 42;",
    "norun.ts": "export default { kind: 'norun' };",
    "unknown.ts": "export default { run() {}, tiemout: 1 };",
    "throws.ts": "const a = 1;\n\nthrow new Error('at load');",
    "throws-null.ts": "throw null;",
    "exits.ts": "process.exit(0);",
    "dies.ts": "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});",
    "empty.ts": "",
    "missing.ts": "import './not-there.ts';\nexport default () => {};",
    "cycle-a.ts": "import { b } from './cycle-b.ts';\nexport const a = b;\nexport default () => a;",
    "cycle-b.ts": "import { a } from './cycle-a.ts';\nexport const b = 1;\nexport default () => a;",
    "prints.ts":
      "console.log('{\"type\":\"jobs\"}'); console.error('x');\nexport default () => {};",
    "duration.ts": "export default { run() {}, timeout: 'soon' };",
    "cron.ts": "export default { run() {}, schedule: '61 * * * *' };",
    "zone.ts": "export default { run() {}, schedule: '@daily', timezone: 'Mars/Base' };",
    "params.ts":
      "export default { run: make(), params: 'x: ' };\nfunction make() { return () => {}; }",
    "args.ts": "export default { run(x: number) {}, schedule: '@daily', args: ['a'] };",
    "noargs.ts": "export default { run(x: number) {}, schedule: '@daily' };",
    "bad name .ts": "export default () => {};",
    "system.x.ts": "export default () => {};",
    "good2.ts": "export default () => {};",
  }, { importLimitMs: 10_000 });
  assert.deepEqual(Object.keys(jobs), ["cycle-a", "cycle-b", "good1", "good2", "prints"]);
  const told = Object.fromEntries(problems.map((problem) => [problem.job, problem]));
  const wanted: Readonly<Record<string, RegExp>> = {
    "syntax": /^Cannot parse .*syntax\.ts:2:20: /,
    "nothing": /^Cannot load .*nothing\.ts: .*no default export/,
    "number": /42 is neither a function/,
    "norun": /job "norun": it has no function "run"/,
    "unknown": /unknown key "tiemout"/,
    "throws": /Loading it throws Error: at load/,
    "throws-null": /Loading it throws NonError: null/,
    "exits": /Loading it ended the process with code 0/,
    "dies": /Loading it ended the process/,
    "empty": /it is empty/,
    "missing": /not-there/,
    "duration": /soon/,
    "cron": /61/,
    "zone": /Mars\/Base/,
    "params": /Cannot read params "x: "/,
    "args": /Cannot convert argument "x" of job "args": "a" is not a number/,
    "noargs": /argument "x" is missing/,
    "bad name ": /Cannot use "bad name " as a kind/,
    "system.x": /the product's own/,
  };
  assert.deepEqual(Object.keys(told).toSorted(), Object.keys(wanted).toSorted());
  for (const [kind, pattern] of Object.entries(wanted)) {
    assert.match(told[kind]!.message, pattern);
    assert.match(told[kind]!.path, new RegExp(`^jobs.${kind}`));
    assert.equal(told[kind]!.place?.file, join(directory, `${kind}.ts`));
  }
  assert.deepEqual([told.syntax?.place?.line, told.syntax?.place?.column], [2, 20]);
  assert.equal(told.throws?.place?.line, 3);
  assert.equal(told.unknown?.hint, 'Did you mean "timeout"?');
  assert.equal(told.duration?.path, "jobs.duration.timeout");
});

test("fault 55: loadJobs() refuses a module that hangs, kills what it started, and loads the rest", async () => {
  const { jobs, problems } = await loadModules({
    "a.ts": "export default () => {};",
    "hangs.ts":
      "await new Promise((resolve) => setTimeout(resolve, 3_600_000));\nexport default () => {};",
    "spins.ts": "for (;;);",
    "z.ts": "export default () => {};",
  }, { importLimitMs: 1_000 });
  assert.deepEqual(Object.keys(jobs), ["a", "z"]);
  assert.deepEqual(problems.map((problem) => problem.job), ["hangs", "spins"]);
  assert.match(problems[0]!.message, /Loading it took longer than 1000 ms and was stopped/);
});

testOnBun("loadJobs() refuses a kind that two modules define", async () => {
  const { jobs, problems } = await loadModules({
    "a.ts": "export default () => {};",
    "a.js": "export default () => {};",
    "b.ts": "export default { kind: 'c', run() {} };",
    "c.ts": "export default () => {};",
    "d.ts": "export default () => {};",
  });
  assert.deepEqual(Object.keys(jobs), ["d"]);
  assert.deepEqual(problems.map((problem) => problem.job), ["a", "c"]);
  assert.match(problems[0]!.message, /a\.js and .*a\.ts define it/);
});

test("loadJobs() tells of a directory that is not there", async () => {
  const { problems } = await loadModules({}, { modules: ["/nowhere/at/all"] });
  assert.match(problems[0]!.message, /Cannot read the directory "\/nowhere\/at\/all": ENOENT/);
  assert.equal(problems[0]!.job, null);
});

testOnBun("loadJobs() prefers the table to the module and the module to the defaults", async () => {
  const { jobs, problems } = await loadModules({
    "a.ts": `/** Doc. */
      export default {
        run(x: number) {}, priority: 1, timeout: 100, retry: { max: 2, jitter: 0 },
        schedule: ["@daily", "@hourly"], timezone: "Europe/Berlin", args: [1], overlap: "allow",
      };`,
    "b.ts": "export default { run(x: number) {}, schedule: '@every 15m', args: { x: '5' } };",
  }, {
    tables: [jobTable("a", {
      description: "From the table.",
      options: { timeoutMs: 200, retry: { max: 5 } },
      scheduleTexts: [{ cron: DAILY.cron, everyMs: null, timezone: null }],
      scheduleSettings: { timezone: "UTC", runsMax: 3 },
      arguments: { x: "7" },
    })],
  });
  assert.deepEqual(problems, []);
  const { a, b } = jobs;
  assert.equal(a?.description, "From the table.");
  assert.equal(a?.options.priority, 1);
  assert.equal(a?.options.timeoutMs, 200);
  assert.deepEqual(a?.options.retry, { ...OPTIONS.retry, max: 5, jitter: 0 });
  const spec = { ...DAILY, overlap: "allow" as const, runsMax: 3 };
  assert.deepEqual(a?.schedules, [{ spec, arguments: { x: "7" } }]);
  assert.equal(b?.schedules[0]?.spec.everyMs, 900_000);
  assert.deepEqual(b?.schedules[0]?.arguments, { x: "5" });
});

testOnBun("loadJobs() keeps the module's schedules when the table has none", async () => {
  const { jobs } = await loadModules({
    "a.ts": `export default {
      run() {}, schedule: ["0 1 * * *", "0 2 * * *"], timezone: "Europe/Berlin", overlap: "allow", misfire: "skip",
    };`,
  }, { tables: [jobTable("a", { options: { priority: 2 } })] });
  assert.deepEqual(
    jobs.a?.schedules.map(({ spec }) => spec),
    ["0 1 * * *", "0 2 * * *"].map((cron) => ({
      ...DAILY,
      cron,
      timezone: "Europe/Berlin",
      overlap: "allow" as const,
      misfire: "skip" as const,
    })),
  );
});

testOnBun(
  "loadJobs() checks a table's arguments against the signature at the table's place",
  async () => {
    const { jobs, problems } = await loadModules({
      "a.ts": "export default (day: Date, region: string) => {};",
    }, {
      tables: [jobTable("a", { schedules: [DAILY], arguments: { day: "soon", region: "eu" } })],
    });
    assert.deepEqual(Object.keys(jobs), []);
    assert.equal(problems[0]?.job, "a");
    assert.equal(problems[0]?.path, "jobs.a.args");
    assert.deepEqual(problems[0]?.place, { file: "config.toml", line: 7, column: 1 });
    assert.equal(
      problems[0]?.message,
      'Cannot convert argument "day" of job "a": "soon" is not a date',
    );
  },
);

test("loadJobs() makes jobs of command tables, which take no arguments without params", async () => {
  const { jobs, problems } = await loadModules({}, {
    tables: [
      jobTable("disk", {
        command: COMMAND,
        description: "Space",
        schedules: [DAILY],
      }),
      jobTable("given", { command: COMMAND, schedules: [DAILY], arguments: ["/"] }),
      jobTable("option", {
        command: COMMAND,
        params: "...paths: string[]",
        schedules: [DAILY],
        arguments: ["/", "-delete"],
      }),
    ],
  });
  assert.deepEqual(problems.map(({ path, message }) => [path, message]), [
    ["jobs.given.args", 'Cannot pass arguments to job "given": its command declares no params'],
    [
      "jobs.option.args",
      'Cannot pass argument "2" to job "option": "-delete" begins with "-", as an option does',
    ],
  ]);
  assert.ok(problems.every(({ hint }) => hint));
  const { disk } = jobs;
  assert.deepEqual(disk?.source, { type: "command", command: COMMAND });
  assert.equal(describeSignature("disk", disk!.signature), "disk");
  assert.deepEqual(disk?.schedules, [{ spec: DAILY, arguments: [] }]);
});

test("loadJobs() asks for the place of no command without problems, for which a file is parsed again", async () => {
  const placeOf = () => assert.fail("asked for a place");
  const { jobs, problems } = await loadModules({}, {
    channels: ["mail"],
    tables: [
      jobTable("disk", { command: COMMAND, schedules: [DAILY], placeOf }),
      jobTable("mailed", { command: COMMAND, options: { notify: ["mail"] }, placeOf }),
    ],
  });
  assert.deepEqual([Object.keys(jobs), problems], [["disk", "mailed"], []]);
});

test("loadJobs() reads the parameters that a command declares", async () => {
  const params = "day: Date, count = 2, region = 'eu', ...files: string[]";
  const command = { ...COMMAND, stdin: { arg: "region" } };
  const { jobs, problems } = await loadModules({}, {
    tables: [
      jobTable("mail", { command, params, schedules: [DAILY], arguments: { day: "2026-01-02" } }),
    ],
  });
  assert.deepEqual(problems, []);
  const { mail } = jobs;
  assert.equal(
    describeSignature("mail", mail!.signature),
    "mail <day: Date> [count: number = 2] [region: string = 'eu'] [...files: string]",
  );
  assert.ok(mail!.source.type === "command");
  assert.deepEqual(mail!.source.command.parameters, [
    { name: "day", initial: null },
    { name: "count", initial: "2" },
    { name: "region", initial: "eu" },
  ]);
});

for (
  const [params, arg, key, wanted] of [
    ["x: number, ctx: Context", 1, "params", /takes no "ctx" of type Context/],
    ["x = Date.now()", 1, "params", /default of "x"/],
    ["x: number,,", 1, "params", /not a list of parameters/],
    ["größe: number", 1, "params", /"größe" is not a valid name/],
    ["x: number", "y", "stdin.arg", /Cannot take "y" for the standard input: its params have x/],
    ["x: number", 2, "stdin.arg", /Cannot take "2" for the standard input: its params have x/],
    [null, "y", "stdin.arg", /declares no params/],
    [null, 1, "stdin.arg", /declares no params/],
  ] as const
) {
  test(`loadJobs() refuses a command with params ${params} and input ${arg}`, async () => {
    const command = { ...COMMAND, stdin: { arg } };
    const { problems } = await loadModules({}, { tables: [jobTable("c", { command, params })] });
    assert.equal(problems[0]?.path, `jobs.c.${key}`);
    assert.match(problems[0]!.message, wanted);
  });
}

test("loadJobs() checks a command's configured arguments by its params", async () => {
  const table = jobTable("c", { command: COMMAND, params: "x: number", arguments: ["soon"] });
  const { problems } = await loadModules({}, { tables: [table] });
  assert.match(problems[0]!.message, /argument "x" of job "c"/);
});

testOnBun("loadJobs() refuses tables that name no code, and two for one kind", async () => {
  const { jobs, problems } = await loadModules({
    "report.ts": "export default () => {};",
    "both.ts": "export default () => {};",
    "broken.ts": "export default (",
  }, {
    tables: [
      jobTable("reprot"),
      jobTable("both", { command: COMMAND }),
      jobTable("broken"),
      jobTable("zzz"),
      jobTable("named", { command: COMMAND, schedules: [DAILY], arguments: { x: 1 } }),
      jobTable("odd\t", { command: COMMAND }),
    ],
  });
  assert.deepEqual(Object.keys(jobs), ["report"]);
  const told = Object.fromEntries(problems.map((problem) => [problem.job, problem]));
  assert.equal(problems.length, 6);
  assert.equal(told.reprot?.hint, 'Did you mean "report"?');
  assert.match(told.both!.message, /the table has a command and .*both\.ts defines it too/);
  assert.match(told.broken!.message, /Cannot parse/);
  assert.match(told.zzz!.hint ?? "", /Add "run" or "command"/);
  assert.match(told["odd\t"]!.message, /Cannot use "odd\\t" as a kind/);
  assert.equal(told.named?.path, "jobs.named.args");
});

testOnBun("loadJobs() leaves out jobs that their table disables", async () => {
  const { jobs, problems } = await loadModules({ "a.ts": "export default () => {};" }, {
    tables: [
      jobTable("a", { isEnabled: false }),
      jobTable("b", { isEnabled: false }),
      jobTable("c", { isEnabled: false, command: COMMAND }),
    ],
  });
  assert.deepEqual(jobs, {});
  assert.deepEqual(problems, []);
});

test("loadJobs() loads the example modules", async () => {
  const modules = [new URL("../../../jobs", import.meta.url).pathname];
  const { jobs, problems } = await loadModules({}, { modules });
  assert.deepEqual(problems, []);
  const usages = Object.values(jobs).map((job) => describeSignature(job.kind, job.signature));
  assert.deepEqual(usages, [
    "concat <words: Words>",
    "heartbeat",
    "hello",
    "report <day: Date> <region: string>",
    "sum <x: number> <y: number>",
  ]);
  assert.ok(Object.values(jobs).every((job) => job.signature.warnings.length === 0));
});

test("fault 55: a job whose types cannot be read loads with a warning at file and line", async () => {
  const { jobs, problems, warnings, directory } = await loadModules({
    "odd.ts": `import type { Lost } from "./_lost.ts";
import type { Part } from "./_part.ts";

export default function odd(a: Lost, b: Part, c: number) {}`,
    "_part.ts": "export interface Part {\n  id: number;\n  cache: WeakMap<object, number>;\n}",
    "untyped.ts": "export default function untyped(a, b) {}",
    "plain.js": "export default function plain(a, b) {}",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    warnings.map(({ job, place, message }) => [
      job,
      `${place?.file.slice(directory.length + 1)}:${place?.line}:${place?.column}`,
      message,
    ]),
    [
      [
        "odd",
        "odd.ts:4:32",
        'Type "Lost" is imported and taken as unknown: there is no such file',
      ],
      ["odd", "_part.ts:3:10", 'Type "WeakMap<object, number>" is taken as unknown'],
      ["untyped", "untyped.ts:1:16", "No parameter has a type: arguments pass as given"],
    ],
  );
  assert.equal(
    describeSignature("odd", jobs.odd!.signature),
    "odd <a: unknown> <b: Part> <c: number>",
  );
});

test("fault 55: modules that import each other's types in a circle load with them", async () => {
  const { jobs, problems, warnings } = await loadModules({
    "a.ts": `import type { B } from "./b.ts";
      export interface A { b?: B }
      export default (a: A): void => {};`,
    "b.ts": `import type { A } from "./a.ts";
      export interface B { a?: A; n: number }
      export default (b: B): void => {};`,
  });
  assert.deepEqual([problems, warnings], [[], []]);
  const definitions = [jobs.a!, jobs.b!].map(({ signature }) =>
    Object.keys(signature.definitions!)
  );
  assert.deepEqual(definitions, [["A"], ["B"]]);
});

testOnBun(
  "loadJobs() warns of a retryDelay that nothing asks, and of none that is asked",
  async () => {
    const source = (retry: string) =>
      `export default { ${retry} run() {}, retryDelay: () => "1s" };`;
    const { warnings } = await loadModules({
      "never.ts": source(""),
      "asked.ts": source("retry: 2,"),
    });
    assert.deepEqual(warnings.map(({ job, message, hint }) => [job, message, hint]), [
      [
        "never",
        "its retryDelay is never called: retry.max is 0",
        "Set retry to the number of retries that may follow",
      ],
    ]);
  },
);

testOnBun("loadJobs() gives the rest of the modules up when ten have hung", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `m${String(index).padStart(2, "0")}`);
  const hanging = Object.fromEntries(names.map((name) => [`${name}.ts`, "while (true) ;\n"]));
  const { jobs, problems } = await loadModules(
    { ...hanging, "z.ts": "export default () => {};\n" },
    { importLimitMs: 20 },
  );
  assert.deepEqual(Object.keys(jobs), []);
  const refused = problems.filter(({ message }) => message.includes("Not loaded: 10 modules"));
  assert.deepEqual(refused.map(({ job }) => job), ["m10", "m11", "z"]);
});

testOnBun("loadJobs() lets others run between modules that take long to read", async () => {
  const lines = Array.from({ length: 8_000 }, (_, index) => `export const x${index} = [1, 2];\n`);
  const text = `${lines.join("")}export default () => {};\n`;
  const names = Array.from({ length: 4 }, (_, index) => `m${index}.ts`);
  let turns = 0;
  const defer = (callback: () => void) => {
    turns += 1;
    systemClock.defer(callback);
  };
  const { jobs } = await loadModules(Object.fromEntries(names.map((name) => [name, text])), {
    clock: { ...systemClock, defer },
    importLimitMs: 10_000,
  });
  assert.equal(Object.keys(jobs).length, names.length);
  assert.ok(turns >= 2 * names.length - 2, `${turns} turns`);
});

test("loadJobs() disables a job whose disk priority cannot be had here, and says why", async () => {
  const tables = [jobTable("a", { command: { ...COMMAND, ionice: "idle" } })];
  const { jobs, problems } = await loadModules({}, { tables });
  if (process.platform === "linux" && "bun" in process.versions) {
    assert.deepEqual([Object.keys(jobs), problems], [["a"], []]);
    return;
  }
  assert.deepEqual(Object.keys(jobs), []);
  assert.match(
    problems[0]!.message,
    /"a": ionice is "idle", which takes Linux with glibc, and Bun/,
  );
});

testOnBun(
  "loadJobs() tells the zone of each job: its table's, its module's, else the configuration's",
  async () => {
    const { jobs } = await loadModules({
      "own.ts": 'export default { timezone: "Asia/Tokyo", run() {} };',
      "plain.ts": "export default () => {};",
    }, {
      tables: [
        jobTable("shell", { command: COMMAND, scheduleSettings: { timezone: "Europe/Berlin" } }),
        jobTable("bare", { command: COMMAND }),
      ],
    });
    assert.deepEqual(Object.values(jobs).map(({ kind, timezone }) => [kind, timezone]), [
      ["bare", "UTC"],
      ["own", "Asia/Tokyo"],
      ["plain", "UTC"],
      ["shell", "Europe/Berlin"],
    ]);
  },
);
