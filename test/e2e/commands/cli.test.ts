import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { spawn } from "node:child_process";
import test, { after, before } from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import {
  type Daemon,
  JOBCTL,
  runJobctl,
  type RunResult,
  startDaemon,
} from "../../support/processes/daemon.ts";

const SUM = `
export default function sum(x: number, y: number): number {
  console.log("adding", x, y);
  return x + y;
}
`;
const FAIL = `
export default function fail(message: string): never {
  throw new Error(message);
}
`;
const SLEEP = `
export default async function sleep(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}
`;

let daemon: Daemon;

before(async () => {
  daemon = await startDaemon({
    modules: { "sum.ts": SUM, "fail.ts": FAIL, "sleep.ts": SLEEP },
  });
});

after(async () => {
  await daemon?.stop();
});

async function jobctl(...args: string[]): Promise<RunResult> {
  return await daemon.jobctl(args);
}

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await jobctl(...args);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return stdout;
}

async function countInstances(): Promise<number> {
  return JSON.parse(await succeed("list", "instances")).length;
}

/** A message that names the value, a hint of one or two lines, nothing on stdout, no stack. */
function assertRefused(run: RunResult, expected: { code: number; names: RegExp; says: RegExp }) {
  assert.equal(run.code, expected.code, run.stderr);
  assert.equal(run.stdout, "");
  const lines = run.stderr.trimEnd().split("\n");
  assert.ok(lines.length === 2 || lines.length === 3, run.stderr);
  assert.match(lines[0]!, /^jobctl: /);
  assert.match(lines[0]!, expected.names);
  assert.match(lines[1]!, /^hint: /);
  assert.match(lines[1]!, expected.says);
}

interface Refusal {
  readonly what: string;
  readonly argv: readonly string[];
  readonly code: number;
  readonly names: RegExp;
  readonly says: RegExp;
}

const REFUSED: readonly Refusal[] = [
  { what: "an unknown kind", argv: ["smu", "1", "2"], code: 4, names: /"smu"/, says: /"sum"/ },
  {
    what: "an argument of the wrong type",
    argv: ["sum", "1", "two"],
    code: 2,
    names: /y.*"two"|"two".*y/,
    says: /./,
  },
  { what: "too few arguments", argv: ["sum", "1"], code: 2, names: /"sum".*"y"/, says: /./ },
  { what: "too many arguments", argv: ["sum", "1", "2", "3"], code: 2, names: /sum.*3/, says: /./ },
  {
    what: "an invalid cron expression",
    argv: ["sum", "1", "2", "--cron", "61 * * * *"],
    code: 2,
    names: /61/,
    says: /./,
  },
  {
    what: "an unknown zone",
    argv: ["sum", "1", "2", "--cron", "@daily", "--timezone", "Europe/Berln"],
    code: 2,
    names: /Europe\/Berln/,
    says: /./,
  },
];

for (const { what, argv, ...expected } of REFUSED) {
  test(`jobctl schedule refuses ${what} and queues nothing`, async () => {
    const earlier = await countInstances();
    assertRefused(await jobctl("schedule", ...argv), expected);
    assert.equal(await countInstances(), earlier);
    const schedules = JSON.parse(await succeed("list", "schedules"));
    assert.deepEqual(schedules, []);
  });
}

test("jobctl exits 7 when no daemon is there", async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
  await new Promise((resolve) => server.close(resolve));
  const run = await runJobctl(["list", "jobs", "--host", "127.0.0.1", "--port", String(port)]);
  assertRefused(run, { code: 7, names: new RegExp(`127.0.0.1:${port}`), says: /jobctl serve/ });
});

test("jobctl exits 7 in time when the listener does not respond to TLS", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const argv = ["status", "--tls", "--call-timeout", "500ms", "--host", "127.0.0.1"];
  const run = await runJobctl([...argv, "--port", String(port)]);
  for (const socket of sockets) socket.destroy();
  server.close();
  assertRefused(run, { code: 7, names: new RegExp(`127.0.0.1:${port}`), says: /./ });
});

test("jobctl exits 7 when the socket is not there", async () => {
  const run = await runJobctl(["list", "jobs", "--socket", "/nowhere/jobctl.sock"]);
  assertRefused(run, { code: 7, names: /\/nowhere\/jobctl.sock/, says: /./ });
});

for (const [what, env] of [["wrong", { JOBCTL_TOKEN: "wrong" }], ["missing", {}]] as const) {
  test(`jobctl exits 5 when the token is ${what}`, async () => {
    const earlier = await countInstances();
    const argv = ["schedule", "sum", "1", "2", "--host", "127.0.0.1"];
    const run = await runJobctl([...argv, "--port", String(daemon.port)], { env });
    assertRefused(run, { code: 5, names: /token/i, says: /token/i });
    assert.equal(await countInstances(), earlier);
  });
}

test("jobctl with the right token works over TCP", async () => {
  const run = await daemon.jobctl(["get", "version", "--port", String(daemon.port)]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^"\d+\.\d+\.\d+\S*"\n$/);
});

test("jobctl schedule --wait runs a job with text arguments and prints its result", async () => {
  const printed = JSON.parse(await succeed("schedule", "sum", "40", "-2.5", "--wait"));
  assert.equal(printed.state, "completed");
  assert.deepEqual(printed.results, [37.5]);
  const id = printed.uuid;
  const history = JSON.parse(await succeed("history", id));
  assert.deepEqual(history.map((entry: { state: string }) => entry.state), [
    "created",
    "scheduled",
    "processing",
    "completed",
  ]);
  const logs = JSON.parse(await succeed("logs", id));
  assert.ok(logs.some((entry: { message: string }) => entry.message === "adding 40 -2.5"));
  assert.match(await succeed("describe", "instance", id, "-o", "table"), /^Results: +37.5$/m);
});

test("jobctl schedule --wait exits 3 when the run failed, and its error cannot steer", async () => {
  const run = await jobctl("schedule", "fail", "\x1b[31mno", "--wait", "-o", "table");
  assert.equal(run.code, 3, run.stderr);
  assert.match(run.stdout, /^State: +failed$/m);
  assert.match(run.stdout, /^Error: +\\x1b\[31mno$/m);
});

test("jobctl schedule --wait exits 124 when --wait-timeout passes; cancel ends the run", async () => {
  const run = await jobctl("schedule", "sleep", "600000", "--wait", "--wait-timeout", "200ms");
  assert.equal(run.code, 124, run.stderr);
  const { uuid } = JSON.parse(run.stdout);
  const canceled = JSON.parse(await succeed("cancel", uuid));
  assert.equal(canceled[0].uuid, uuid);
  // On a busy machine the run may end after the response.
  const { instance } = await daemon.client().waitInstance({ uuid, waitMs: 60_000n });
  assert.equal(instance?.state, JobState.CANCELLED);
});

test("jobctl schedule --dry-run converts and queues nothing", async () => {
  const earlier = await countInstances();
  const printed = JSON.parse(await succeed("schedule", "sum", "007", "1e3", "--dry-run"));
  assert.deepEqual(printed.arguments, [7, 1000]);
  assert.equal(await countInstances(), earlier);
});

test("jobctl retry makes a new instance of a final one", async () => {
  const first = JSON.parse(await succeed("schedule", "sum", "1", "2", "--wait"));
  const second = JSON.parse(await succeed("retry", first.uuid));
  assert.equal(second.retry_of, first.uuid);
  assert.notEqual(second.uuid, first.uuid);
});

test("jobctl makes, shows and deletes a recurring schedule", async () => {
  const made = JSON.parse(await succeed("schedule", "sum", "1", "2", "--cron", "0 6 * * *"));
  const shown = JSON.parse(await succeed("get", "schedule", made.id));
  assert.equal(shown.cron, "0 6 * * *");
  await succeed("delete", "schedule", made.id, "--yes");
  assert.deepEqual(JSON.parse(await succeed("list", "schedules")), []);
});

test("jobctl workers scale changes the number of workers", async () => {
  const { count } = JSON.parse(await succeed("workers", "get"));
  assert.equal(JSON.parse(await succeed("workers", "scale", String(count + 1))).count, count + 1);
  assert.equal(JSON.parse(await succeed("workers", "scale", String(count))).count, count);
});

test("jobctl exits 4 for an id that nothing has", async () => {
  const run = await jobctl("get", "instance", "00000000-0000-7000-8000-000000000000");
  assertRefused(run, { code: 4, names: /00000000-0000-7000/, says: /./ });
});

test("jobctl status tells of store and workers", async () => {
  const status = JSON.parse(await succeed("status"));
  assert.equal(status.store_type, "sqlite");
  assert.equal(status.workers.count, 4);
});

test("jobctl serve exits 2 with the place of a bad key", async () => {
  await assert.rejects(startDaemon({ toml: "[server]\nprot = 1\n" }), (error: Error) => {
    assert.match(error.message, /ended at once \(2\)/);
    assert.match(error.message, /config.toml:3:1.*server.prot/s);
    assert.match(error.message, /port/);
    return true;
  });
});

test("jobctl --version is there within 100 ms", async () => {
  const times = [];
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    const { code, stdout } = await runJobctl(["--version"]);
    times.push(performance.now() - startedAt);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  }
  // The best of five: what the machine does besides is not the program's.
  assert.ok(Math.min(...times) < 100, `It took ${times.map(Math.round).join(", ")} ms`);
});

test("jobctl ends quietly when its reader goes away", async () => {
  const line = `"${JOBCTL}" list --help | head -c 1; echo " \${PIPESTATUS[0]}"`;
  const output = await new Promise<string>((resolve) => {
    const child = spawn("/bin/bash", ["-c", line], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    child.once("close", () => resolve(text));
  });
  assert.equal(output, "U 0\n");
});

test("jobctl works where its locale files and the folder's package.json are not", async () => {
  const run = await runJobctl(["lst"], { cwd: "/", env: { LANG: "de_DE.UTF-8", LC_ALL: "de" } });
  assertRefused(run, { code: 2, names: /"jobctl lst": no such verb/, says: /"jobctl list"/ });
});
