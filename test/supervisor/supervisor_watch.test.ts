import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/platform/logger.ts";
import type { LifeOfProcess } from "../../src/platform/process/process_identity.ts";
import type { SupervisedCommand } from "../../src/supervisor/supervised_command.ts";
import { SupervisorWatch } from "../../src/supervisor/supervisor_watch.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

/** A supervisor with the commands 1 and 2, as its daemon watches it. */
function world() {
  const clock = new SimClock();
  const state: { life: LifeOfProcess; asked: number } = { life: "runs", asked: 0 };
  const log: string[] = [];
  const signals: string[] = [];
  const commandOf = (number: number) => ({ number, hasStarted: true }) as SupervisedCommand;
  const commands = new Map([1, 2].map((number) => [number, commandOf(number)]));
  const watch = new SupervisorWatch({
    ...{ clock, commands, peer: { pid: 4_711 } as never },
    logger: createLogger({
      ...{ clock, level: "info", format: "text" },
      write: (line) => log.push(line),
    }),
    system: {
      lifeOf: () => state.life,
      signalGroup: (_pid: number, signal: string) => signals.push(signal),
    } as never,
    ask: () => {
      state.asked += 1;
      return true;
    },
  });
  watch.begin();
  return { clock, state, log, signals, commands, watch };
}

test("a supervisor that a signal has stopped is continued, and the log says so", async () => {
  const { clock, state, log, signals } = world();
  await clock.advance(2_000);
  assert.deepEqual([signals, log], [["SIGCONT"], []]);
  state.life = "stopped";
  await clock.advance(2_000);
  assert.deepEqual(signals, ["SIGCONT", "SIGCONT"]);
  assert.match(log.join(), /WARN.*was stopped by a signal: continuing it.*commands=2/);
});

test("a supervisor that does not respond for 10 s is reported once, until it does", async () => {
  const { clock, state, log, watch } = world();
  await clock.advance(11_000);
  assert.deepEqual([watch.isSilent, state.asked, log], [false, 1, []]);
  await clock.advance(60_000);
  assert.deepEqual([watch.isSilent, state.asked, log.length], [true, 1, 1]);
  assert.match(log[0]!, /WARN.*does not respond.*pid=4711/);
  watch.answered([1, 2]);
  assert.equal(watch.isSilent, false);
  assert.match(log[1]!, /responds again/);
});

test("missing() names a command that its supervisor does not know, or has not", async () => {
  const { clock, state, commands, watch } = world();
  const [first, second] = [...commands.values()] as [SupervisedCommand, SupervisedCommand];
  await clock.advance(2_000);
  watch.answered([1]);
  assert.equal(watch.missing(first), null);
  assert.match(watch.missing(second)!, /does not know it/);
  await clock.advance(2_000);
  watch.answered([1, 2]);
  assert.equal(watch.missing(second), null);
  commands.delete(2);
  assert.match(watch.missing(second)!, /does not have it/);
  state.life = "gone";
  await clock.advance(2_000);
  assert.match(watch.missing(first)!, /process 4711, is gone/);
});

test("a command that was given after the question need not be in the answer", async () => {
  const { clock, commands, watch } = world();
  await clock.advance(2_000);
  const third = { number: 3, hasStarted: true } as SupervisedCommand;
  commands.set(3, third);
  watch.answered([1, 2]);
  assert.equal(watch.missing(third), null);
});
