import assert from "node:assert/strict";
import { copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import {
  type Daemon,
  type DaemonOptions,
  JOBCTL,
  type RunResult,
  startDaemon,
} from "../../support/processes/daemon.ts";
import { type PortThief, startThief, THIEF_UID } from "../../support/processes/port_thief.ts";
import { freePort } from "../../support/servers/server_process.ts";
import { sleep, until } from "../../support/wait.ts";

// Fault 107, on the compiled file: another user of this machine takes the daemon's ports. Tests
// that run as root let the thief be another user.

const TOML = `
[worker]
# Time enough for the trial of a program on a busy machine.
lease = "60s"
[jobs.tick]
run = "true"
schedule = "* * * * * *"
overlap = "allow"
[notices.ops]
to = "exec"
command = ["/bin/true"]
`;
const PROBLEM = /^Cannot listen on 127\.0\.0\.1:\d+: the address is in use/;

interface Ports {
  readonly grpc: number;
  readonly http: number;
}

async function freePorts(): Promise<Ports> {
  return { grpc: await freePort(), http: await freePort() };
}

function optionsOf({ grpc, http }: Ports): DaemonOptions {
  const env = { JOBCTL_SERVER_PORT: String(grpc), JOBCTL_SERVER_HTTP: `127.0.0.1:${http}` };
  return { toml: TOML, env };
}

async function statusOf(daemon: Daemon): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await daemon.ask(["status"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function problemsOf(daemon: Daemon): Promise<readonly string[]> {
  return (await daemon.client().getStatus({})).listenerProblems;
}

async function doneTicks(daemon: Daemon): Promise<number> {
  const { kinds } = await daemon.client().getStatus({});
  return Number(kinds.find(({ kind }) => kind === "tick")?.completed ?? 0);
}

/** Schedules run, the socket serves, and everything says what is wrong. */
async function assertWorksWithout(daemon: Daemon, thief: PortThief, ports: Ports): Promise<void> {
  // Right after an upgrade it may not have tried them yet.
  await until("both ports were tried", async () => (await problemsOf(daemon)).length === 2);
  const problems = (await statusOf(daemon)).listener_problems as readonly string[];
  assert.equal(problems.length, 2);
  for (const problem of problems) assert.match(problem, PROBLEM);
  if (process.getuid?.() === 0) assert.match(problems[0]!, new RegExp(`\\b${THIEF_UID}\\b`));
  const before = await doneTicks(daemon);
  await until("two more ticks ran", async () => await doneTicks(daemon) >= before + 2);
  const health = await daemon.jobctl(["healthcheck"]);
  assert.deepEqual([health.code, /^JOBCTL WARNING: Cannot listen/.test(health.stdout)], [1, true]);
  // On a busy machine, its limit for an answer may pass.
  await until("doctor says it", async () => {
    const { stdout } = await daemon.jobctl(["doctor", "-o", "table"]);
    return /^warning: daemon: Cannot listen on .* Jobs run/m.test(stdout);
  });
  const reload = await daemon.ask(["reload"]);
  assert.equal(reload.code, 0, reload.stderr);
  // A client that does not know the socket meets the thief, and sends it nothing.
  if (process.getuid?.() !== 0) return;
  const gets = thief.gets;
  const refused = await overTcp(daemon, ports);
  assert.equal(refused.code, 7);
  assert.match(
    refused.stderr,
    /Nothing was sent to 127\.0\.0\.1:\d+: user "?\S+ \(65534\) listens/,
  );
  assert.equal(thief.gets, gets);
}

/** The ports come back by themselves, and everything says so. */
async function assertRecovers(daemon: Daemon, ports: Ports): Promise<void> {
  await until("the ports are open", async () => (await problemsOf(daemon)).length === 0, 10_000);
  const ready = await fetch(`http://127.0.0.1:${ports.http}/readyz`);
  assert.deepEqual([ready.status, await ready.text()], [200, "ready\n"]);
  const { code, stderr } = await overTcp(daemon, ports);
  assert.equal(code, 0, stderr);
}

/** The incident of the daemon: what it consists of, and if it is closed. */
async function incidentOf(daemon: Daemon): Promise<string> {
  const { stdout } = await daemon.ask(["incidents", "--all"]);
  const incidents = JSON.parse(stdout) as Record<string, unknown>[];
  const found = incidents.find(({ type }) => type === "daemon");
  return `${found?.events} ${found?.closed_at === undefined ? "open" : "closed"}`;
}

test("a daemon starts without its ports, and takes them when they are free", async () => {
  const ports = await freePorts();
  const thief = startThief([ports.grpc, ports.http]);
  await thief.has(2);
  const daemon = await startDaemon(optionsOf(ports));
  try {
    await assertWorksWithout(daemon, thief, ports);
    await until("it is an incident", async () => await incidentOf(daemon) === "port-closed open");
    await thief.stop();
    await assertRecovers(daemon, ports);
    await until("that closes", async () => await incidentOf(daemon) === "port-closed closed");
    const warnings = daemon.log().split("\n").filter((line) => line.includes("WARN"));
    assert.equal(warnings.filter((line) => line.includes("Cannot listen on")).length, 2);
  } finally {
    await thief.stop();
    await daemon.stop({ force: true });
  }
});

test("with HTTP alone, /readyz is 503 while another user has the port of gRPC", async () => {
  const ports = await freePorts();
  const thief = startThief([ports.grpc]);
  await thief.has(1);
  const daemon = await startDaemon(optionsOf(ports));
  try {
    const { status, body } = await readyz(ports);
    assert.equal(status, 503);
    assert.match(body, PROBLEM);
    await thief.stop();
    await until("it is ready", async () => (await readyz(ports)).status === 200, 10_000);
  } finally {
    await thief.stop();
    await daemon.stop({ force: true });
  }
});

async function readyz(
  { http }: Ports,
): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${http}/readyz`);
  return { status: response.status, body: await response.text() };
}

test("a daemon whose ports are taken during its restart works without them", async () => {
  const ports = await freePorts();
  let daemon = await startDaemon(optionsOf(ports));
  const thief = startThief([ports.grpc, ports.http]);
  try {
    await daemon.terminate();
    await thief.has(2);
    daemon = await daemon.restart();
    await assertWorksWithout(daemon, thief, ports);
    await thief.stop();
    await assertRecovers(daemon, ports);
  } finally {
    await thief.stop();
    await daemon.stop({ force: true });
  }
});

/** Replace the daemon's file as a package does, and let it hand over. */
async function upgrade(daemon: Daemon, program: string): Promise<RunResult> {
  copyFileSync(JOBCTL, `${program}.new`);
  renameSync(`${program}.new`, program);
  return await daemon.jobctl(["upgrade-daemon"]);
}

/** Connect again and again, and count how that goes. */
function pollHealth({ http }: Ports) {
  const counts = { served: 0, refused: 0 };
  let isOn = true;
  const once = () =>
    new Promise<void>((resolve) => {
      const socket = connect(http, "127.0.0.1");
      socket.once("data", () => counts.served += 1);
      socket.once("close", () => resolve());
      socket.once("error", (error) => {
        if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") counts.refused += 1;
      });
      socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    });
  const done = (async () => {
    while (isOn) {
      await once();
      // The thief looks more often: it would have a port that nobody listens on.
      await sleep(10);
    }
  })();
  return {
    async stop() {
      isOn = false;
      await done;
      return counts;
    },
  };
}

test("an upgrade hands the ports over: nobody takes them, and connections wait", async () => {
  const ports = await freePorts();
  const { env, ...options } = optionsOf(ports);
  const started = await startDaemon({ ...options, env });
  const program = join(started.dir, "jobctl");
  copyFileSync(JOBCTL, program);
  const daemon = await started.restart([], { program: [program] });
  const thief = startThief([ports.grpc, ports.http]);
  const polling = pollHealth(ports);
  try {
    // What was handed over is handed on.
    for (let round = 0; round < 2; round++) {
      const before = await statusOf(daemon);
      const { code, stderr } = await upgrade(daemon, program);
      assert.equal(code, 0, stderr);
      const after = await statusOf(daemon);
      assert.notEqual(after.started_at, before.started_at);
      assert.deepEqual(await problemsOf(daemon), []);
    }
    const { served, refused } = await polling.stop();
    assert.ok(served > 0);
    assert.equal(refused, 0);
    assert.equal(thief.count(), 0);
    await assertRecovers(daemon, ports);
    // Its environment is not handed on to jobs.
    const run = await daemon.jobctl(["exec", "--", "/usr/bin/env"]);
    assert.doesNotMatch(run.stdout + run.stderr, /JOBCTL_LISTENERS/);
    await daemon.terminate();
    await thief.has(2);
  } finally {
    await polling.stop();
    await thief.stop();
    await daemon.stop({ force: true });
  }
});

test("an upgrade while the ports are taken, and one to another port, go on", async () => {
  const ports = await freePorts();
  const thief = startThief([ports.grpc, ports.http]);
  await thief.has(2);
  const { env, toml } = optionsOf(ports);
  const other = await freePorts();
  const places = `[server]\nport = ${ports.grpc}\nhttp = "127.0.0.1:${ports.http}"\n`;
  const options = { toml: `${places}${toml}`, env: noPorts(env) };
  const started = await startDaemon(options);
  const program = join(started.dir, "jobctl");
  copyFileSync(JOBCTL, program);
  const daemon = await started.restart([], { program: [program] });
  try {
    const first = await upgrade(daemon, program);
    assert.equal(first.code, 0, first.stderr);
    await assertWorksWithout(daemon, thief, ports);
    // An address that this machine does not have would refuse a start.
    const config = join(daemon.dir, "config.toml");
    const text = readFileSync(config, "utf8");
    const moved =
      `[server]\nport = ${other.grpc}\nhttp = "192.0.2.1:${other.http}"\nallow_insecure = true\n`;
    writeFileSync(config, text.replace(places, moved));
    const second = await upgrade(daemon, program);
    assert.equal(second.code, 0, second.stderr);
    const problems = await problemsOf(daemon);
    assert.equal(problems.length, 1);
    assert.match(
      problems[0]!,
      /^Cannot listen on 192\.0\.2\.1:\d+: no such address on this machine/,
    );
    assert.equal((await overTcp(daemon, other)).code, 0);
  } finally {
    await thief.stop();
    await daemon.stop({ force: true });
  }
});

/** The environment without addresses: the configuration has them. */
function noPorts(env: DaemonOptions["env"]): NonNullable<DaemonOptions["env"]> {
  return { ...env, JOBCTL_SERVER_PORT: undefined, JOBCTL_SERVER_HTTP: undefined };
}

function overTcp(daemon: Daemon, { grpc }: Ports): Promise<RunResult> {
  const env = { JOBCTL_SOCKET: "none", JOBCTL_PORT: String(grpc) };
  return daemon.jobctl(["status"], { env });
}

test("without ports, a daemon is found by the socket that the folder's configuration names", async () => {
  const toml = `[server]\nport = ""\nhttp = ""\nsocket = "own.sock"\n${TOML}`;
  const env = { ...noPorts({}), JOBCTL_SERVER_SOCKET: undefined };
  const daemon = await startDaemon({ toml, env });
  try {
    const none = { JOBCTL_SOCKET: undefined, JOBCTL_PORT: undefined, JOBCTL_TOKEN_FILE: undefined };
    const { code, stdout, stderr } = await daemon.jobctl(["status", "-o", "table"], { env: none });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /own\.sock/);
    await daemon.terminate();
    const away = await daemon.jobctl(["status"], { env: none });
    assert.equal(away.code, 7);
    assert.match(away.stderr, /Cannot reach the daemon at \S+own\.sock/);
  } finally {
    await daemon.stop({ force: true });
  }
});

// Listens as systemd does for a socket unit, and becomes the program.
const ACTIVATE = `
use IO::Socket::INET;
use POSIX ();
$^F = 100;
my ($addresses, @program) = @ARGV;
my $next = 3;
my @sockets = map {
  IO::Socket::INET->new(LocalAddr => $_, Listen => 50, ReuseAddr => 1) or die "$_: $!"
} split /,/, $addresses;
POSIX::dup2($_->fileno, 50 + $next++) for @sockets;
POSIX::dup2(50 + $_, $_), POSIX::close(50 + $_) for 3 .. $next - 1;
$ENV{LISTEN_FDS} = $next - 3;
$ENV{LISTEN_PID} = $$;
exec @program or die;`;

function activated(addresses: readonly string[], program: string): readonly string[] {
  return ["/usr/bin/perl", "-e", ACTIVATE, addresses.join(","), program];
}

test("a daemon takes the sockets of systemd, and hands them over at an upgrade", async () => {
  const ports = await freePorts();
  const addresses = [`127.0.0.1:${ports.http}`, `127.0.0.1:${ports.grpc}`, "127.0.0.1:0"];
  const { env, toml } = optionsOf(ports);
  const started = await startDaemon({ toml, env: { ...env, ...noPorts({}) } });
  const program = join(started.dir, "jobctl");
  copyFileSync(JOBCTL, program);
  const daemon = await started.restart([], { program: activated(addresses, program), env });
  try {
    assert.match(
      daemon.log(),
      /WARN .*The socket of systemd at 127\.0\.0\.1:\d+ is not in the conf/,
    );
    assert.deepEqual(await problemsOf(daemon), []);
    await assertRecovers(daemon, ports);
    const { code, stderr } = await upgrade(daemon, program);
    assert.equal(code, 0, stderr);
    await assertRecovers(daemon, ports);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("a socket of systemd that other machines reach is refused where the configuration is local", async () => {
  const ports = await freePorts();
  const { env, toml } = optionsOf(ports);
  const program = activated([`0.0.0.0:${ports.grpc}`], JOBCTL);
  await assert.rejects(startDaemon({ toml, env, program }), (error: Error) => {
    assert.match(error.message, /Cannot use the socket of systemd at 0\.0\.0\.0:\d+: server\.host/);
    return /ended at once \(2\)/.test(error.message);
  });
});
