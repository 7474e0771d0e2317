import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreWorld } from "../../../src/conformance/store_world.ts";
import type { Instance, LogEntry } from "../../../src/core/instance.ts";
import { readAdopted } from "../../../src/manager/dispatch/adopted.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { commandJob, moduleJob } from "../../support/attempts.ts";

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
  const found = { id, fence, ageMs: 0, leftMs: 0 };
  return await readAdopted(found, { store, events: { jobOf: () => job } as never });
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

test("readAdopted() is null once somebody else has the claim, or it has ended", async () => {
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
