import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../src/core/payload_chars.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";
import { parseParams } from "../../../src/jobs/types/read_signature.ts";

/** Instances of which few fill a page. */
const TEXT = "x".repeat(500_000);
const COUNT = 12;

async function worldOf(): Promise<ManagerWorld> {
  const signature = parseParams("text?: string");
  const world = await new ManagerWorld({ jobs: [{ ...jobOf("work"), signature }] }).started();
  await world.of(world.manager.resizeWorkers(0));
  return world;
}

function charsOf(instances: readonly Instance[]): number {
  return instances.reduce((sum, instance) => sum + instanceChars(instance), 0);
}

test("cancelInstances() cancels all of many large instances and returns a bounded text", async () => {
  const world = await worldOf();
  for (let index = 0; index < COUNT; index++) await world.schedule("work", { arguments: [TEXT] });
  const canceled = await world.of(world.manager.cancelInstances({ kinds: ["work"] }));
  assert.equal(canceled.length, COUNT);
  assert.ok(canceled.every(({ state }) => state === "canceled"));
  assert.ok(charsOf(canceled) <= PAGE_CHARS_MAX + COUNT * 10, `${charsOf(canceled)} characters`);
  await world.of(world.manager.stop());
});

test("scheduleJobs() refuses to answer with more large instances than have room", async () => {
  const world = await worldOf();
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  for (const uniqueKey of keys) await world.schedule("work", { arguments: [TEXT], uniqueKey });
  const ask = (some: readonly string[]) =>
    world.of(
      world.manager.scheduleJobs(
        some.map((uniqueKey) => ({ kind: "work", uniqueKey, onConflict: "keep" as const })),
      ),
    );
  assert.equal((await ask(keys.slice(0, 30))).length, 30);
  await assert.rejects(ask(keys), { code: "resource_exhausted" });
  await world.of(world.manager.stop());
});
