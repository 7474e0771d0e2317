import assert from "node:assert/strict";
import type { ClaimLimits, JobLimits } from "../core/job/limits.ts";
import {
  idsOf,
  LEASE_MS,
  MINUTE,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./store_world.ts";

function ofMail(limits: Partial<JobLimits>, pools: ClaimLimits["pools"] = []): ClaimLimits {
  return { kinds: new Map([["mail", { concurrency: [], rate: [], ...limits }]]), pools };
}

function claimAs(world: StoreWorld, node: string, limits: ClaimLimits, kinds = ["mail"]) {
  return world.store.claim({
    at: world.at,
    node,
    limits,
    kinds: new Set(kinds),
    limit: 10,
    leaseMs: LEASE_MS,
  });
}

/** Cases of combined features. The model of test/model found each of them. */
export const combinedCases: StoreCases = {
  "reap() ends at its deadline also what is held behind another": async (world) => {
    await world.putSchedule();
    await world.fire(START, [START + MINUTE], { overlap: "queue" });
    world.advance(MINUTE);
    const [running] = await world.claim();
    const ticks = [2, 3].map((count) => START + count * MINUTE);
    const fires = ticks.map((scheduledFor, index) =>
      world.newInstance({
        scheduleId: SCHEDULE,
        scheduledFor,
        dueAt: scheduledFor,
        deadlineAt: index === 0 ? START + MINUTE + 5_000 : null,
      })
    );
    await world.fire(START + MINUTE, ticks, { overlap: "queue", fires });
    world.advance(5_000);
    const [late] = await world.reap();
    assert.equal(late?.id, fires[0]!.id);
    assert.equal(late?.reason, "deadline");
    world.advance(2 * MINUTE);
    await world.settle(running!);
    assert.deepEqual(idsOf(await world.claim(5)), [fires[1]!.id]);
  },

  "backfill() leaves out a tick whose unique key is held": async (world) => {
    await world.putSchedule();
    const holder = await world.addOne({ uniqueKey: "k" });
    world.advance(3 * MINUTE);
    const fires = [1, 2].map((count) =>
      world.newInstance({
        scheduleId: SCHEDULE,
        scheduledFor: START + count * MINUTE,
        uniqueKey: "k",
      })
    );
    const request = {
      at: world.at,
      backfill: { scheduleId: SCHEDULE, fires, overlap: "queue" as const },
    };
    assert.deepEqual((await world.store.backfill(request)).value, []);
    await world.cancel(holder.id);
    const { value } = await world.store.backfill(request);
    assert.deepEqual(value.map(({ id }) => id), [fires[0]!.id]);
    assert.deepEqual(await world.fateTexts(), ["1-1 fired 1"]);
  },

  "advance() records each tick once when the cursor was put back": async (world) => {
    await world.putSchedule();
    world.advance(6 * MINUTE);
    const missed = { fate: "missed", reason: null, instanceId: null } as const;
    const at = (from: number, to: number) => ({
      from: START + from * MINUTE,
      to: START + to * MINUTE,
      count: to - from + 1,
      ...missed,
    });
    await world.fire(START, [START + 4 * MINUTE], { fates: [at(2, 3)] });
    await world.putSchedule({ generation: 2 }, 1);
    const again = { generation: 2, fates: [at(1, 5)] };
    const ticks = [3, 6].map((count) => START + count * MINUTE);
    const { accepted } = await world.fire(START, ticks, { ...again, overlap: "allow" });
    assert.deepEqual(accepted.map(({ scheduledFor }) => scheduledFor), [START + 6 * MINUTE]);
    const expected = ["1-1 missed 1", "2-3 missed 2", "4-4 fired 1", "5-5 missed 1", "6-6 fired 1"];
    assert.deepEqual(await world.fateTexts(), expected);
  },

  "claim() and nextDue() by other limits are not held up by a rate of another node": async (
    world,
  ) => {
    const slow = ofMail({ rate: [{ max: 1, perMs: MINUTE, by: ["account"] }] });
    const free = ofMail({});
    await claimAs(world, "n1", slow);
    await claimAs(world, "n2", free);
    const [, second] = await world.add({ queueKey: "x" }, { queueKey: "x" });
    assert.equal((await claimAs(world, "n1", slow)).value.length, 1);
    const request = { at: world.at, node: "n2", kinds: new Set(["mail"]), limits: free };
    assert.equal((await world.store.nextDue(request)).instanceAt, START);
    const { value } = await claimAs(world, "n2", free);
    assert.deepEqual(value.map(({ id }) => id), [second!.id]);
  },

  "nextDue() waits no longer for a rate when the clock was set back": async (world) => {
    const slow = ofMail({ rate: [{ max: 1, perMs: MINUTE, by: ["account"] }] });
    await world.add({ queueKey: "x" }, { queueKey: "x" });
    await claimAs(world, "n1", slow);
    world.wallMs -= 60 * MINUTE;
    const request = { at: world.at, node: "n1", kinds: new Set(["mail"]), limits: slow };
    assert.equal((await world.store.nextDue(request)).instanceAt, world.wallMs);
    assert.deepEqual((await claimAs(world, "n1", slow)).value, []);
    assert.equal((await world.store.nextDue(request)).instanceAt, world.wallMs + MINUTE);
  },

  "subscribe() tells when a slot of a pool is free for another kind": async (world) => {
    const kinds = ["mail", "report"];
    const pools = [{ name: "p", kinds: new Set(kinds), max: 1 }];
    const [first] = await world.add({ crashesMax: 0, priority: 1 }, { kind: "report" });
    assert.equal((await claimAs(world, "n1", ofMail({}, pools), kinds)).value[0]!.id, first!.id);
    const log = world.hints();
    world.advance(LEASE_MS);
    assert.equal((await world.reap())[0]!.reason, "lost");
    assert.deepEqual((await log.first(1)).map(({ type }) => type), ["instances"]);
  },

  "redrive() refuses a batch that names an id twice": async (world) => {
    const { id: retryOf } = await world.finish();
    const input = world.newInstance({ retryOf });
    const request = { at: world.at, instances: [input, input], isForced: true };
    await assert.rejects(world.store.redrive(request), { code: "invalid_argument" });
    assert.equal(await world.store.get(input.id), null);
  },
};
