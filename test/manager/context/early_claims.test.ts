import assert from "node:assert/strict";
import test from "node:test";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { sleep, type Timer } from "../../../src/platform/clock.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { AHEAD_MS_MAX, type Store } from "../../../src/store/store.ts";
import { jobOf, LEASE_MS, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const SECOND = 1_000;
const MINUTE = 60_000;

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

/** A world whose store commits claims after `commitMs`. */
class SlowWorld {
  readonly clock = new FreezableClock();
  readonly world: ManagerWorld;
  commitMs = 3;

  constructor(
    options: {
      readonly hasOwnClock?: boolean;
      readonly spec?: Parameters<typeof scheduleOf>[0];
      readonly jobs?: readonly JobDefinition[];
    } = {},
  ) {
    const inner = new MemoryStore({
      defer: (callback) => this.clock.defer(callback),
      ...(options.hasOwnClock ? { clock: () => this.clock.now() } : {}),
    });
    const store: Store = new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        if (name !== "claim") return value.bind(target);
        return async (request: unknown) => {
          const answer: unknown = await value.call(target, request);
          if (this.commitMs > 0) await sleep(this.clock, this.commitMs);
          return answer;
        };
      },
    });
    this.world = new ManagerWorld({
      before: { clock: this.clock, store },
      jobs: [
        jobOf("work"),
        ...options.jobs ?? [],
        jobOf("minutely", { schedules: [scheduleOf(options.spec)] }),
        jobOf("limited", { options: { rate: [{ max: 1, perMs: SECOND, by: [] }] } }),
      ],
      workers: 2,
    });
    this.world.executor.onRun = (attempt) => {
      this.startedAt.push(this.clock.now().wallMs);
      attempt.ok();
    };
  }

  readonly startedAt: number[] = [];
  #warmAt = 0;

  /** Started, and used to claims that take as long as they do. */
  async warm(): Promise<this> {
    await this.world.started();
    for (let count = 0; count < 30; count++) {
      await this.world.schedule();
      await this.clock.advance(100);
    }
    // A first tick, before which nobody knew how long a claim takes.
    await this.clock.advance(MINUTE);
    this.startedAt.length = 0;
    this.#warmAt = this.clock.now().wallMs;
    return this;
  }

  /** Advance to some milliseconds before the next full minute. Returns that minute, epoch ms. */
  async beforeMinute(beforeMs: number): Promise<number> {
    const { wallMs } = this.clock.now();
    const tick = Math.ceil((wallMs + beforeMs + 1) / MINUTE) * MINUTE;
    await this.clock.advance(tick - beforeMs - wallMs);
    return tick;
  }

  /** The fates of the ticks of the schedule. */
  async fates() {
    const query = { scheduleId: "config:minutely:0", after: this.#warmAt };
    const page = { limit: 100, order: "oldest" } as const;
    const { items } = await this.world.of(this.world.store.listFates(query, page));
    return items.map(({ from, fate, reason }) => [from, reason ?? fate]);
  }

  /** Schedule an instance that is due in a second. Returns when, epoch ms. */
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

/** A world whose executor begins attempts itself, an instance that it has early, and its time. */
async function handedOver() {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { executor } = slow.world;
  executor.keepsStartAt = () => true;
  executor.onRun = null;
  const { id, dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 1);
  const attempt = executor.last;
  assert.deepEqual([attempt.instance.id, attempt.task.startAt], [id, dueAt]);
  return { slow, attempt, dueAt, get: () => slow.world.get(id) };
}

test("an executor that keeps to the time has an attempt before it", async () => {
  const { slow, attempt, dueAt, get } = await handedOver();
  await slow.clock.advance(SECOND);
  attempt.ok();
  await slow.clock.settle();
  const { state, processedAt } = await get();
  assert.deepEqual([state, processedAt], ["completed", dueAt]);
  // One that is late already may begin at once.
  await slow.world.schedule();
  await slow.clock.settle();
  assert.equal(slow.world.executor.last.task.startAt, undefined);
});

test("a drain takes back an attempt that an executor has before its time", async () => {
  const { slow, attempt, dueAt } = await handedOver();
  const stopping = slow.world.manager.stop({ drainMs: MINUTE });
  await slow.clock.settle();
  assert.deepEqual(attempt.aborts, ["drain"]);
  const error = { name: "AbortError", message: "drain" };
  attempt.end({ type: "aborted", cause: "drain", error, isUnstarted: true });
  await slow.clock.settle();
  await stopping;
  await slow.world.started();
  await slow.clock.settle();
  const { instance, task } = slow.world.executor.last;
  assert.notEqual(instance.fence, attempt.instance.fence);
  const { id, attempt: number } = instance;
  assert.deepEqual([id, number, task.startAt], [attempt.instance.id, 1, dueAt]);
});

test("a drain leaves alone what has begun at its time in an executor", async () => {
  const { slow, attempt } = await handedOver();
  await slow.clock.advance(1);
  const stopping = slow.world.manager.stop({ drainMs: MINUTE });
  await slow.clock.settle();
  assert.deepEqual(attempt.aborts, []);
  attempt.ok();
  await slow.clock.advance(SECOND);
  await stopping;
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

test("an instance enqueued while another waits for its time begins at once", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const { dueAt } = await slow.scheduleSoon();
  await slow.clock.advance(SECOND - 2);
  await slow.world.schedule();
  await slow.clock.settle();
  assert.deepEqual(slow.startedAt, [dueAt - 2]);
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

test("a pause with an end lets nothing begin before it", async () => {
  const paused = await new SlowWorld().warm();
  const untilMs = paused.clock.now().wallMs + SECOND;
  await paused.world.of(paused.world.manager.pause("work", { until: untilMs }));
  await paused.world.schedule();
  await paused.clock.advance(SECOND + 10);
  assert.ok(paused.startedAt[0]! >= untilMs, String(paused.startedAt[0]! - untilMs));
});

test("a rate lets nothing begin before its span is over", async () => {
  const { world, clock, startedAt } = await new SlowWorld().warm();
  for (let count = 0; count < 4; count++) await world.schedule("limited");
  await clock.advance(5 * SECOND);
  const gaps = startedAt.slice(1).map((at, index) => at - startedAt[index]!);
  assert.equal(gaps.length, 3);
  for (const gap of gaps) assert.ok(gap >= SECOND, String(gaps));
});

test("a claim that is put off for outcomes is made with them", async () => {
  const { world, clock, startedAt } = await new SlowWorld().warm();
  // As where workers start: something waits in the executor although one is free.
  world.executor.waiting = 1;
  await world.schedule();
  await clock.advance(10);
  assert.equal(startedAt.length, 1);
});

test("a tick begins at its time, though its instance and its claim take some milliseconds to commit", async () => {
  const slow = await new SlowWorld().warm();
  const tick = await slow.beforeMinute(10);
  await slow.clock.advance(20);
  assert.deepEqual(slow.startedAt, [tick]);
  assert.deepEqual(await slow.fates(), [[tick, "fired"]]);
});

test("the first tick after a start begins at its time, though nobody knows how long its claim takes", async () => {
  const slow = new SlowWorld();
  slow.commitMs = 30;
  await slow.world.started();
  const tick = await slow.beforeMinute(AHEAD_MS_MAX + 10);
  await slow.clock.advance(AHEAD_MS_MAX + 20);
  assert.deepEqual(slow.startedAt, [tick]);
});

test("a tick that was claimed before its time waits for it", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const tick = await slow.beforeMinute(1);
  const instance = (await slow.world.instances()).find(({ scheduledFor }) => scheduledFor === tick);
  assert.deepEqual([instance!.state, instance!.processedAt], ["processing", tick]);
  assert.deepEqual(slow.startedAt, []);
  await slow.clock.advance(1);
  assert.deepEqual(slow.startedAt, [tick]);
});

for (const overlap of ["skip", "queue"] as const) {
  test(`under overlap "${overlap}" a tick runs when the one before it ends within its last milliseconds`, async () => {
    const slow = await new SlowWorld({ spec: { overlap } }).warm();
    slow.commitMs = 0;
    slow.world.executor.onRun = () => slow.startedAt.push(slow.clock.now().wallMs);
    const first = await slow.beforeMinute(1);
    await slow.clock.advance(1);
    const second = await slow.beforeMinute(1);
    slow.world.executor.last.ok();
    await slow.clock.advance(1);
    assert.deepEqual(slow.startedAt, [first, second]);
    assert.deepEqual(await slow.fates(), [[first, "fired"], [second, "fired"]]);
  });
}

test("a tick is skipped for overlap at its time, and the store is not asked again and again before", async () => {
  const slow = await new SlowWorld().warm();
  slow.world.executor.onRun = () => {};
  const first = await slow.beforeMinute(10);
  await slow.clock.advance(20);
  const second = await slow.beforeMinute(10);
  const asked = slow.world.link.count("advance");
  await slow.clock.advance(9);
  assert.deepEqual(await slow.fates(), [[first, "fired"]]);
  await slow.clock.advance(10);
  assert.deepEqual(await slow.fates(), [[first, "fired"], [second, "overlap"]]);
  assert.equal(slow.world.link.count("advance") - asked, 2);
});

test("a pause that ends at a tick lets it run", async () => {
  const slow = await new SlowWorld().warm();
  const { manager } = slow.world;
  const tick = await slow.beforeMinute(SECOND);
  await slow.world.of(manager.pause("minutely", { until: tick }));
  await slow.clock.advance(SECOND + 10);
  assert.deepEqual(await slow.fates(), [[tick, "fired"]]);
  assert.ok(slow.startedAt[0]! >= tick, String(slow.startedAt[0]! - tick));
});

test("a tick of a paused job is skipped at its time", async () => {
  const slow = await new SlowWorld().warm();
  const tick = await slow.beforeMinute(SECOND);
  await slow.world.of(slow.world.manager.pause("minutely"));
  await slow.clock.advance(SECOND - 1);
  assert.deepEqual(await slow.fates(), []);
  await slow.clock.advance(10);
  assert.deepEqual(await slow.fates(), [[tick, "paused"]]);
  assert.deepEqual(slow.startedAt, []);
});

test("a drain within the last milliseconds before a tick leaves its instance to the next start", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const tick = await slow.beforeMinute(1);
  const stopping = slow.world.manager.stop({ drainMs: SECOND });
  await slow.clock.advance(SECOND);
  await stopping;
  assert.deepEqual(slow.startedAt, []);
  await slow.world.started();
  await slow.clock.advance(SECOND);
  assert.equal(slow.startedAt.length, 1);
  assert.deepEqual(await slow.fates(), [[tick, "fired"]]);
});

test("a store with a clock of its own makes nothing of a tick before its time", async () => {
  const slow = await new SlowWorld({ hasOwnClock: true }).warm();
  const tick = await slow.beforeMinute(1);
  assert.deepEqual(await slow.fates(), []);
  await slow.clock.advance(10);
  assert.deepEqual(await slow.fates(), [[tick, "fired"]]);
  assert.ok(slow.startedAt[0]! >= tick);
});

test("of hundreds of ticks at one time the most urgent begin first", async () => {
  const jobs = Array.from({ length: 400 }, (_, index) => {
    const schedules = [scheduleOf({ cron: "30 * * * * *" })];
    return jobOf(`half-${index}`, { options: { priority: 400 - index }, schedules });
  });
  const slow = await new SlowWorld({ jobs }).warm();
  const started: string[] = [];
  slow.world.executor.onRun = (attempt) => {
    started.push(attempt.instance.kind);
    attempt.ok();
  };
  await slow.clock.advance(MINUTE / 2 + 100);
  const first = started.filter((kind) => kind.startsWith("half")).slice(0, 4);
  assert.deepEqual(first, ["half-399", "half-398", "half-397", "half-396"]);
});

test("a tick that one node gives back before its time begins nowhere sooner", async () => {
  const slow = await new SlowWorld().warm();
  slow.commitMs = 0;
  const tick = await slow.beforeMinute(1);
  const other = new ManagerWorld({
    before: { clock: slow.clock, store: slow.world.store },
    jobs: [jobOf("work"), jobOf("minutely", { schedules: [scheduleOf()] })],
  });
  other.executor.onRun = slow.world.executor.onRun;
  const starting = other.started();
  const stopping = slow.world.manager.stop({ drainMs: 0 });
  await slow.clock.advance(SECOND);
  await Promise.all([starting, stopping]);
  assert.deepEqual(slow.startedAt, [tick]);
});

test("ticks have a head start again after the clock was set back by a day", async () => {
  const half = jobOf("half", { schedules: [scheduleOf({ cron: "30 * * * * *" })] });
  const slow = await new SlowWorld({ jobs: [half] }).warm();
  // Its ticks have none, as a run before them never ends.
  slow.world.executor.onRun = (attempt) => {
    slow.startedAt.push(slow.clock.now().wallMs);
    if (attempt.instance.kind !== "half") attempt.ok();
  };
  await slow.clock.advance(2 * MINUTE);
  slow.clock.shiftWall(-24 * 60 * MINUTE);
  await slow.clock.advance(3 * MINUTE);
  slow.startedAt.length = 0;
  const tick = await slow.beforeMinute(10);
  await slow.clock.advance(20);
  assert.deepEqual(slow.startedAt, [tick]);
});

test("an early claim waits as long as it had to when the clock is set back meanwhile", async () => {
  const slow = await new SlowWorld().warm();
  await slow.beforeMinute(2);
  const { monotonicMs } = slow.clock.now();
  slow.clock.shiftWall(-10 * SECOND);
  let waitedMs = 0;
  slow.world.executor.onRun = () => waitedMs = slow.clock.now().monotonicMs - monotonicMs;
  await slow.clock.advance(AHEAD_MS_MAX + 10);
  assert.ok(waitedMs >= 2, String(waitedMs));
});

test("a store that fails only before a tick does not make it late", async () => {
  const slow = await new SlowWorld().warm();
  const tick = await slow.beforeMinute(10);
  slow.world.link.cut(["advance"]);
  await slow.clock.advance(9);
  slow.world.link.mend();
  await slow.clock.advance(20);
  assert.deepEqual(slow.startedAt, [tick + 3]);
});
