import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { whenGone } from "../support/attempts.ts";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { logMessages, runJob } from "../support/processes/run_job.ts";
import { linesOf, until } from "../support/wait.ts";

/**
 * Worker processes of the compiled file: whose they are, what they may take, and what is left of
 * them.
 */

const isRoot = process.getuid?.() === 0;

interface View {
  readonly uuid: string;
  readonly state: string;
  readonly reason?: string;
  readonly results?: readonly unknown[];
  readonly error?: { readonly message: string };
  readonly code_version?: string;
}

async function run(daemon: Daemon, ...[kind, ...args]: readonly string[]): Promise<View> {
  const { uuid } = await runJob(daemon, kind!, { arguments: args });
  const { stdout: text } = await daemon.ask(["get", "instance", uuid, "-o", "json"]);
  return JSON.parse(text);
}

function resultOf({ results = [], error }: View): unknown {
  assert.equal(results.length, 1, error?.message ?? "no result");
  return results[0];
}

const WHO = `
import { execFileSync } from "node:child_process";
import { getPriority } from "node:os";
export default function who(): object {
  const id = execFileSync("/usr/bin/id", ["-un"]).toString().trim();
  const umask = process.umask().toString(8);
  const { HOME, USER, GREETING, OUTER } = process.env;
  return { id, groups: process.getgroups(), umask, cwd: process.cwd(), nice: getPriority(), HOME, USER, GREETING, OUTER };
}
`;

test("modules and commands run as their user, with its groups, home, mask and variables only", {
  skip: !isRoot,
}, async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.who]`,
      `user = "nobody"`,
      `umask = "027"`,
      `nice = 7`,
      `cwd = "/usr"`,
      `env = { GREETING = "hello" }`,
      `[jobs.shell]`,
      `user = "nobody"`,
      `nice = 5`,
      `limits = { open_files = 99 }`,
      `run = "id -un; id -G; nice; ulimit -n; echo $HOME"`,
      `[jobs.ghost]`,
      `user = "no-such-user"`,
      `run = "true"`,
    ].join("\n"),
    modules: { "who.ts": WHO, "self.ts": WHO },
    env: { OUTER: "secret" },
  });
  try {
    const who = resultOf(await run(daemon, "who")) as Record<string, unknown>;
    assert.deepEqual([who.id, who.umask, who.cwd, who.nice], ["nobody", "27", "/usr", 7]);
    assert.ok(!(who.groups as number[]).includes(0), String(who.groups));
    assert.deepEqual([who.USER, who.GREETING, who.OUTER], ["nobody", "hello", undefined]);
    const own = resultOf(await run(daemon, "self")) as Record<string, unknown>;
    assert.deepEqual([own.id, own.cwd, own.GREETING, own.OUTER], [
      "root",
      daemon.dir,
      undefined,
      undefined,
    ]);
    const shell = await run(daemon, "shell");
    const lines = await logMessages(daemon, shell.uuid);
    assert.deepEqual([lines[0], lines[2], lines[3]], ["nobody", "5", "99"]);
    await daemon.logged(/Job "ghost" is disabled: .*user "no-such-user": no such user/);
  } finally {
    await daemon.stop({ force: true });
  }
});

const HOG = `
import { spawn } from "node:child_process";
export default async function hog(how: string): Promise<void> {
  if (how === "spin") for (;;);
  if (how === "child") {
    spawn("/bin/sh", ["-c", "(head -c 300000000 /dev/zero; sleep 60) | tail"], { detached: true, stdio: "ignore" });
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  const kept: Uint8Array[] = [];
  for (;;) {
    kept.push(new Uint8Array(5_000_000).fill(kept.length + 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
`;

test("fault 45: an attempt that takes more than its limits is ended with what it took, and the daemon lives", async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.hog]`,
      `limits = { memory = "250MB", cpu = "1s" }`,
      `[jobs.eater]`,
      `run = "(head -c 400000000 /dev/zero; sleep 60) | tail"`,
      `limits = { memory = "100MB" }`,
    ].join("\n"),
    modules: { "hog.ts": HOG },
  });
  try {
    for (
      const [args, wanted] of [
        [["hog", "leak"], /more memory than its limit of 250MB/],
        [["hog", "child"], /more memory than its limit of 250MB/],
        [["hog", "spin"], /more processor time than its limit of 1s/],
        [["eater"], /more memory than its limit of 100MB/],
      ] as const
    ) {
      const view = await run(daemon, ...args);
      assert.equal(view.state, "terminated", args.join(" "));
      assert.equal(view.reason, "limit");
      assert.match(view.error!.message, wanted);
    }
    assert.equal((await daemon.ask(["status"])).code, 0);
  } finally {
    await daemon.stop({ force: true });
  }
});

const LEAVES = `
import { spawn } from "node:child_process";
import { createServer } from "node:net";
export default async function leaves(what: string): Promise<number> {
  if (what === "pid") return process.pid;
  if (what === "timer") setInterval(() => console.log("still here"), 5);
  if (what === "socket") await new Promise<void>((resolve) => createServer().listen(0, resolve));
  if (what === "child") return spawn("/usr/bin/setsid", ["sleep", "600"], { detached: true, stdio: "ignore" }).pid!;
  if (what === "global") (globalThis as any).left = 1;
  if (what === "prototype") Array.prototype.map = () => ["broken"];
  if (what === "date") Date.now = () => 0;
  if (what === "cwd") process.chdir("/");
  if (what === "env") process.env.TZ = "Asia/Tokyo";
  if (what === "umask") process.umask(0o77);
  if (what === "signal") process.on("SIGTERM", () => {});
  return process.pid;
}
`;

test("faults 52 and 53: what an attempt leaves or changes is gone when it has ended", async () => {
  const daemon = await startDaemon({
    toml: `[worker]\ncount = 1\n`,
    modules: { "leaves.ts": LEAVES },
  });
  try {
    const first = resultOf(await run(daemon, "leaves", "pid"));
    assert.equal(resultOf(await run(daemon, "leaves", "pid")), first, "its worker is used again");
    const kinds = ["timer", "socket", "child", "global", "prototype", "date", "cwd", "env"];
    for (const what of [...kinds, "umask", "signal"]) {
      const left = await run(daemon, "leaves", what);
      assert.equal(left.state, "completed", `${what}: ${left.error?.message}`);
      await whenGone(resultOf(left) as number, 2_000);
      const notes = await logMessages(daemon, left.uuid);
      assert.ok(notes.some((note) => note.includes("left behind")), `${what}: ${notes}`);
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("a command's descendants end with it and at its timeout, also those in sessions of their own", async () => {
  const script = [
    `setsid sleep 600 & echo $! > $1`,
    `(setsid setsid sleep 601 &) ; setsid sh -c 'kill -STOP $$' &`,
    `sh -c 'for i in 1 2 3; do setsid sleep 60$i & done'`,
    `[ "$2" = stay ] && sleep 600`,
    `true`,
  ].join("\n");
  const daemon = await startDaemon({
    toml:
      `[jobs.brood]\ntimeout = "500ms"\nkill_after = "300ms"\nparams = "file: string, how: string"\nrun = """\n${script}\n"""\n`,
  });
  try {
    for (const [how, state] of [["end", "completed"], ["stay", "timed_out"]] as const) {
      const file = join(daemon.dir, `pid-${how}`);
      assert.equal((await run(daemon, "brood", file, how)).state, state);
      await whenGone(Number(readFileSync(file, "utf8")), 1_000);
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("fault 56: a changed module runs at the next attempt, a running one keeps its code, a deleted one fails", async () => {
  const daemon = await startDaemon({
    modules: {
      "versioned.ts":
        `import { word } from "./_word.ts";\nexport default async function versioned(ms: number): Promise<string> { await new Promise((done) => setTimeout(done, ms)); return word; }\n`,
      "_word.ts": `export const word = "one";\n`,
    },
  });
  const word = join(daemon.dir, "jobs", "_word.ts");
  try {
    const one = await run(daemon, "versioned", "0");
    assert.equal(resultOf(one), "one");
    const running = run(daemon, "versioned", "1500");
    await until("it runs", async () => {
      const { stdout } = await daemon.ask(["list", "instances", "--state", "processing"]);
      return JSON.parse(stdout).length === 1;
    });
    writeFileSync(word, `export const word = "two!";\n`);
    const two = await run(daemon, "versioned", "0");
    assert.equal(resultOf(two), "two!");
    assert.equal(resultOf(await running), "one");
    assert.match(one.code_version!, /^[0-9a-f]{16}$/);
    assert.notEqual(two.code_version, one.code_version);
    const path = join(daemon.dir, "jobs", "versioned.ts");
    const source = readFileSync(path);
    rmSync(path);
    const gone = await run(daemon, "versioned", "0");
    assert.equal(gone.state, "terminated");
    assert.match(gone.error!.message, /versioned\.ts: the file is gone/);
    writeFileSync(path, "export default (");
    assert.match((await run(daemon, "versioned", "0")).error!.message, /versioned\.ts:1:17/);
    writeFileSync(path, source);
    assert.equal(resultOf(await run(daemon, "versioned", "0")), "two!");
  } finally {
    await daemon.stop({ force: true });
  }
});

const ENDS = `
import { readFile } from "node:fs/promises";
export default async function ends(how: string): Promise<string> {
  if (how === "abort") process.abort();
  if (how === "kill") process.kill(process.pid, "SIGKILL");
  if (how === "stop") process.kill(process.pid, "SIGSTOP");
  if (how === "parent") process.kill(process.ppid, "SIGKILL");
  if (how === "late") void readFile("/proc/self/stat").then(() => { throw new Error("too late"); });
  if (how === "rejects") void Promise.reject(new Error("nobody waits"));
  return "done";
}
`;

test(
  "fault 46: an attempt that kills its worker, its parent or stops itself is never completed, and the daemon lives",
  {
    skip: !isRoot,
  },
  async () => {
    const daemon = await startDaemon({
      toml: [
        `[defaults]`,
        `crashes_max = 1`,
        `timeout = "1s"`,
        `kill_after = "300ms"`,
        `[jobs.ends]`,
        `user = "nobody"`,
        `[jobs.shoots]`,
        `run = "kill -9 $PPID; sleep 5"`,
      ].join("\n"),
      modules: { "ends.ts": ENDS },
    });
    try {
      for (
        const [args, state] of [
          [["ends", "abort"], "terminated"],
          [["ends", "kill"], "terminated"],
          [["ends", "stop"], "timed_out"],
          [["ends", "parent"], "terminated"],
          [["shoots"], "terminated"],
        ] as const
      ) {
        const view = await run(daemon, ...args);
        assert.equal(view.state, state, args.join(" "));
      }
      assert.equal((await run(daemon, "ends", "well")).state, "completed");
    } finally {
      await daemon.stop({ force: true });
    }
  },
);

test("fault 51: what is thrown when nobody waits any more is in the log of its attempt, and the next is untouched", async () => {
  const daemon = await startDaemon({ toml: `[worker]\ncount = 1\n`, modules: { "ends.ts": ENDS } });
  try {
    for (const [how, wanted] of [["late", "too late"], ["rejects", "nobody waits"]] as const) {
      const { uuid, error } = await run(daemon, "ends", how);
      const next = await run(daemon, "ends", "well");
      assert.deepEqual([next.state, await logMessages(daemon, next.uuid)], ["completed", []]);
      // It comes before the result is known, and fails the attempt, or after it, and is logged: the
      // daemon's own log names the instance also when the outcome is committed already.
      const isNamed = (line: string) => line.includes(wanted) && line.includes(uuid);
      await until(`${wanted} is told`, async () => {
        const told = [error?.message ?? "", ...await logMessages(daemon, uuid)];
        return told.some((text) => text.includes(wanted)) ||
          daemon.log().split("\n").some(isNamed);
      });
    }
  } finally {
    await daemon.stop({ force: true });
  }
});

test("workers are replaced after their attempts, and a spare one is kept ready", async () => {
  const daemon = await startDaemon({
    toml: `[worker]\nrecycle_after = 2\nspare = 1\ncount = 2\n`,
    modules: { "leaves.ts": LEAVES },
  });
  try {
    const pids = [];
    for (let count = 0; count < 6; count++) pids.push(resultOf(await run(daemon, "leaves", "pid")));
    assert.ok(new Set(pids).size >= 3, pids.join());
    const { stdout } = await daemon.ask(["status", "-o", "json"]);
    assert.match(stdout, /"alive":\s*[12]/);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("commands end at once when their supervisor is killed, and their instances follow on_crash", async () => {
  const daemon = await startDaemon({
    toml: [
      `[jobs.again]`,
      `run = "echo $PPID $$ >> $1; exec sleep 600"`,
      `params = "file: string"`,
      `[jobs.never]`,
      `on_crash = "terminate"`,
      `run = "echo $PPID $$ >> $1; exec sleep 600"`,
      `params = "file: string"`,
    ].join("\n"),
  });
  try {
    const files = ["again", "never"].map((kind) => join(daemon.dir, kind));
    const uuids: string[] = [];
    for (const [index, kind] of ["again", "never"].entries()) {
      const { stdout } = await daemon.ask(["schedule", kind, files[index]!]);
      uuids.push(JSON.parse(stdout).uuid);
    }
    await until("both run", () => files.every((file) => linesOf(file).length === 1));
    const found = files.map((file) => linesOf(file)[0]!.split(" ").map(Number));
    assert.equal(found[0]![0], found[1]![0], "they have one supervisor");
    process.kill(found[0]![0]!, "SIGKILL");
    for (const [, pid] of found) await whenGone(pid!, 2_000);
    await until("one runs again", () => linesOf(files[0]!).length === 2);
    const views = await Promise.all(uuids.map(async (uuid) => {
      const { stdout } = await daemon.ask(["get", "instance", uuid, "-o", "json"]);
      return JSON.parse(stdout) as View;
    }));
    assert.deepEqual(views.map(({ state }) => state), ["processing", "terminated"]);
    assert.equal(views[1]!.reason, "lost");
    assert.match(views[1]!.error!.message, /supervisor of commands was killed by SIGKILL/);
    assert.equal(linesOf(files[1]!).length, 1);
  } finally {
    await daemon.stop({ force: true });
  }
});

const FORGE = `
export default async function forge(message: string): Promise<string> {
  for (let run = 1; run < 4; run++) process.send!({ ...JSON.parse(message), run });
  await new Promise(() => setInterval(() => {}, 1_000));
  return "";
}
`;

test("a job that makes up messages of its worker ends, and has no result", async () => {
  const daemon = await startDaemon({
    toml: `[defaults]\nkill_after = "300ms"\n`,
    modules: { "forge.ts": FORGE },
  });
  try {
    const made = [
      { type: "result", result: { type: "ok", resultsJson: "[oops]" }, reuse: "clean" },
      { type: "result", result: null },
    ];
    for (const message of made) {
      const text = JSON.stringify(message);
      const { code, stdout } = await daemon.ask([
        "schedule",
        "forge",
        "--timeout",
        "300ms",
        "--wait",
        "--",
        text,
      ]);
      assert.equal(code, 3);
      const { state, error } = JSON.parse(stdout);
      assert.equal(state, "terminated");
      assert.match(error.message, /channel to the daemon/);
    }
    assert.doesNotMatch(daemon.log(), / ERROR (?!An instance failed for good )/);
  } finally {
    await daemon.stop({ force: true });
  }
});
