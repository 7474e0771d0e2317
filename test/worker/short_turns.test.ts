import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobDefinition } from "../../src/core/job/job.ts";
import { ShortTurns, type Turn } from "../../src/worker/batching/short_turns.ts";
import { type FollowingRun, giveBack } from "../../src/worker/process/worker_run.ts";
import { makeJob } from "../support/attempts.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const AT_ONCE = 2;

interface NumberedTurn extends Turn {
  readonly number: number;
}

/** Turns of one job that is known to take `tookMs`, and the numbers of those that began, each as "first+followers". */
function world(
  tookMs: number,
  options: { readonly canFollow?: boolean; readonly capacity?: number; readonly taken?: number } =
    {},
) {
  const clock = new SimClock();
  const began: string[] = [];
  const givenUp: number[] = [];
  let room = Infinity;
  let running = 0;
  const starting = { is: false };
  const turns: ShortTurns<NumberedTurn> = new ShortTurns<NumberedTurn>(clock, {
    atOnce: AT_ONCE,
    capacity: () => room - running,
    begin(turn, others) {
      running += 1;
      const taken = Math.min(options.taken ?? Infinity, others.length);
      began.push([turn, ...others.slice(0, taken)].map(({ number }) => number).join("+"));
      return taken;
    },
  });
  const job = makeJob("a", { type: "module", path: "/a.ts", entry: "a", version: "1" });
  /** What each turn brings back when it is isolated. */
  const behind = new Map<NumberedTurn, NumberedTurn[]>();
  const enterOne = (number: number, ofJob: JobDefinition): NumberedTurn => {
    const turn: NumberedTurn = {
      ...{ number, job: ofJob, canFollow: options.canFollow ?? false },
      get isStarting() {
        return starting.is;
      },
      takeBack: () =>
        behind.get(turn)?.splice(0).toReversed().forEach((other) => turns.back(other)),
      giveUp() {
        givenUp.push(number);
        turns.leave(turn, { tookMs: null, isSilent: false });
      },
    };
    turns.enter(turn);
    return turn;
  };
  const leave = (turn: NumberedTurn, ms: number | null) => {
    running -= 1;
    turns.leave(turn, { tookMs: ms, isSilent: true });
  };
  const other = { ...job, kind: "b" };
  for (const each of [job, other]) {
    for (let count = 0; count < 20; count++) leave(enterOne(0, each), tookMs);
  }
  const enter = (number: number) => enterOne(number, job);
  const enterOther = (number: number) => enterOne(number, other);
  began.length = 0;
  const limit = (most: number) => {
    room = most;
  };
  return { clock, turns, enterOther, began, givenUp, behind, starting, enter, leave, limit };
}

test("ShortTurns lets a short job begin a few times at once, then as others end", () => {
  const { leave, began, enter } = world(0.01);
  const [first] = [1, 2, 3, 4].map(enter);
  assert.deepEqual(began, ["1", "2"]);
  leave(first!, 0.01);
  assert.deepEqual(began, ["1", "2", "3"]);
});

test("ShortTurns lets a job begin at once that takes longer", () => {
  const { began, enter } = world(0.31);
  for (const number of [1, 2, 3]) enter(number);
  assert.deepEqual(began, ["1", "2", "3"]);
});

test("ShortTurns keeps to turns when a short job is slow once, and not when it has become slow", () => {
  const { leave, began, enter } = world(0.01);
  leave(enter(0), 5_000);
  began.length = 0;
  const held = [1, 2, 3].map(enter);
  assert.deepEqual(began, ["1", "2"]);
  for (const turn of held) leave(turn, 0.4);
  for (let count = 0; count < 100; count++) leave(enter(0), 0.4);
  began.length = 0;
  for (const number of [4, 5, 6]) enter(number);
  assert.deepEqual(began, ["4", "5", "6"]);
});

test("ShortTurns lets the next begin 2 ms after those before it were still running", async () => {
  const { clock, began, enter } = world(0.01);
  for (const number of [1, 2, 3, 4, 5]) enter(number);
  await clock.advance(1.9);
  assert.deepEqual(began, ["1", "2"]);
  await clock.advance(0.1);
  assert.deepEqual(began, ["1", "2", "3", "4"]);
  await clock.advance(2);
  assert.deepEqual(began, ["1", "2", "3", "4", "5"]);
});

test("ShortTurns waits a quarter of a second for workers that start", async () => {
  const { clock, began, enter, starting } = world(0.01);
  starting.is = true;
  for (const number of [1, 2, 3, 4]) enter(number);
  await clock.advance(249);
  assert.deepEqual(began, ["1", "2"]);
  await clock.advance(2);
  assert.deepEqual(began, ["1", "2", "3", "4"]);
});

test("ShortTurns counts one that has run for 10 ms no longer, whatever ends beside it", async () => {
  const { clock, leave, began, enter } = world(0.01);
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(enter);
  for (let step = 1; step <= 5; step++) {
    leave(all[step]!, 0.01);
    await clock.advance(2);
  }
  assert.deepEqual(began, ["1", "2", "3", "4", "5", "6", "7", "8"]);
});

test("ShortTurns forgets one that leaves before it began", () => {
  const { leave, began, enter } = world(0.01);
  const [first, , third] = [1, 2, 3, 4].map(enter);
  leave(third!, null);
  leave(first!, 0.01);
  assert.deepEqual(began, ["1", "2", "4"]);
});

test("ShortTurns gives what waits to a worker at once, in equal parts", async () => {
  const { clock, began, enter, leave, turns } = world(0.01, { canFollow: true });
  await clock.advance(0);
  const all = [1, 2, 3, 4].map(enter);
  assert.deepEqual(began, ["1"], "the first waits for nothing");
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3+4"]);
  assert.equal(turns.waiting, 2);
  [5, 6, 7].map(enter);
  for (const turn of all) leave(turn, 0.01);
  assert.deepEqual(began, ["1", "2+3+4"], "what ended may bring more in this turn");
  enter(8);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3+4", "5+6", "7+8"]);
});

test("ShortTurns lets begin alone what printed lately", async () => {
  const { clock, began, enter, turns } = world(0.01, { canFollow: true });
  await clock.advance(0);
  turns.leave(enter(0), { tookMs: 0.01, isSilent: false });
  began.length = 0;
  [1, 2, 3].map(enter);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2"]);
});

test("ShortTurns keeps what a worker does not take waiting for the next", async () => {
  const { clock, began, enter, leave } = world(0.01, { canFollow: true, taken: 1 });
  await clock.advance(0);
  const all = [1, 2, 3, 4, 5].map(enter);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3"]);
  leave(all[0]!, 0.01);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3", "4+5"]);
});

test("ShortTurns takes back what stands behind a turn that is late", async () => {
  const { clock, began, enter, behind } = world(0.01, { canFollow: true });
  await clock.advance(0);
  const [, second, third, fourth] = [1, 2, 3, 4].map(enter);
  behind.set(second!, [third!, fourth!]);
  await clock.advance(0);
  await clock.advance(1.9);
  assert.deepEqual(began, ["1", "2+3+4"]);
  await clock.advance(0.2);
  assert.deepEqual(began, ["1", "2+3+4", "3", "4"]);
});

test("ShortTurns begins no more than there is room for, and gives up what waits for long", async () => {
  const { clock, began, enter, leave, limit, givenUp } = world(0.01);
  limit(1);
  const first = enter(1);
  [2, 3].map(enter);
  await clock.advance(24);
  assert.deepEqual([began, givenUp], [["1"], []]);
  leave(first, 0.01);
  assert.deepEqual(began, ["1", "2"]);
  await clock.advance(4);
  assert.deepEqual([began, givenUp], [["1", "2"], [3]]);
});

test("ShortTurns lets no job wait for what a worker does not take of another one", async () => {
  const { clock, began, enter, leave, enterOther, limit } = world(0.01, {
    canFollow: true,
    taken: 1,
  });
  await clock.advance(0);
  limit(1);
  let last = [1, 2, 3, 4].map((number) => enter(number));
  enterOther(5);
  for (let number = 6; !began.includes("5") && number < 60; number += 2) {
    await clock.advance(0);
    const ended = began.at(-1)!.split("+").map(Number);
    for (const turn of last.filter((each) => ended.includes(each.number))) leave(turn, 0.01);
    last = [...last, enter(number), enter(number + 1)];
  }
  assert.ok(began.includes("5"), began.join(" "));
});

test("ShortTurns gives out no more at once than end before others take their turn", async () => {
  const { clock, began, enter } = world(0.25, { canFollow: true });
  await clock.advance(0);
  Array.from({ length: 40 }, (_, number) => enter(number));
  await clock.advance(0);
  const sizes = began.map((group) => group.split("+").length);
  assert.ok(sizes[1]! > 4 && sizes[1]! <= 8, String(sizes));
});

test("ShortTurns gives up nothing while workers start", async () => {
  const { clock, enter, limit, starting, givenUp } = world(0.01);
  starting.is = true;
  limit(1);
  for (const number of [1, 2]) enter(number);
  await clock.advance(200);
  assert.deepEqual(givenUp, []);
  await clock.advance(60);
  assert.deepEqual(givenUp, [2]);
});

test("giveBack() returns runs so that the first comes back last, and stands before the others", () => {
  const order: number[] = [];
  const runs = [1, 2, 3].map((number) => ({ returned: () => void order.push(number) }));
  giveBack(runs as unknown as readonly FollowingRun[]);
  assert.deepEqual(order, [3, 2, 1]);
});
