import assert from "node:assert/strict";
import {
  CONTINUED_KEY,
  madeKey,
  memberKey,
  NEVER_DUE,
  type OpenChildren,
  openKey,
  TURN_KEY,
  turnIdsKey,
  turnsKey,
  type Wait,
} from "../core/wait.ts";
import type { Instance } from "../core/instance.ts";
import {
  completed,
  failed,
  idsOf,
  MINUTE,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";
import { isDue, park, put, settleChild, steps } from "./world/flow_world.ts";

const ALL = "all:render";
const WAIT: Wait = { key: ALL, type: "children", name: "render", until: null };
const TURN: Wait = { key: TURN_KEY, type: "turn", name: "render", until: null };

/** Settings of a call of several children. */
interface Call {
  readonly total: number;
  readonly open?: Partial<OpenChildren>;
  /** Most at once; absent: they take no turns. */
  readonly max?: number;
  readonly turn?: Wait;
}

/** Record a call of children, and accept them. */
async function call(
  world: StoreWorld,
  running: Instance,
  { total, open, max, turn = TURN }: Call,
): Promise<readonly Instance[]> {
  const ids = Array.from({ length: total }, () => world.newId());
  const turns = max === undefined ? {} : { turns: { max, next: 0, running: 0 } };
  const count: OpenChildren = { open: total, total, failed: 0, isFast: false, ...open, ...turns };
  await put(
    world,
    running,
    { key: openKey(ALL), data: JSON.stringify(count) },
    { key: turnsKey(ALL), data: "{}" },
    { key: turnIdsKey(ALL, 0), data: JSON.stringify(ids.join("")) },
  );
  return await world.add(...ids.map((id, index) => ({
    id,
    kind: "render",
    parentId: running.id,
    flowId: running.id,
    parentStep: memberKey(ALL, index),
    ...(max === undefined ? {} : { waits: [turn], dueAt: NEVER_DUE }),
  })));
}

/** A parent that waits for children. */
async function parked(world: StoreWorld, how: Call) {
  const running = await world.start({ priority: 0 });
  const children = await call(world, running, how);
  await put(world, running, { key: madeKey(ALL), data: "{}" });
  return { running, children, parent: await park(world, running, WAIT) };
}

/** The children that may run, by their places. */
async function due(world: StoreWorld, children: readonly Instance[]): Promise<readonly number[]> {
  const places: number[] = [];
  for (const [place, { id }] of children.entries()) {
    const child = (await world.store.get(id))!;
    if (child.state === "scheduled" && child.dueAt <= world.wallMs) places.push(place);
  }
  return places;
}

const openOf = async (world: StoreWorld, parent: Instance) =>
  JSON.parse((await steps(world, parent))[openKey(ALL)]!) as OpenChildren;

/** Cases of several children of one call. */
export const childrenCases: StoreCases = {
  "the last of several children wakes their parent": async (world) => {
    const { parent } = await parked(world, { total: 2 });
    await settleChild(world, failed());
    assert.equal(await isDue(world, parent), false);
    await settleChild(world);
    assert.equal(await isDue(world, parent), true);
    const found = await steps(world, parent);
    const { open, failed: failures } = await openOf(world, parent);
    assert.deepEqual([open, failures], [0, 1]);
    assert.deepEqual(JSON.parse(found[ALL]!).failed, 1);
    assert.equal(JSON.parse(found[memberKey(ALL, 0)]!).state, "terminated");
    assert.equal(JSON.parse(found[memberKey(ALL, 1)]!).state, "completed");
  },

  "the first failure of several children wakes their parent if it asked for that": async (
    world,
  ) => {
    const { parent } = await parked(world, { total: 3, open: { isFast: true } });
    await settleChild(world);
    assert.equal(await isDue(world, parent), false);
    await settleChild(world, failed());
    assert.equal(await isDue(world, parent), true);
    const [resumed] = await world.claim();
    await world.settle(resumed!);
    // The last one ends after its parent, which takes nothing.
    await settleChild(world);
    assert.equal((await steps(world, parent))[memberKey(ALL, 2)], undefined);
  },

  "more failures of children than allowed wake their parent": async (world) => {
    const { parent } = await parked(world, { total: 4, open: { failuresMax: 1 } });
    await settleChild(world, failed());
    await settleChild(world);
    assert.equal(await isDue(world, parent), false);
    await settleChild(world, failed());
    assert.equal(await isDue(world, parent), true);
    const { open, failed: failures } = JSON.parse((await steps(world, parent))[ALL]!);
    assert.deepEqual([open, failures], [1, 2]);
  },

  "a call without results records the ends of its children alone": async (world) => {
    const { parent } = await parked(world, { total: 2, open: { isBare: true } });
    await settleChild(world);
    await settleChild(world, failed());
    const found = await steps(world, parent);
    const [first, second] = [0, 1].map((place) => JSON.parse(found[memberKey(ALL, place)]!));
    assert.deepEqual([first.state, first.resultsJson], ["completed", null]);
    assert.equal(second.state, "terminated");
    assert.notEqual(second.error, null);
  },

  "children take turns in their order, as many at once as allowed": async (world) => {
    const running = await world.start({ priority: 0 });
    const children = await call(world, running, { total: 5, max: 2 });
    assert.deepEqual(children[0]!.waits, [TURN]);
    assert.deepEqual(await due(world, children), [], "not before all have been accepted");
    const hints = world.hints();
    await put(world, running, { key: madeKey(ALL), data: "{}" });
    await hints.first(1, "instances");
    hints.stop();
    assert.deepEqual(await due(world, children), [0, 1]);
    const [first] = await world.claim(1, ["render"]);
    assert.deepEqual([first!.id, first!.waits], [children[0]!.id, null]);
    assert.deepEqual([first!.attempt, first!.resumes], [1, 0], "its turn is no resume");
    const parent = await park(world, running, WAIT);
    await world.settle(first!, { outcome: failed() });
    assert.deepEqual(await due(world, children), [1, 2]);
    await world.cancel(children[3]!.id);
    assert.deepEqual(await due(world, children), [1, 2], "it had no turn that another could take");
    await world.cancel(children[1]!.id);
    assert.deepEqual(await due(world, children), [2, 4]);
    assert.equal(await isDue(world, parent), false);
    await settleChild(world);
    await settleChild(world);
    assert.equal(await isDue(world, parent), true);
    assert.deepEqual((await openOf(world, parent)).turns, { max: 2, next: 5, running: 0 });
  },

  "no child takes its turn after a failure that ends the wait": async (world) => {
    const { children, parent } = await parked(world, { total: 4, max: 1, open: { isFast: true } });
    await settleChild(world);
    await settleChild(world, failed());
    assert.equal(await isDue(world, parent), true);
    assert.deepEqual(await due(world, children), []);
    for (const { id } of children.slice(2)) await world.cancel(id);
    assert.equal((await openOf(world, parent)).open, 0);
  },

  "children take their turns when their parent has ended": async (world) => {
    const { children, parent } = await parked(world, { total: 4, max: 1, open: { isFast: true } });
    await settleChild(world, failed());
    assert.deepEqual(await due(world, children), []);
    const [resumed] = await world.claim(1, ["mail"]);
    assert.equal(resumed!.id, parent.id);
    await world.settle(resumed!);
    assert.deepEqual(await due(world, children), [1]);
    await settleChild(world);
    assert.deepEqual(await due(world, children), [2]);
    await settleChild(world);
    await settleChild(world);
    assert.deepEqual(await due(world, children), []);
    assert.deepEqual(await world.claim(1, ["render"]), []);
  },

  "children take their turns when their parent ended before all were accepted": async (world) => {
    const running = await world.start({ priority: 0 });
    const children = await call(world, running, { total: 3, max: 2 });
    await world.settle(running, { outcome: failed() });
    assert.deepEqual(await due(world, children), [0, 1]);
    const late = await call(world, running, { total: 2, max: 1 });
    assert.deepEqual(await due(world, late), [0, 1], "nobody would give them their turn");
    assert.deepEqual(late.map(({ waits }) => waits), [null, null]);
  },

  "children of a deleted parent, or of its last round, run": async (world) => {
    const { running, children } = await parked(world, { total: 3, max: 1, open: { isFast: true } });
    const [first] = await world.claim(1, ["render"]);
    await world.settle(first!, { outcome: failed() });
    const [resumed] = await world.claim(1, ["mail"]);
    await put(world, resumed!, { key: CONTINUED_KEY, data: '{"round":2,"args":[],"taken":{}}' });
    assert.deepEqual(await due(world, children), [1, 2]);
    for (const { id } of children) await world.cancel(id);
    const others = await call(world, resumed!, { total: 3, max: 1, open: { isFast: true } });
    await put(world, resumed!, { key: madeKey(ALL), data: "{}" });
    await world.settle(resumed!, { outcome: completed() });
    const query = { ids: [running.id] };
    const at = world.at;
    await world.store.clearInstances({ at, query, settledBefore: world.wallMs + 1, limit: 10 });
    assert.equal(await world.store.get(running.id), null);
    assert.deepEqual(await due(world, others), [0, 1, 2]);
  },

  "the deadline of a child counts from its turn, and is its parent's at most": async (world) => {
    const turn = { ...TURN, deadlineMs: MINUTE };
    const { children } = await parked(world, { total: 2, max: 1, turn });
    const at = async (place: number) => (await world.store.get(children[place]!.id))!.deadlineAt;
    assert.deepEqual([await at(0), await at(1)], [world.wallMs + MINUTE, null]);
    world.advance(10 * MINUTE);
    const ended = await world.reap();
    assert.deepEqual(idsOf(ended), [children[0]!.id]);
    assert.equal(await at(1), world.wallMs + MINUTE);
    world.advance(MINUTE);
    assert.deepEqual(idsOf(await world.reap()), [children[1]!.id]);
  },

  "turns in records that job code forged give none to others": async (world) => {
    const other = await parked(world, { total: 2, max: 1, open: { isFast: true } });
    const running = await world.start({ priority: 0 });
    const data = JSON.stringify(other.children.map(({ id }) => id).join(""));
    for (const turns of [{ max: 9, next: 0, running: 0 }, { max: 1e15, next: 0, running: 1e15 }]) {
      const count = { open: 2, total: 1e15, failed: 0, isFast: false, turns };
      await put(
        world,
        running,
        { key: openKey(ALL), data: JSON.stringify(count) },
        { key: turnIdsKey(ALL, 0), data },
        { key: madeKey(ALL), data: "{}" },
      );
    }
    await put(
      world,
      running,
      { key: openKey(ALL), data: '{"turns":{"max":"x"},"open":[]}' },
      { key: madeKey(ALL), data: "{}" },
    );
    assert.deepEqual(await due(world, other.children), [0]);
  },
};
