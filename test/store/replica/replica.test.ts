import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import { sleep, systemClock } from "../../../src/platform/clock.ts";
import { VERSION } from "../../../src/platform/version.ts";
import { STORE_FORMAT } from "../../../src/store/store.ts";
import { Replicas } from "../../support/servers/replicas.ts";
import { LEASE_MS } from "../../support/servers/replicas.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const CLAIMERS = 50;
const INSTANCES = 2_000;

test("four replicas give 50 claimers 2,000 instances, each once", async () => {
  const world = new Replicas(systemClock);
  for (let count = 0; count < 4; count++) await world.open();
  const { nodes } = world;
  const adding = nodes.map((node) => world.add(node, INSTANCES / nodes.length));
  const ids = (await Promise.all(adding)).flat().map(({ id }) => id);
  const runs = new Map<string, number>();
  const shares = nodes.map(() => 0);
  const claimer = async (place: number) => {
    const node = nodes[place % nodes.length]!;
    for (;;) {
      const claims = await world.claim(node, 3);
      if (claims.length === 0) return;
      for (const { id } of claims) runs.set(id, (runs.get(id) ?? 0) + 1);
      shares[place % nodes.length]! += claims.length;
      const statuses = await world.settle(node, claims);
      assert.deepEqual(statuses, claims.map(() => "settled"));
    }
  };
  await Promise.all(Array.from({ length: CLAIMERS }, (_, place) => claimer(place)));
  assert.equal(runs.size, INSTANCES);
  assert.ok(ids.every((id) => runs.get(id) === 1));
  assert.ok(shares.every((share) => share > INSTANCES / 40), `shares ${shares}`);
  for (const { store } of nodes) {
    const { kinds } = await store.stats();
    assert.equal(kinds.get("mail")?.completed, INSTANCES);
  }
  await world.close();
});

test("fault 16, 17: four replicas run each instance once while responses are lost and watches are cut", async () => {
  const world = new Replicas(systemClock);
  for (let count = 0; count < 4; count++) await world.open();
  const { nodes } = world;
  const kinds = ["loseBefore", "loseAfter", "loseAfter"] as const;
  const runs = new Map<string, number>();
  let round = 0;
  const claimer = async (place: number) => {
    const node = nodes[place % nodes.length]!;
    for (;;) {
      round += 1;
      if (round % 7 === 0) node.medium.faults.commits.push(kinds[round % 3]!);
      if (round % 41 === 0) node.medium.cutWatch();
      const claims = await world.claim(node, 4);
      if (claims.length === 0) return;
      for (const { id } of claims) runs.set(id, (runs.get(id) ?? 0) + 1);
      // A settlement that is retried after a lost response may find itself.
      for (const status of await world.settle(node, claims)) assert.notEqual(status, "stale");
    }
  };
  await world.add(nodes[0]!, 400);
  await Promise.all(Array.from({ length: 12 }, (_, place) => claimer(place)));
  assert.equal(runs.size, 400);
  assert.ok([...runs.values()].every((count) => count === 1));
  await world.close();
});

test("a replica that is farther from the medium has its turn although another never stops", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const ways = [1, 3].map((wayMs) => () =>
    new Promise<void>((resolve) => void clock.timer(wayMs, resolve))
  );
  for (const way of ways) {
    const opening = world.open();
    await clock.settle();
    (await opening).medium.faults.delay = way;
  }
  const [near, far] = world.nodes;
  let count = 0;
  const pauses = (async () => {
    for (; count < 200; count++) {
      await near!.store.setPause({ at: clock.now(), kind: "x", until: null, reason: `${count}` });
    }
  })();
  let countThen = Infinity;
  const adding = world.add(far!).then(() => countThen = count);
  await clock.advance(2_000);
  await Promise.all([pauses, adding]);
  assert.ok(countThen < 100, `after ${countThen} commits of the other`);
});

test("fault 26: a full medium refuses a request, and nothing of it remains", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  node.medium.faults.commits.push("full");
  await assert.rejects(world.add(node), (error) => isJobError(error, "resource_exhausted"));
  const { items } = await node.store.list({}, { limit: 10 });
  assert.deepEqual(items, []);
  const [instance] = await world.add(node);
  assert.equal((await node.store.get(instance!.id))?.state, "scheduled");
  await world.close();
});

test("a group that is rolled back leaves no trace", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  const add = async (onConflict: "keep" | "replace") => {
    const unique = { forMs: null, onConflict };
    const instances = [
      world.newInstance({ uniqueKey: "k", unique, argumentsJson: `["${onConflict}"]` }),
    ];
    return (await node.store.enqueue({ at: systemClock.now(), instances })).value[0]!;
  };
  const first = await add("keep");
  node.medium.faults.commits.push("full");
  await assert.rejects(add("replace"), (error) => isJobError(error, "resource_exhausted"));
  assert.deepEqual(await add("keep"), { instance: first.instance, outcome: "sameKey" });
  assert.deepEqual(await node.store.get(first.instance.id), first.instance);
  await world.close();
});

test("fault 18: calls to a medium that is down fail within five seconds, and work again once it is up", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const opening = world.open();
  await clock.settle();
  const node = await opening;
  node.medium.faults.isDown = true;
  const codes: string[] = [];
  const note = (asked: Promise<unknown>) =>
    asked.then(() => codes.push("done"), (error) => codes.push(error.code));
  void note(world.add(node));
  void note(node.store.list({}, { limit: 1 }));
  await clock.advance(5_000);
  assert.deepEqual(codes.sort(), ["unavailable", "unavailable"]);
  // The medium is known to be unreachable: later operations, such as a second call of the same
  // request, fail sooner.
  void note(world.add(node));
  await clock.advance(1_000);
  assert.deepEqual(codes, ["unavailable", "unavailable", "unavailable"]);
  node.medium.faults.isDown = false;
  node.medium.tell();
  void note(world.add(node));
  await clock.advance(1_000);
  assert.equal(codes.at(-1), "done");
});

test("fault 4: claims of a node that is gone are taken over when its lease has ended, and not before", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const run = async <T>(asked: Promise<T>): Promise<T> => {
    await clock.settle();
    return await asked;
  };
  const [first, second] = [await run(world.open()), await run(world.open())];
  await run(world.add(first!, 2));
  const claims = await run(world.claim(first!, 2));
  const reap = async () => {
    const { value } = await run(second!.store.reap({ at: clock.now(), limit: 10 }));
    return value.map(({ id }) => id);
  };
  await clock.advance(LEASE_MS - 1);
  assert.deepEqual(await reap(), []);
  assert.deepEqual(await run(world.renew(first!, claims.slice(0, 1))), ["renewed"]);
  await clock.advance(1);
  assert.deepEqual(await reap(), [claims[1]!.id]);
  await clock.advance(LEASE_MS - 2);
  assert.deepEqual(await reap(), []);
  await clock.advance(1);
  assert.deepEqual(await reap(), [claims[0]!.id]);
  assert.deepEqual(await run(world.settle(first!, claims)), ["stale", "stale"]);
});

test("a replica that opens later counts leases from when it learned of them", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const run = async <T>(asked: Promise<T>): Promise<T> => {
    await clock.settle();
    return await asked;
  };
  const first = await run(world.open());
  await run(world.add(first));
  const [claim] = await run(world.claim(first));
  await clock.advance(LEASE_MS);
  const second = await run(world.open());
  const reap = () => run(second.store.reap({ at: clock.now(), limit: 10 }));
  assert.deepEqual((await reap()).value, []);
  await clock.advance(LEASE_MS);
  assert.deepEqual((await reap()).value.map(({ id }) => id), [claim!.id]);
});

test("a replica reports the changes of others", async () => {
  const world = new Replicas(systemClock);
  const [first, second] = [await world.open(), await world.open()];
  const [instance] = await world.add(first!);
  const [claim] = await world.claim(first!);
  const types: string[] = [];
  second!.store.subscribe((hint) => types.push(hint.type));
  const heard: unknown[] = [];
  first!.store.subscribe((hint) => hint.type === "cancel" && heard.push(...hint.claims));
  const at = systemClock.now();
  await world.add(first!);
  await first!.store.setPause({ at, kind: "mail", until: null, reason: "" });
  await second!.store.cancel({ at, query: { ids: [instance!.id] }, limit: 1 });
  assert.deepEqual(await world.renew(first!, [claim!]), ["canceling"]);
  await second!.store.get("x");
  await first!.store.get("x");
  assert.deepEqual(types.slice(0, 2), ["instances", "pauses"]);
  assert.deepEqual(heard, [{ id: claim!.id, fence: claim!.fence }]);
  await world.close();
});

test("fault 24: a replica whose watch was compacted loads everything again and misses nothing", async () => {
  const world = new Replicas(systemClock);
  const [first, second] = [await world.open(), await world.open()];
  const types = new Set<string>();
  second!.store.subscribe((hint) => types.add(hint.type));
  second!.medium.faults.isDown = true;
  const missed = (await world.add(first!, 3)).map(({ id }) => id);
  second!.medium.faults.isDown = false;
  second!.medium.cutWatch();
  const { items } = await second!.store.list({}, { limit: 10, order: "oldest" });
  assert.deepEqual(items.map(({ id }) => id), missed);
  assert.ok(types.has("instances"));
  const claims = await world.claim(second!, 3);
  assert.deepEqual(claims.map(({ id }) => id), missed);
  const [later] = await world.add(first!);
  assert.equal((await second!.store.get(later!.id))?.id, later!.id);
  await world.close();
});

test("fault 23: a medium that was emptied is not gone on with", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  await world.add(node);
  world.shared.clear();
  await sleep(systemClock, 20);
  const attempts = [
    () => world.add(node),
    () => node.store.list({}, { limit: 1 }),
    () => node.store.nextDue({ at: systemClock.now(), kinds: new Set() }),
  ];
  for (const attempt of attempts) {
    await assert.rejects(attempt, (error) => isJobError(error, "conflict"));
  }
  await world.close();
});

test("a row that cannot be read ends the replica, and not the process", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  const { version } = world.shared;
  const puts = [["i/0000000000000009", "no JSON"]] as const;
  world.shared.apply({ expected: version, next: version + 1, puts, deletes: [] });
  const attempts = [() => world.add(node), () => node.store.get("x"), () => world.claim(node)];
  for (const attempt of attempts) {
    await assert.rejects(attempt, (error) => isJobError(error, "internal"));
  }
  await world.close();
});

test("a store that is closed while it loads again opens anew", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  const [instance] = await world.add(node);
  node.medium.faults.isDown = true;
  node.medium.cutWatch();
  await sleep(systemClock, 15);
  await node.store.close();
  node.medium.faults.isDown = false;
  await node.store.open({ at: systemClock.now(), node: node.id });
  await sleep(systemClock, 50);
  assert.deepEqual(await node.store.get(instance!.id), instance);
  await world.settle(node, await world.claim(node));
  assert.equal((await node.store.get(instance!.id))?.state, "completed");
  await world.close();
});

test("fault 33: a newer format, and anything that is not a store, is refused", async () => {
  for (const head of ['{"format":99,"storeId":"x"}', "{}"]) {
    const world = new Replicas(systemClock);
    const puts = [["head", head]] as const;
    world.shared.apply({ expected: 0, next: 1, puts, deletes: [] });
    await assert.rejects(world.open(), (error) => isJobError(error, "conflict"));
  }
});

test("open() gives data of an older format its own, unless it only looks", async () => {
  const world = new Replicas(systemClock);
  await (await world.open()).store.close();
  const { version } = world.shared;
  const { madeBy: _, ...head } = JSON.parse(world.shared.rows.get("head")!);
  const puts = [["head", JSON.stringify({ ...head, format: STORE_FORMAT - 1 })]] as const;
  world.shared.apply({ expected: version, next: version + 1, puts, deletes: [] });
  const stored = () => JSON.parse(world.shared.rows.get("head")!);
  const request = { at: systemClock.now(), node: "n" };
  const looking = world.make().store;
  await looking.open({ ...request, isMaintenance: true });
  await looking.close();
  assert.equal(stored().format, STORE_FORMAT - 1);
  await (await world.open()).store.close();
  assert.deepEqual([stored().format, stored().madeBy], [STORE_FORMAT, VERSION]);
  await world.close();
});

test("fault 33: a replica goes no further when a newer version changes the format", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  const { version } = world.shared;
  const head = { ...JSON.parse(world.shared.rows.get("head")!), format: 99, madeBy: "9.8.7" };
  const puts = [["head", JSON.stringify(head)]] as const;
  world.shared.apply({ expected: version, next: version + 1, puts, deletes: [] });
  await assert.rejects(world.add(node), (error) => {
    assert.ok(isJobError(error, "conflict"));
    assert.match(error.message, /it has format 99 of jobctl 9\.8\.7; this is jobctl /);
    assert.match(error.hint ?? "", /^Use jobctl 9\.8\.7 or newer\. To go back, restore a backup/);
    return true;
  });
  assert.equal(world.shared.version, version + 1);
  await world.close();
});

test("fault 33: members that a newer version wrote into rows survive changes by an older one", async () => {
  const world = new Replicas(systemClock);
  const node = await world.open();
  const [instance] = await world.add(node);
  const key = "i/0000000000000001";
  const value = { ...JSON.parse(world.shared.rows.get(key)!), color: { is: "blue" } };
  const head = { ...JSON.parse(world.shared.rows.get("head")!), shape: "round" };
  const puts = [[key, JSON.stringify(value)], ["head", JSON.stringify(head)]] as const;
  const { version } = world.shared;
  world.shared.apply({ expected: version, next: version + 1, puts, deletes: [] });
  const found = await node.store.get(instance!.id);
  assert.deepEqual(found, instance);
  await world.settle(node, await world.claim(node));
  const after = JSON.parse(world.shared.rows.get(key)!);
  assert.equal(after.state, "completed");
  assert.deepEqual(after.color, { is: "blue" });
  assert.equal(JSON.parse(world.shared.rows.get("head")!).shape, "round");
  await world.close();
});

test("fault 24: an opening whose moment was compacted while it was read reads a later one", async () => {
  const world = new Replicas(systemClock);
  await world.add(await world.open(), 3);
  const late = world.make();
  const load = late.medium.load.bind(late.medium);
  let count = 0;
  late.medium.load = async () => {
    const image = await load();
    if (++count > 2) return image;
    const pairs = (async function* () {
      for await (const part of image.pairs) {
        yield part.slice(0, 2);
        throw new JobError("unavailable", "Cannot read: it was compacted meanwhile");
      }
    })();
    return { ...image, pairs };
  };
  await late.store.open({ at: systemClock.now(), node: late.id });
  assert.equal((await late.store.stats()).kinds.get("mail")?.scheduled, 3);
  await world.close();
});

test("fault 20: a medium that takes long all at once is waited for", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const opening = world.open();
  await clock.settle();
  await opening;
  const [node] = world.nodes;
  node!.medium.faults.delay = () =>
    new Promise((resolve) => void clock.timer(6_000, () => resolve()));
  const adding = world.add(node!, 1);
  await clock.advance(14_000);
  assert.equal((await adding).length, 1);
});

test("fault 16: a claim that is made after its caller gave up is released at once", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  for (let count = 0; count < 2; count++) {
    const opening = world.open();
    await clock.settle();
    await opening;
  }
  const [first, second] = world.nodes;
  const adding = world.add(second!, 2);
  await clock.settle();
  const [instance, other] = await adding;
  const claiming = world.claim(second!);
  await clock.settle();
  assert.deepEqual((await claiming).map(({ id }) => id), [instance!.id]);
  // The commit takes longer than anybody waits.
  first!.medium.faults.delay = () =>
    new Promise((resolve) => void clock.timer(17_000, () => resolve()));
  const refused = assert.rejects(world.claim(first!), (error) => isJobError(error, "unavailable"));
  await clock.advance(16_000);
  await refused;
  first!.medium.faults.delay = null;
  await clock.advance(2_000);
  const asking = Promise.all([second!.store.get(other!.id), second!.store.get(instance!.id)]);
  await clock.settle();
  const [back, held] = await asking;
  const { state, reason, attempt, crashes } = back!;
  assert.deepEqual({ state, reason, attempt, crashes }, {
    ...{ state: "scheduled", reason: "released", attempt: 0, crashes: 0 },
  });
  assert.equal(held?.state, "processing");
});

test("fault 20: everything works on a medium whose calls take five seconds", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const opening = world.open();
  await clock.settle();
  const node = await opening;
  node.medium.faults.delay = () =>
    new Promise((resolve) => void clock.timer(2_500, () => resolve()));
  Object.defineProperty(node.medium, "answerMs", { value: 5_000 });
  const adding = world.add(node);
  await clock.advance(5_500);
  await adding;
  const claiming = world.claim(node);
  await clock.advance(5_500);
  const claims = await claiming;
  assert.equal(claims.length, 1);
  const settling = world.settle(node, claims);
  await clock.advance(5_500);
  assert.deepEqual(await settling, ["settled"]);
});

test("fault 20: a renewal that waited for another commit counts from when its own was sent", async () => {
  const clock = new SimClock();
  const world = new Replicas(clock);
  const opening = world.open();
  await clock.settle();
  const node = await opening;
  const adding = world.add(node);
  await clock.settle();
  await adding;
  const claiming = world.claim(node);
  await clock.settle();
  const claims = await claiming;
  node.medium.faults.delay = () =>
    new Promise((resolve) => void clock.timer(2_500, () => resolve()));
  const startMs = clock.now().monotonicMs;
  const other = world.add(node);
  await clock.advance(1);
  const request = { at: clock.now(), node: node.id, claims, leaseMs: LEASE_MS };
  const renewing = node.store.renew(request);
  await clock.advance(10_100);
  await other;
  const { sentMs = 0, value } = await renewing;
  assert.equal(value[0]?.status, "renewed");
  assert.ok(sentMs >= startMs + 5_000, `${sentMs - startMs} ms after the request`);
});

test("who opens a replica to look after it writes nothing by that", async () => {
  const world = new Replicas(systemClock);
  const { store } = world.make();
  await store.open({ at: systemClock.now(), node: "info", isMaintenance: true });
  assert.deepEqual((await store.list({}, { limit: 1 })).items, []);
  assert.equal(world.shared.version, 0);
  await world.add(await world.open());
  assert.equal((await store.list({}, { limit: 1 })).items.length, 1);
  await world.close();
});
