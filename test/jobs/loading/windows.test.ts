import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type CommandSpec, NO_LIMITS, NO_PROCESS } from "../../../src/core/job/job.ts";
import { minimalEnvironment } from "../../../src/jobs/loading/minimal_environment.ts";
import { asWindows } from "../../support/as_windows.ts";
import { jobTable, loadModules } from "../../support/processes/job_modules.ts";

const COMMAND: CommandSpec = {
  argv: ["dir"],
  ...NO_PROCESS,
  stdin: null,
  successCodes: [0],
  parameters: [],
  hasRest: false,
  allowsDash: false,
};

test("loadJobs() loads modules on Windows", async () => {
  const { jobs, problems } = await asWindows(() =>
    loadModules({
      "sum.ts": "export default (x: number, y: number): number => x + y;",
      "ends.ts": "process.exit(3);",
      "talks.ts": `process.send?.("nonsense"); export default function talks() {}`,
      "throws.ts": `throw new Error("at load");`,
    })
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
    })
  );
  assert.deepEqual(Object.keys(jobs), ["works"]);
  assert.match(problems[0]!.message, /more than 100 unexpected messages, and was stopped$/);
});

test("loadJobs() refuses on Windows what it cannot give a job", async () => {
  const files = {
    "works.ts": "export default function works() {}",
    "other.ts": "export default function other() {}",
    "limited.ts": "export default function limited() {}",
  };
  const tables = [
    jobTable("works", { process: { ...NO_PROCESS, cwd: "/", env: { A: "b" }, nice: 5 } }),
    jobTable("other", { process: { ...NO_PROCESS, user: "bob" } }),
    jobTable("limited", { process: { ...NO_PROCESS, limits: { ...NO_LIMITS, cpuMs: 5 } } }),
    jobTable("dir", { command: COMMAND }),
  ];
  const { jobs, problems } = await asWindows(() => loadModules(files, { tables }));
  assert.deepEqual(Object.keys(jobs), ["works"]);
  assert.deepEqual(problems.map(({ message, path, hint }) => [message, path, hint]), [
    [
      'Cannot run job "limited": limits.cpu does not work on Windows',
      "jobs.limited.limits.cpu",
      "Leave it out, or run the job on Linux or macOS",
    ],
    [
      'Cannot run job "other": user does not work on Windows',
      "jobs.other.user",
      "Leave it out, or run the job on Linux or macOS",
    ],
    [
      'Cannot run job "dir": commands do not work on Windows',
      "jobs.dir",
      "Write it as a module, or run it on Linux or macOS",
    ],
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
