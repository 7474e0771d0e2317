import assert from "node:assert/strict";
import { isJobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { USUAL_FIELDS } from "../store/instance_fields.ts";
import { BATCH_MAX, type InstanceQuery, type NewInstance } from "../store/store.ts";
import { textFields } from "./world/plain_instance.ts";
import {
  completed,
  idsOf,
  readPages,
  refuses,
  retry,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

const HOUR_MS = 3_600_000;
const keep = (
  forMs: number | null = null,
) => ({ uniqueKey: "k", unique: { forMs, onConflict: "keep" } } as const);
const replace = (
  forMs: number | null = null,
) => ({ uniqueKey: "k", unique: { forMs, onConflict: "replace" } } as const);

/** Cases of accepting instances. */
export const enqueueCases: StoreCases = {
  "enqueue() keeps the first of a unique key, whatever the arguments": async (world) => {
    const first = await world.addOne({ ...keep(), argumentsJson: "[1]" });
    const again = world.newInstance({ ...keep(), argumentsJson: "[2]" });
    const value = await world.enqueue(again, world.newInstance());
    assert.deepEqual(value.map(({ outcome }) => outcome), ["sameKey", "accepted"]);
    assert.deepEqual(value[0]!.instance, first);
    await refuses(world.addOne({ ...keep(), kind: "other" }), "already_exists");
    const [running] = await world.claim();
    assert.equal((await world.addOne(keep())).id, running!.id);
    await world.settle(running!);
    assert.notEqual((await world.addOne(keep())).id, first.id);
  },

  "enqueue() keeps a unique key for its time, also of one that has finished": async (world) => {
    const first = await world.finish(keep(HOUR_MS));
    assert.equal(first.uniqueUntil, START + HOUR_MS);
    assert.deepEqual(await world.addOne(keep(HOUR_MS)), first);
    world.advance(HOUR_MS - 1);
    // Kept as long as its key, although its retention is over.
    await world.retain();
    assert.equal((await world.addOne(keep(HOUR_MS))).id, first.id);
    world.advance(1);
    const second = await world.addOne(keep(HOUR_MS));
    assert.notEqual(second.id, first.id);
    world.advance(2 * HOUR_MS);
    // Kept longer than its time while it is unfinished.
    assert.equal((await world.addOne(keep(HOUR_MS))).id, second.id);
    await world.retain();
    assert.equal(await world.store.get(first.id), null);
  },

  "enqueue() answers ids that it has, whatever their order, also when opened again": async (
    world,
  ) => {
    const id = (last: string) => `019b76da-a800-7000-9000-00000000000${last}`;
    // Two of them sort one way by code point and the other by UTF-16.
    const rounds = [[id("2"), id("1"), id("4")], [id("3"), "ids \u{ff5e}", id("0")], [
      "ids \u{1f600}",
      id("5"),
    ]];
    const known: string[] = [];
    const outcomes = async (ids: readonly string[]) => {
      const answers = await world.enqueue(...ids.map((id) => world.newInstance({ id })));
      return answers.map(({ outcome }) => outcome);
    };
    for (const ids of rounds) {
      assert.deepEqual(await outcomes(ids), ids.map(() => "accepted"));
      known.push(...ids);
      assert.deepEqual(await outcomes(known), known.map(() => "sameId"));
      await world.reopen();
      assert.deepEqual(await outcomes(known), known.map(() => "sameId"));
      assert.equal(await world.store.get(id("9")), null);
    }
  },

  "enqueue() takes a unique key again when its holder was canceled": async (world) => {
    const first = await world.addOne(keep(HOUR_MS));
    await world.cancel(first.id);
    assert.notEqual((await world.addOne(keep(HOUR_MS))).id, first.id);
  },

  "enqueue() replaces the waiting holder of a unique key in one transaction": async (world) => {
    const first = await world.addOne({ ...replace(), argumentsJson: "[1]", dueAt: START + 9 });
    const second = world.newInstance({ ...replace(), argumentsJson: "[2]" });
    const value = await world.enqueue(second);
    assert.equal(value[0]!.outcome, "accepted");
    assert.deepEqual(
      [value[0]!.replaced!.id, value[0]!.replaced!.state, value[0]!.replaced!.reason],
      [first.id, "canceled", "replaced"],
    );
    assert.deepEqual(await world.store.get(first.id), value[0]!.replaced);
    assert.deepEqual(idsOf(await world.claim(9)), [second.id]);
  },

  "enqueue() does not replace a holder that runs, and answers one that has finished": async (
    world,
  ) => {
    const running = await world.start(replace(HOUR_MS));
    await refuses(world.add({}, replace(HOUR_MS)), "conflict", running.id);
    assert.equal((await world.list()).length, 1);
    const { instance } = await world.settle(running);
    assert.deepEqual(await world.addOne(replace(HOUR_MS)), instance);
  },

  "enqueue() leaves the last of a batch with one replacing key": async (world) => {
    const before = await world.addOne(replace());
    const batch = await world.add(replace(), { ...replace(), waitingMax: 1 }, keep());
    assert.deepEqual(batch.map(({ state }) => state), ["canceled", "scheduled", "scheduled"]);
    assert.equal(batch[2]!.id, batch[1]!.id);
    assert.equal((await world.store.get(before.id))!.reason, "replaced");
    assert.deepEqual(idsOf(await world.claim(9)), [batch[1]!.id]);
  },

  "fault 54: enqueue() refuses more than may wait, and nothing else": async (world) => {
    const waitingMax = 3;
    await world.add({ waitingMax, dueAt: START + 9_000 }, { waitingMax });
    const running = await world.claim();
    const batch = [{ waitingMax }, { waitingMax }, { waitingMax }];
    const isFull = (error: unknown) => isJobError(error, "resource_exhausted");
    const [refused, other] = await Promise.allSettled([
      world.add(...batch),
      world.add({ kind: "other", waitingMax }),
    ]);
    assert.equal(other.status, "fulfilled");
    assert.ok(refused.status === "rejected" && isFull(refused.reason));
    assert.equal((await world.list({ kinds: ["mail"] })).length, 2);
    const [last] = await world.add({ waitingMax }, { waitingMax });
    await refuses(world.add({ waitingMax }), "resource_exhausted");
    const { status } = await world.settle(running[0]!, { outcome: retry(START) });
    assert.equal(status, "settled");
    await world.cancel(last!.id);
    await refuses(world.add({ waitingMax }), "resource_exhausted");
    await world.cancel(running[0]!.id);
    await world.add({ waitingMax });
    await world.add({});
  },

  "enqueue() counts for a bound also those of its batch that have none": async (world) => {
    await refuses(world.add({}, {}, { waitingMax: 2 }), "resource_exhausted");
    await world.add({}, { kind: "other" }, { waitingMax: 2 }, {}, { waitingMax: 4 });
    assert.equal((await world.list({ kinds: ["mail"] })).length, 4);
    await refuses(world.add({ waitingMax: 4 }), "resource_exhausted");
  },

  "enqueue() keeps every field": async (world) => {
    const input = world.newInstance({
      ...textFields(),
      kind: "grüße/日本 😀",
      priority: -7,
      queueKey: "eu",
      uniqueKey: "key ä",
      argumentsJson: '[9007199254740991,"😀 \\u0000",{"a":null}]',
      dueAt: 8_640_000_000_000_000,
      scheduleId: "s",
      scheduledFor: START,
      retryOf: "r",
      retryMax: -1,
      crashesMax: 0,
      timeoutMs: 5_000,
      keepSuccessMs: Number.MAX_SAFE_INTEGER,
      keepFailureMs: 0,
      deadlineAt: START + 86_400_000,
    });
    const value = await world.enqueue(input);
    const times = { createdAt: START, scheduledAt: START };
    const expected = { ...USUAL_FIELDS, ...input, ...times, state: "scheduled" };
    assert.equal(value[0]!.outcome, "accepted");
    assert.deepEqual(value[0]!.instance, expected);
    assert.deepEqual(await world.store.get(input.id), expected);
  },

  "enqueue() keeps a field that is given alone": async (world) => {
    const times = { scheduledFor: START, deadlineAt: START + HOUR_MS };
    const all: Partial<Instance> = { uniqueKey: "k", scheduleId: "s", retryOf: "r", ...times };
    for (const [name, value] of Object.entries({ ...all, ...textFields() })) {
      const instance = await world.addOne({ [name]: value });
      assert.equal(instance[name as keyof Instance], value, name);
      assert.deepEqual(await world.store.get(instance.id), instance);
    }
  },

  "enqueue() without a due time takes that of the clock which decides, also after it was set back":
    async (world) => {
      const plain = await world.addOne({ dueAt: null });
      assert.equal(plain.dueAt, START);
      assert.deepEqual(await world.store.get(plain.id), plain);
      const ahead = await world.add({ dueAt: null }, { dueAt: START + 1 });
      for (const backMs of [3_600_000, 86_400_000]) {
        world.wallMs = START - backMs;
        const given = [
          {},
          {},
          { argumentsJson: "[1]" },
          { queueKey: "q" },
          { uniqueKey: `k${backMs}` },
          { deadlineAt: START + 86_400_000 },
        ];
        const added = await world.add(...given.map((one) => ({ dueAt: null, ...one })));
        assert.deepEqual(added.map(({ dueAt }) => dueAt), given.map(() => world.wallMs));
        assert.deepEqual(added.map(({ createdAt }) => createdAt), given.map(() => START));
        for (const one of added) assert.deepEqual(await world.store.get(one.id), one);
        const claimed = new Set(idsOf(await world.claim(20)));
        assert.deepEqual(added.filter(({ id }) => !claimed.has(id)), []);
        assert.ok(!claimed.has(ahead[1]!.id), "what was asked for a time waits");
      }
    },

  "enqueue() stores a lone surrogate and NUL as U+FFFD": async (world) => {
    const { id } = await world.addOne({ argumentsJson: '["a\ud800b\0"]' });
    const stored = await world.store.get(id);
    assert.equal(stored!.argumentsJson, '["a\ufffdb\ufffd"]');
  },

  "enqueue() accepts the same id once": async (world) => {
    const input = world.newInstance();
    const first = await world.store.enqueue({ at: world.at, instances: [input] });
    const second = await world.store.enqueue({ at: world.at, instances: [input, input] });
    assert.equal(first.value[0]!.outcome, "accepted");
    assert.deepEqual(second.value.map(({ outcome }) => outcome), ["sameId", "sameId"]);
    assert.equal((await world.list()).length, 1);
  },

  "enqueue() answers the same id also when its instance is final": async (world) => {
    const input = world.newInstance();
    const done = await world.finish(input);
    const value = await world.enqueue(input);
    assert.equal(value[0]!.outcome, "sameId");
    assert.deepEqual(value[0]!.instance, done);
  },

  "enqueue() refuses an id that another request has": async (world) => {
    const input = await world.addOne();
    for (const other of [{ kind: "other" }, { argumentsJson: "[1]" }]) {
      await refuses(world.add({ id: input.id, ...other }), "already_exists");
    }
  },

  "enqueue() keeps one unfinished instance of a unique key": async (world) => {
    const first = await world.addOne({ uniqueKey: "k" });
    const [second] = await world.enqueue(world.newInstance({ uniqueKey: "k" }));
    assert.equal(second!.outcome, "sameKey");
    assert.equal(second!.instance.id, first.id);
    const [running] = await world.claim();
    assert.equal((await world.addOne({ uniqueKey: "k" })).id, first.id);
    await world.settle(running!);
    assert.notEqual((await world.addOne({ uniqueKey: "k" })).id, first.id);
  },

  "enqueue() knows a unique key in the form of earlier versions, of its own kind": async (
    world,
  ) => {
    const former = await world.addOne({ uniqueKey: "k" });
    const input = { uniqueKey: "mail k", formerKey: "k" };
    assert.equal((await world.addOne(input)).id, former.id);
    const other = await world.addOne({ ...input, kind: "other", uniqueKey: "other k" });
    assert.equal(other.kind, "other");
    const unique = { forMs: null, onConflict: "replace" } as const;
    const [replacing] = await world.add({ ...input, unique, argumentsJson: "[2]" });
    assert.notEqual(replacing!.id, former.id);
    assert.equal((await world.store.get(former.id))!.reason, "replaced");
    assert.equal((await world.addOne({ ...input, argumentsJson: "[2]" })).id, replacing!.id);
  },

  "enqueue() keeps one instance of a unique key within a batch": async (world) => {
    const [first, second] = await world.add({ uniqueKey: "k" }, { uniqueKey: "k" });
    assert.equal(second!.id, first!.id);
  },

  "enqueue() frees the unique key of a canceled instance": async (world) => {
    const first = await world.addOne({ uniqueKey: "k" });
    await world.cancel(first.id);
    assert.notEqual((await world.addOne({ uniqueKey: "k" })).id, first.id);
  },

  "enqueue() keeps the unique key through a retry": async (world) => {
    const running = await world.start({ uniqueKey: "k" });
    await world.settle(running, { outcome: retry(world.wallMs + 9) });
    assert.equal((await world.addOne({ uniqueKey: "k" })).id, running.id);
  },

  "enqueue() refuses a unique key that other work has, and writes none of the batch": async (
    world,
  ) => {
    await world.add({ uniqueKey: "k", argumentsJson: "[1]" });
    await refuses(world.add({}, { uniqueKey: "k", argumentsJson: "[2]" }, {}), "already_exists");
    assert.equal((await world.list()).length, 1);
    assert.equal((await world.store.stats()).kinds.get("mail")!.scheduled, 1);
  },

  "enqueue() refuses what cannot be stored": async (world) => {
    const bad = [
      { id: "" },
      { kind: "" },
      { kind: "x".repeat(201) },
      { kind: "a\ud800" },
      { queueKey: "a\ud800" },
      { uniqueKey: "a\0b" },
      { dueAt: NaN },
      { priority: 1.5 },
      { priority: 2 ** 53 },
      { retryMax: NaN },
      { keepSuccessMs: Infinity },
      { argumentsJson: " ".repeat(1_048_577) },
    ];
    for (const given of bad) {
      await refuses(world.add({}, given), "invalid_argument");
    }
    assert.equal((await world.store.stats()).kinds.size, 0);
  },

  "enqueue() takes BATCH_MAX instances and not one more": async (world) => {
    await refuses(world.addMany(BATCH_MAX + 1, {}), "invalid_argument");
    await world.addMany(BATCH_MAX);
    assert.equal((await world.store.stats()).kinds.get("mail")!.scheduled, BATCH_MAX);
    assert.deepEqual(await world.add(), []);
  },

  "a refused operation leaves the others of its turn be": async (world) => {
    const taken = await world.addOne();
    const before = world.addOne();
    const refused = world.add({}, { id: taken.id, kind: "other" });
    const after = world.addOne();
    await refuses(refused, "already_exists");
    const ids = [taken.id, (await before).id, (await after).id];
    assert.deepEqual(idsOf(await world.list()), ids);
  },
};

/** A child of an instance that has no parent, as a manager accepts it. */
const childOf = ({ id }: Instance): Partial<NewInstance> => ({ parentId: id, flowId: id });

async function listed(world: StoreWorld, query: InstanceQuery): Promise<readonly string[]> {
  const found = await readPages((page) => world.store.list(query, page), 2);
  return found.map(({ id }) => id);
}

/** Cases of instances that schedule others. */
export const flowCases: StoreCases = {
  "enqueue() keeps the parent and the flow, and the parent belongs to its flow": async (world) => {
    const first = await world.start();
    assert.deepEqual([first.parentId, first.flowId], [null, null]);
    const [child] = await world.add(childOf(first));
    const [grandchild] = await world.add({ parentId: child!.id, flowId: first.id });
    assert.deepEqual([child!.parentId, child!.flowId], [first.id, first.id]);
    assert.deepEqual([grandchild!.parentId, grandchild!.flowId], [child!.id, first.id]);
    assert.deepEqual(await world.store.get(first.id), { ...first, flowId: first.id });
    assert.equal((await world.store.get(child!.id))!.flowId, first.id);
  },

  "list() finds the children of an instance and its whole flow": async (world) => {
    const first = await world.start();
    const children = await world.add(childOf(first), childOf(first), childOf(first));
    const [grandchild] = await world.add({ parentId: children[0]!.id, flowId: first.id });
    const other = await world.addOne();
    await world.add(childOf(other));
    const ids = children.map(({ id }) => id).reverse();
    assert.deepEqual(await listed(world, { parentId: first.id }), ids);
    assert.deepEqual(await listed(world, { flowId: first.id }), [grandchild!.id, ...ids, first.id]);
    const waiting: InstanceQuery = { flowId: first.id, states: ["scheduled"] };
    assert.deepEqual(await listed(world, waiting), [grandchild!.id, ...ids]);
    assert.deepEqual(await listed(world, { flowId: grandchild!.id }), []);
    assert.deepEqual(await listed(world, { parentId: first.id, flowId: other.id }), []);
  },

  "enqueue() adds to the flow of an instance that runs, waits, or has ended": async (world) => {
    const running = await world.start();
    await world.add({ ...childOf(running), kind: "other" });
    const { status, instance } = await world.settle(running, { outcome: completed() });
    assert.equal(status, "settled");
    assert.equal(instance!.flowId, running.id);
    await world.add({ ...childOf(running), kind: "other" });
    const late = await world.addOne({ dueAt: world.wallMs + 60_000 });
    await world.add({ ...childOf(late), kind: "other" });
    world.advance(60_000);
    const [claimed] = await world.claim();
    assert.deepEqual([claimed!.id, claimed!.flowId], [late.id, late.id]);
    await world.settle(claimed!);
    for (const [id, size] of [[running.id, 3], [late.id, 2]] as const) {
      assert.equal((await listed(world, { flowId: id })).length, size);
    }
  },

  "enqueue() accepts a child of an instance that is gone": async (world) => {
    const gone = { ...await world.addOne(), id: world.newId() };
    const child = await world.addOne(childOf(gone));
    assert.deepEqual(await listed(world, { flowId: gone.id }), [child.id]);
  },

  "cancel() cancels a flow, and nothing else": async (world) => {
    const first = await world.start();
    const [child] = await world.add(childOf(first), {});
    const request = { at: world.at, query: { flowId: first.id }, limit: 9 };
    const { value: canceled } = await world.store.cancel(request);
    assert.deepEqual(canceled.map(({ id }) => id).sort(), [first.id, child!.id].sort());
  },

  "retain() deletes each instance of a flow when its time has come": async (world) => {
    const first = await world.start({ keepSuccessMs: 1_000 });
    const child = await world.addOne({ ...childOf(first), dueAt: world.wallMs + 3_600_000 });
    await world.settle(first);
    world.advance(2_000);
    assert.deepEqual((await world.store.retain({ at: world.at, limit: 9 })).value, [first.id]);
    assert.deepEqual(await listed(world, { flowId: first.id }), [child.id]);
    await world.cancel(child.id);
    world.advance(3_600_000);
    assert.deepEqual((await world.store.retain({ at: world.at, limit: 9 })).value, [child.id]);
    assert.deepEqual(await listed(world, { flowId: first.id }), []);
    assert.deepEqual(await listed(world, { parentId: first.id }), []);
  },

  "redrive() keeps the parent and the flow that it is given": async (world) => {
    const first = await world.start();
    const dead = await world.finish({ ...childOf(first), kind: "other" });
    const again = world.newInstance({ ...childOf(first), retryOf: dead.id });
    await world.store.redrive({ at: world.at, instances: [again], isForced: true });
    assert.deepEqual(await listed(world, { parentId: first.id }), [again.id, dead.id]);
  },
};
