import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, JOBCTL, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { until } from "../support/wait.ts";

/** The compiled file around commands of other hosts. */

const toml = `
[jobs.backup]
external = true
[jobs.pinged]
external = true
ping_key = "a-key-of-the-test-only"
`;
const HOUR = 3_600_000;
const STATE = { 4: "Processing", 32: "Completed", 64: "Terminated" } as Record<number, string>;

async function withDaemon(run: (daemon: Daemon, spool: string) => Promise<void>): Promise<void> {
  const daemon = await startDaemon({ toml });
  try {
    await run(daemon, join(daemon.dir, "spool"));
  } finally {
    await daemon.stop({ force: true });
  }
}

async function runsOf(daemon: Daemon, kind = "backup") {
  const { instances } = await daemon.client().lookupInstances({ query: { kind } });
  return instances;
}

function spawnWrap(daemon: Daemon, spool: string, ...argv: readonly string[]) {
  const tokenFile = join(daemon.dir, "token");
  const args = ["wrap", "backup", "--port", String(daemon.port), "--token-file", tokenFile, "--"];
  const env = { ...process.env, JOBCTL_SPOOL: spool };
  return spawn(JOBCTL, [...args, ...argv], { env, stdio: ["ignore", "pipe", "inherit"] });
}

function spooled(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

test("wrap gives the command its input, and its output and exit code to us", async () => {
  await withDaemon(async (daemon, JOBCTL_SPOOL) => {
    const script = "cat; echo more >&2; exit 3";
    const { code, stdout, stderr } = await daemon.jobctl(
      ["wrap", "backup", "--", "sh", "-c", script],
      { input: "given\n", env: { JOBCTL_SPOOL } },
    );
    assert.deepEqual([code, stdout, stderr], [3, "given\n", "more\n"]);
    const [run] = await runsOf(daemon);
    assert.equal(STATE[run!.state], "Terminated");
    assert.equal(run!.errorDetail?.exitCode, 3);
    const { entries } = await daemon.client().lookupInstanceLogs({ query: { uuid: run!.uuid } });
    assert.deepEqual(new Set(entries.map(({ message }) => message)), new Set(["given", "more"]));
    assert.deepEqual(spooled(JOBCTL_SPOOL), []);
  });
});

test("wrap passes a signal on, and reports a run while it lasts", async () => {
  await withDaemon(async (daemon, spool) => {
    const script = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    const child = spawnWrap(daemon, spool, "sh", "-c", script);
    let output = "";
    child.stdout.on("data", (bytes) => output += bytes);
    await until("the run began", async () => {
      const [run] = await runsOf(daemon);
      return run !== undefined && STATE[run.state] === "Processing";
    }).finally(() => child.kill("SIGTERM"));
    const [code] = await once(child, "close");
    assert.deepEqual([code, output], [7, "ready\ncaught\n"]);
    const [run, ...others] = await runsOf(daemon);
    assert.deepEqual([STATE[run!.state], others], ["Terminated", []]);
  });
});

test("wrap returns 128 and the signal, 127 and 126 as a shell does", async () => {
  await withDaemon(async (daemon) => {
    const wrap = (...argv: string[]) => daemon.jobctl(["wrap", "backup", "--", ...argv]);
    assert.equal((await wrap("sh", "-c", "kill -9 $$")).code, 137);
    const missing = await wrap("no-such-program");
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /Cannot run "no-such-program": not found/);
    assert.equal((await wrap("/etc/passwd")).code, 126);
    const runs = await runsOf(daemon);
    assert.deepEqual(runs.map(({ error }) => error), [
      'Cannot run "/etc/passwd": not executable',
      'Cannot run "no-such-program": not found',
      "The command was ended by SIGKILL",
    ]);
  });
});

test("wrap keeps reports while the daemon is away, and delivers them with their times", async () => {
  await withTempDir({}, async ({ path }) => {
    const JOBCTL_SPOOL = join(path, "spool");
    const socket = join(path, "none.sock");
    const env = { JOBCTL_SPOOL };
    const away = await runJobctl(["wrap", "backup", "--socket", socket, "--", "echo", "hi"], {
      env,
    });
    assert.deepEqual([away.code, away.stdout, away.stderr], [0, "hi\n", ""]);
    assert.equal(spooled(JOBCTL_SPOOL).length, 1);
    const [name] = spooled(JOBCTL_SPOOL);
    const kept = JSON.parse(readFileSync(join(JOBCTL_SPOOL, name!), "utf8"));
    // As if it had waited there for an hour.
    kept.startedAt -= HOUR;
    kept.end.at -= HOUR;
    writeFileSync(join(JOBCTL_SPOOL, name!), JSON.stringify(kept));
    const daemon = await startDaemon({ toml, env: { JOBCTL_SERVER_SOCKET: socket } });
    try {
      const flushed = await runJobctl(["wrap", "--flush", "--socket", socket], { env });
      assert.deepEqual([flushed.code, flushed.stderr], [0, ""]);
      assert.deepEqual(spooled(JOBCTL_SPOOL), []);
      const [run] = await runsOf(daemon);
      assert.equal(STATE[run!.state], "Completed");
      const offMs = Number(run!.completedAt!.seconds) * 1_000 - kept.end.at;
      assert.ok(Math.abs(offMs) < 10_000, `its end is ${offMs} ms off`);
      await runJobctl(["wrap", "--flush", "--socket", socket], { env });
      assert.equal((await runsOf(daemon)).length, 1);
    } finally {
      await daemon.stop({ force: true });
    }
  });
});

test("a daemon takes what its user could not report while it was away", async () => {
  await withTempDir({}, async ({ path }) => {
    const env = { JOBCTL_SPOOL: join(path, "spool") };
    const socket = join(path, "none.sock");
    await runJobctl(["wrap", "backup", "--socket", socket, "--", "true"], { env });
    await runJobctl(["wrap", "unknown", "--socket", socket, "--", "true"], { env });
    await runJobctl(["wrap", "backup", "--socket", `${socket}2`, "--", "true"], { env });
    const daemon = await startDaemon({ toml, env: { ...env, JOBCTL_SERVER_SOCKET: socket } });
    try {
      await until("one is delivered", () => spooled(env.JOBCTL_SPOOL).length === 2);
      assert.deepEqual((await runsOf(daemon)).map(({ state }) => STATE[state]), ["Completed"]);
    } finally {
      await daemon.stop({ force: true });
    }
  });
});

test("wrap runs nothing without the kind, and passes empty arguments on", async () => {
  await withTempDir({}, async ({ path }) => {
    const env = { JOBCTL_SPOOL: path };
    const forgotten = await runJobctl(["wrap", "--", "touch", join(path, "made")], { env });
    assert.deepEqual([forgotten.code, spooled(path)], [2, []]);
    assert.match(forgotten.stderr, /KIND is missing before "--", so the command was not run/);
    const socket = join(path, "none.sock");
    const argv = ["wrap", "backup", "--socket", socket, "--", "printf", "[%s]", ""];
    assert.equal((await runJobctl(argv, { env })).stdout, "[]");
  });
});

test("wrap keeps what is refused and says so, and --flush --all delivers it elsewhere", async () => {
  await withDaemon(async (daemon, JOBCTL_SPOOL) => {
    const env = { JOBCTL_SPOOL };
    const unknown = await daemon.jobctl(["wrap", "other", "--", "true"], { env });
    assert.equal(unknown.code, 0);
    assert.match(unknown.stderr, /^jobctl: The run is not recorded yet: .*"other"/);
    assert.ok(unknown.stderr.includes(`kept in ${JOBCTL_SPOOL},`), unknown.stderr);
    const port = String(daemon.port);
    const address = ["--host", "127.0.0.1", "--port", port, "--socket", "none"];
    const stranger = await runJobctl(
      ["wrap", "backup", ...address, "--token", "wrong", "--", "true"],
      { env },
    );
    assert.match(stranger.stderr, /jobctl token new NAME --role operator --jobs backup$/m);
    const url = "http://127.0.0.1:1/ping/a-key-of-the-test-only";
    await runJobctl(["wrap", "backup", "--url", url, "--", "true"], { env });
    assert.equal(spooled(JOBCTL_SPOOL).length, 3);
    const flushed = await daemon.jobctl(["wrap", "--flush"], { env });
    assert.match(
      flushed.stderr,
      /reports? (is|are) kept for other addresses: .*http:\/\/127\.0\.0\.1:1 \(1\)/,
    );
    assert.doesNotMatch(flushed.stderr, /a-key/);
    assert.doesNotMatch(
      (await daemon.jobctl(["wrap", "--flush", "-q"], { env })).stderr,
      /address/,
    );
    await daemon.jobctl(["wrap", "--flush", "--all"], { env });
    assert.equal(spooled(JOBCTL_SPOOL).length, 1);
    assert.equal((await runsOf(daemon)).length, 2);
  });
});

test("wrap runs the command although nothing can be reported", async () => {
  await withTempDir({ "file": "" }, async ({ path }) => {
    const wrap = (args: string[], env = {}) =>
      runJobctl(["wrap", "backup", ...args, "--", "echo", "ran"], { env });
    const badSpool = await wrap(["--socket", join(path, "none")], {
      JOBCTL_SPOOL: join(path, "file"),
    });
    assert.deepEqual([badSpool.code, badSpool.stdout], [0, "ran\n"]);
    const badPort = await wrap([], { JOBCTL_PORT: "many", JOBCTL_SPOOL: path });
    assert.deepEqual([badPort.code, badPort.stdout], [0, "ran\n"]);
    assert.match(badPort.stderr, /The run was not recorded/);
    const badUrl = await wrap(["--url", "nowhere"], { JOBCTL_SPOOL: path });
    assert.deepEqual([badUrl.code, badUrl.stdout], [0, "ran\n"]);
  });
});

test("wrap ends when its output is closed, as the command itself would", async () => {
  await withDaemon(async (daemon, spool) => {
    const child = spawnWrap(daemon, spool, "yes");
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [code] = await once(child, "exit");
    assert.equal(code, 141);
  });
});

test("wrap and curl report by pings of the compiled daemon", async () => {
  await withDaemon(async (daemon, JOBCTL_SPOOL) => {
    const url = `http://127.0.0.1:${daemon.httpPort}/ping/a-key-of-the-test-only`;
    const script = "sleep 0.5; echo by ping; exit 4";
    const { code } = await runJobctl(["wrap", "pinged", "--url", url, "--", "sh", "-c", script], {
      env: { JOBCTL_SPOOL },
    });
    assert.equal(code, 4);
    const [run] = await runsOf(daemon, "pinged");
    assert.equal(run!.errorDetail?.exitCode, 4);
    const spentMs = Number(run!.terminatedAt!.seconds - run!.processedAt!.seconds) * 1_000 +
      (run!.terminatedAt!.nanos - run!.processedAt!.nanos) / 1e6;
    assert.ok(spentMs >= 300, `it took ${spentMs} ms`);
    assert.equal((await fetch(url, { method: "POST", body: "fine" })).status, 200);
    assert.equal((await fetch(`${url}x`)).status, 404);
    assert.equal((await runsOf(daemon, "pinged")).length, 2);
    const shown = await daemon.jobctl(["describe", "job", "backup", "--ping-url", "-o", "name"]);
    const path = shown.stdout.trim();
    assert.match(path, /^\/ping\/[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f-]{16}$/);
    assert.equal((await fetch(`http://127.0.0.1:${daemon.httpPort}${path}/start`)).status, 200);
    const again = await daemon.restart();
    const same = await again.jobctl(["describe", "job", "backup", "--ping-url", "-o", "name"]);
    assert.equal(same.stdout.trim(), path);
    const [begun] = await runsOf(again);
    assert.equal(STATE[begun!.state], "Processing");
  });
});
