import assert from "node:assert/strict";
import type { Advance, PageRequest } from "../store/store.ts";
import {
  MINUTE,
  readPages,
  refuses,
  retry,
  SCHEDULE,
  START,
  type StoreCases,
} from "./world/store_world.ts";

/** Cases of schedules and their ticks. */
export const scheduleCases: StoreCases = {
  "putSchedule() keeps the record and compares generations": async (world) => {
    const record = await world.putSchedule({ argumentsJson: '["ä😀"]' });
    assert.deepEqual(await world.store.getSchedule(record.id), record);
    assert.deepEqual(record, world.newSchedule({ argumentsJson: '["ä😀"]' }));
    await refuses(world.putSchedule({ generation: 2 }), "conflict");
    await refuses(world.putSchedule({ generation: 3 }, 2), "conflict");
    await world.putSchedule({ generation: 2, cursor: START + 1 }, 1);
    assert.equal((await world.store.getSchedule(record.id))!.cursor, START + 1);
    await refuses(world.putSchedule({ id: "new" }, 1), "conflict");
    assert.equal(await world.store.getSchedule("new"), null);
    assert.equal((await world.store.stats()).schedules, 1);
  },

  "deleteSchedule() tells whether there was one and leaves its instances": async (world) => {
    await world.putSchedule();
    const { accepted } = await world.fire(START, [START + MINUTE]);
    const remove = async () =>
      (await world.store.deleteSchedule({ at: world.at, id: SCHEDULE })).value;
    assert.equal(await remove(), true);
    assert.equal(await remove(), false);
    assert.equal((await world.store.get(accepted[0]!.id))!.state, "scheduled");
    assert.equal((await world.fire(START + MINUTE, [])).status, "gone");
    assert.equal((await world.store.stats()).schedules, 0);
  },

  "listSchedules() filters and pages by id": async (world) => {
    for (let index = 0; index < 5; index++) {
      const isOdd = index % 2 === 1;
      await world.putSchedule({
        id: `s${index}`,
        kind: isOdd ? "odd" : "even",
        origin: isOdd ? "config" : "runtime",
      });
    }
    const ids = async (query: object, order: "newest" | "oldest") => {
      const records = await readPages(
        (page) => world.store.listSchedules(query, page),
        2,
        order,
      );
      return records.map(({ id }) => id);
    };
    assert.deepEqual(await ids({}, "oldest"), ["s0", "s1", "s2", "s3", "s4"]);
    assert.deepEqual(await ids({}, "newest"), ["s4", "s3", "s2", "s1", "s0"]);
    assert.deepEqual(await ids({ kind: "odd" }, "oldest"), ["s1", "s3"]);
    assert.deepEqual(await ids({ origin: "runtime" }, "oldest"), ["s0", "s2", "s4"]);
  },

  "upcoming() lists what is due next, the earliest first": async (world) => {
    await world.putSchedule({ id: "late", kind: "a", nextAt: START + 2_000 });
    await world.putSchedule({ id: "early", kind: "b", nextAt: START + 1_000 });
    await world.putSchedule({ id: "never", kind: "b", nextAt: null });
    const dues: readonly (readonly [kind: string, dueMs: number])[] = [
      ["a", 9_000],
      ["b", 3_000],
      ["c", 6_000],
      ["a", 3_000],
      ["b", 12_000],
    ];
    const ids: string[] = [];
    for (const [kind, dueMs] of dues) {
      ids.push((await world.addOne({ kind, dueAt: START + dueMs })).id);
    }
    // Due, so it is offered to claims now, not early.
    await world.addOne({ kind: "a", dueAt: START });
    const read = async (limit: number, kinds?: readonly string[]) => {
      const found = await world.store.upcoming({ limit, ...(kinds && { kinds }) });
      return {
        instances: found.instances.map(({ id, kind, dueAt }) => {
          assert.equal(dues[ids.indexOf(id)]![0], kind);
          assert.equal(dues[ids.indexOf(id)]![1], dueAt - START);
          return ids.indexOf(id);
        }),
        schedules: found.schedules.map(({ id }) => id),
      };
    };
    assert.deepEqual(await read(10), { instances: [1, 3, 2, 0, 4], schedules: ["early", "late"] });
    assert.deepEqual(await read(1), { instances: [1], schedules: ["early"] });
    assert.deepEqual(await read(2), { instances: [1, 3], schedules: ["early", "late"] });
    assert.deepEqual(await read(10, ["a", "c", "a"]), {
      instances: [3, 2, 0],
      schedules: ["late"],
    });
    assert.deepEqual(await read(2, ["b", "unknown"]), { instances: [1, 4], schedules: ["early"] });
    assert.deepEqual(await read(2, []), { instances: [], schedules: [] });
  },

  "dueSchedules() and nextDue() go by the next tick": async (world) => {
    await world.putSchedule({ id: "late", nextAt: START + 2_000 });
    await world.putSchedule({ id: "early", nextAt: START + 1_000 });
    await world.putSchedule({ id: "never", nextAt: null });
    const due = async (limit = 10) =>
      (await world.store.dueSchedules({ at: world.at, limit })).map(({ id }) => id);
    const next = async () =>
      (await world.store.nextDue({ at: world.at, kinds: new Set() })).scheduleAt;
    assert.equal(await next(), START + 1_000);
    assert.deepEqual(await due(), []);
    world.advance(1_000);
    assert.deepEqual(await due(), ["early"]);
    world.advance(1_000);
    assert.deepEqual(await due(), ["early", "late"]);
    assert.deepEqual(await due(1), ["early"]);
    const rest = await world.store.dueSchedules({ at: world.at, limit: 10, skip: 1 });
    assert.deepEqual(rest.map(({ id }) => id), ["late"]);
    await world.fire(START, [], { scheduleId: "early", nextAt: null });
    assert.equal(await next(), START + 2_000);
    await world.store.deleteSchedule({ at: world.at, id: "late" });
    assert.equal(await next(), null);
  },

  "advance() fires a tick once and moves the cursor": async (world) => {
    await world.putSchedule();
    const tick = START + MINUTE;
    world.advance(MINUTE);
    const result = await world.fire(START, [tick]);
    assert.equal(result.status, "advanced");
    assert.equal(result.accepted[0]!.scheduledFor, tick);
    const record = await world.store.getSchedule(SCHEDULE);
    assert.deepEqual([record!.cursor, record!.nextAt], [tick, tick + MINUTE]);
    assert.equal((await world.fire(START, [tick])).status, "conflict");
    assert.deepEqual(await world.fates(), [{
      scheduleId: SCHEDULE,
      from: tick,
      to: tick,
      count: 1,
      fate: "fired",
      reason: null,
      instanceId: result.accepted[0]!.id,
      at: world.wallMs,
    }]);
    assert.equal((await world.claim(10)).length, 1);
  },

  "advance() by several nodes fires each tick once": async (world) => {
    await world.putSchedule();
    const overlap = { overlap: "allow" } as const;
    let cursor = START;
    for (let minute = 1; minute <= 5; minute++) {
      const tick = START + minute * MINUTE;
      const from = cursor;
      const results = await Promise.all(
        [1, 2, 3].map(() => world.fire(from, [tick], overlap)),
      );
      assert.deepEqual(results.map(({ status }) => status).sort(), [
        "advanced",
        "conflict",
        "conflict",
      ]);
      cursor = tick;
    }
    assert.equal((await world.list()).length, 5);
  },

  "advance() refuses another generation": async (world) => {
    await world.putSchedule();
    const result = await world.fire(START, [START + MINUTE], { generation: 2 });
    assert.equal(result.status, "conflict");
    assert.deepEqual(await world.list(), []);
  },

  "advance() skips for overlap while an instance is unfinished": async (world) => {
    await world.putSchedule();
    const ticks = [1, 2, 3, 4].map((minute) => START + minute * MINUTE);
    const first = await world.fire(START, [ticks[0]!, ticks[1]!]);
    assert.equal(first.accepted.length, 1);
    assert.deepEqual(first.skipped, [ticks[1]]);
    world.advance(2 * MINUTE);
    const [running] = await world.claim();
    assert.deepEqual((await world.fire(ticks[1]!, [ticks[2]!])).skipped, [ticks[2]]);
    await world.settle(running!);
    assert.equal((await world.fire(ticks[2]!, [ticks[3]!])).accepted.length, 1);
    assert.deepEqual((await world.fates()).map(({ fate, reason }) => [fate, reason]), [
      ["fired", null],
      ["skipped", "overlap"],
      ["skipped", "overlap"],
      ["fired", null],
    ]);
  },

  "advance() counts an instance that waits for a retry as unfinished": async (world) => {
    await world.putSchedule();
    await world.fire(START, [START + MINUTE]);
    world.advance(MINUTE);
    const [running] = await world.claim();
    await world.settle(running!, { outcome: retry(world.wallMs + 999_999) });
    const result = await world.fire(START + MINUTE, [START + 2 * MINUTE]);
    assert.deepEqual(result.skipped, [START + 2 * MINUTE]);
  },

  "advance() with overlap allow fires every tick": async (world) => {
    await world.putSchedule();
    const ticks = [START + MINUTE, START + 2 * MINUTE];
    const { accepted } = await world.fire(START, ticks, { overlap: "allow" });
    assert.equal(accepted.length, 2);
  },

  "advance() records fates of ranges, and a tick never fires after its fate": async (world) => {
    await world.putSchedule();
    const tick = START + MINUTE;
    const missed = {
      from: tick,
      to: tick + 9 * MINUTE,
      count: 10,
      fate: "missed",
      reason: "too old",
      instanceId: null,
    } as const;
    await world.fire(START, [], { cursor: tick + 9 * MINUTE, fates: [missed] });
    await world.putSchedule({ generation: 2, cursor: START }, 1);
    const again = await world.fire(START, [tick], { generation: 2, overlap: "allow" });
    assert.equal(again.status, "advanced");
    assert.deepEqual(again.accepted, []);
    assert.deepEqual(await world.fates(), [{ ...missed, scheduleId: SCHEDULE, at: START }]);
  },

  "advance() decides ticks again that a clock that was ahead had decided, unless they ran": async (
    world,
  ) => {
    await world.putSchedule();
    const minute = (count: number) => START + count * MINUTE;
    const given = { count: 8, fate: "coalesced", reason: "misfire", instanceId: null } as const;
    const range = { ...given, from: minute(1), to: minute(8) };
    await world.fire(START, [minute(9), minute(10)], { fates: [range], overlap: "allow" });
    const correction = { at: minute(2), cursor: minute(10) };
    const taken = { generation: 1, cursor: minute(2), nextAt: minute(3), correction };
    await world.putSchedule(taken, 1);
    assert.deepEqual((await world.store.getSchedule(SCHEDULE))!.correction, correction);
    const missed = { ...given, from: minute(4), to: minute(5), count: 2, fate: "missed" } as const;
    const ticks = [minute(3), minute(6), minute(8), minute(9), minute(11)];
    const again = { fates: [missed], overlap: "allow" } as const;
    const { accepted } = await world.fire(minute(2), ticks, again);
    assert.deepEqual(
      accepted.map(({ scheduledFor }) => scheduledFor),
      [minute(3), minute(6), minute(8), minute(11)],
    );
    assert.deepEqual(await world.fateTexts(), [
      "1-2 coalesced 2",
      "3-3 fired 1",
      "4-5 coalesced 2",
      "6-6 fired 1",
      "7-7 coalesced 1",
      "8-8 fired 1",
      "9-9 fired 1",
      "10-10 fired 1",
      "11-11 fired 1",
    ]);
  },

  "listSchedules() leaves out what left the configuration, unless asked": async (world) => {
    const ids = ["config:a:0", "config:b:0", "config:c:0"];
    for (const id of ids) await world.putSchedule({ id });
    const removed = { id: ids[1]!, generation: 2, nextAt: null, removedAt: START };
    await world.putSchedule(removed, 1);
    const list = async (query: { readonly withRemoved?: boolean }) => {
      const read = (page: PageRequest) => world.store.listSchedules(query, page);
      return (await readPages(read, 2, "oldest")).map(({ id }) => id);
    };
    assert.deepEqual(await list({}), [ids[0], ids[2]]);
    assert.deepEqual(await list({ withRemoved: true }), ids);
    world.advance(MINUTE);
    const due = await world.store.dueSchedules({ at: world.at, limit: 10 });
    assert.deepEqual(due.map(({ id }) => id), [ids[0], ids[2]]);
    await world.putSchedule({ id: ids[1]!, generation: 2 }, 2);
    assert.deepEqual(await list({}), ids);
  },

  "advance() makes a step ahead of its tick whole, or not at all": async (world) => {
    const tick = START + MINUTE;
    await world.putSchedule({ nextAt: tick });
    world.advance(MINUTE - 3);
    const named = await world.store.dueSchedules({ at: world.at, dueBy: tick, limit: 10 });
    const ahead = await world.fire(START, [tick], { isAhead: true });
    // With its own clock, a store has nothing early.
    assert.equal(ahead.status, named.length === 0 ? "early" : "advanced");
    assert.equal(ahead.accepted.length, named.length);
    assert.deepEqual(await world.claim(10), [], "nobody asked for what is not due");
    world.advance(3);
    if (named.length === 0) await world.fire(START, [tick]);
    const claimed = (await world.claim(10)).map(({ scheduledFor }) => scheduledFor);
    assert.deepEqual(claimed, [tick]);
    assert.equal((await world.store.getSchedule(SCHEDULE))!.cursor, tick);
  },

  "advance() leaves a tick to come alone while something is in its way": async (world) => {
    const tick = START + MINUTE;
    await world.putSchedule();
    const notMade = async (why: string, given: Partial<Advance> = {}) => {
      const ahead = await world.fire(START, [tick], { isAhead: true, ...given });
      const { accepted, skipped, replaced, status } = ahead;
      assert.deepEqual({ status, accepted, skipped, replaced }, {
        status: "early",
        accepted: [],
        skipped: [],
        replaced: [],
      }, why);
    };
    await world.pause("mail", tick);
    await notMade("a pause");
    await world.resume("mail");
    await world.putSchedule({ generation: 2, skipNext: 1 }, 1);
    await notMade("a tick to skip", { generation: 2 });
    await world.putSchedule({ generation: 3 }, 2);
    await world.addOne({ scheduleId: SCHEDULE, scheduledFor: START, uniqueKey: "k" });
    for (const overlap of ["skip", "queue", "replace"] as const) {
      await notMade(`overlap ${overlap}`, { generation: 3, overlap });
    }
    const fire = { scheduleId: SCHEDULE, scheduledFor: tick, uniqueKey: "k" };
    const unique = { onConflict: "replace", forMs: null } as const;
    const fires = [world.newInstance({ ...fire, unique })];
    await notMade("a unique key", { generation: 3, overlap: "allow", fires });
    await notMade("no tick", { generation: 3, overlap: "allow", fires: [] });
    assert.deepEqual(await world.fates(), []);
    const { cursor, skipNext } = (await world.store.getSchedule(SCHEDULE))!;
    assert.deepEqual([cursor, skipNext], [START, undefined]);
  },

  "advance() refuses an instance of another schedule": async (world) => {
    await world.putSchedule();
    const fires = [world.newInstance({ scheduleId: "other", scheduledFor: START })];
    await refuses(world.fire(START, [], { fires }), "invalid_argument");
  },

  "listFates() pages by due time, within bounds": async (world) => {
    await world.putSchedule();
    const ticks = Array.from({ length: 7 }, (_, index) => START + (index + 1) * MINUTE);
    await world.fire(START, ticks, { overlap: "allow" });
    const list = async (query: object, order: "newest" | "oldest") => {
      const read = (page: object) =>
        world.store.listFates({ scheduleId: SCHEDULE, ...query }, page as { limit: number });
      return (await readPages(read, 3, order)).map(({ from }) => from);
    };
    assert.deepEqual(await list({}, "oldest"), ticks);
    assert.deepEqual(await list({}, "newest"), ticks.toReversed());
    assert.deepEqual(
      await list({ after: ticks[2], before: ticks[5] }, "oldest"),
      ticks.slice(2, 5),
    );
    const bounds = { after: ticks[2]! + 0.5, before: ticks[5]! + 0.5 };
    assert.deepEqual(await list(bounds, "oldest"), ticks.slice(3, 6));
  },
};
