import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { FollowResponse } from "../../src/rpc/gen/job_pb.ts";
import { JOBCTL, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";

const STEPS = `
import type { Context } from "ts-job";
export default async function steps(ctx: Context, count: number, ms: number): Promise<number> {
  for (let step = 1; step <= count; step++) {
    console.log("step " + step);
    ctx.progress(step, count);
    await new Promise((done) => setTimeout(done, ms));
  }
  return count;
}
`;
const FAIL = `export default function fail(): void { throw new Error("as asked"); }`;

const project = {
  "config.toml": 'modules = ["jobs"]\n[store]\nurl = "sqlite:data/jobctl.db"\n' +
    '[jobs.slow]\nrun = "sleep 60"\nkill_after = "1s"',
  "jobs/steps.ts": STEPS,
  "jobs/fail.ts": FAIL,
  "jobs/parent.ts": `
import type { Context } from "ts-job";
export default async function parent(ctx: Context): Promise<unknown> {
  const child = await ctx.manager.scheduleJob("steps", { arguments: [1, 1] });
  return (await ctx.manager.waitInstance(child.id))?.resultsJson;
}
`,
};

test("exec runs a job without a daemon and touches no store", async () => {
  await withTempDir(project, async ({ path }) => {
    const exec = (...args: string[]) => runJobctl(["exec", ...args], { cwd: path });
    const steps = await exec("steps", "2", "--ms", "1");
    assert.equal(steps.code, 0, steps.stderr);
    assert.deepEqual(JSON.parse(steps.stdout).results, [2]);
    assert.match(steps.stderr, /step 1\n[^]*step 2\n[^]*progress 2 of 2 \(100 %\)/);
    const failed = await exec("fail");
    assert.equal(failed.code, 3);
    assert.equal(JSON.parse(failed.stdout).error.message, "as asked");
    assert.doesNotMatch(failed.stderr, /as asked/);
    assert.equal((await exec("slow", "--timeout", "200ms")).code, 124);
    assert.equal((await exec("stesp")).code, 4);
    assert.equal((await exec("steps", "many", "1")).code, 2);
    const parent = await exec("parent");
    assert.deepEqual(JSON.parse(parent.stdout).results, ["[1]"]);
    assert.ok(!existsSync(join(path, "data")));
  });
});

test("exec cancels its run at SIGTERM as at Ctrl-C, so that the job can clean up", async () => {
  const trap = `run = "trap 'echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.1; done"`;
  const files = { "config.toml": `[jobs.tidy]\nneeds = "gpu"\n${trap}\n` };
  await withTempDir(files, async ({ path }) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const child = spawn(JOBCTL, ["exec", "tidy"], {
        cwd: path,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stderr = "";
      await new Promise<void>((resolve) => {
        child.stderr.on("data", (chunk) => {
          stderr += String(chunk);
          if (stderr.includes("ready")) resolve();
        });
      });
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill(signal);
      assert.equal(await ended, 130);
      assert.match(stderr, /cleaned up/);
    }
  });
});

test("Follow goes on after its cursor over a kill of the daemon, each line once", async () => {
  let daemon = await startDaemon({ modules: { "steps.ts": STEPS } });
  try {
    const { stdout } = await daemon.jobctl(["schedule", "steps", "6", "20", "--wait"]);
    const { uuid } = JSON.parse(stdout);
    const read = async (cursor?: string, stopAfter = Infinity) => {
      const seen: string[] = [];
      const stop = new AbortController();
      let last: FollowResponse | undefined;
      const steps = daemon.client().follow({ query: { kind: "steps" }, cursor }, {
        signal: stop.signal,
      });
      for await (const step of steps) {
        last = step;
        seen.push(...step.entries.map(({ message }) => message));
        if (seen.length >= stopAfter) stop.abort();
      }
      return { seen, cursor: last?.cursor };
    };
    const first = await read(undefined, 6);
    assert.deepEqual(first.seen, [1, 2, 3, 4, 5, 6].map((step) => `step ${step}`));
    await daemon.kill();
    daemon = await daemon.restart();
    await daemon.jobctl(["schedule", "steps", "1", "1", "--wait"]);
    assert.deepEqual((await read(first.cursor, 1)).seen, ["step 1"]);
    const whole: string[] = [];
    let final: FollowResponse | undefined;
    for await (const step of daemon.client().follow({ query: { uuid } })) {
      whole.push(...step.entries.map(({ message }) => message));
      final = step;
    }
    assert.equal(whole.length, 6);
    assert.deepEqual(final?.instance?.progress?.done, 6);
    const followed = await daemon.jobctl(["schedule", "steps", "3", "1", "--wait", "--follow"]);
    assert.equal(followed.code, 0);
    assert.match(followed.stderr, /step 1\n[^]*step 3\n/);
    assert.equal(JSON.parse(followed.stdout).state, "completed");
  } finally {
    await daemon.stop();
  }
});

/** Lines of the events of a stream, and the id of the last event, until so many were read. */
async function readEvents(url: string, lastId: string, count: number) {
  const stop = new AbortController();
  const headers: Record<string, string> = lastId === "" ? {} : { "last-event-id": lastId };
  const response = await fetch(url, { headers, signal: stop.signal });
  const lines: string[] = [];
  let id = lastId;
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      id = /^id: (.*)$/m.exec(event)?.[1] ?? id;
      const { entries = [] } = JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "{}");
      lines.push(...entries.map(({ message }: { readonly message: string }) => message));
    }
    if (lines.length >= count || id.endsWith(";end")) break;
  }
  stop.abort();
  return { lines, id };
}

test("the events of a log go on over a kill of the daemon, each line once, until their end", async () => {
  let daemon = await startDaemon({
    toml: '[server]\nauth = { mode = "none" }\n',
    modules: { "steps.ts": STEPS },
  });
  try {
    const api = () => `http://127.0.0.1:${daemon.httpPort}/api/v1`;
    const { stdout } = await daemon.jobctl(["schedule", "steps", "6", "20", "--wait"]);
    const { uuid } = JSON.parse(stdout);
    const first = await readEvents(`${api()}/follow?kind=steps`, "", 6);
    assert.deepEqual(first.lines, [1, 2, 3, 4, 5, 6].map((step) => `step ${step}`));
    await daemon.kill();
    daemon = await daemon.restart();
    const run = await fetch(`${api()}/jobs/steps/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"arguments": {"count": 2, "ms": 300}}',
    });
    const { instance } = await run.json() as { readonly instance: { readonly id: string } };
    const next = await readEvents(`${api()}/follow?kind=steps`, first.id, 1);
    assert.deepEqual(next.lines, ["step 1"]);
    const rest = await readEvents(`${api()}/follow?kind=steps`, next.id, 1);
    assert.deepEqual(rest.lines, ["step 2"]);
    for (const [id, count] of [[uuid, 6], [instance.id, 2]] as const) {
      const whole = await readEvents(`${api()}/instances/${id}/follow`, "", Infinity);
      assert.equal(whole.lines.length, count);
      const headers = { "last-event-id": whole.id };
      const after = await fetch(`${api()}/instances/${id}/follow`, { headers });
      assert.equal(after.status, 204);
    }
  } finally {
    await daemon.stop();
  }
});

test("fault 75: logs -f says that no daemon is there, and exec where it has no configuration", async () => {
  await withTempDir({}, async ({ path }) => {
    mkdirSync(join(path, "jobs"));
    writeFileSync(join(path, "bad.toml"), "[jobs");
    const follow = await runJobctl(["logs", "-f", "--socket", join(path, "no.sock")]);
    assert.equal(follow.code, 7);
    const exec = await runJobctl(["exec", "x", "--config", "bad.toml"], { cwd: path });
    assert.equal(exec.code, 2);
    assert.equal((await runJobctl(["exec", "x"], { cwd: path })).code, 4);
  });
});
