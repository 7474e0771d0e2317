import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { thisProcess } from "../../src/platform/process/process_identity.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import { openFolder, waitingOf } from "../../src/supervisor/supervisor_folder.ts";
import { readLeftClaims, WaitingClaims } from "../../src/supervisor/waiting_claims.ts";
import type { Executor } from "../../src/worker/executor.ts";
import { commandJob, makeTask, RecordingSink, workerCommand } from "../support/attempts.ts";

const testOnLinux = process.platform === "linux" ? test : () => {};
const root = mkdtempSync(join(tmpdir(), "waiting-"));
const executors: Executor[] = [];
/** A process of this boot that is gone, as `ProcessIdentity` names it. */
const GONE = thisProcess().process?.replace(/[^/]+$/, "1") ?? "gone";
const [ONE, TWO] = ["1", "2"].map((last) => `00000000-0000-7000-8000-00000000000${last}`);
let folders = 0;

after(async () => {
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(root, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = join(root, String(folders += 1));
  openFolder(folder);
  return folder;
}

function makeExecutor(folder: string, command = workerCommand()): Executor {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command },
    outliving: { folder: () => folder, graceMs: null },
  });
  executors.push(executor);
  return executor;
}

/** A turn of the event loop, in which what was added is written. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.defer(resolve));
}

const fates = {
  fateOf: (process: string | null) => {
    return process === GONE ? "gone" : process === "living" ? "alive" : "unknown";
  },
} as const;

test("readLeftClaims() has the claims of a dead daemon that wait, and no others", async () => {
  const folder = makeFolder();
  const claims = (name: string, daemon: string) => {
    return new WaitingClaims(join(folder, name), { clock: systemClock, daemon });
  };
  const dead = claims("dead", GONE);
  dead.add({ id: ONE!, fence: 7 });
  await turn();
  dead.add({ id: TWO!, fence: 8 });
  const living = claims("living", "living");
  claims("other", "of another boot").add({ id: TWO!, fence: 9 });
  living.add({ id: TWO!, fence: 9 });
  const sent = claims("sent", GONE);
  sent.add({ id: TWO!, fence: 9 });
  sent.clear();
  await turn();
  const names = ["dead.waiting", "living.waiting", "other.waiting"];
  assert.deepEqual(readdirSync(folder).sort(), names);
  assert.equal(statSync(join(folder, "dead.waiting")).mode & 0o777, 0o600);
  const left = readLeftClaims(folder, fates);
  const claimed = left.flatMap((each) => each.claims);
  assert.deepEqual(claimed, [{ id: ONE, fence: 7 }, { id: TWO, fence: 8 }]);
  for (const each of left) each.remove();
  assert.deepEqual(readdirSync(folder), ["living.waiting"]);
  living.clear();
  assert.deepEqual(readdirSync(folder), []);
});

test("readLeftClaims() leaves out a line that is not complete, or no claim", () => {
  const folder = makeFolder();
  const text = `${GONE}\n${ONE} 5\nnonsense\n${TWO} x\n${TWO} 1`;
  writeFileSync(waitingOf(join(folder, "cut")), text);
  writeFileSync(waitingOf(join(folder, "empty")), "");
  const found = readLeftClaims(folder, fates);
  assert.deepEqual(found.flatMap(({ claims }) => claims), [{ id: ONE, fence: 5 }]);
});

testOnLinux("run() keeps a claim in a file until its supervisor has started", async () => {
  const folder = makeFolder();
  const slow = ["/bin/sh", "-c", 'sleep 0.3; exec "$@"', "sh", ...workerCommand()];
  const executor = makeExecutor(folder, slow);
  const waiting = () => readdirSync(folder).filter((name) => name.endsWith(".waiting"));
  const task = makeTask(commandJob(["/bin/sh", "-c", `ls ${folder}`]));
  const sink = new RecordingSink();
  const attempt = executor.run(task, sink);
  await turn();
  const [name] = waiting();
  const { id, fence } = task.instance;
  assert.ok(readFileSync(join(folder, name!), "utf8").endsWith(`\n${id} ${fence}\n`));
  assert.equal((await attempt.outcome).type, "ok");
  assert.ok(!sink.messages().some((line) => line.endsWith(".waiting")), "it ran after that");
  assert.deepEqual(waiting(), []);
});

testOnLinux("adopt() releases a claim of which nothing has begun", async () => {
  const folder = makeFolder();
  const file = waitingOf(join(folder, "dead"));
  writeFileSync(file, `${GONE}\n${ONE} 5\n${TWO} 6\n${ONE} 4\n`);
  const executor = makeExecutor(folder);
  const found = await executor.survivors!.find();
  const rest = { ageMs: 0, leftMs: 0, isUnbegun: true };
  assert.deepEqual(found, [{ id: ONE, fence: 5, ...rest }, { id: TWO, fence: 6, ...rest }]);
  const attempts = found.map((each) => {
    const task = makeTask(commandJob(["/bin/true"]), [], { instance: { id: each.id } });
    return executor.survivors!.adopt(each, task, new RecordingSink(), 0);
  });
  executor.survivors!.begin();
  for (const attempt of attempts) {
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "aborted" && outcome.isUnstarted);
    assert.deepEqual(readdirSync(folder), ["dead.waiting"], "until the store has it");
    attempt.outcomeRecorded!();
  }
  assert.deepEqual(readdirSync(folder), []);
  // Claims that are no longer valid are not adopted.
  writeFileSync(file, `${GONE}\n${ONE} 5\n`);
  assert.equal((await executor.survivors!.find()).length, 1);
  executor.survivors!.begin();
  assert.deepEqual(readdirSync(folder), []);
});
