import assert from "node:assert/strict";
import { test } from "node:test";
import { Drain } from "../../../src/manager/dispatch/drain.ts";
import type { RunningAttempt } from "../../../src/manager/dispatch/running_attempt.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import type { DrainRequest } from "../../../src/manager/api/daemon.ts";

interface Attempt {
  readonly id: string;
  readonly type: "command" | "module";
  canLeave: boolean;
}

/** Attempts that end when they are aborted, or when a test ends them. */
class DrainWorld {
  readonly clock = new SimClock();
  readonly attempts: Attempt[] = [];
  readonly aborted: string[] = [];
  readonly drain: Drain;
  #wake: (() => void)[] = [];

  constructor(request: DrainRequest) {
    this.drain = new Drain(request, {
      clock: this.clock,
      running: () => this.attempts.map((attempt) => this.#running(attempt)),
      abort: (claims) => {
        for (const { id } of claims) {
          if (!this.attempts.some((attempt) => attempt.id === id)) continue;
          this.aborted.push(id);
          this.end(id);
        }
      },
      quiet: async () => {
        while (!this.#isQuiet) await new Promise<void>((resolve) => this.#wake.push(resolve));
      },
      leave: async () => this.attempts.splice(0).length,
    });
  }

  add(id: string, type: Attempt["type"], canLeave = true): Attempt {
    const attempt = { id, type, canLeave };
    this.attempts.push(attempt);
    return attempt;
  }

  end(id: string): void {
    this.attempts.splice(this.attempts.findIndex((attempt) => attempt.id === id), 1);
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** What has come of a drain so far: how many it left; null while it waits. */
  async after(ms: number, run: Promise<number>): Promise<number | null> {
    let left: number | null = null;
    void run.then((count) => left = count);
    await this.clock.advance(ms);
    return left;
  }

  get #isQuiet(): boolean {
    return this.attempts.every(({ type }) => type === "command" && this.drain.keepsCommands);
  }

  #running({ id, type, canLeave }: Attempt): RunningAttempt {
    const options = { drainMs: null, killAfterMs: 0 };
    const job = { source: { type }, options };
    return { instance: { id, fence: 1 }, job, attempt: { canLeave } } as unknown as RunningAttempt;
  }
}

test("run() leaves commands only once modules have ended, however long that takes", async () => {
  const world = new DrainWorld({ drainMs: 60_000, keepsCommands: true });
  world.add("command", "command");
  world.add("module", "module");
  const run = world.drain.run();
  assert.equal(await world.after(59_999, run), null);
  assert.equal(await world.after(1, run), 1);
  assert.deepEqual(world.aborted, ["module"]);
});

test("run() waits until a command can be left, and gives one that cannot the time of a drain", async () => {
  const world = new DrainWorld({ drainMs: 1_000, keepsCommands: true });
  const starting = world.add("starting", "command", false);
  world.add("other", "command");
  const run = world.drain.run();
  assert.equal(await world.after(500, run), null);
  starting.canLeave = true;
  assert.equal(await world.after(20, run), 2);
  assert.deepEqual(world.aborted, []);

  const bound = new DrainWorld({ drainMs: 1_000, keepsCommands: true });
  bound.add("bound", "command", false);
  bound.add("other", "command");
  const second = bound.drain.run();
  assert.equal(await bound.after(999, second), null);
  assert.equal(await bound.after(21, second), 1);
  assert.deepEqual(bound.aborted, ["bound"]);
});

test("endCommands() makes a drain of all of one that was to leave commands", async () => {
  const world = new DrainWorld({ drainMs: 1_000, keepsCommands: true });
  world.add("command", "command");
  world.add("module", "module");
  const run = world.drain.run();
  await world.after(900, run);
  world.drain.endCommands();
  assert.equal(await world.after(100, run), null);
  assert.deepEqual(world.aborted, ["module"]);
  assert.equal(await world.after(900, run), 0);
  assert.deepEqual(world.aborted, ["module", "command"]);
});

test("run() drains commands as all others unless they are to be left", async () => {
  const world = new DrainWorld({ drainMs: 1_000 });
  world.add("command", "command");
  const run = world.drain.run();
  assert.equal(await world.after(999, run), null);
  assert.equal(await world.after(1, run), 0);
  assert.deepEqual(world.aborted, ["command"]);
});
