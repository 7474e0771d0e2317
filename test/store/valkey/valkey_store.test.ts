import assert from "node:assert/strict";
import test, { after } from "node:test";
import { failed, LEASE_MS, START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { CaseTime } from "../../../src/conformance/index.ts";
import type { Instance } from "../../../src/core/instance.ts";
import { keyPrefix, valkeyStore } from "../../../src/store/valkey/store.ts";
import { ValkeyWorld } from "../../support/servers/valkey_world.ts";
import { linkTo } from "./valkey_link_world.ts";

const valkey = new ValkeyWorld();
after(() => valkey.close());

const NODE = { at: { wallMs: 1, monotonicMs: 1 }, node: "n1" };

/** An open store with its own namespace behind the proxy, and a clock that the test moves. */
async function openWorld() {
  const time = new CaseTime();
  const stores = await valkey.stores({ clock: () => time.at });
  const store = stores.makeByProxy();
  await store.open(NODE);
  return { ...stores, store, world: new StoreWorld(store, { store }, time) };
}

test("faults 16 and 17: an operation whose answer was lost gets the same answer, and is done once", async () => {
  const { store, proxy, world } = await openWorld();
  const input = world.newInstance({ uniqueKey: "k" });
  proxy.cutBeforeAnswer();
  const accepted = await store.enqueue({ at: world.at, instances: [input] });
  assert.equal(accepted.value[0]!.outcome, "accepted");
  proxy.cutBeforeAnswer();
  const [claimed] = await world.claim(10);
  assert.equal(claimed!.id, input.id);
  assert.equal(claimed!.attempt, 1);
  proxy.cutBeforeAnswer();
  const { status, instance } = await world.settle(claimed!, {
    logs: [{ at: world.wallMs, level: "info", message: "once", source: "job" }],
  });
  assert.equal(status, "settled");
  assert.equal(instance!.state, "completed");
  assert.equal((await store.logs({}, { limit: 9 })).items.length, 1);
  assert.equal(proxy.cuts >= 3, true);
  await store.close();
});

test("fault 1: an operation that the server never saw is sent again", async () => {
  const { store, proxy, world } = await openWorld();
  proxy.cutBeforeRequest();
  const { value } = await store.enqueue({ at: world.at, instances: [world.newInstance()] });
  assert.equal(value[0]!.outcome, "accepted");
  assert.equal((await store.stats()).kinds.get("mail")!.scheduled, 1);
  await store.close();
});

test("50 claimers over 4 connections that are cut execute each of 2,000 instances once", async () => {
  const time = new CaseTime();
  const { makeByProxy, proxy } = await valkey.stores({ clock: () => time.at });
  const stores = Array.from({ length: 4 }, makeByProxy);
  for (const store of stores) await store.open(NODE);
  const worlds = stores.map((store) => new StoreWorld(store, { store }, time));
  for (let batch = 0; batch < 2; batch++) {
    await worlds[0]!.add(...Array.from({ length: 1_000 }, () => ({})));
  }
  const executed: string[] = [];
  const work = async (index: number) => {
    const world = worlds[index % 4]!;
    for (;;) {
      const claimed: readonly Instance[] = await world.claim(3, ["mail"], `n${index}`);
      if (claimed.length === 0) return;
      if (executed.length % 100 < 3) proxy.cutBeforeAnswer();
      for (const instance of claimed) {
        executed.push(instance.id);
        assert.equal((await world.settle(instance)).status, "settled");
      }
    }
  };
  await Promise.all(Array.from({ length: 50 }, (_, index) => work(index)));
  assert.equal(executed.length, 2_000);
  assert.equal(new Set(executed).size, 2_000);
  for (const store of stores) await store.close();
});

test("fault 23: an emptied server is reported, and never mistaken for the one before", async () => {
  const { store, server, prefix, world, make } = await openWorld();
  await world.add({});
  await server.cli("DEL", `${prefix}head`);
  const isLost = (error: unknown) =>
    isJobError(error, "unavailable") && error.message.includes("other data");
  await assert.rejects(world.add({}), isLost);
  await assert.rejects(store.stats(), isLost);
  const other = make();
  const { epoch } = await other.open({ ...NODE, at: { wallMs: 2, monotonicMs: 2 } });
  assert.equal(epoch, 1);
  await assert.rejects(world.add({}), isLost);
  await other.close();
  await store.close();
});

test("fault 33: open() refuses data of a newer format and does not change it", async () => {
  const { store, server, prefix, make } = await openWorld();
  await store.close();
  const raise = `local head = cmsgpack.unpack(redis.call('GET', KEYS[1]))
    head.format = 99
    redis.call('SET', KEYS[1], cmsgpack.pack(head))`;
  await server.cli("EVAL", raise, 1, `${prefix}head`);
  const before = await server.cli("GET", `${prefix}head`);
  await assert.rejects(make().open(NODE), (error) => {
    return isJobError(error, "unavailable") && error.message.includes("format 99");
  });
  assert.equal(await server.cli("GET", `${prefix}head`), before);
});

test("without its own clock the store uses the server's for due times, leases and recorded times", async () => {
  const { make } = await valkey.stores();
  const store = make();
  // A node whose clock is an hour behind.
  const at = { wallMs: systemClock.now().wallMs - 3_600_000, monotonicMs: 0 };
  await store.open({ at, node: "n1" });
  const world = new StoreWorld(store);
  const [input, later] = [world.newInstance(), world.newInstance()];
  const dueAt = systemClock.now().wallMs;
  const instances = [{ ...input, dueAt: dueAt - 5 }, { ...later, dueAt: dueAt + 60_000 }];
  const accepted = await store.enqueue({ at, instances });
  assert.ok(Math.abs(accepted.at - dueAt) < 10_000, `${accepted.at - dueAt}`);
  const request = { at, node: "n1", kinds: new Set(["mail"]), limit: 9, leaseMs: 1 };
  const claimed = (await store.claim(request)).value;
  assert.deepEqual(claimed.map(({ id }) => id), [input.id]);
  const due = await store.nextDue({ at, kinds: new Set(["mail"]) });
  assert.equal(due.instanceAt, dueAt + 60_000);
  assert.ok(Math.abs(due.at - dueAt) < 10_000);
  await store.close();
});

test("subscribe() reports changes of other connections, and its own once", async () => {
  const { make, store, world } = await openWorld();
  const other = make();
  await other.open(NODE);
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  store.subscribe(({ type }) => heard.push(`own ${type}`));
  other.subscribe(({ type }) => {
    heard.push(`other ${type}`);
    if (type === "pauses") resolve();
  });
  await world.add({}, {});
  await store.setPause({ at: world.at, kind: "x", until: null, reason: "" });
  await promise;
  assert.deepEqual(heard.toSorted(), [
    ...["other instances", "other pauses", "own instances", "own pauses"],
  ]);
  await other.close();
  await store.close();
});

test("retain() and clearInstances() leave no keys of deleted instances", async () => {
  const { store, server, prefix, world } = await openWorld();
  const keys = async () =>
    (await server.cli("KEYS", `${prefix.replace("{", "\\{")}*`)).split("\n")
      .filter((key) => !key.includes(":answers:")).sort();
  const before = await keys();
  const error = { name: "E", message: "m" };
  const running = await world.start({ uniqueKey: "u", retryMax: 1, queueKey: "mail a" });
  const logs = [{ at: world.wallMs, level: "info", message: "x", source: "job" }] as const;
  await world.settle(running, {
    logs,
    outcome: { type: "retry", dueAt: world.wallMs, reason: "error", error },
  });
  const [again] = await world.claim();
  await world.settle(again!, { logs });
  await world.finish({ retryOf: running.id });
  const rate = [{ max: 1, perMs: 1_000, by: ["queue"] }];
  const limits = { kinds: new Map([["limited", { concurrency: [], rate }]]), pools: [] };
  const request = { node: "n1", kinds: new Set(["limited"]), limit: 9, leaseMs: LEASE_MS, limits };
  await world.add(...Array.from({ length: 2 }, () => ({ kind: "limited", queueKey: "q" })));
  for (const one of (await store.claim({ at: world.at, ...request })).value) {
    await world.settle(one);
  }
  await store.cancel({ at: world.at, query: {}, limit: 9 });
  world.advance(LEASE_MS * 10);
  assert.equal((await store.retain({ at: world.at, limit: 9 })).value.length, 4);
  await store.claim({ at: world.at, ...request, kinds: new Set(["other"]), limits: undefined });
  // One key for all kinds has the time of the last hold by a rate.
  const left = (await keys()).filter((key) => !before.includes(key) && !key.endsWith(":lastwall"));
  assert.deepEqual(left, []);
  await store.close();
});

test("fault 22: a full server refuses new data, and the jobs that it has still finish", async () => {
  const { store, server, world } = await openWorld();
  await world.add({}, { queueKey: "mail a" }, {}, {});
  const [first, second] = await world.claim(2);
  await server.cli("CONFIG", "SET", "maxmemory", "1");
  try {
    const [refused, settled] = await Promise.allSettled([world.add({}), world.settle(first!)]);
    assert.equal(settled.status, "fulfilled");
    assert.ok(refused.status === "rejected" && isJobError(refused.reason, "resource_exhausted"));
    const claims = [{ id: second!.id, fence: second!.fence }];
    const { value } = await store.renew({ at: world.at, node: "n1", claims, leaseMs: LEASE_MS });
    assert.equal(value[0]!.status, "renewed");
    assert.equal((await world.claim(9)).length, 2);
    assert.equal((await store.cancel({ at: world.at, query: {}, limit: 9 })).value.length, 3);
    world.advance(LEASE_MS * 10);
    assert.equal((await store.retain({ at: world.at, limit: 9 })).value.length, 1);
    assert.equal((await world.reap()).length, 3);
    const another = await valkey.stores();
    const other = another.make();
    await other.open(NODE);
    await other.close();
  } finally {
    await server.cli("CONFIG", "SET", "maxmemory", "0");
  }
  assert.deepEqual(await store.records.findProblems({ limit: 9 }), []);
  assert.equal((await world.add({})).length, 1);
  await store.close();
});

test("a full server refuses memos and news, and still adds the news of ends", async () => {
  const { store, server, world } = await openWorld();
  const value = { watch: "failures", data: "{}" } as const;
  const memo = { value, expectedVersion: null, isProcessed: false, instances: [] };
  await store.putMemo({ at: world.at, key: "watcher:n1", ...memo });
  const running = await world.start();
  const isFull = (error: unknown) => isJobError(error, "resource_exhausted");
  await server.cli("CONFIG", "SET", "maxmemory", "1");
  try {
    await assert.rejects(store.putMemo({ at: world.at, key: "k", ...memo }), isFull);
    const news = { id: "a", event: "late", at: 0, instanceId: null, detail: null };
    const added = store.addNews({ at: world.at, key: "k", news: [news], noticeId: world.newId() });
    await assert.rejects(added, isFull);
    await world.settle(running, { outcome: failed() });
    const [told] = await store.listMemos({ prefix: "job:", after: null, limit: 9 });
    assert.deepEqual(told!.news.map(({ id }) => id), [running.id]);
    const removal = { at: world.at, prefix: "", limit: 9 };
    assert.equal((await store.removeMemos(removal)).value, 2);
  } finally {
    await server.cli("CONFIG", "SET", "maxmemory", "0");
  }
  await store.close();
});

test("answers are kept for 15 minutes after the last call of a connection", async () => {
  const { store, server, prefix, world } = await openWorld();
  await world.add({});
  const keys = (await server.cli("KEYS", `${prefix}answers:*`)).split("\n");
  assert.equal(keys.length, 1);
  for (const change of [["EXPIRE", keys[0]!, 5], ["DEL", keys[0]!]] as const) {
    await server.cli(...change);
    await world.add({});
    assert.ok(Number(await server.cli("TTL", keys[0]!)) > 800);
  }
  await store.close();
});

test("a page of instances of many kinds reads each kind once", async () => {
  const { store, server, world } = await openWorld();
  const kinds = Array.from({ length: 200 }, (_, index) => `kind${index}`);
  for (let round = 0; round < 2; round++) {
    await world.add(...kinds.map((kind) => ({ kind, queueKey: kind })));
  }
  for (const order of ["oldest", "newest"] as const) {
    await server.cli("CONFIG", "RESETSTAT");
    const { items } = await store.list({}, { limit: 300, order });
    const times = items.map(({ id }) => id);
    assert.equal(new Set(times).size, 300);
    assert.deepEqual(times, order === "oldest" ? times.toSorted() : times.toSorted().reverse());
    const stats = await server.cli("INFO", "commandstats");
    const calls = [...stats.matchAll(/cmdstat_z\w+:calls=(\d+)/g)].map(([, count]) =>
      Number(count)
    );
    assert.ok(calls.reduce((sum, count) => sum + count, 0) < 1_500, stats);
  }
  await store.close();
});

test("large arguments get their own calls, and their answers are not kept", async () => {
  const { store, server, prefix, world } = await openWorld();
  const argumentsJson = JSON.stringify(["x".repeat(1_000_000)]);
  const tooMany = Array.from({ length: 70 }, () => world.newInstance({ argumentsJson }));
  await assert.rejects(
    store.enqueue({ at: world.at, instances: tooMany }),
    (error) => isJobError(error, "invalid_argument") && /Split/.test(String(error.hint)),
  );
  await server.cli("CONFIG", "RESETSTAT");
  await Promise.all(Array.from({ length: 12 }, () => world.add({ argumentsJson })));
  const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await server.cli("INFO", "commandstats"))!;
  assert.ok(Number(calls) >= 3, `${calls} calls`);
  assert.equal((await world.claim(12)).length, 12);
  await server.cli("CONFIG", "RESETSTAT");
  const ids: string[] = [];
  let token: string | undefined;
  do {
    const page = await store.list({}, { limit: 12, order: "newest", token });
    ids.push(...page.items.map(({ id }) => id));
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
  assert.equal(new Set(ids).size, 12);
  assert.deepEqual(ids, ids.toSorted().reverse());
  assert.equal((await store.records.readRecords({ after: null, limit: 13 })).records.length, 13);
  const reads = /cmdstat_evalsha:calls=(\d+)/.exec(await server.cli("INFO", "commandstats"))![1];
  assert.ok(Number(reads) >= 6, `${reads} calls`);
  await world.add({});
  const keys = await server.cli("KEYS", `${prefix}answers:*`);
  const bytes = Number(await server.cli("MEMORY", "USAGE", keys, "SAMPLES", 0));
  assert.ok(bytes < 100_000, `${bytes} bytes`);
  await store.close();
});

test("fault 35: leases expire in time after the server's clock was set back", async () => {
  const { make, server, prefix } = await valkey.stores();
  const store = make();
  const at = { wallMs: 0, monotonicMs: 0 };
  await store.open({ at, node: "n1" });
  const world = new StoreWorld(store);
  const accepted = world.newInstance({ dueAt: 0, crashesMax: 0 });
  await store.enqueue({ at, instances: [accepted] });
  const request = { at, node: "n1", kinds: new Set(["mail"]), limit: 9, leaseMs: 30 };
  assert.equal((await store.claim(request)).value.length, 1);
  // Until now the clock was an hour ahead.
  const ahead = `local head = cmsgpack.unpack(redis.call('GET', KEYS[1] .. 'head'))
    head.mono, head.at = head.mono + 3600000, head.at + 3600000
    redis.call('SET', KEYS[1] .. 'head', cmsgpack.pack(head))
    redis.call('ZINCRBY', KEYS[1] .. 'leases', 3600000, ARGV[1])`;
  await server.cli("EVAL", ahead, 1, prefix, accepted.id);
  // The first call notices, and time continues from there.
  const early = (await store.reap({ at, limit: 9 })).value.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(early + (await store.reap({ at, limit: 9 })).value.length, 1);
  await store.close();
});

test("a user without all rights that the scripts need is refused before anything is written", async () => {
  const { server, prefix } = await valkey.stores();
  const rules = ["on", ">secret", "~*", "&*", "+@all"];
  for (const [index, denied] of ["publish", "zremrangebyrank"].entries()) {
    await server.cli("ACL", "SETUSER", "app", ...rules, `-${denied}`);
    const url = `valkey://app:secret@127.0.0.1:${server.port}`;
    const namespace = `denied ${index}`;
    const store = valkeyStore({ link: linkTo(url, { key: prefix }), namespace });
    await assert.rejects(store.open(NODE), (error) => {
      return isJobError(error, "permission_denied") &&
        error.message.endsWith(denied.toUpperCase()) && /rule for the user/.test(error.hint!);
    });
    assert.equal(await server.cli("EXISTS", `${keyPrefix(namespace)}head`), "0");
  }
  await server.cli("ACL", "DELUSER", "app");
});

test("countSpans() counts by time what another store has numbered", async () => {
  const { store, world } = await openWorld();
  const made = await world.add(...Array.from({ length: 300 }, () => ({})));
  const instances = made.map((instance, index) => ({
    ...instance,
    id: world.newId(),
    kind: `k${index % 40}`,
    createdAt: START + index * 1_000,
  }));
  await store.cancel({ at: world.at, query: {}, limit: 1_000 });
  const records = instances.map((instance, index) => ({
    ...{ type: "instance", order: index + 1, instance, isHeld: false, departures: [] } as const,
  }));
  await store.records.writeRecords({ at: world.at, records });
  const bounds = Array.from({ length: 11 }, (_, index) => START + index * 30_000);
  const found = await store.countSpans({ by: "acceptance", bounds });
  const open = found.filter(({ state }) => state === null);
  assert.equal(open.length, 40);
  const sums = bounds.slice(1).map((_, span) =>
    open.reduce((sum, { counts }) => sum + counts[span]!, 0)
  );
  assert.deepEqual(sums, Array(10).fill(30));
  await store.close();
});
