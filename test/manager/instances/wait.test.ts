import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import type { ManagerEvent } from "../../../src/manager/api.ts";
import { Followers } from "../../../src/manager/instances/followers.ts";
import { waitInstance } from "../../../src/manager/instances/wait.ts";
import { makeInstance, moduleJob } from "../../support/attempts.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

function makeWorld(instance: Instance) {
  const listeners = new Set<(event: ManagerEvent) => void>();
  const followers = new Followers();
  const world = { instance, reads: 0 };
  const context = {
    clock: new SimClock(),
    get: (_: string) => {
      world.reads += 1;
      return Promise.resolve(world.instance);
    },
    subscribe: (listener: (event: ManagerEvent) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onStop: () => () => {},
    hasOthers: () => false,
    followers,
  };
  return {
    world,
    wait: (timeoutMs?: number) => waitInstance(instance.id, timeoutMs, context),
    end() {
      world.instance = { ...world.instance, state: "completed" };
      const event = { type: "state", state: "completed", instance: world.instance } as ManagerEvent;
      for (const listener of listeners) listener(event);
    },
  };
}

test("waits for one instance share a read, and its end", async () => {
  const { world, wait, end } = makeWorld(makeInstance(moduleJob("pid")));
  const waits = Array.from({ length: 100 }, () => wait());
  await Promise.resolve();
  assert.equal(world.reads, 1);
  await new Promise<void>((resolve) => setImmediate(resolve));
  end();
  const ended = await Promise.all(waits);
  assert.ok(ended.every((instance) => instance === world.instance));
});

test("a wait that begins after the end does not share what was read before it", async () => {
  const { world, wait, end } = makeWorld(makeInstance(moduleJob("pid")));
  const first = wait();
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(await wait(0), null);
  end();
  assert.equal((await wait(0))?.state, "completed");
  assert.equal((await first)?.state, "completed");
  assert.ok(world.reads >= 2);
});
