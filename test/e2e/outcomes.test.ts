import assert from "node:assert/strict";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

/** What attempts come to, on the compiled file. */

const JOBS = `
import type { Context, Instance } from "ts-job";

export default [
  {
    kind: "snoozer",
    run(ctx: Context): number {
      if (ctx.instance.attempt < 3) {
        try { ctx.snooze("50ms"); } catch { return -1; }
      }
      return ctx.instance.attempt;
    },
  },
  { kind: "discarder", retry: 5, run(ctx: Context, why: string): void { ctx.discard(why); } },
  {
    kind: "spinner",
    timeout: "300ms",
    killAfter: "200ms",
    run(): void { for (;;); },
    onTerminate(instance: Instance, error: Error) {
      instance.log.info("undo after " + error.name);
      return null;
    },
  },
  {
    kind: "crasher",
    onCrash: "terminate",
    run(): void { process.kill(process.pid, "SIGKILL"); },
    onTerminate(_instance: Instance, error: Error) { console.log("told " + error.name); },
  },
  {
    kind: "sleeper",
    onCrash: "terminate",
    async run(): Promise<void> { await new Promise((done) => setTimeout(done, 60_000)); },
    onTerminate(_instance: Instance, error: Error) { console.log("told " + error.name); return null; },
  },
  {
    kind: "broken",
    async run(ctx: Context): Promise<void> {
      try {
        await ctx.manager.getInstance("none");
      } catch (cause) {
        console.error(cause);
      }
      await new Promise((done) => setTimeout(done, 1));
      const error = new Error("no report", { cause: new RangeError("no ledger") });
      console.error(error);
      throw error;
    },
  },
  {
    kind: "limited",
    retry: 5,
    run(): void { throw Object.assign(new Error("429"), { retryAfter: 20 }); },
    retryDelay: (instance: Instance, error: Error & { retryAfter: number }) =>
      instance.attempt === 3 ? null : error.retryAfter,
  },
];
`;

const TOML = `
[jobs.command]
run = "exit $1"
params = "code: number"
retry = { max = 2, initial = "10ms", not_on = [65] }

[jobs.slow]
run = "sleep 60"
deadline = "1s"
kill_after = "1s"
retry = 5
`;

interface View {
  readonly uuid: string;
  readonly state: string;
  readonly reason: string;
  readonly attempts: number;
  readonly results?: readonly unknown[];
  readonly redriven_as?: string;
  readonly error?: { readonly stack?: string };
}

async function jobctl(daemon: Daemon, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.jobctl(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

async function run(daemon: Daemon, ...args: string[]): Promise<View> {
  const { stdout, stderr } = await daemon.ask(["schedule", ...args, "--wait", "-o", "json"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function came({ state, reason, attempts }: View): string {
  return `${state} ${reason} ${attempts}`;
}

async function logOf(daemon: Daemon, id: string): Promise<readonly string[]> {
  const lines = JSON.parse(await jobctl(daemon, "logs", id, "-o", "json"));
  return lines.map((line: { message: string }) => line.message);
}

test("attempts snooze, are discarded, retried and stopped as their jobs say", async () => {
  const daemon = await startDaemon({ modules: { "all.ts": JOBS }, toml: TOML });
  try {
    const snoozed = await run(daemon, "snoozer");
    assert.equal(came(snoozed), "completed ok 3");
    assert.deepEqual(snoozed.results, [3]);
    assert.equal(came(await run(daemon, "discarder", "gone")), "terminated discarded 1");
    assert.equal(came(await run(daemon, "limited")), "terminated error 3");
    assert.equal(came(await run(daemon, "command", "65")), "terminated error 1");
    assert.equal(came(await run(daemon, "command", "1")), "terminated error 3");
    const stopped = await run(daemon, "spinner");
    assert.equal(came(stopped), "completed ok 1");
    assert.deepEqual(await logOf(daemon, stopped.uuid), ["undo after TimeoutError"]);
    const crashed = await run(daemon, "crasher");
    assert.equal(came(crashed), "terminated lost 1");
    assert.deepEqual(await logOf(daemon, crashed.uuid), ["told WorkerKilledError"]);
    assert.equal(came(await run(daemon, "slow")), "timed_out deadline 1");
  } finally {
    await daemon.stop({ force: true });
  }
});

test("stacks of jobs end at their code, in errors and in what they print", async () => {
  const daemon = await startDaemon({ modules: { "all.ts": JOBS } });
  try {
    const broken = await run(daemon, "broken");
    const stack = broken.error?.stack ?? "";
    assert.match(stack, /^Error: no report\n[^]*\nCaused by: RangeError: no ledger\n/);
    const log = (await logOf(daemon, broken.uuid)).join("\n");
    assert.match(log, /^JobError: Cannot find instance "none"/m);
    for (const text of [stack, log]) {
      const frames = text.split("\n").filter((line) => /^\s+at /.test(line));
      assert.ok(frames.length >= 2, text);
      for (const frame of frames) assert.match(frame, /jobs\/all\.ts:\d+/, text);
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("a lost daemon's instance that may not be taken over is given up, and its handler told", async () => {
  let daemon = await startDaemon({ modules: { "all.ts": JOBS } });
  try {
    const id = (await jobctl(daemon, "schedule", "sleeper", "-o", "name")).trim();
    const view = async (): Promise<View> =>
      JSON.parse(await jobctl(daemon, "get", "instance", id, "-o", "json"));
    await until("it runs", async () => (await view()).state === "processing");
    await daemon.kill();
    daemon = await daemon.restart();
    await until("the handler was told", async () => (await logOf(daemon, id)).length > 0);
    assert.deepEqual(await logOf(daemon, id), ["told LeaseLost"]);
    // Its null comes after the commit, and resolves nothing.
    assert.equal(came(await view()), "terminated lost 1");
  } finally {
    await daemon.stop({ force: true });
  }
});

test("dead letters are listed, and redriven once", async () => {
  const daemon = await startDaemon({ modules: { "all.ts": JOBS }, toml: TOML });
  const dead = async () =>
    (await jobctl(daemon, "list", "dead", "-o", "name")).split("\n").filter((id) => id !== "");
  try {
    const first = await run(daemon, "discarder", "one");
    const second = await run(daemon, "command", "65");
    await run(daemon, "snoozer");
    assert.deepEqual(await dead(), [second.uuid, first.uuid]);
    const again = (await jobctl(daemon, "redrive", first.uuid, "-o", "name")).trim();
    assert.equal((await jobctl(daemon, "redrive", first.uuid, "-o", "name")).trim(), again);
    const marked = JSON.parse(await jobctl(daemon, "get", "instance", first.uuid, "-o", "json"));
    assert.equal(marked.redriven_as, again);
    await until("the second run is dead too", async () => (await dead()).includes(again));
    assert.deepEqual(await dead(), [again, second.uuid]);
    const refused = await daemon.ask(["redrive", "--all"]);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /redrive 2 dead letters without confirmation: this is not a terminal/,
    );
    const all = await jobctl(daemon, "redrive", "--all", "--yes", "-o", "name");
    assert.equal(all.trim().split("\n").length, 2);
  } finally {
    await daemon.stop({ force: true });
  }
});
