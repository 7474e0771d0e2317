import assert from "node:assert/strict";
import { idsOf, LEASE_MS, refuses, START, type StoreCases } from "./world/store_world.ts";

/** Cases of claiming, renewing and reaping. */
export const claimCases: StoreCases = {
  "claim() answers the instance as it is then": async (world) => {
    const instance = await world.addOne();
    world.advance(5);
    const [claimed] = await world.claim();
    const expected = {
      ...instance,
      state: "processing",
      processedAt: START + 5,
      attempt: 1,
      fence: (START + 5) * 1024,
      node: "n1",
    };
    assert.deepEqual(claimed, expected);
    assert.deepEqual(await world.store.get(instance.id), expected);
  },

  "claim() takes by priority, then due time, then acceptance": async (world) => {
    const [low, late, early, same, high] = await world.add(
      { priority: 10, dueAt: START - 9 },
      { dueAt: START },
      { dueAt: START - 5 },
      { dueAt: START - 5 },
      { priority: 0 },
    );
    const claimed = [...await world.claim(2), ...await world.claim(10)];
    assert.deepEqual(idsOf(claimed), idsOf([high!, early!, same!, late!, low!]));
  },

  "claim() takes across kinds in one order": async (world) => {
    const kinds = ["a", "b", "c"];
    const order = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4];
    const added = await world.add(
      ...order.map((priority, index) => ({ priority, kind: kinds[(index * 7) % 3]! })),
    );
    const sorted = added.toSorted((left, right) => left.priority - right.priority);
    const claimed = [...await world.claim(7, kinds), ...await world.claim(50, kinds)];
    assert.deepEqual(idsOf(claimed), idsOf(sorted));
  },

  "claim() takes nothing before its time": async (world) => {
    const instance = await world.addOne({ dueAt: START + 1_000 });
    world.advance(999);
    assert.deepEqual(await world.claim(), []);
    world.advance(1);
    assert.deepEqual(idsOf(await world.claim()), [instance.id]);
  },

  "claim() takes what became due before what is due later but accepted first": async (world) => {
    const [second, first] = await world.add(
      { dueAt: START + 2_000 },
      { dueAt: START + 1_000 },
      { dueAt: START + 9_000 },
    );
    world.advance(3_000);
    const now = await world.addOne();
    assert.deepEqual(idsOf(await world.claim(10)), idsOf([first!, second!, now]));
  },

  "claim() takes no fraction of a millisecond early": async (world) => {
    await world.addOne({ dueAt: START + 0.5 });
    assert.deepEqual(await world.claim(), []);
    world.advance(1);
    assert.equal((await world.claim()).length, 1);
  },

  "claim() leaves kinds alone that the node does not serve": async (world) => {
    const [foreign, own] = await world.add({ kind: "foreign", priority: 0 }, {});
    assert.deepEqual(idsOf(await world.claim(10)), [own!.id]);
    assert.equal((await world.store.get(foreign!.id))!.state, "scheduled");
    assert.deepEqual(await world.claim(10, []), []);
  },

  "claim() takes nothing twice": async (world) => {
    await world.add({}, {});
    assert.equal((await world.claim(1)).length, 1);
    assert.equal((await world.claim(10)).length, 1);
    assert.equal((await world.claim(10)).length, 0);
  },

  "claim() serves what the same turn enqueued": async (world) => {
    const added = world.addOne();
    const claimed = world.claim();
    assert.deepEqual(idsOf(await claimed), [(await added).id]);
  },

  "claim() by 50 claimers executes each of 2,000 instances once": async (world) => {
    for (let batch = 0; batch < 2; batch++) {
      await world.addMany(1_000);
    }
    const executed: string[] = [];
    const work = async (node: string) => {
      for (;;) {
        const claimed = await world.claim(3, ["mail"], node);
        if (claimed.length === 0) return;
        for (const instance of claimed) {
          executed.push(instance.id);
          assert.equal((await world.settle(instance)).status, "settled");
        }
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => work(`n${index}`)));
    assert.equal(executed.length, 2_000);
    assert.equal(new Set(executed).size, 2_000);
    assert.equal((await world.store.stats()).kinds.get("mail")!.completed, 2_000);
  },

  "claim() gives a higher fence each time, also when the clock went back": async (world) => {
    const first = await world.start();
    world.advance(LEASE_MS);
    await world.reap();
    world.wallMs -= 86_400_000;
    const [second] = await world.claim();
    assert.equal(second!.id, first.id);
    assert.ok(second!.fence > first.fence);
    assert.equal(second!.attempt, 2);
    assert.ok(second!.processedAt! >= first.processedAt!);
  },

  "claim() gives fences that are exact in the year 9999": async (world) => {
    world.wallMs = Date.UTC(9999, 11, 31);
    const first = await world.start();
    world.advance(LEASE_MS);
    await world.reap();
    const [second] = await world.claim();
    assert.ok(Number.isSafeInteger(second!.fence) && second!.fence > first.fence);
  },

  "claim() refuses a limit out of bounds": async (world) => {
    for (const limit of [0, -1, 1_001, 1.5, NaN]) {
      await refuses(world.claim(limit), "invalid_argument");
    }
  },

  "renew() keeps a claim past its first lease": async (world) => {
    const { id, fence } = await world.start();
    world.advance(LEASE_MS - 1);
    const request = { at: world.at, node: "n1", claims: [{ id, fence }], leaseMs: LEASE_MS };
    assert.deepEqual((await world.store.renew(request)).value, [{ id, fence, status: "renewed" }]);
    world.advance(LEASE_MS - 1);
    assert.deepEqual(await world.reap(), []);
    world.advance(1);
    assert.deepEqual(idsOf(await world.reap()), [id]);
  },

  "renew() tells of a stale claim and of one to be canceled": async (world) => {
    const [lost, kept] = [await world.start(), await world.start()];
    await world.settle(lost);
    await world.cancel(kept.id);
    const claims = [lost, kept, { id: "unknown", fence: 1 }, { id: kept.id, fence: 1 }].map(
      ({ id, fence }) => ({ id, fence }),
    );
    const renewed = await world.store.renew({ at: world.at, node: "n1", claims, leaseMs: 1 });
    const statuses = renewed.value.map(({ status }) => status);
    assert.deepEqual(statuses, ["stale", "canceling", "stale", "stale"]);
  },

  "reap() takes back a lost lease at its end and counts a crash": async (world) => {
    const running = await world.start({ crashesMax: 1 });
    world.advance(LEASE_MS - 1);
    assert.deepEqual(await world.reap(), []);
    world.advance(1);
    const [lost] = await world.reap();
    assert.equal(lost!.state, "scheduled");
    assert.equal(lost!.reason, "lost");
    assert.equal(lost!.crashes, 1);
    assert.equal(lost!.failures, 0);
    assert.equal((await world.settle(running)).status, "stale");
    await world.claim();
    world.advance(LEASE_MS);
    const [dead] = await world.reap();
    assert.equal(dead!.state, "terminated");
    assert.equal(dead!.reason, "lost");
    assert.equal(dead!.crashes, 2);
    assert.deepEqual(await world.claim(), []);
  },

  "reap() cancels what was to be canceled": async (world) => {
    const running = await world.start();
    await world.cancel(running.id);
    world.advance(LEASE_MS);
    assert.equal((await world.reap())[0]!.state, "canceled");
  },

  "reap() does not heed the wall clock": async (world) => {
    await world.start();
    world.wallMs += 86_400_000;
    assert.deepEqual(await world.reap(), []);
    world.wallMs -= 2 * 86_400_000;
    world.monotonicMs += LEASE_MS;
    assert.equal((await world.reap()).length, 1);
  },

  "reap() takes back at most as many as asked": async (world) => {
    await world.add({}, {}, {});
    await world.claim(3);
    world.advance(LEASE_MS);
    assert.equal((await world.reap(2)).length, 2);
    assert.equal((await world.reap(2)).length, 1);
  },

  "setPause() holds a kind until resumed": async (world) => {
    const [mail, other] = await world.add({}, { kind: "other" });
    const { store } = world;
    const pause = await store.setPause({
      at: world.at,
      kind: "mail",
      until: null,
      reason: "deploy",
    });
    assert.deepEqual(pause.value, { kind: "mail", until: null, reason: "deploy", at: START });
    assert.deepEqual(await store.listPauses(), [pause.value]);
    assert.deepEqual(idsOf(await world.claim(10, ["mail", "other"])), [other!.id]);
    assert.equal((await store.removePause({ at: world.at, kind: "mail" })).value, true);
    assert.equal((await store.removePause({ at: world.at, kind: "mail" })).value, false);
    assert.deepEqual(idsOf(await world.claim()), [mail!.id]);
  },

  "setPause() does not hold notices": async (world) => {
    const notices = ["system.notices", "system.notice.ops"];
    await world.add({}, ...notices.map((kind) => ({ kind })));
    for (const kind of [null, ...notices]) {
      await world.store.setPause({ at: world.at, kind, until: null, reason: "" });
    }
    const kinds = ["mail", ...notices];
    const { instanceAt } = await world.store.nextDue({ at: world.at, kinds: new Set(kinds) });
    assert.ok(instanceAt! <= START);
    assert.deepEqual((await world.claim(10, kinds)).map(({ kind }) => kind).sort(), notices.sort());
  },

  "setPause() of everything ends by itself": async (world) => {
    await world.add({}, { kind: "other" });
    const until = START + 1_000;
    await world.store.setPause({ at: world.at, kind: null, until, reason: "" });
    world.advance(999);
    assert.deepEqual(await world.claim(10, ["mail", "other"]), []);
    assert.equal((await world.store.listPauses()).length, 1);
    world.advance(1);
    assert.equal((await world.claim(10, ["mail", "other"])).length, 2);
    assert.deepEqual(await world.store.listPauses(), []);
  },

  "setPause() replaces the pause of the same kind and outlives a restart": async (world) => {
    await world.add({});
    await world.pause("mail", START + 1, "a");
    await world.pause("mail", null, "b");
    await world.store.close();
    await world.store.open({ at: world.at, node: "n1" });
    world.advance(1_000);
    assert.deepEqual((await world.store.listPauses()).map(({ reason }) => reason), ["b"]);
    assert.deepEqual(await world.claim(), []);
  },

  "nextDue() is the earliest that the kinds served can run": async (world) => {
    const next = async (...kinds: string[]) =>
      (await world.store.nextDue({ at: world.at, kinds: new Set(kinds) })).instanceAt;
    assert.equal(await next("mail"), null);
    await world.add({ dueAt: START + 500, kind: "other" }, { dueAt: START + 700 });
    assert.equal(await next("mail"), START + 700);
    assert.equal(await next("mail", "other"), START + 500);
    assert.equal(await next("none"), null);
    await world.add({ dueAt: START - 3 });
    assert.ok((await next("mail"))! <= START);
    assert.equal(await next("other"), START + 500);
    const [running] = await world.claim();
    assert.equal(await next("mail"), START + 700);
    await world.settle(running!);
    world.advance(800);
    assert.ok((await next("mail"))! <= world.wallMs);
  },

  "nextDue() waits for the end of a pause": async (world) => {
    const next = async () =>
      (await world.store.nextDue({ at: world.at, kinds: new Set(["mail"]) })).instanceAt;
    await world.add({});
    await world.pause("mail", START + 900);
    assert.equal(await next(), START + 900);
    await world.pause("mail");
    assert.equal(await next(), null);
    await world.resume("mail");
    assert.ok((await next())! <= START);
    const [running] = await world.claim();
    await world.settle(running!);
    await world.add({ dueAt: START + 300 });
    await world.pause(null, START + 200);
    assert.equal(await next(), START + 300);
    await world.pause(null, START + 400);
    assert.equal(await next(), START + 400);
  },
};
