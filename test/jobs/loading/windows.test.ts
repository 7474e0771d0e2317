import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type CommandSpec, NO_PROCESS } from "../../../src/core/job/job.ts";
import { minimalEnvironment } from "../../../src/jobs/loading/minimal_environment.ts";
import { asWindows } from "../../support/as_windows.ts";
import { jobTable, loadModules, OPTIONS } from "../../support/processes/job_modules.ts";

const INLINE = { defaults: { ...OPTIONS, isolation: "inline" as const } };
const COMMAND: CommandSpec = {
  argv: ["dir"],
  ...NO_PROCESS,
  stdin: null,
  successCodes: [0],
  parameters: [],
  hasRest: false,
  allowsDash: false,
};

test("loadJobs() loads inline jobs of modules on Windows", async () => {
  const { jobs, problems } = await asWindows(() =>
    loadModules({
      "sum.ts": "export default (x: number, y: number): number => x + y;",
      "ends.ts": "process.exit(3);",
      "talks.ts": `process.send?.("nonsense"); export default function talks() {}`,
      "throws.ts": `throw new Error("at load");`,
    }, INLINE)
  );
  assert.deepEqual(Object.keys(jobs), ["sum", "talks"]);
  assert.deepEqual(problems.map(({ message }) => message.replace(/^.*\.ts: /, "")), [
    "Loading it ended the process with code 3",
    "Loading it throws Error: at load",
  ]);
});

test("loadJobs() ends a module that sends too much on Windows", async () => {
  const { jobs, problems } = await asWindows(() =>
    loadModules({
      "floods.ts":
        `for (let i = 0; i < 200; i++) process.send?.("x"); await new Promise(() => {});`,
      "works.ts": "export default function works() {}",
    }, INLINE)
  );
  assert.deepEqual(Object.keys(jobs), ["works"]);
  assert.match(problems[0]!.message, /more than 100 unexpected messages, and was stopped$/);
});

test("loadJobs() refuses commands and process isolation on Windows", async () => {
  const files = {
    "apart.ts": "export default function apart() {}",
    "set.ts": "export default { isolation: 'process', run() {} };",
    "works.ts": "export default function works() {}",
  };
  const tables = [
    jobTable("apart", { options: { isolation: "process" } }),
    jobTable("dir", { command: COMMAND }),
  ];
  const { jobs, problems } = await asWindows(() => loadModules(files, { ...INLINE, tables }));
  assert.deepEqual(Object.keys(jobs), ["works"]);
  assert.deepEqual(problems.map(({ message }) => message), [
    'Cannot run job "apart": process isolation does not work on Windows',
    'Cannot run job "set": process isolation does not work on Windows',
    'Cannot run job "dir": commands do not work on Windows',
  ]);
  assert.deepEqual([...new Set(problems.map(({ hint }) => hint))], [
    'Set isolation = "inline" in its table, or for all in [worker]',
    'Write it as a module with isolation = "inline", or run it on Linux or macOS',
  ]);
});

test("minimalEnvironment() keeps what Windows needs, and nothing else", async () => {
  const given = { SystemRoot: "C:\\Windows", Path: "C:\\bin", "ProgramFiles(x86)": "C:\\x86" };
  try {
    Object.assign(process.env, given, { A_SECRET: "s3cret" });
    const kept = await asWindows(() => minimalEnvironment({ name: "bob", home: "/home/bob" }));
    for (const [name, value] of Object.entries(given)) assert.equal(kept[name], value);
    assert.equal(kept["A_SECRET"], undefined);
    assert.equal(kept["SHELL"], undefined);
  } finally {
    for (const name of [...Object.keys(given), "A_SECRET"]) delete process.env[name];
  }
});
