import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { runJobctl, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";

/** Modules that are none, and what is said of each, at which line. */
const BROKEN: Readonly<Record<string, readonly [source: string, problem: RegExp, line: number]>> = {
  syntax: ["export default () => {\n  const = 1;\n};", /Unexpected/, 2],
  nothing: ["export const a = 1;", /no default export/, 1],
  number: ["export default 42;", /neither a function nor a job definition/, 1],
  throws: ["throw new Error('boom at load');\nexport default () => {};", /boom at load/, 1],
  exits: ["process.exit(0);\nexport default () => {};", /ended|exit/i, 1],
  waits: ["await new Promise(() => {});\nexport default () => {};", /./, 1],
  empty: ["", /empty/, 1],
};

test("fault 55: modules that do not load are refused with their place, the others load", async () => {
  await withTempDir({}, async ({ path: dir }) => {
    const jobs = join(dir, "jobs");
    mkdirSync(join(jobs, "folder.ts"), { recursive: true });
    for (const [name, [source]] of Object.entries(BROKEN)) {
      writeFileSync(join(jobs, `${name}.ts`), source);
    }
    writeFileSync(join(jobs, "good.ts"), "export default (x: number) => x + 1;");
    writeFileSync(join(jobs, "same.ts"), 'export default { kind: "good", run: () => 1 };');
    writeFileSync(join(jobs, "fine.ts"), "export default () => 1;");
    writeFileSync(join(jobs, "_circle.ts"), 'import "./round.ts";\nexport const one = 1;');
    writeFileSync(
      join(jobs, "round.ts"),
      'import { one } from "./_circle.ts";\nexport default () => one;',
    );
    symlinkSync(jobs, join(jobs, "loop"));
    symlinkSync(join(jobs, "link.ts"), join(jobs, "link.ts"));
    writeFileSync(join(dir, "config.toml"), 'modules = ["jobs"]\n');

    const started = performance.now();
    const { code, stdout } = await runJobctl(["check", "-o", "json"], { cwd: dir });
    assert.ok(performance.now() - started < 45_000);
    assert.equal(code, 2);
    const { problems, jobs: loaded } = JSON.parse(stdout);
    assert.deepEqual(loaded.map(({ kind }: { kind: string }) => kind).sort(), ["fine", "round"]);
    for (const [name, [, wanted, line]] of Object.entries(BROKEN)) {
      const problem = problems.find(({ job }: { job: string }) => job === name);
      assert.ok(problem, `${name} is not told`);
      assert.match(problem.message, wanted);
      assert.equal(problem.line, line, `line of ${name}`);
      assert.ok(problem.file.endsWith(`${name}.ts`), problem.file);
    }
    const clash = problems.find(({ job }: { job: string }) => job === "good");
    assert.match(clash.message, /good\.ts and .*same\.ts/);
    assert.ok(problems.some(({ job }: { job: string }) => job === "link"));
  });
});

test("fault 57: what no node serves waits, is not tried, and is shown so", async () => {
  const modules = { "gone.ts": "export default () => 1;" };
  let daemon = await startDaemon({ modules });
  try {
    const asked = await daemon.ask(["schedule", "gone", "--in", "1s", "-o", "name"]);
    const id = asked.stdout.trim();
    await daemon.terminate();
    rmSync(join(daemon.dir, "jobs", "gone.ts"));
    daemon = await daemon.restart();
    const describe = async () =>
      JSON.parse((await daemon.ask(["describe", "instance", id, "-o", "json"])).stdout);
    const waits = async () => {
      const { blocked_by: block } = await describe();
      return block?.limit === "node" && block.name === "gone";
    };
    await until("it is shown as waiting for a node", waits);
    const { state, attempts } = await describe();
    assert.equal(state, "scheduled");
    assert.ok(!attempts, `${attempts} attempts`);
    const status = await daemon.ask(["status", "-o", "table"]);
    assert.match(status.stdout, /Blocked by: +a node that runs job "gone": no live one does/);
    await until("it is due, and why it waits is explained", async () => {
      const { stdout } = await daemon.ask(["explain", id, "-o", "table"]);
      return /It has been waiting since .* a node that runs job "gone"/.test(stdout);
    });
  } finally {
    await daemon.stop({ force: true });
  }
});
