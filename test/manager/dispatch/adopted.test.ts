import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import type { Instance, LogEntry } from "../../../src/core/instance.ts";
import { readAdopted } from "../../../src/manager/dispatch/adopted.ts";
import { notStarted } from "../../../src/manager/dispatch/settlement.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { commandJob, moduleJob } from "../../support/attempts.ts";
import { ManagerWorld, ScriptedAttempt } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

async function openWorld(): Promise<StoreWorld> {
  const world = new StoreWorld(new MemoryStore());
  await world.store.open({ at: world.at, node: "n1" });
  return world;
}

function line(source: LogEntry["source"]): LogEntry {
  return { at: 0, level: "info", source, message: source };
}

async function read(
  { store }: StoreWorld,
  { id, fence }: Pick<Instance, "id" | "fence">,
  job: ReturnType<typeof commandJob> | undefined = undefined,
) {
  const found = { id, fence, ageMs: 0, leftMs: 0, isUnbegun: false };
  const events = { jobOf: () => job } as never;
  const [adopted = null] = await readAdopted([found], { store, events });
  return adopted;
}

test("readAdopted() counts what the current claim has printed, not our own lines", async () => {
  const world = await openWorld();
  const first = await world.start();
  const append = (fence: number, logs: readonly LogEntry[]) =>
    world.store.appendLogs({ at: world.at, appends: [{ id: first.id, fence, logs }] });
  await append(first.fence, [line("stdout"), line("stdout")]);
  await world.settle(first, { outcome: { type: "release", dueAt: world.wallMs } });
  const [second] = await world.claim();
  assert.equal((await read(world, second!))!.lines, 0);
  await append(second!.fence, [line("stdout"), line("system"), line("stderr")]);
  assert.equal((await read(world, second!))!.lines, 2);
});

test("readAdopted() leaves an attempt out once somebody else has the claim, or it has ended", async () => {
  const world = await openWorld();
  const running = await world.start();
  assert.equal(await read(world, { ...running, fence: running.fence + 1 }), null);
  assert.equal(await read(world, { ...running, id: world.newId() }), null);
  await world.settle(running);
  assert.equal(await read(world, running), null);
});

test("readAdopted() has the job as it is configured now, or what is left of it", async () => {
  const world = await openWorld();
  const running = await world.start();
  const job = commandJob(["/bin/true"]);
  assert.equal((await read(world, running, job))!.job, job);
  for (const other of [undefined, moduleJob("echo")]) {
    const { job: former } = (await read(world, running, other))!;
    assert.deepEqual([former.kind, former.source.type], [running.kind, "command"]);
  }
});

test("manager() releases a claim of which nothing has begun, and counts no loss", async () => {
  const clock = new SimClock();
  const store = new MemoryStore({ defer: (callback) => clock.defer(callback) });
  const before = { clock, store };
  const processOf = (name: string, fate: "gone" | "alive") => {
    const identity = { host: "host", pid: 1, process: name, programSince: 0 };
    return { ...identity, fateOf: () => fate };
  };
  const first = await new ManagerWorld({ before, process: processOf("one", "alive") }).started();
  const { id } = await first.schedule();
  const { fence } = (await first.of(store.get(id)))!;
  const next = new ManagerWorld({ before, node: "node", process: processOf("two", "gone") });
  const found = { id, fence, ageMs: 0, leftMs: 0, isUnbegun: true };
  let recorded = 0;
  next.executor.survivors = {
    place: "here",
    find: () => Promise.resolve([found]),
    adopt(_found, task, sink) {
      const attempt = new ScriptedAttempt(task, sink);
      attempt.end(notStarted());
      return Object.assign(attempt, { outcomeRecorded: () => recorded += 1 });
    },
    begin() {},
    leave() {},
  };
  await next.started();
  await clock.advance(1_000);
  assert.equal(recorded, 1);
  assert.doesNotMatch(next.logged.join("\n"), /Adopted/);
  const { attempt, crashes, state } = next.executor.last.instance;
  assert.deepEqual([attempt, crashes, state], [1, 0, "processing"]);
});
