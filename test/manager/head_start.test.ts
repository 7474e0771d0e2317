import assert from "node:assert/strict";
import test from "node:test";
import { sleep, type Timer } from "../../src/platform/clock.ts";
import { MemoryStore } from "../../src/store/memory/memory_store.ts";
import type { Store } from "../../src/store/store.ts";
import { jobOf, LEASE_MS, ManagerWorld, scheduleOf } from "../support/manager_world.ts";
import { SimClock } from "../support/sim_clock.ts";

const SECOND = 1_000;

/** A clock of a process that can be frozen. */
class FreezableClock extends SimClock {
  #waiting: (() => void)[] | null = null;

  override timer(delayMs: number, callback: () => void): Timer {
    return super.timer(delayMs, () => {
      if (this.#waiting) this.#waiting.push(callback);
      else callback();
    });
  }

  freeze(): void {
    this.#waiting = [];
  }

  thaw(): void {
    const callbacks = this.#waiting ?? [];
    this.#waiting = null;
    for (const callback of callbacks) callback();
  }
}

/** A world whose store commits claims, and what schedules bring, after `commitMs`. */
class SlowWorld {
  readonly clock = new FreezableClock();
  readonly world: ManagerWorld;
  commitMs = 3;

  constructor(options: { readonly hasOwnClock?: boolean; readonly isRecurring?: boolean } = {}) {
    const inner = new MemoryStore({
      defer: (callback) => this.clock.defer(callback),
      ...(options.hasOwnClock ? { clock: () => this.clock.now() } : {}),
    });
    const store: Store = new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        if (name !== "claim" && name !== "advance") return value.bind(target);
        return async (request: unknown) => {
          const answer: unknown = await value.call(target, request);
          if (this.commitMs > 0) await sleep(this.clock, this.commitMs);
          return answer;
        };
      },
    });
    const schedules = options.isRecurring ? [scheduleOf({ everyMs: SECOND })] : [];
    this.world = new ManagerWorld({
      before: { clock: this.clock, store },
      jobs: [jobOf("work", { schedules })],
      workers: 2,
    });
    this.world.executor.onRun = (attempt) => {
      this.startedAt.push(this.clock.now().wallMs);
      attempt.ok();
    };
  }

  readonly startedAt: number[] = [];

  /** Started, and used to claims that take as long as they do. */
  async warm(): Promise<this> {
    await this.world.started();
    for (let count = 0; count < 30; count++) {
      await this.world.schedule();
      await this.clock.advance(100);
    }
    this.startedAt.length = 0;
    return this;
  }

  /** An instance that is due in a second; answers when, epoch ms. */
  async scheduleSoon() {
    const dueAt = this.clock.now().wallMs + SECOND;
    const { id } = await this.world.schedule("work", { at: dueAt });
    return { id, dueAt };
  }
}

test("an instance with a time begins at it, though its claim takes some milliseconds to commit", async () => {
  const slow = await new SlowWorld().warm();
  const { dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND + 10);
  assert.deepEqual(slow.startedAt, [dueAt]);
});

test("an instance that was claimed before its time waits for it", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { id, dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 1);
  const claimed = await slow.world.get(id);
  assert.deepEqual([claimed.state, claimed.processedAt], ["processing", dueAt]);
  assert.deepEqual(slow.startedAt, []);
  await slow.clock.advance(1);
  assert.deepEqual(slow.startedAt, [dueAt]);
  assert.equal((await slow.world.get(id)).state, "completed");
});

test("an instance that was claimed before its time is canceled without having begun", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { id } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 1);
  await slow.world.of(slow.world.manager.cancelInstances({ ids: [id] }));
  await slow.clock.advance(SECOND);
  assert.deepEqual(slow.startedAt, []);
  assert.equal((await slow.world.get(id)).state, "canceled");
});

test("an instance that was claimed before its time is given back by a drain", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 1);
  const stopping = slow.world.manager.stop({ drainMs: SECOND });
  await slow.clock.advance(SECOND);
  await stopping;
  assert.deepEqual(slow.startedAt, []);
});

test("an instance that was claimed before its time does not begin past its lease, when its daemon was frozen", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { id } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 1);
  const { fence } = await slow.world.get(id);
  slow.clock.freeze();
  await slow.clock.advance(LEASE_MS);
  slow.clock.thaw();
  assert.deepEqual(slow.startedAt, []);
  await slow.clock.advance(LEASE_MS);
  assert.equal(slow.startedAt.length, 1);
  assert.ok(slow.world.executor.last.instance.fence > fence);
});

test("what is enqueued while another waits for its time begins at once", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 2);
  await slow.world.schedule();
  await slow.clock.settle();
  assert.deepEqual(slow.startedAt, [dueAt - 2]);
});

test("ticks of a schedule begin at their time and never before, however long the store takes", async () => {
  for (const commitMs of [0, 1, 3]) {
    const slow = await new SlowWorld({ isRecurring: true }).warm();
    slow.commitMs = commitMs;
    await slow.clock.advance(30 * SECOND);
    slow.startedAt.length = 0;
    await slow.clock.advance(10 * SECOND);
    assert.equal(slow.startedAt.length, 10);
    assert.deepEqual(slow.startedAt.map((at) => at % SECOND), Array(10).fill(0));
  }
});

test("a store with a clock of its own is asked for nothing before its time", async () => {
  const slow = await new SlowWorld({ hasOwnClock: true }).warm();
  const { dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(10);
  const claims = slow.world.link.count("claim");
  await slow.clock.advance(SECOND - 11);
  assert.equal(slow.world.link.count("claim"), claims);
  await slow.clock.advance(10);
  assert.deepEqual(slow.startedAt, [dueAt + 3]);
});
