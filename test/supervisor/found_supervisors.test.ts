import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { MARKER_VARIABLE } from "../../src/platform/process/descendants.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { ClaimSeal } from "../../src/supervisor/claim_seal.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import {
  commonVersion,
  type FoundRun,
  markerOfRun,
  SUPERVISOR_VERSION,
} from "../../src/supervisor/protocol.ts";
import { openFolder, socketOf } from "../../src/supervisor/supervisor_folder.ts";
import type { Executor } from "../../src/worker/executor.ts";
import { commandJob, makeTask, RecordingSink, workerCommand } from "../support/attempts.ts";
import { sleep, until } from "../support/wait.ts";

// Supervisors of other versions, and of commands that have taken them over.

const root = mkdtempSync(join(tmpdir(), "found-"));
const executors: Executor[] = [];
const servers: Server[] = [];
const connections: Socket[] = [];
let folders = 0;

after(async () => {
  await Promise.all(executors.map((executor) => executor.stop()));
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

function makeFolder(): string {
  return join(root, String(folders += 1));
}

function makeExecutor(folder: string): Executor {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
    outliving: { folder: () => folder, graceMs: null },
  });
  executors.push(executor);
  return executor;
}

type Received = { readonly type: string };

interface Fake {
  readonly pid: number;
  readonly runs: readonly FoundRun[];
  /** What it says once a daemon has taken over. */
  readonly attached?: readonly unknown[];
}

/** A supervisor as its files and its messages show it. @returns what it has received */
async function fakeSupervisor(
  folder: string,
  version: number,
  { pid, runs, attached = [] }: Fake = { pid: process.pid, runs: [] },
): Promise<readonly Received[]> {
  openFolder(folder);
  const place = join(folder, "fake");
  const record = { secret: "s", token: "t", key: "k", isForeign: false, graceMs: null };
  writeFileSync(`${place}.json`, JSON.stringify({ ...record, daemon: null }));
  const received: Received[] = [];
  const server = createServer((socket) => {
    const say = (messages: readonly unknown[]) => {
      for (const message of messages) socket.write(`${JSON.stringify(message)}\n`);
    };
    connections.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const line of String(chunk).split("\n").filter((text) => text !== "")) {
        const message = JSON.parse(line) as Received;
        received.push(message);
        if (message.type === "list") {
          say([
            { type: "hello", version, pid, isAdoptable: true },
            { type: "runs", runs, isLast: true },
          ]);
        } else if (message.type === "attach") say(attached);
        else if (message.type === "quit") socket.destroy();
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socketOf(place), () => resolve()));
  return received;
}

/** The next test must not find it. */
async function endAndWait(supervisor: ChildProcess): Promise<void> {
  if (supervisor.signalCode !== null) return;
  const exited = once(supervisor, "exit");
  supervisor.kill("SIGKILL");
  await exited;
}

test("commonVersion() is the older one of two neighbors, from 2 on", () => {
  assert.equal(commonVersion(2, 2), 2);
  assert.equal(commonVersion(3, 2), 2);
  assert.equal(commonVersion(2, 3), 2);
  assert.equal(commonVersion(2, 1), null);
  assert.equal(commonVersion(4, 2), null);
  assert.equal(commonVersion(2, 4), null);
});

test("find() asks a supervisor in its own version, and takes none that is too far away", async () => {
  const folder = makeFolder();
  const received = await fakeSupervisor(folder, SUPERVISOR_VERSION + 2);
  const supervisor = spawn("sleep", ["60"], { env: { ...process.env, [MARKER_VARIABLE]: "t" } });
  try {
    assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
    assert.deepEqual(received, [{ type: "list", version: SUPERVISOR_VERSION, secret: "s" }]);
  } finally {
    await endAndWait(supervisor);
  }
});

test("find() does not wait for a listener in place of a supervisor that has no process", {
  skip: process.platform !== "linux",
}, async () => {
  const folder = makeFolder();
  const received = await fakeSupervisor(folder, SUPERVISOR_VERSION);
  assert.deepEqual(await makeExecutor(folder).survivors!.find(), []);
  assert.deepEqual(received, []);
});

test("find() believes a supervisor only about claims that a daemon gave to it", async () => {
  const folder = makeFolder();
  openFolder(folder);
  const seal = ClaimSeal.open(folder, systemRandom);
  const claimOf = (last: number) => `00000000-0000-7000-8000-00000000000${last}`;
  const given = (run: number, token = "t") => {
    return seal.seal({ id: claimOf(run), fence: 3 }, markerOfRun(token, run));
  };
  const claims = [
    given(1),
    { ...given(2), fence: 4 },
    { ...given(3), id: claimOf(9) },
    { ...given(4), seal: "" },
    given(5, "other"),
    given(1),
  ];
  const times = { ageMs: 5, endedAgoMs: null, leftMs: 9_000, isFrozen: false, frozenMs: 0 };
  const runs = claims.map((claim, index) => ({ ...times, run: index + 1, claim, pid: null }));
  const supervisor = spawn("sleep", ["60"], { env: { ...process.env, [MARKER_VARIABLE]: "t" } });
  try {
    await fakeSupervisor(folder, SUPERVISOR_VERSION, { pid: supervisor.pid!, runs });
    const executor = makeExecutor(folder);
    const found = await executor.survivors!.find();
    assert.deepEqual(found, [{
      id: claimOf(1),
      fence: 3,
      ageMs: 5,
      leftMs: 9_000,
      isUnbegun: false,
    }]);
    executor.survivors!.leave();
  } finally {
    await endAndWait(supervisor);
  }
});

test("adopt() continues a command of a supervisor of the next version", async () => {
  const folder = makeFolder();
  openFolder(folder);
  const id = "00000000-0000-7000-8000-000000000001";
  const claim = ClaimSeal.open(folder, systemRandom).seal({ id, fence: 3 }, markerOfRun("t", 4));
  const times = { ageMs: 5, endedAgoMs: null, leftMs: 9_000, isFrozen: false, frozenMs: 0 };
  const run = { run: 4, claim, pid: null, ...times };
  const entry = { at: 1, level: "info", source: "stdout", message: "a line", newer: true };
  const result = { type: "ok", resultsJson: "[7]", newer: true };
  const attached = [
    { type: "attached", newer: 1 },
    { type: "log", run: 4, first: 0, entries: [entry], newer: 1 },
    { type: "ended", run: 4, result, stderrTail: "", usage: null, newer: 1 },
  ];
  const supervisor = spawn("sleep", ["60"], {
    detached: true,
    env: { ...process.env, [MARKER_VARIABLE]: "t" },
  });
  try {
    const version = SUPERVISOR_VERSION + 1;
    const fake = { pid: supervisor.pid!, runs: [run], attached };
    const received = await fakeSupervisor(folder, version, fake);
    const executor = makeExecutor(folder);
    const [found] = await executor.survivors!.find();
    const sink = new RecordingSink();
    const task = makeTask(commandJob(["/bin/sh"]), [], { instance: { id, fence: 3 } });
    const attempt = executor.survivors!.adopt(found!, task, sink, 0);
    executor.survivors!.begin();
    assert.deepEqual(await attempt.outcome, { type: "ok", resultsJson: "[7]" });
    assert.deepEqual(sink.messages(), ["a line"]);
    attempt.outcomeRecorded!();
    await until("it is acknowledged", () => received.some(({ type }) => type === "ack"));
    assert.deepEqual(received.map(({ type }) => type).sort(), ["ack", "attach", "end", "list"]);
  } finally {
    await endAndWait(supervisor);
  }
});

test("adopt() loses a command whose supervisor has ended since it was found", async () => {
  const folder = makeFolder();
  openFolder(folder);
  const id = "00000000-0000-7000-8000-000000000001";
  const claim = ClaimSeal.open(folder, systemRandom).seal({ id, fence: 3 }, markerOfRun("t", 4));
  const times = { ageMs: 5, endedAgoMs: null, leftMs: 9_000, isFrozen: false, frozenMs: 0 };
  const supervisor = spawn("sleep", ["60"], {
    detached: true,
    env: { ...process.env, [MARKER_VARIABLE]: "t" },
  });
  try {
    const runs = [{ run: 4, claim, pid: null, ...times }];
    await fakeSupervisor(folder, SUPERVISOR_VERSION, { pid: supervisor.pid!, runs });
    const executor = makeExecutor(folder);
    const [found] = await executor.survivors!.find();
    for (const connection of connections) connection.destroy();
    await sleep(200);
    const task = makeTask(commandJob(["/bin/sh"]), [], { instance: { id, fence: 3 } });
    const attempt = executor.survivors!.adopt(found!, task, new RecordingSink(), 0);
    executor.survivors!.begin();
    assert.equal((await attempt.outcome).type, "lost");
  } finally {
    supervisor.kill("SIGKILL");
  }
});
