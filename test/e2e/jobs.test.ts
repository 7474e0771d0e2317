import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { linesOf, sleep, until } from "../support/wait.ts";

/** Job modules and commands on the compiled file, as their authors write them. */

const WATCHED = `
import { appendFileSync } from "node:fs";
export default {
  kind: "watched",
  params: "file: string, mode: string",
  run: (file: string, mode: string): string => {
    if (mode === "fail") throw new Error("as asked");
    return mode;
  },
  onComplete: (instance, results) => instance.log.info("results " + JSON.stringify(results)),
  onTerminate: (instance, error) => {
    instance.log.warn("seen " + error.message);
    return instance.arguments[1] === "fail" ? new Error("replaced") : undefined;
  },
  onStateChange: (instance, state) => appendFileSync(instance.arguments[0], instance.id + " " + state + "\\n"),
};
`;
const RESOLVED = `
export default {
  run: () => { throw new Error("harmless"); },
  onTerminate: () => null,
};
`;
const ODD = `
export default function odd(shape: string): unknown {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const shapes: Record<string, () => unknown> = {
    bigint: () => 2n ** 80n,
    circle: () => circle,
    nan: () => NaN,
    map: () => new Map([["a", 1]]),
    getter: () => ({ get bad() { throw new Error("no"); }, good: 1 }),
    nothing: () => undefined,
    huge: () => "x".repeat(5_000_000),
    throwsText: () => { throw "just text"; },
    throwsNothing: () => { throw undefined; },
  };
  return shapes[shape]!();
}
`;
const PARENT = `
import type { Context, Manager } from "ts-job";
export default async function parent(manager: Manager, ctx: Context, count: number): Promise<[number, string]> {
  for (let i = 0; i < count; i++) await manager.scheduleJob("odd", { arguments: ["map"] });
  return [count, ctx.instance.id];
}
`;
const APPEND = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function append(ctx: Context, file: string, text: string, ms = 0): Promise<void> {
  appendFileSync(file, text + " " + ctx.fence + "\\n");
  await new Promise((done) => setTimeout(done, ms));
}
`;

interface View {
  readonly uuid: string;
  readonly state: string;
  readonly results?: readonly unknown[];
  readonly error?: { readonly message: string };
  readonly attempts?: number;
}

async function run(daemon: Daemon, ...args: string[]): Promise<View> {
  const { stdout, stderr } = await daemon.ask(["schedule", ...args, "--wait"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

async function schedule(daemon: Daemon, ...args: string[]): Promise<View> {
  const { code, stdout, stderr } = await daemon.ask(["schedule", ...args]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function messages(daemon: Daemon, id: string): Promise<readonly string[]> {
  const { stdout } = await daemon.ask(["logs", id, "-o", "json"]);
  return JSON.parse(stdout).map((line: { message: string }) => line.message);
}

test("handlers are called in a worker: before the settle, after each commit, and for a cancel in the queue", async () => {
  const daemon = await startDaemon({
    modules: { "watched.ts": WATCHED, "resolved.ts": RESOLVED },
  });
  const file = join(daemon.dir, "states.txt");
  const states = (id: string) =>
    linesOf(file).filter((line) => line.startsWith(id)).map((line) => line.split(" ")[1]);
  try {
    const good = await run(daemon, "watched", file, "fine");
    assert.equal(good.state, "completed");
    assert.deepEqual(await messages(daemon, good.uuid), ['results ["fine"]']);
    const bad = await run(daemon, "watched", file, "fail");
    assert.equal(bad.state, "terminated");
    assert.match(bad.error!.message, /replaced/);
    assert.deepEqual(await messages(daemon, bad.uuid), ["seen as asked"]);
    assert.equal((await run(daemon, "resolved")).state, "completed");
    const queued = await schedule(daemon, "watched", file, "later", "--in", "1h");
    await daemon.ask(["cancel", "instances", "--uuid", queued.uuid]);
    await until(
      "the handlers saw everything",
      () => states(queued.uuid).length === 2 && states(bad.uuid).length === 3,
    );
    assert.deepEqual(states(good.uuid), ["scheduled", "processing", "completed"]);
    assert.deepEqual(states(bad.uuid), ["scheduled", "processing", "terminated"]);
    assert.deepEqual(states(queued.uuid), ["scheduled", "canceled"]);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("results and errors of any shape are recorded", async () => {
  const daemon = await startDaemon({ modules: { "odd.ts": ODD, "parent.ts": PARENT } });
  try {
    const results: Record<string, string> = {
      bigint: "1208925819614629174706176",
      circle: "[Circular]",
      nan: "NaN",
      map: '{"a":1}',
      getter: '"good":1',
    };
    for (const [shape, expected] of Object.entries(results)) {
      const { state, results } = await run(daemon, "odd", shape);
      assert.equal(state, "completed", shape);
      const text = JSON.stringify(results);
      assert.ok(text.includes(expected), `${shape}: ${text}`);
    }
    assert.equal((await run(daemon, "odd", "nothing")).state, "completed");
    assert.match((await run(daemon, "odd", "huge")).error!.message, /bytes|large|size/i);
    assert.match((await run(daemon, "odd", "throwsText")).error!.message, /just text/);
    assert.equal((await run(daemon, "odd", "throwsNothing")).state, "terminated");
    const parent = await run(daemon, "parent", "3");
    assert.deepEqual(parent.results, [3, parent.uuid]);
    await until("its children ran", async () => {
      const { stdout } = await daemon.ask([
        "list",
        "instances",
        "--kind",
        "odd",
        "--state",
        "completed",
      ]);
      return JSON.parse(stdout).length === 9;
    });
  } finally {
    await daemon.stop({ force: true });
  }
});

test("priorities decide the order, the pool resizes at run time, and the cleaners clean", async () => {
  const daemon = await startDaemon({
    toml: `[worker]\ncount = 0\n[jobs.append]\npriority = 5\n`,
    modules: { "append.ts": APPEND },
  });
  const file = join(daemon.dir, "order.txt");
  try {
    for (const [text, priority] of [["low", "10"], ["default", ""], ["high", "0"]]) {
      const options = priority ? ["--priority", priority] : [];
      await schedule(daemon, "append", file, text!, ...options);
    }
    await daemon.ask(["workers", "scale", "1"]);
    await until("all ran", () => linesOf(file).length === 3);
    assert.deepEqual(linesOf(file).map((line) => line.split(" ")[0]), ["high", "default", "low"]);
    await until("all are recorded", async () => {
      const { stdout } = await daemon.ask(["list", "instances", "--state", "completed"]);
      return JSON.parse(stdout).length === 3;
    });
    await sleep(10);
    const cleaned = await run(daemon, "system.history.cleaner", "0s");
    assert.deepEqual(cleaned.results, [3]);
    const { stdout } = await daemon.ask(["list", "instances", "--kind", "append"]);
    assert.deepEqual(JSON.parse(stdout), []);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("a daemon stopped for three leases takes its running instance back with a higher fence", async () => {
  const daemon = await startDaemon({
    toml: `[worker]\nlease = "1s"\n`,
    modules: { "append.ts": APPEND },
  });
  const file = join(daemon.dir, "fences.txt");
  try {
    const { uuid } = await schedule(daemon, "append", file, "ran", "2500");
    await until("it runs", () => linesOf(file).length === 1);
    daemon.signal("SIGSTOP");
    await sleep(3_000);
    daemon.signal("SIGCONT");
    await until("it ran again and ended", async () => {
      const { stdout } = await daemon.ask(["get", "instance", uuid, "-o", "json"]);
      return JSON.parse(stdout).state === "completed";
    });
    const fences = linesOf(file).map((line) => Number(line.split(" ")[1]));
    assert.equal(fences.length, 2);
    assert.ok(fences[1]! > fences[0]!);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("commands take arguments, environment and exit codes as cron's users expect", async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.shell]`,
      `run = 'echo "one $1 two $2"; echo "$JOB_KIND $JOB_ATTEMPT"; echo "$GREETING" >&2; echo "$PATH"'`,
      `env = { GREETING = "hello" }`,
      `params = "first: string, second: string"`,
      `[jobs.argv]`,
      `command = ["/bin/echo", "-n", "no newline:"]`,
      `params = "...words: string[]"`,
      `[jobs.declared]`,
      `run = 'echo "$JOB_ARG_count of $JOB_ARG_region"; wc -c; echo note > /dev/stderr; echo "[$1]" > "$JOB_RESULT_FILE"; exit 3'`,
      `params = "count: number, body: string, region = 'eu'"`,
      `stdin.arg = "body"`,
      `success_codes = [3]`,
      `[jobs.fails]`,
      `run = "echo what went wrong >&2; exit 7"`,
    ].join("\n"),
  });
  try {
    const shell = await run(daemon, "shell", "a b", "; echo spliced");
    assert.equal(shell.state, "completed");
    const lines = await messages(daemon, shell.uuid);
    assert.ok(lines.includes("one a b two ; echo spliced"), lines.join("|"));
    assert.ok(lines.includes("shell 1"));
    assert.ok(lines.includes("hello"));
    assert.ok(lines.includes("/usr/bin:/bin"));
    assert.deepEqual(await messages(daemon, (await run(daemon, "argv", "*")).uuid), [
      "no newline: *",
    ]);
    const declared = await run(daemon, "declared", "7", "x".repeat(100_000));
    assert.equal(declared.state, "completed", declared.error?.message ?? "");
    assert.deepEqual(declared.results, [[7]]);
    assert.deepEqual((await messages(daemon, declared.uuid)).toSorted(), [
      "100000",
      "7 of eu",
      "Exit code 3 counts as success",
      "note",
    ]);
    const refused = await daemon.ask(["schedule", "declared", "seven", "x"]);
    assert.match(refused.stderr, /argument "count" of job "declared": "seven" is not a number/);
    const failed = await run(daemon, "fails");
    assert.equal(failed.state, "terminated");
    assert.match(failed.error!.message, /7/);
    assert.match(failed.error!.message, /what went wrong/);
  } finally {
    await daemon.stop({ force: true });
  }
});
