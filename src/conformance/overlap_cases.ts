import assert from "node:assert/strict";
import { QUEUE_MAX, type ScheduleRecord } from "../core/time/schedule.ts";
import type { Instance } from "../core/instance.ts";
import {
  idsOf,
  LEASE_MS,
  MINUTE,
  refuses,
  retry,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

function minutes(...numbers: readonly number[]): readonly number[] {
  return numbers.map((minute) => START + minute * MINUTE);
}

async function namesOf(world: StoreWorld): Promise<readonly string[]> {
  return (await world.fates()).map(({ fate, reason }) => reason ? `${fate}:${reason}` : fate);
}

/** A schedule of every minute, with members of `spec`. */
async function putSpec(
  world: StoreWorld,
  spec: Partial<ScheduleRecord["spec"]>,
  given: Partial<ScheduleRecord> = {},
): Promise<void> {
  const record = world.newSchedule();
  await world.putSchedule({ ...given, spec: { ...record.spec, ...spec } });
}

/** Fire `count` ticks from START on in one step, under an overlap. */
async function queueUp(
  world: StoreWorld,
  count: number,
  overlap: "queue" | "replace",
): Promise<readonly Instance[]> {
  await world.putSchedule();
  world.advance(count * MINUTE);
  const ticks = Array.from({ length: count }, (_, index) => START + (index + 1) * MINUTE);
  return (await world.fire(START, ticks, { overlap })).accepted;
}

async function backfill(
  world: StoreWorld,
  ticks: readonly number[],
  overlap: "skip" | "allow" = "skip",
) {
  const fires = ticks.map((scheduledFor) =>
    world.newInstance({ scheduleId: SCHEDULE, scheduledFor })
  );
  const request = { scheduleId: SCHEDULE, fires, overlap };
  return (await world.store.backfill({ at: world.at, backfill: request })).value;
}

/** Cases of ticks that overlap unfinished ones. */
export const overlapCases: StoreCases = {
  "advance() under overlap queue holds a tick until those before it are final": async (world) => {
    const accepted = await queueUp(world, 3, "queue");
    assert.deepEqual(accepted.map(({ reason }) => reason), [null, "queued", "queued"]);
    assert.deepEqual(await world.store.get(accepted[1]!.id), accepted[1]);
    for (const { id } of accepted) {
      const claimed = await world.claim(10);
      assert.deepEqual(claimed.map((instance) => instance.id), [id]);
      assert.deepEqual(await world.claim(10), []);
      assert.equal(claimed[0]!.reason, null);
      await world.settle(claimed[0]!);
    }
    assert.deepEqual(await world.claim(10), []);
    assert.deepEqual(await namesOf(world), ["fired", "fired", "fired"]);
  },

  "advance() holds ticks that are made up for under overlap skip, more than a queue takes": async (
    world,
  ) => {
    await world.putSchedule();
    const count = QUEUE_MAX + 3;
    world.advance(count * MINUTE);
    const ticks = Array.from({ length: count }, (_, index) => START + (index + 1) * MINUTE);
    const { accepted } = await world.fire(START, ticks, { overlap: "skip", isCatchUp: true });
    assert.deepEqual(accepted.map(({ reason }) => reason), [
      null,
      ...Array.from({ length: count - 1 }, () => "queued"),
    ]);
    for (const { id } of accepted) {
      const claimed = await world.claim(10);
      assert.deepEqual(claimed.map((instance) => instance.id), [id]);
      await world.settle(claimed[0]!);
    }
  },

  "advance() under overlap queue counts a retry that waits as unfinished": async (world) => {
    const [first, second] = await queueUp(world, 2, "queue");
    const [running] = await world.claim();
    await world.settle(running!, { outcome: retry(world.wallMs + MINUTE) });
    assert.deepEqual(await world.claim(10), []);
    world.advance(MINUTE);
    const [again] = await world.claim(10);
    assert.equal(again!.id, first!.id);
    await world.settle(again!);
    assert.equal((await world.claim(10))[0]!.id, second!.id);
  },

  "advance() under overlap queue skips what is over the cap": async (world) => {
    const accepted = await queueUp(world, QUEUE_MAX + 3, "queue");
    assert.equal(accepted.length, QUEUE_MAX + 1);
    assert.deepEqual((await namesOf(world)).slice(-2), ["skipped:overlap", "skipped:overlap"]);
    assert.deepEqual((await world.store.stats()).kinds.get("mail")!.scheduled, QUEUE_MAX + 1);
  },

  "advance() under overlap queue takes the cap of the spec": async (world) => {
    await putSpec(world, { queueMax: 1 });
    await world.fire(START, minutes(1, 2, 3), { overlap: "queue" });
    assert.deepEqual(await namesOf(world), ["fired", "fired", "skipped:overlap"]);
  },

  "cancel() of what a queue waits for lets the next one go": async (world) => {
    const accepted = await queueUp(world, 3, "queue");
    await world.cancel(accepted[0]!.id);
    const [claimed] = await world.claim(10);
    assert.equal(claimed!.id, accepted[1]!.id);
    await world.cancel(accepted[2]!.id);
    await world.settle(claimed!);
    assert.deepEqual(await world.claim(10), []);
  },

  "cancel() of a whole queue leaves nothing to claim": async (world) => {
    await queueUp(world, 4, "queue");
    const query = { kinds: ["mail"] };
    const { value } = await world.store.cancel({ at: world.at, query, limit: 10 });
    assert.equal(value.length, 4);
    assert.deepEqual(await world.claim(10), []);
    const next = await world.store.nextDue({ at: world.at, kinds: new Set(["mail"]) });
    assert.equal(next.instanceAt, null);
    assert.equal((await world.store.stats()).kinds.get("mail")!.canceled, 4);
  },

  "reap() of what a queue waits for lets the next one go": async (world) => {
    await world.putSchedule();
    const fires = minutes(1, 2).map((scheduledFor) =>
      world.newInstance({ scheduleId: SCHEDULE, scheduledFor, crashesMax: 0 })
    );
    await world.fire(START, minutes(2), { overlap: "queue", fires });
    await world.claim();
    world.advance(LEASE_MS + 1);
    assert.equal((await world.reap())[0]!.state, "terminated");
    assert.equal((await world.claim(10))[0]!.id, fires[1]!.id);
  },

  "advance() under overlap replace cancels what waits in the same step": async (world) => {
    const accepted = await queueUp(world, 3, "replace");
    const states = await Promise.all(accepted.map(({ id }) => world.store.get(id)));
    assert.deepEqual(states.map((one) => [one!.state, one!.reason]), [
      ["canceled", "replaced"],
      ["canceled", "replaced"],
      ["scheduled", null],
    ]);
    assert.equal((await world.claim(10))[0]!.id, accepted[2]!.id);
  },

  "advance() under overlap replace marks what runs, and starts when that has ended": async (
    world,
  ) => {
    await queueUp(world, 1, "replace");
    const [running] = await world.claim();
    const log = world.hints();
    const result = await world.fire(START + MINUTE, minutes(2), { overlap: "replace" });
    assert.deepEqual(result.replaced.map(({ id, state }) => [id, state]), [
      [running!.id, "processing"],
    ]);
    const { id, fence } = running!;
    assert.deepEqual(await log.first(1, "cancel"), [
      { type: "cancel", claims: [{ id, fence }] },
    ]);
    world.advance(MINUTE);
    assert.deepEqual(await world.claim(10), []);
    const { instance } = await world.settle(running!);
    assert.deepEqual([instance!.state, instance!.reason], ["canceled", "replaced"]);
    assert.equal((await world.claim(10))[0]!.id, result.accepted[0]!.id);
  },

  "advance() under overlap replace replaces the one that waits for a third": async (world) => {
    await queueUp(world, 1, "replace");
    const [running] = await world.claim();
    const second = await world.fire(START + MINUTE, minutes(2), { overlap: "replace" });
    const third = await world.fire(START + 2 * MINUTE, minutes(3), { overlap: "replace" });
    assert.deepEqual(third.replaced.map(({ id }) => id), [second.accepted[0]!.id]);
    await world.settle(running!);
    world.advance(3 * MINUTE);
    assert.deepEqual(idsOf(await world.claim(10)), [third.accepted[0]!.id]);
  },

  "advance() skips the ticks of a paused kind": async (world) => {
    await world.putSchedule();
    const pause = { kind: "mail", until: null, reason: "" };
    await world.store.setPause({ at: world.at, ...pause });
    await world.fire(START, minutes(1));
    await world.resume("mail");
    await world.fire(START + MINUTE, minutes(2));
    assert.deepEqual(await namesOf(world), ["skipped:paused", "fired"]);
  },

  "advance() skips the ticks of a blackout": async (world) => {
    await putSpec(world, { blackout: ["2026-01-01T00:00/2026-01-01T00:02"] });
    await world.fire(START, minutes(1, 2), { overlap: "allow" });
    assert.deepEqual(await namesOf(world), ["skipped:blackout", "fired"]);
  },

  "advance() finishes a schedule after its last run": async (world) => {
    await putSpec(world, { runsMax: 2 });
    await world.fire(START, minutes(1, 2, 3), { overlap: "allow" });
    assert.deepEqual(await namesOf(world), ["fired", "fired", "skipped:runs_max"]);
    const record = (await world.store.getSchedule(SCHEDULE))!;
    assert.deepEqual([record.nextAt, record.runs, record.lastRunAt], [
      null,
      2,
      START + 2 * MINUTE,
    ]);
  },

  "advance() skips as many ticks as somebody asked": async (world) => {
    await world.putSchedule({ skipNext: 2 });
    await world.fire(START, minutes(1, 2, 3), { overlap: "allow" });
    assert.deepEqual(await namesOf(world), [
      "skipped:skip requested",
      "skipped:skip requested",
      "fired",
    ]);
    assert.equal((await world.store.getSchedule(SCHEDULE))!.skipNext, 0);
  },

  "advance() skips the ticks before a time that somebody asked for": async (world) => {
    await world.putSchedule({ skipUntil: START + 2 * MINUTE });
    await world.fire(START, minutes(1, 2), { overlap: "allow" });
    assert.deepEqual(await namesOf(world), ["skipped:skip requested", "fired"]);
  },

  "putSchedule() compares the cursor when it is given": async (world) => {
    const record = await world.putSchedule();
    await world.fire(START, minutes(1));
    const put = (expectedCursor: number) =>
      world.store.putSchedule({
        at: world.at,
        record: { ...record, generation: 2 },
        expectedGeneration: 1,
        expectedCursor,
      });
    await refuses(put(START), "conflict");
    assert.equal((await put(START + MINUTE)).value.generation, 2);
  },

  "backfill() runs past ticks once each, in their order, and leaves the cursor": async (world) => {
    await world.putSchedule();
    const accepted = await backfill(world, minutes(-3, -2, -1));
    assert.equal(accepted.length, 3);
    assert.deepEqual(await backfill(world, minutes(-2, -1)), []);
    for (const { id } of accepted) {
      const claimed = await world.claim(10);
      assert.deepEqual(claimed.map((instance) => instance.id), [id]);
      await world.settle(claimed[0]!);
    }
    assert.equal((await world.store.getSchedule(SCHEDULE))!.cursor, START);
    assert.deepEqual(await namesOf(world), Array(3).fill("fired:backfill"));
  },

  "backfill() starts all at once when the overlap is allowed": async (world) => {
    await world.putSchedule();
    await backfill(world, minutes(-2, -1), "allow");
    assert.equal((await world.claim(10)).length, 2);
  },

  "backfill() cuts its ticks out of a range that was missed": async (world) => {
    await world.putSchedule();
    const [from, to] = [START + MINUTE, START + 9 * MINUTE];
    const range = { from, to, count: 9, fate: "missed", reason: "misfire", instanceId: null };
    await world.fire(START, [], { cursor: to, fates: [{ ...range, fate: "missed" }] });
    await backfill(world, minutes(1, 4, 9));
    assert.deepEqual(await world.fateTexts(), [
      "1-1 fired 1",
      "2-3 missed 2",
      "4-4 fired 1",
      "5-8 missed 4",
      "9-9 fired 1",
    ]);
  },

  "backfill() refuses an unknown schedule": async (world) => {
    await refuses(backfill(world, minutes(-1)), "not_found");
  },
};
