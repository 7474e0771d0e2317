import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NO_PROCESS } from "../../../src/core/job/job.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";
import { jobTable, loadModules } from "../../support/processes/job_modules.ts";
import { until } from "../../support/wait.ts";

test("loadJobs() imports a module with the variables of its table and no others of the daemon", async () => {
  process.env.TS_JOB_TEST_SECRET = "of the daemon";
  try {
    const source = `
      if (process.env.KEY !== "mine") throw new Error("no KEY");
      if (process.env.TS_JOB_TEST_SECRET !== undefined) throw new Error("sees the daemon's");
      export default () => {};`;
    const without = `
      if (process.env.KEY !== undefined) throw new Error("sees another's KEY");
      export default () => {};`;
    const spec = { ...NO_PROCESS, env: { KEY: "mine" } };
    const { jobs, problems } = await loadModules({
      "a.ts": source,
      "b.ts": without,
      "c.ts": source.replace("() => {}", '{ kind: "other", run() {} }'),
    }, {
      tables: [jobTable("a", { process: spec }), jobTable("other", { process: spec })],
    });
    assert.deepEqual(problems, []);
    assert.deepEqual(Object.keys(jobs), ["a", "b", "other"]);
  } finally {
    delete process.env.TS_JOB_TEST_SECRET;
  }
});

const needsRoot = process.getuid?.() === 0 ? false : "only root may become another user";

test("loadJobs() imports a module as the user of its job", { skip: needsRoot }, async () => {
  const directory = mkdtempSync("/tmp/ts-job-test-users-");
  try {
    chmodSync(directory, 0o755);
    const source = `if (process.getuid() === 0) throw new Error("root");\nexport default () => {};`;
    writeFileSync(join(directory, "open.ts"), source, { mode: 0o644 });
    writeFileSync(join(directory, "closed.ts"), source, { mode: 0o600 });
    const spec = { ...NO_PROCESS, user: "nobody" };
    const { jobs, problems } = await loadModules({}, {
      modules: [directory],
      tables: [jobTable("open", { process: spec }), jobTable("closed", { process: spec })],
    });
    assert.deepEqual(Object.keys(jobs), ["open"]);
    assert.deepEqual(problems.map(({ job }) => job), ["closed"]);
    assert.match(problems[0]!.message, /closed\.ts: EACCES as user \d+$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("loadJobs() refuses classes and generators, and names the file that cannot be parsed", async () => {
  const { problems, directory } = await loadModules({
    "klass.ts": "export default class Mailer { run() {} }",
    "steps.ts": "export default function* steps() { yield 1; }",
    "asteps.ts": "export default { run: async function* () { yield 1; } };",
    "broken.ts": "import { x } from './_broken.ts';\nexport default () => x;",
    "_broken.ts": "export const y = 1;\nexport const x = (",
  });
  const told = Object.fromEntries(problems.map((problem) => [problem.job, problem]));
  assert.match(told.klass!.message, /it is a class$/);
  assert.match(told.steps!.message, /it is a generator$/);
  assert.match(told.asteps!.message, /"run" is a generator$/);
  assert.match(told.broken!.message, /_broken\.ts/);
  if (runtimeName() === "bun") {
    assert.equal(told.broken!.place?.file, join(directory, "_broken.ts"));
    assert.equal(told.broken!.place?.line, 2);
  }
});

const needsProc = process.platform === "linux" ? false : "processes are found by /proc";

test("loadJobs() leaves nothing that a module started, also in sessions of its own", {
  skip: needsProc,
}, async () => {
  const directory = mkdtempSync("/tmp/ts-job-test-left-");
  try {
    const pids = join(directory, "pids");
    const source = `import { spawn } from "node:child_process";
      import { appendFileSync } from "node:fs";
      for (const detached of [false, true]) {
        const child = spawn("sleep", ["60"], { detached, stdio: "ignore" });
        appendFileSync(${JSON.stringify(pids)}, child.pid + "\\n");
        child.unref();
      }
      export default () => {};`;
    writeFileSync(join(directory, "a.ts"), source);
    const { problems } = await loadModules({}, { modules: [directory] });
    assert.deepEqual(problems, []);
    const started = readFileSync(pids, "utf8").trim().split("\n").map(Number);
    assert.equal(started.length, 2);
    for (const pid of started) {
      // A killed one may take a moment to be gone, and may wait for init to take note of it.
      await until(`process ${pid} is gone`, () => !/\) [^ZX] /.test(readStat(pid) ?? ""), 2_000);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function readStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
}
