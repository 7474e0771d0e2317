import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobDefinition } from "../../src/core/job/job.ts";
import { type GatedAttempt, ShortJobGate } from "../../src/worker/batching/short_job_gate.ts";
import { type FollowingRun, giveBack } from "../../src/worker/process/run_host.ts";
import { makeJob } from "../support/attempts.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const GROUPS_MAX = 2;

interface NumberedAttempt extends GatedAttempt {
  readonly number: number;
}

/**
 * Attempts of a job that is known to take `tookMs`, and the groups that began, as "first+others".
 */
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
  const gate: ShortJobGate<NumberedAttempt> = new ShortJobGate<NumberedAttempt>(clock, {
    groupsMax: GROUPS_MAX,
    capacity: () => room - running,
    begin(attempt, others) {
      running += 1;
      const taken = Math.min(options.taken ?? Infinity, others.length);
      began.push([attempt, ...others.slice(0, taken)].map(({ number }) => number).join("+"));
      return taken;
    },
  });
  const job = makeJob("a", { type: "module", path: "/a.ts", entry: "a", version: "1" });
  /** The attempts that each one gives back when what is queued behind it is taken back. */
  const behind = new Map<NumberedAttempt, NumberedAttempt[]>();
  const enterOne = (number: number, ofJob: JobDefinition): NumberedAttempt => {
    const attempt: NumberedAttempt = {
      ...{ number, job: ofJob, canFollow: options.canFollow ?? false },
      get isStarting() {
        return starting.is;
      },
      takeBack: () =>
        behind.get(attempt)?.splice(0).toReversed().forEach((other) => gate.readmit(other)),
      giveUp() {
        givenUp.push(number);
        gate.leave(attempt, { tookMs: null, isSilent: false });
      },
    };
    gate.enter(attempt);
    return attempt;
  };
  const leave = (attempt: NumberedAttempt, ms: number | null) => {
    running -= 1;
    gate.leave(attempt, { tookMs: ms, isSilent: true });
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
  return { clock, gate, enterOther, began, givenUp, behind, starting, enter, leave, limit };
}

test("ShortJobGate admits a few attempts of a short job at once, then one as each ends", () => {
  const { leave, began, enter } = world(0.01);
  const [first] = [1, 2, 3, 4].map(enter);
  assert.deepEqual(began, ["1", "2"]);
  leave(first!, 0.01);
  assert.deepEqual(began, ["1", "2", "3"]);
});

test("ShortJobGate admits all attempts of a longer job at once", () => {
  const { began, enter } = world(0.31);
  for (const number of [1, 2, 3]) enter(number);
  assert.deepEqual(began, ["1", "2", "3"]);
});

test("ShortJobGate still holds a short job that was slow once, and not one that has become slow", () => {
  const { leave, began, enter } = world(0.01);
  leave(enter(0), 5_000);
  began.length = 0;
  const held = [1, 2, 3].map(enter);
  assert.deepEqual(began, ["1", "2"]);
  for (const attempt of held) leave(attempt, 0.4);
  for (let count = 0; count < 100; count++) leave(enter(0), 0.4);
  began.length = 0;
  for (const number of [4, 5, 6]) enter(number);
  assert.deepEqual(began, ["4", "5", "6"]);
});

test("ShortJobGate admits the next when those before it have run for 2 ms", async () => {
  const { clock, began, enter } = world(0.01);
  for (const number of [1, 2, 3, 4, 5]) enter(number);
  await clock.advance(1.9);
  assert.deepEqual(began, ["1", "2"]);
  await clock.advance(0.1);
  assert.deepEqual(began, ["1", "2", "3", "4"]);
  await clock.advance(2);
  assert.deepEqual(began, ["1", "2", "3", "4", "5"]);
});

test("ShortJobGate waits a quarter of a second for workers that start", async () => {
  const { clock, began, enter, starting } = world(0.01);
  starting.is = true;
  for (const number of [1, 2, 3, 4]) enter(number);
  await clock.advance(249);
  assert.deepEqual(began, ["1", "2"]);
  await clock.advance(2);
  assert.deepEqual(began, ["1", "2", "3", "4"]);
});

test("ShortJobGate frees the place of an attempt after 10 ms, whatever ends meanwhile", async () => {
  const { clock, leave, began, enter } = world(0.01);
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(enter);
  for (let step = 1; step <= 5; step++) {
    leave(all[step]!, 0.01);
    await clock.advance(2);
  }
  assert.deepEqual(began, ["1", "2", "3", "4", "5", "6", "7", "8"]);
});

test("ShortJobGate forgets an attempt that leaves before it began", () => {
  const { leave, began, enter } = world(0.01);
  const [first, , third] = [1, 2, 3, 4].map(enter);
  leave(third!, null);
  leave(first!, 0.01);
  assert.deepEqual(began, ["1", "2", "4"]);
});

test("ShortJobGate gives waiting attempts to workers in equal groups", async () => {
  const { clock, began, enter, leave, gate } = world(0.01, { canFollow: true });
  await clock.advance(0);
  const all = [1, 2, 3, 4].map(enter);
  assert.deepEqual(began, ["1"], "the first does not wait");
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3+4"]);
  assert.equal(gate.waiting, 2);
  [5, 6, 7].map(enter);
  for (const attempt of all) leave(attempt, 0.01);
  assert.deepEqual(
    began,
    ["1", "2+3+4"],
    "what ended may bring more in this turn of the event loop",
  );
  enter(8);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3+4", "5+6", "7+8"]);
});

test("ShortJobGate groups no attempts of a job that printed lately", async () => {
  const { clock, began, enter, gate } = world(0.01, { canFollow: true });
  await clock.advance(0);
  gate.leave(enter(0), { tookMs: 0.01, isSilent: false });
  began.length = 0;
  [1, 2, 3].map(enter);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2"]);
});

test("ShortJobGate keeps attempts that a worker does not take for the next one", async () => {
  const { clock, began, enter, leave } = world(0.01, { canFollow: true, taken: 1 });
  await clock.advance(0);
  const all = [1, 2, 3, 4, 5].map(enter);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3"]);
  leave(all[0]!, 0.01);
  await clock.advance(0);
  assert.deepEqual(began, ["1", "2+3", "4+5"]);
});

test("ShortJobGate takes back what is queued behind an attempt that is late", async () => {
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

test("ShortJobGate admits no more than the capacity, and gives up attempts that wait too long", async () => {
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

test("ShortJobGate gives up later attempts with the first, which must not begin after them", async () => {
  const { clock, began, enter, limit, givenUp } = world(0.01);
  limit(1);
  [1, 2].map(enter);
  await clock.advance(20);
  [3, 4].map(enter);
  await clock.advance(6);
  assert.deepEqual([began, givenUp], [["1"], [2, 3, 4]]);
});

test("withdraw() gives up what waits at the gate or behind an attempt in its worker", async () => {
  const { clock, began, enter, enterOther, behind, givenUp, gate, limit } = world(0.01, {
    canFollow: true,
  });
  await clock.advance(0);
  const [, second, third, fourth] = [1, 2, 3, 4].map(enter);
  behind.set(second!, [third!, fourth!]);
  await clock.advance(0);
  enterOther(5);
  assert.deepEqual(began, ["1", "2+3+4"]);
  limit(0);
  gate.withdraw();
  assert.deepEqual(givenUp.toSorted(), [3, 4, 5]);
  await clock.advance(100);
  assert.deepEqual([began, gate.waiting], [["1", "2+3+4"], 0]);
});

test("ShortJobGate lets no job wait because a worker does not take all of another one", async () => {
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
    for (const attempt of last.filter((each) => ended.includes(each.number))) leave(attempt, 0.01);
    last = [...last, enter(number), enter(number + 1)];
  }
  assert.ok(began.includes("5"), began.join(" "));
});

test("ShortJobGate admits no more at once than can end while a group keeps its place", async () => {
  const { clock, began, enter } = world(0.25, { canFollow: true });
  await clock.advance(0);
  Array.from({ length: 40 }, (_, number) => enter(number));
  await clock.advance(0);
  const sizes = began.map((group) => group.split("+").length);
  assert.ok(sizes[1]! > 4 && sizes[1]! <= 8, String(sizes));
});

test("ShortJobGate gives up nothing while workers start", async () => {
  const { clock, enter, limit, starting, givenUp } = world(0.01);
  starting.is = true;
  limit(1);
  for (const number of [1, 2]) enter(number);
  await clock.advance(200);
  assert.deepEqual(givenUp, []);
  await clock.advance(60);
  assert.deepEqual(givenUp, [2]);
});

test("giveBack() returns the first run last, so that it waits before the others", () => {
  const order: number[] = [];
  const runs = [1, 2, 3].map((number) => ({ returned: () => void order.push(number) }));
  giveBack(runs as unknown as readonly FollowingRun[]);
  assert.deepEqual(order, [3, 2, 1]);
});
