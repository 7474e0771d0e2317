import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BEHIND_MS,
  CATCH_UP_MS,
  FAILED_STARTS,
  Heartbeat,
  type HeartbeatStatus,
  SEND_MS_MAX,
  STATUS_MS_MAX,
} from "../../src/daemon/heartbeat.ts";
import type { HeartbeatSettings } from "../../src/core/notices/heartbeat.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const EVERY_MS = 60_000;
const SETTINGS: HeartbeatSettings = {
  url: "https://hc.example/secret",
  everyMs: EVERY_MS,
  allowPrivate: false,
};

class World {
  readonly clock = new SimClock();
  readonly lines: string[] = [];
  /** When each request began, in ms since the start. */
  readonly sent: number[] = [];
  status: Partial<HeartbeatStatus> = {};
  /** Replaces the status. */
  read: (() => Promise<HeartbeatStatus>) | null = null;
  /** What becomes of requests. */
  answer: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  readonly #startMs = this.clock.now().wallMs;
  readonly heartbeat = new Heartbeat({
    clock: this.clock,
    logger: this.#logger(),
    status: () =>
      this.read?.() ?? Promise.resolve({
        ...{ isDraining: false, storeProblem: null, nextScheduleAt: null, workers: {} },
        ...this.status,
      }),
    send: (_settings, signal) => {
      this.sent.push(this.clock.now().wallMs - this.#startMs);
      return this.answer(signal);
    },
  });

  async started(settings = SETTINGS): Promise<this> {
    this.heartbeat.adopt(settings);
    await this.clock.settle();
    return this;
  }

  #logger() {
    const log = (level: string) => (message: string, fields: object = {}) =>
      void this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  }
}

test("heartbeat sends at the start and then at its interval", async () => {
  const world = await new World().started();
  await world.clock.advance(2 * EVERY_MS);
  assert.deepEqual(world.sent, [0, EVERY_MS, 2 * EVERY_MS]);
  assert.deepEqual(world.lines, []);
});

for (
  const [name, status, reason] of [
    ["drains", { isDraining: true }, "the daemon is stopping"],
    ["has a store with a problem", { storeProblem: "full" }, "the store has a problem: full"],
    [
      "cannot start workers",
      { workers: { failedStarts: FAILED_STARTS } },
      "workers cannot be started",
    ],
  ] as const
) {
  test(`heartbeat is silent while the daemon ${name}, and says so once`, async () => {
    const world = await new World().started();
    world.status = status;
    await world.clock.advance(3 * EVERY_MS);
    assert.deepEqual(world.sent, [0]);
    world.status = {};
    await world.clock.advance(EVERY_MS / 4);
    assert.equal(world.sent.length, 2);
    assert.deepEqual(world.lines, [
      `warn The heartbeat stops {"reason":"${reason}"}`,
      `info The heartbeat resumes {"silentMs":${2.25 * EVERY_MS}}`,
    ]);
  });
}

test("heartbeat continues while few starts of workers fail", async () => {
  const world = new World();
  world.status = { workers: { failedStarts: FAILED_STARTS - 1 } };
  await world.started();
  assert.equal(world.sent.length, 1);
});

test("heartbeat is silent while the scheduler is behind, if it does not catch up", async () => {
  const world = new World();
  const nextScheduleAt = world.clock.now().wallMs - BEHIND_MS;
  world.status = { nextScheduleAt };
  await world.started();
  assert.equal(world.sent.length, 1, "on the limit");
  await world.clock.advance(EVERY_MS + CATCH_UP_MS);
  assert.equal(world.sent.length, 1, "over it");
  assert.match(world.lines[0]!, /"reason":"the scheduler is behind"/);
});

test("heartbeat waits for a scheduler that catches up, as after a host's sleep", async () => {
  const world = new World();
  world.status = { nextScheduleAt: world.clock.now().wallMs - BEHIND_MS - 1 };
  await world.started();
  assert.equal(world.sent.length, 0);
  world.status = { nextScheduleAt: world.clock.now().wallMs + 60_000 };
  await world.clock.advance(CATCH_UP_MS);
  assert.equal(world.sent.length, 1);
  assert.deepEqual(world.lines, []);
});

test("heartbeat is silent when the store does not answer in time", async () => {
  const world = new World();
  world.read = () => new Promise(() => {});
  await world.started();
  await world.clock.advance(STATUS_MS_MAX - 1);
  assert.deepEqual(world.lines, []);
  await world.clock.advance(1);
  assert.match(world.lines[0]!, /"reason":"the store does not respond within 5 s"/);
  assert.equal(world.sent.length, 0);
});

test("heartbeat is silent when the status cannot be read", async () => {
  const world = new World();
  world.read = () => Promise.reject(new Error("closed"));
  await world.started();
  assert.match(world.lines[0]!, /"reason":"the store does not respond: closed"/);
});

test("heartbeat ends a request that is not answered before it sends another", async () => {
  const world = new World();
  let open = 0;
  let openMax = 0;
  world.answer = (signal) => {
    openMax = Math.max(openMax, ++open);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        open -= 1;
        reject(new Error("aborted"));
      });
    });
  };
  await world.started();
  await world.clock.advance(SEND_MS_MAX - 1);
  assert.deepEqual(world.lines, []);
  await world.clock.advance(5 * EVERY_MS);
  assert.equal(openMax, 1);
  assert.ok(world.sent.length > 3);
  assert.deepEqual(world.lines, [
    'warn The heartbeat failed; trying again {"error":"no response within 10 s"}',
  ]);
});

test("heartbeat says once that it is refused, and once that it is answered again", async () => {
  const world = new World();
  world.answer = () => Promise.reject(new Error("status 503"));
  await world.started();
  await world.clock.advance(EVERY_MS / 4);
  assert.deepEqual(world.sent, [0, EVERY_MS / 4]);
  world.answer = () => Promise.resolve();
  await world.clock.advance(EVERY_MS);
  assert.deepEqual(world.lines, [
    'warn The heartbeat failed; trying again {"error":"status 503"}',
    "info The heartbeat succeeds again {}",
  ]);
});

test("adopt() continues with other settings, and keeps the pace with the same", async () => {
  const world = await new World().started();
  await world.clock.advance(1_000);
  world.heartbeat.adopt({ ...SETTINGS });
  await world.clock.settle();
  assert.deepEqual(world.sent, [0]);
  world.heartbeat.adopt({ ...SETTINGS, everyMs: 10_000 });
  await world.clock.advance(10_000);
  assert.deepEqual(world.sent, [0, 1_000, 11_000]);
  world.heartbeat.adopt(null);
  await world.clock.advance(10 * EVERY_MS);
  assert.equal(world.sent.length, 3);
});

test("stop() ends a request and says why nothing follows", async () => {
  const world = new World();
  let isAborted = false;
  world.answer = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        isAborted = true;
        reject(new Error("aborted"));
      });
    });
  await world.started();
  world.heartbeat.stop("the daemon is stopping");
  await world.clock.advance(10 * EVERY_MS);
  assert.equal(isAborted, true);
  assert.equal(world.sent.length, 1);
  assert.deepEqual(world.lines, [
    'info The heartbeat stops {"reason":"the daemon is stopping"}',
  ]);
});
