import assert from "node:assert/strict";
import test, { after } from "node:test";
import type { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { isJobError } from "../../../src/core/errors.ts";
import type { NewInstance, Settlement } from "../../../src/store/store.ts";
import { ValkeyWorld } from "../../support/servers/valkey_world.ts";
import { answersAsMemory as asMemory } from "./memory_twin.ts";

// Batches of ordinary instances are accepted, claimed and settled as runs, by functions of the
// script that do nothing else. Each test does the same with the memory store, and checks the
// indexes.

const valkey = new ValkeyWorld();
after(() => valkey.close());

/** The same steps on both stores have the same results and leave the same data. */
function answersAsMemory(steps: (world: StoreWorld) => Promise<unknown>): Promise<void> {
  return asMemory(valkey, steps);
}

async function enqueue(world: StoreWorld, instances: readonly NewInstance[]) {
  return (await world.store.enqueue({ at: world.at, instances })).value;
}

function batch(world: StoreWorld, count: number, given: Partial<NewInstance> = {}) {
  return Array.from({ length: count }, () => world.newInstance(given));
}

function outcome(id: string, fence: number, given: Partial<Settlement> = {}): Settlement {
  const ok = { type: "final", state: "completed", reason: "ok", isFailure: false } as const;
  return { id, fence, logs: [], outcome: { ...ok, error: null, resultsJson: null }, ...given };
}

test("enqueue() accepts a batch whose instances differ in arguments, priority and kind, and claim() gives each its own", async () => {
  await answersAsMemory(async (world) => {
    const instances = [
      ...batch(world, 20, { argumentsJson: "[1]" }),
      ...batch(world, 20).map((one, index) => ({ ...one, argumentsJson: `[${index}]` })),
      ...batch(world, 20, { priority: -1, argumentsJson: "[1]" }),
      ...batch(world, 20, { kind: "other", retryMax: 3 }),
    ];
    const accepted = await enqueue(world, instances);
    return [
      accepted,
      await world.claim(30),
      await world.claim(90),
      await world.claim(9, ["other"]),
    ];
  });
});

test("enqueue() treats a batch with existing or repeated instances like single calls", async () => {
  await answersAsMemory(async (world) => {
    const instances = batch(world, 20);
    await enqueue(world, instances.slice(4, 6));
    const accepted = await enqueue(world, instances);
    const twice = batch(world, 20);
    return [accepted, await enqueue(world, [...twice, twice[3]!])];
  });
});

test("enqueue() accepts none of a batch if the id of one is taken", async () => {
  await answersAsMemory(async (world) => {
    const instances = batch(world, 20);
    await enqueue(world, [{ ...instances[19]!, argumentsJson: "[7]" }]);
    await assert.rejects(enqueue(world, instances), (error) => isJobError(error, "already_exists"));
    return await world.store.stats();
  });
});

test("enqueue() keeps a batch waiting that is not yet due", async () => {
  await answersAsMemory(async (world) => {
    await enqueue(world, batch(world, 20, { dueAt: world.wallMs + 1_000 }));
    const before = await world.claim(9);
    world.advance(1_000);
    return [before, await world.claim(9), await world.claim(90)];
  });
});

test("claim() keeps the order of ordinary instances and those with a queue, a deadline or an earlier attempt", async () => {
  await answersAsMemory(async (world) => {
    const early = await world.start({ argumentsJson: "[0]" });
    await world.settle(early, { outcome: { type: "snooze", dueAt: world.wallMs } });
    await enqueue(world, batch(world, 10));
    await world.add({ queueKey: "mail a" }, { queueKey: "mail a" }, {
      deadlineAt: world.wallMs + 60_000,
    });
    await enqueue(world, batch(world, 10, { argumentsJson: "[2]" }));
    return [await world.claim(15), await world.claim(15)];
  });
});

test("settle() ends a batch from several claims, some of them canceled, stale or already ended", async () => {
  await answersAsMemory(async (world) => {
    await enqueue(world, batch(world, 30));
    const first = await world.claim(10);
    world.advance(5);
    const second = await world.claim(10, ["mail"], "n2");
    await world.cancel(first[3]!.id);
    await world.cancel(second[0]!.id);
    await world.settle(first[4]!);
    const all = [...first, ...second];
    const settlements = all.map(({ id, fence }, index) => {
      if (index === 5) return outcome(id, fence - 1);
      if (index === 6) return outcome(id, fence, { version: "2" });
      const { outcome: ok } = outcome(id, fence);
      return outcome(id, fence, {
        outcome: { ...ok, ...index % 3 === 0 ? { resultsJson: `[${index}]` } : {} } as never,
      });
    });
    const { value } = await world.store.settle({ at: world.at, node: "n1", settlements });
    const again = await world.store.settle({ at: world.at, node: "n1", settlements });
    world.advance(30_000);
    return [value, again.value, await world.reap(), await world.store.stats()];
  });
});

test("settle() with two outcomes of one instance uses the first", async () => {
  await answersAsMemory(async (world) => {
    await enqueue(world, batch(world, 12));
    const claimed = await world.claim(12);
    const settlements = claimed.map(({ id, fence }) => outcome(id, fence));
    const second = outcome(claimed[2]!.id, claimed[2]!.fence, { version: "2" });
    const value = { at: world.at, node: "n1", settlements: [...settlements, second] };
    return [(await world.store.settle(value)).value, await world.store.stats()];
  });
});

test("retain() deletes instances that ended in batches", async () => {
  await answersAsMemory(async (world) => {
    await enqueue(world, batch(world, 12, { keepSuccessMs: 1_000 }));
    const settlements = (await world.claim(12)).map(({ id, fence }) => outcome(id, fence));
    await world.store.settle({ at: world.at, node: "n1", settlements });
    world.advance(1_000);
    return (await world.store.retain({ at: world.at, limit: 100 })).value.length;
  });
});
