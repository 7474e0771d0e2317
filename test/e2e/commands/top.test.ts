import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { TmuxTerminal, WITHOUT_TMUX } from "../../support/processes/tmux.ts";
import { until } from "../../support/wait.ts";

const STEPS = `
import type { Context } from "ts-job";
export default async function steps(ctx: Context, count: number): Promise<void> {
  for (let step = 1; step <= count; step++) {
    console.log("step " + step + " of 漢字 \\u001b[2J\\u001b]0;owned\\u0007");
    ctx.progress(step, count);
    await new Promise((done, fail) => {
      const timer = setTimeout(done, step < 40 ? 5 : 60_000);
      ctx.signal.addEventListener("abort", () => { clearTimeout(timer); fail(ctx.signal.reason); });
    });
  }
}
`;
const TOML = `[jobs.steps]
kill_after = "2s"
[jobs.nightly]
run = "true"
schedule = "0 4 1 1 *"
[jobs.broken]
run = "echo 'no shop' >&2; exit 75"
`;

interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A test with a daemon of its own; skipped without tmux. */
function testWithDaemon(name: string, body: (daemon: Daemon) => Promise<Daemon | void>): void {
  test(name, { skip: WITHOUT_TMUX }, async () => {
    let daemon = await startDaemon({
      toml: TOML,
      modules: { "steps.ts": STEPS },
      env: { JOBCTL_NODE_ID: "web1" },
    });
    try {
      daemon = await body(daemon) ?? daemon;
    } finally {
      await daemon.stop({ force: true });
    }
  });
}

async function onTerminal(
  { dir }: Daemon,
  line: string,
  size: Size,
  use: (terminal: TmuxTerminal) => Promise<void>,
): Promise<void> {
  const terminal = new TmuxTerminal(line, {
    ...size,
    cwd: dir,
    env: {
      PATH: `${dirname(JOBCTL)}${delimiter}${process.env.PATH}`,
      JOBCTL_SOCKET: join(dir, "jobctl.sock"),
    },
  });
  try {
    await terminal.start();
    await use(terminal);
  } finally {
    terminal.close();
  }
}

const SCREENS: Readonly<Record<number, string>> = {
  60: `
web1  0.1.0  up 1s  1 of 2 workers busy  00:00:00
1 running  0 waiting  0 done  1 failed  0 canceled

Running (1)
> a1b2c3  steps  1s  ██░░░ 50 %

Next (1)
  nightly  in 1d  config:nightly:0

Failed (1)
  a1b2c3  broken  1s ago  exit 75: no shop

? help  q quit  Enter describe  l log  c cancel  r retry
`,
  120: `
web1  0.1.0  up 1s  1 of 2 workers busy  00:00:00
1 running  0 waiting  0 done  1 failed  0 canceled

Running (1)
> a1b2c3  steps  1s  █████░░░░░ 50 %

Next (1)
  nightly  in 1d  config:nightly:0

Failed (1)
  a1b2c3  broken  1s ago  exit 75: no shop

? help  q quit  Enter describe  l log  c cancel  r retry  p pause  / filter  Tab next part
`,
};

/** The screen without what differs from run to run, and without alignment. */
function constant(screen: string): string {
  const text = screen
    .replaceAll(/\d\d:\d\d:\d\d/g, "00:00:00")
    .replaceAll(/\d+\.\d+\.\d+/g, "0.1.0")
    .replaceAll(/up [\dhms]+/g, "up 1s")
    .replaceAll(/\d+ of \d+ workers/g, "1 of 2 workers")
    .replaceAll(/\b[0-9a-f]{8}\b(?= +(steps|broken))/g, "a1b2c3")
    .replaceAll(/(?<=steps +)[\dms]+(?= )/g, "1s")
    .replaceAll(/in \d+[dhms\d]*/g, "in 1d")
    .replaceAll(/\d+m?s ago|now/g, "1s ago")
    .replaceAll(/ {2,}/g, "  ")
    .replaceAll(/\n{2,}/g, "\n\n");
  return `\n${text}\n`;
}

async function stateOf(daemon: Daemon, id: string): Promise<string> {
  return JSON.parse((await daemon.jobctl(["get", "instance", id])).stdout).state;
}

for (const [columns, rows] of [[60, 20], [120, 40]] as const) {
  testWithDaemon(`top shows what runs and acts on keys at ${columns}x${rows}`, async (daemon) => {
    await daemon.jobctl(["schedule", "broken", "--wait"]);
    const { stdout } = await daemon.jobctl(["schedule", "steps", "80", "-o", "name"]);
    await onTerminal(daemon, "jobctl top", { columns, rows }, async (terminal) => {
      await terminal.shows(/> \w{8} {2}steps .*50 %/);
      assert.equal(constant(terminal.text), SCREENS[columns]);
      assert.equal(terminal.text.split("\n").length, rows);
      await readLog(terminal);
      await act(terminal, async () => await stateOf(daemon, stdout.trim()));
      terminal.resize(80, 24);
      await terminal.shows(/^web1.*\d\d:\d\d:\d\d$/m);
      terminal.keys("q");
      await terminal.shows(/^exit code 0$/m);
      assert.deepEqual([terminal.isTaken, terminal.hasCursor], [false, true]);
    });
  });
}

/** Open the log and the description of the run, which is selected. */
async function readLog(terminal: TmuxTerminal): Promise<void> {
  terminal.keys("l");
  await terminal.shows(/step 40 /);
  // The state is asked for beside the lines, and may come after them.
  const log = await terminal.shows(/^Log of steps \w{8} · running(?: \d+%)? · 40 lines/);
  assert.match(log, /step 40 of 漢字 \\x1b\[2J\\x1b\]0;owned\\x07/);
  terminal.keys("g");
  await terminal.shows(/ step 1 of/);
  terminal.keys("/", "step 20", "Enter");
  await terminal.shows(/"step 20": 1 of 1[^]* step 20 of/);
  terminal.keys("q", "Enter");
  await terminal.shows(/^Instance steps \w{8}\n.*Instance:/);
  terminal.keys("Escape");
  await terminal.shows(/^web1/);
}

/** Cancel the run, run the failed one again, pause its job and resume it. */
async function act(terminal: TmuxTerminal, state: () => Promise<string>): Promise<void> {
  terminal.keys("c");
  await terminal.shows(/Cancel steps \w{8}, which is running\?/);
  terminal.keys("y");
  await terminal.shows(/Canceled steps \w{8}/);
  await until("the run to be canceled", async () => await state() === "cancelled");
  await terminal.shows(/Running: nothing/);

  terminal.keys("Tab");
  await terminal.shows(/> \w{8} {2}broken/);
  terminal.keys("r", "y");
  await terminal.shows(/Runs again as \w{8}/);
  await terminal.shows(/Failed \(2\)/);

  terminal.keys("p");
  await terminal.shows(/Pause job broken until resumed\?/);
  terminal.keys("y");
  await terminal.shows(/^Paused: broken/m);
  terminal.keys("p", "y");
  await terminal.shows(/Resumed job broken/);
}

testWithDaemon("top gives the terminal back at Ctrl-Z, SIGTSTP and SIGTERM", async (daemon) => {
  const size = { columns: 80, rows: 24 };
  const pid = () => Number(readFileSync(join(daemon.dir, "pid"), "utf8"));
  // A shell with job control: it prints what becomes of the program.
  await onTerminal(daemon, "bash --norc --noprofile -i", size, async (terminal) => {
    terminal.keys("sh -c 'echo $$ > pid; exec jobctl top'; echo code $?", "Enter");
    await terminal.shows(/^web1/);
    for (const stop of [() => terminal.keys("C-z"), () => process.kill(pid(), "SIGTSTP")]) {
      stop();
      await terminal.shows(/Stopped/);
      assert.deepEqual([terminal.isTaken, terminal.hasCursor], [false, true]);
      terminal.keys("clear; fg; echo code $?", "Enter");
      await terminal.shows(/^web1/);
      assert.equal(terminal.isTaken, true);
    }
    process.kill(pid(), "SIGTERM");
    await terminal.shows(/^code 143$/m);
    assert.deepEqual([terminal.isTaken, terminal.hasCursor], [false, true]);
    // What is typed is echoed again.
    terminal.keys("echo back again");
    await terminal.shows(/ echo back again$/m);
  });
});

testWithDaemon("top ignores Ctrl-Z where nobody could continue it", async (daemon) => {
  await onTerminal(daemon, "true; exec jobctl top", { columns: 80, rows: 24 }, async (terminal) => {
    await terminal.shows(/^web1/);
    terminal.keys("C-z", "?");
    await terminal.shows(/^Help/);
    terminal.keys("q");
    await terminal.shows(/^web1/);
  });
});

testWithDaemon("top and --watch wait for a daemon that restarts", async (daemon) => {
  const size = { columns: 80, rows: 24 };
  let restarted = daemon;
  await onTerminal(daemon, "jobctl top", size, async (top) => {
    await onTerminal(daemon, "jobctl list jobs --watch", size, async (list) => {
      await top.shows(/^web1/);
      await list.shows(/^at each change .*\nKIND/);
      await daemon.terminate();
      await top.shows(/^disconnected, trying again$/m);
      await list.shows(/^disconnected, trying again · as of .*\nKIND/);
      restarted = await daemon.restart();
      await until("top to be connected", () => !/disconnected/.test(top.text));
      await list.shows(/^at each change/);
      list.keys("C-c");
      const left = await list.shows(/^exit code 130$/m);
      assert.match(left, /^KIND/m);
      assert.equal(list.isTaken, false);
      top.keys("q");
      await top.shows(/^exit code 0$/m);
    });
  });
  return restarted;
});

testWithDaemon("top and --watch end at q while the daemon does not respond", async (daemon) => {
  for (const line of ["jobctl top", "jobctl status --watch=1s"]) {
    await onTerminal(daemon, line, { columns: 80, rows: 24 }, async (terminal) => {
      await terminal.shows(/web1/);
      daemon.signal("SIGSTOP");
      try {
        terminal.keys("q");
        await terminal.shows(/^exit code (0|130)$/m);
      } finally {
        daemon.signal("SIGCONT");
      }
    });
  }
});

testWithDaemon("--watch needs no keys: Ctrl-C ends it without stdin, too", async (daemon) => {
  const size = { columns: 80, rows: 24 };
  await onTerminal(daemon, "jobctl status -w < /dev/null", size, async (terminal) => {
    await terminal.shows(/^at each change/);
    await daemon.jobctl(["schedule", "broken", "--wait"]);
    await terminal.shows(/broken /);
    terminal.keys("C-c");
    await terminal.shows(/^exit code 130$/m);
    assert.equal(terminal.isTaken, false);
  });
});

test("list --watch appends a line for each change in a pipe, until Ctrl-C", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const args = ["list", "instances", "--watch", "-o", "json"];
    const child = spawn(JOBCTL, args, {
      env: { ...process.env, JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock") },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => output[name] += text);
    }
    const ended = new Promise((resolve) => child.once("close", resolve));
    await daemon.jobctl(["schedule", "broken", "--wait"]);
    await until("the run to have failed", () => output.stdout.includes('"terminated"'));
    // With child.kill(), Deno would report the signal in place of the exit code.
    process.kill(child.pid!, "SIGINT");
    assert.equal(await ended, 130);
    assert.equal(output.stderr, "");
    const records = output.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(new Set(records.map(({ id }) => id)).size, 1);
    assert.equal(records.at(-1).state, "terminated");
  } finally {
    await daemon.stop();
  }
});
