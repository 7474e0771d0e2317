import assert from "node:assert/strict";
import { isJobError } from "../core/errors.ts";
import { NODE_KEPT_MS, type NodeReport } from "../store/nodes.ts";
import { type ClaimKey, STORE_FORMAT } from "../store/store.ts";
import {
  LEASE_MS,
  refuses,
  REPORT,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

async function join(
  world: StoreWorld,
  id = "n1",
  given: Partial<NodeReport> & {
    readonly replaces?: number;
    readonly keeps?: readonly ClaimKey[];
  } = {},
) {
  const { replaces, keeps = [], ...report } = given;
  const request = { at: world.at, id, report: { ...REPORT, ...report }, leaseMs: LEASE_MS, keeps };
  const { value } = await world.store.joinNode(
    replaces === undefined ? request : { ...request, replaces },
  );
  return { ...value.node, recovered: value.recovered };
}

async function report(
  world: StoreWorld,
  { id, session }: { readonly id: string; readonly session: number },
  given: Partial<NodeReport> = {},
) {
  const request = { at: world.at, id, session, report: given, leaseMs: LEASE_MS };
  return (await world.store.reportNode(request)).value;
}

async function leave(
  world: StoreWorld,
  { id, session }: { readonly id: string; readonly session: number },
) {
  return (await world.store.leaveNode({ at: world.at, id, session })).value;
}

async function listed(world: StoreWorld): Promise<readonly string[]> {
  const nodes = await world.store.listNodes({ at: world.at });
  return nodes.map((one) =>
    `${one.id} ${one.leftAt !== null ? "left" : one.until > world.wallMs ? "live" : "lost"}`
  );
}

/** Types of the hints that came meanwhile. */
async function hintsOf(world: StoreWorld, run: () => Promise<unknown>): Promise<readonly string[]> {
  const types: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = world.store.subscribe(({ type }) => {
    types.push(type);
    if (type === "pauses") resolve();
  });
  await run();
  // A hint that was requested last comes last: no wait is needed to see that there was no other.
  await world.pause("last");
  await promise;
  stop();
  return types.filter((type) => type !== "pauses");
}

/** Cases of nodes. */
export const nodeCases: StoreCases = {
  "joinNode() takes over what a turn left of a session, with a settlement and a claim in it":
    async (world) => {
      const { session } = await join(world, "n1");
      await world.add({}, {});
      const [first] = await world.claim(1, ["mail"], "n1");
      const [settled, claimed, joined] = await Promise.all([
        world.settle(first!),
        world.claim(1, ["mail"], "n1"),
        join(world, "n1", { replaces: session }),
      ]);
      assert.equal(settled.instance!.state, "completed");
      assert.deepEqual(joined.recovered.map(({ id }) => id), claimed.map(({ id }) => id));
      assert.deepEqual(await world.store.records.findProblems({ limit: 9 }), []);
    },

  "joinNode() takes the report as it is, live for the lease": async (world) => {
    const node = await join(world);
    const { at: _at, ...told } = { ...REPORT, at: 0 };
    for (const [key, value] of Object.entries(told)) {
      assert.deepEqual(node[key as keyof typeof node], value, key);
    }
    assert.equal(node.id, "n1");
    assert.equal(node.leftAt, null);
    assert.equal(node.wantedWorkers, null);
    assert.equal(node.format, STORE_FORMAT);
    assert.deepEqual(node.recovered, []);
    assert.equal(node.until - node.seenAt, LEASE_MS);
    const { recovered: _recovered, ...record } = node;
    assert.deepEqual(await world.store.listNodes({ at: world.at }), [record]);
  },

  "joinNode() and reportNode() keep what a newer version says besides": async (world) => {
    const newer = { zone: { name: "eu-1", racks: [1, null] } };
    const node = await join(world, "n1", newer as Partial<NodeReport>);
    assert.deepEqual((node as unknown as typeof newer).zone, newer.zone);
    await report(world, node, { busy: 2 });
    await world.store.setNodeWorkers({ at: world.at, id: "n1", workers: 2 });
    const [kept] = await world.store.listNodes({ at: world.at });
    assert.deepEqual((kept as unknown as typeof newer).zone, newer.zone);
  },

  "joinNode() refuses an id that another session has, naming host and process": async (world) => {
    await join(world);
    world.advance(LEASE_MS - 1);
    await assert.rejects(join(world, "n1", { host: "beta" }), (error) => {
      assert.ok(isJobError(error, "conflict"));
      assert.match(error.message, /4711.*alpha/);
      assert.match(error.hint ?? "", /node\.id/);
      return true;
    });
    assert.deepEqual(await listed(world), ["n1 live"]);
    await join(world, "n2");
    assert.deepEqual(await listed(world), ["n1 live", "n2 live"]);
  },

  "joinNode() gives a higher session after the lease, and the old one is refused": async (
    world,
  ) => {
    const first = await join(world);
    world.advance(LEASE_MS);
    const second = await join(world, "n1", { host: "beta" });
    assert.ok(second.session > first.session);
    await assert.rejects(report(world, first), (error) => {
      assert.ok(isJobError(error, "conflict"));
      assert.match(error.message, /beta/);
      return true;
    });
    assert.equal(await leave(world, first), false);
    assert.equal((await report(world, second)).session, second.session);
  },

  "joinNode() in place of a dead session takes back what it held, at once": async (world) => {
    const dead = await join(world);
    const running = await world.start();
    await world.add({});
    const [other] = await world.claim(1, ["mail"], "n2");
    const node = await join(world, "n1", { pid: 5, replaces: dead.session });
    assert.ok(node.session > dead.session);
    assert.deepEqual(node.recovered.map(({ id, state, reason }) => [id, state, reason]), [
      [running.id, "scheduled", "lost"],
    ]);
    assert.equal(node.recovered[0]!.crashes, 1);
    assert.equal((await world.settle(running)).status, "stale");
    assert.equal((await world.settle(other!)).status, "settled");
    const [again] = await world.claim();
    assert.equal(again!.id, running.id);
    assert.equal(again!.attempt, 2);
  },

  "joinNode() in place of a dead session keeps claims whose job code still runs": async (world) => {
    const dead = await join(world);
    const [kept, other, stale] = [await world.start(), await world.start(), await world.start()];
    const keeps = [kept, { id: stale.id, fence: stale.fence + 1 }];
    const { recovered } = await join(world, "n1", { replaces: dead.session, keeps });
    assert.deepEqual(recovered.map(({ id }) => id).sort(), [other.id, stale.id]);
    assert.deepEqual(await world.store.get(kept.id), kept);
    assert.equal((await world.settle(kept)).status, "settled");
    assert.equal((await world.settle(stale)).status, "stale");
    assert.deepEqual(await world.store.records.findProblems({ limit: 9 }), []);
  },

  "joinNode() in place of a session that is no longer the one there is refused": async (world) => {
    const dead = await join(world);
    const next = await join(world, "n1", { replaces: dead.session });
    const running = await world.start();
    await refuses(join(world, "n1", { replaces: dead.session }), "conflict");
    assert.equal((await world.settle(running)).status, "settled");
    assert.equal((await report(world, next)).session, next.session);
  },

  "joinNode() after the lease leaves claims their own leases": async (world) => {
    await join(world);
    world.advance(LEASE_MS - 1);
    const running = await world.start();
    world.advance(1);
    const { recovered } = await join(world);
    assert.deepEqual(recovered, []);
    assert.equal((await world.settle(running)).status, "settled");
  },

  "joinNode() refuses what cannot be stored, and nothing is there": async (world) => {
    for (const given of [{ host: "" }, { tags: ["a\0b"] }, { kinds: ["x".repeat(201)] }]) {
      await refuses(join(world, "n1", given), "invalid_argument");
    }
    await refuses(join(world, ""), "invalid_argument");
    assert.deepEqual(await listed(world), []);
  },

  "reportNode() prolongs and updates": async (world) => {
    const node = await join(world);
    world.advance(LEASE_MS - 1);
    const told = { busy: 3, workers: 8, kinds: ["mail"], isDraining: true, tags: [] };
    const next = await report(world, node, told);
    assert.equal(next.until - node.until, LEASE_MS - 1);
    for (const [key, value] of Object.entries({ ...REPORT, ...told })) {
      assert.deepEqual(next[key as keyof typeof next], value, key);
    }
    world.advance(LEASE_MS - 1);
    assert.deepEqual(await listed(world), ["n1 live"]);
  },

  "reportNode() revives a session whose lease ended, when nobody took its id": async (world) => {
    const node = await join(world);
    world.advance(10 * LEASE_MS);
    assert.deepEqual(await listed(world), ["n1 lost"]);
    assert.equal((await report(world, node)).session, node.session);
    assert.deepEqual(await listed(world), ["n1 live"]);
  },

  "reportNode() of a node that is forgotten says so": async (world) => {
    const node = await join(world);
    world.advance(LEASE_MS + NODE_KEPT_MS);
    await join(world, "n2");
    await refuses(report(world, node), "not_found");
  },

  "leaveNode() ends the session, and its id is free": async (world) => {
    const node = await join(world);
    assert.equal(await leave(world, node), true);
    assert.equal(await leave(world, node), false);
    assert.deepEqual(await listed(world), ["n1 left"]);
    await refuses(report(world, node), "conflict");
    const next = await join(world);
    assert.ok(next.session > node.session);
    assert.deepEqual(await listed(world), ["n1 live"]);
  },

  "listNodes() names those that are gone for an hour": async (world) => {
    await join(world, "lost");
    await leave(world, await join(world, "left"));
    world.advance(LEASE_MS);
    const live = await join(world, "live");
    assert.deepEqual(await listed(world), ["left left", "live live", "lost lost"]);
    world.advance(NODE_KEPT_MS - LEASE_MS);
    assert.deepEqual(await listed(world), ["live lost", "lost lost"]);
    world.advance(LEASE_MS);
    await report(world, live);
    assert.deepEqual(await listed(world), ["live live"]);
  },

  "setNodeWorkers() is a wish until the node joins again": async (world) => {
    const node = await join(world);
    const request = { at: world.at, id: "n1", workers: 7 };
    assert.equal((await world.store.setNodeWorkers(request)).value.wantedWorkers, 7);
    assert.equal((await report(world, node)).wantedWorkers, 7);
    assert.equal((await report(world, node, { workers: 7 })).workers, 7);
    await leave(world, node);
    assert.equal((await join(world)).wantedWorkers, null);
  },

  "setNodeWorkers() refuses a node that is not live": async (world) => {
    const node = await join(world, "alpha");
    const ask = (id: string) => world.store.setNodeWorkers({ at: world.at, id, workers: 1 });
    await refuses(ask("alpa"), "not_found");
    await leave(world, node);
    await refuses(ask("alpha"), "not_found");
  },

  "subscribe() tells of nodes that change what is served, not of every report": async (world) => {
    let node = await join(world);
    assert.deepEqual(await hintsOf(world, () => join(world, "n2")), ["nodes"]);
    assert.deepEqual(await hintsOf(world, () => report(world, node, { busy: 2 })), []);
    assert.deepEqual(await hintsOf(world, () => report(world, node, { kinds: ["a"] })), ["nodes"]);
    const same = { kinds: ["a"], workers: 9 };
    assert.deepEqual(await hintsOf(world, () => report(world, node, same)), []);
    const draining = { isDraining: true };
    assert.deepEqual(await hintsOf(world, () => report(world, node, draining)), ["nodes"]);
    const resize = () => world.store.setNodeWorkers({ at: world.at, id: "n1", workers: 2 });
    assert.deepEqual(await hintsOf(world, resize), ["nodes"]);
    assert.deepEqual(await hintsOf(world, () => leave(world, node)), ["nodes"]);
    node = await join(world);
    world.advance(LEASE_MS);
    assert.deepEqual(await hintsOf(world, () => report(world, node)), ["nodes"]);
  },
};
