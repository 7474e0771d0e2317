import assert from "node:assert/strict";
import type { SpanCountRequest } from "../store/store.ts";
import {
  completed,
  failed,
  MINUTE,
  refuses,
  retry,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

/** Bounds of the minutes from the start of the case. */
function minutes(count: number): readonly number[] {
  return Array.from({ length: count + 1 }, (_, index) => START + index * MINUTE);
}

/** Counts by kind and state, such as `{"mail completed": [1, 0]}`. */
async function counted(world: StoreWorld, request: SpanCountRequest) {
  const found = await world.store.countSpans(request);
  for (const { isEstimate } of found) assert.equal(isEstimate, false);
  return Object.fromEntries(
    found.map(({ kind, state, counts }) => [`${kind} ${state}`, [...counts]]),
  );
}

/** Cases of reads by spans of time. */
export const spanCases: StoreCases = {
  "countSpans() counts by kind, state and time of acceptance": async (world) => {
    const [by, bounds] = ["acceptance", minutes(3)] as const;
    assert.deepEqual(await counted(world, { by, bounds }), {});
    await world.finish();
    await world.finish({}, { outcome: failed() });
    world.advance(MINUTE - 1);
    await world.finish();
    world.advance(1);
    const [open] = await world.add({ kind: "other" });
    await world.start();
    await world.finish({ dueAt: START });
    world.advance(2 * MINUTE);
    await world.add({});
    assert.deepEqual(await counted(world, { by, bounds }), {
      "mail completed": [2, 1, 0],
      "mail terminated": [1, 0, 0],
      "mail null": [0, 1, 0],
      "other null": [0, 1, 0],
    });
    assert.deepEqual(await counted(world, { by, bounds, kinds: ["other", "none", "other"] }), {
      "other null": [0, 1, 0],
    });
    await world.cancel(open!.id);
    assert.deepEqual(await counted(world, { by, bounds: minutes(9), kinds: ["other"] }), {
      "other canceled": [0, 1, 0, 0, 0, 0, 0, 0, 0],
    });
    assert.deepEqual(await counted(world, { by, bounds, kinds: [] }), {});
  },

  "countSpans() counts what waits by its due time": async (world) => {
    await world.add(
      {},
      { dueAt: START + 1 },
      { dueAt: START + MINUTE - 1 },
      { dueAt: START + MINUTE },
      { kind: "other", dueAt: START + 2 * MINUTE },
      { dueAt: START + 3 * MINUTE },
    );
    const request = { by: "due", bounds: minutes(3) } as const;
    assert.deepEqual(await counted(world, request), {
      "mail null": [2, 1, 0],
      "other null": [0, 0, 1],
    });
    assert.deepEqual(await counted(world, { ...request, kinds: ["other"] }), {
      "other null": [0, 0, 1],
    });
    world.advance(MINUTE);
    assert.equal((await world.claim(10)).length, 4);
    assert.deepEqual(await counted(world, request), { "other null": [0, 0, 1] });
  },

  "countSpans() counts many exactly, span by span": async (world) => {
    for (let minute = 0; minute < 3; minute++) {
      await world.addMany(100 * (minute + 1), {});
      world.advance(MINUTE);
    }
    const instances = await world.claim(250);
    for (let from = 0; from < instances.length; from += 50) {
      const settlements = instances.slice(from, from + 50)
        .map(({ id, fence }) => ({ id, fence, logs: [], outcome: completed() }));
      await world.store.settle({ at: world.at, node: "n1", settlements });
    }
    assert.deepEqual(await counted(world, { by: "acceptance", bounds: minutes(4) }), {
      "mail completed": [100, 150, 0, 0],
      "mail null": [0, 50, 300, 0],
    });
  },

  "countSpans() refuses spans out of order, and too many": async (world) => {
    for (const bounds of [[], [START], [START + 1, START], minutes(1_001)]) {
      await refuses(world.store.countSpans({ by: "acceptance", bounds }), "invalid_argument");
    }
    const found = await world.store.countSpans({ by: "acceptance", bounds: minutes(1_000) });
    assert.deepEqual(found, []);
  },

  "listLater() lists what waits in the order of due times": async (world) => {
    const [, second, first, other, third] = await world.add(
      {},
      { dueAt: START + 2_000 },
      { dueAt: START + 1_000 },
      { kind: "other", dueAt: START + 1_500 },
      { dueAt: START + 2_000 },
      { dueAt: START + 9_000 },
    );
    const list = async (limit: number, kinds?: readonly string[]) => {
      const span = { after: START + 1_000, before: START + 9_000, limit };
      const request = kinds ? { ...span, kinds } : span;
      return (await world.store.listLater(request)).map(({ id }) => id);
    };
    const ids = [first!, other!, second!, third!].map(({ id }) => id);
    assert.deepEqual(await list(10), ids);
    assert.deepEqual(await list(3), ids.slice(0, 3));
    assert.deepEqual(await list(10, ["other", "none"]), [other!.id]);
    assert.deepEqual(await list(1, ["other", "mail", "mail"]), [first!.id]);
    await refuses(list(0), "invalid_argument");
    await refuses(list(1_001), "invalid_argument");
  },

  "listLater() leaves out nothing, however the kinds are mixed": async (world) => {
    const added = await world.add(
      ...Array.from({ length: 120 }, (_, index) => ({
        kind: index % 10 === 0 ? "rare" : "frequent",
        dueAt: START + 1_000 + (index * 37) % 120,
      })),
      ...Array.from({ length: 30 }, (_, index) => ({
        kind: `k${index}`,
        dueAt: START + 2_000 + index,
      })),
    );
    const sorted = [...added].sort((left, right) => left.dueAt - right.dueAt);
    for (const limit of [1, 9, 100, 149, 150]) {
      const request = { after: START, before: START + 9_000, limit };
      const found = await world.store.listLater(request);
      assert.deepEqual(found.map(({ id }) => id), sorted.slice(0, limit).map(({ id }) => id));
    }
  },

  "listLater() lists a retry": async (world) => {
    const instance = await world.start();
    await world.settle(instance, { outcome: retry(START + 5_000) });
    const found = await world.store.listLater({ after: START, before: START + 9_000, limit: 1 });
    assert.deepEqual(found.map(({ id, attempt }) => [id, attempt]), [[instance.id, 1]]);
  },

  "listGaps() lists ticks without a run, the latest first": async (world) => {
    await world.putSchedule();
    await world.putSchedule({ id: "other" });
    const missed = { from: START + 60_000, to: START + 180_000, count: 3 };
    const fates = [{ ...missed, fate: "missed", reason: "misfire", instanceId: null }] as const;
    world.advance(4 * MINUTE);
    await world.fire(START, [START + 4 * MINUTE], { fates });
    world.advance(MINUTE);
    // The run before it is unfinished.
    await world.fire(START + 4 * MINUTE, [START + 5 * MINUTE]);
    await world.fire(START, [START + 5 * MINUTE], { scheduleId: "other" });
    await world.pause("mail");
    world.advance(MINUTE);
    await world.fire(START + 5 * MINUTE, [START + 6 * MINUTE], { scheduleId: "other" });
    const all = { after: START, before: START + 9 * MINUTE, limit: 10 };
    const list = async (request: Partial<typeof all> & { readonly skip?: number }) => {
      const found = await world.store.listGaps({ ...all, ...request });
      return found.map(({ scheduleId, from, count, reason }) =>
        `${scheduleId} ${(from - START) / MINUTE} ${count} ${reason}`
      );
    };
    const [paused, overlap, range] = [
      "other 6 1 paused",
      "config:mail:0 5 1 overlap",
      "config:mail:0 1 3 misfire",
    ];
    assert.deepEqual(await list({}), [paused, overlap, range]);
    assert.deepEqual(await list({ limit: 2 }), [paused, overlap]);
    assert.deepEqual(await list({ limit: 2, skip: 1 }), [overlap, range]);
    assert.deepEqual(await list({ after: START + 5 * MINUTE }), [paused, overlap]);
    assert.deepEqual(await list({ before: START + 6 * MINUTE }), [overlap, range]);
    assert.deepEqual(await list({ before: START + MINUTE }), []);
  },

  "listGaps() forgets a tick that a backfill runs": async (world) => {
    await world.putSchedule();
    await world.pause(null);
    const ticks = [1, 2, 3].map((minute) => START + minute * MINUTE);
    world.advance(3 * MINUTE);
    await world.fire(START, ticks);
    await world.resume(null);
    const gaps = async () => {
      const found = await world.store.listGaps({
        after: START,
        before: world.wallMs + 1,
        limit: 9,
      });
      return found.map(({ from }) => from);
    };
    assert.deepEqual(await gaps(), ticks.toReversed());
    const [scheduleId, scheduledFor] = [SCHEDULE, ticks[1]!];
    const fires = [world.newInstance({ scheduleId, scheduledFor })];
    await world.store.backfill({ at: world.at, backfill: { scheduleId, fires, overlap: "skip" } });
    assert.deepEqual(await gaps(), [ticks[2], ticks[0]]);
    world.advance(401 * 86_400_000);
    await world.retain();
    assert.deepEqual(await gaps(), []);
  },
};
