import assert from "node:assert/strict";
import test, { after } from "node:test";
import { CaseTime } from "../../../src/conformance/index.ts";
import { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { ValkeyWorld } from "../../support/servers/valkey_world.ts";

const valkey = new ValkeyWorld();
after(() => valkey.close());

const KIND_INDEX = /^index by kind/;
const COUNTS = /^counts/;
const FIRST = (key: string) => `redis.call('ZRANGE', P .. '${key}', 0, 0)[1]`;
const without = (key: string) => `redis.call('ZREM', P .. '${key}', ${FIRST(key)})`;
const withoutRow = (id: string) => `redis.call('HDEL', P .. 'rows', ${id})`;
const READY_ID = `string.sub(${FIRST("ready:mail")}, 18)`;
const READY_PLACE = `string.sub(${FIRST("ready:mail")}, 1, 17)`;

/** Damage done to keys by hand, and what the check reports. */
const DAMAGE: Readonly<Record<string, readonly [script: string, found: RegExp]>> = {
  "no id": [without("ids"), /^counts|^index by id/],
  "no state": [without("open:mail"), COUNTS],
  "not offered": [without("ready:mail"), /^index by due time/],
  "never due": [without("later:mail"), /^index by due time/],
  "no lease": [without("leases"), COUNTS],
  "no retention": [without("expiring"), /^index by retention/],
  "no deadline": [without("deadlines"), /^index by deadline/],
  "no unique key": [without("unique:u"), /^index by unique key/],
  "not behind": [without("queue:mail\\0a"), /^index by due time/],
  "no offers": ["redis.call('DEL', P .. 'offered')", /^index by due time/],
  "more behind": ["redis.call('HINCRBY', P .. 'behind', 'mail', 1)", COUNTS],
  "more slots": ["redis.call('HINCRBY', P .. 'slots', 'kmail', 1)", COUNTS],
  "more slots of a node": ["redis.call('HINCRBY', P .. 'slots', 'nmail\\0n1', 1)", COUNTS],
  "kind not claimed": ["redis.call('SREM', P .. 'readykinds', 'mail')", KIND_INDEX],
  "kind not made due": ["redis.call('ZREM', P .. 'laterkinds', 'mail')", KIND_INDEX],
  "offered row gone": [withoutRow(READY_ID), COUNTS],
  "claimed row gone": [withoutRow(FIRST("leases")), COUNTS],
  "finished row gone": [withoutRow(FIRST("expiring")), COUNTS],
  "offer of nothing": [`redis.call('ZADD', P .. 'ready:mail', 0, ${READY_PLACE} .. 'x')`, COUNTS],
  "offer of a claim": [
    `redis.call('ZADD', P .. 'ready:mail', 0, ${READY_PLACE} .. ${FIRST("leases")})`,
    COUNTS,
  ],
  "lease of nothing": ["redis.call('ZADD', P .. 'leases', 0, 'nobody')", COUNTS],
  "no id of a schedule": [without("scheduleids"), /^counts: schedules/],
  "no next tick": [without("scheduletimes"), /^counts: schedules/],
  "no schedule": ["redis.call('DEL', P .. 'schedules')", /^counts: schedules/],
  "no time of a fate": [without("ticktimes"), /^counts: fates/],
  "no fates": [without("tickschedules"), /^counts: fates/],
  "no key of a memo": [without("memokeys"), /^counts: memos/],
  "no memo": ["redis.call('HDEL', P .. 'memos', 'job:mail')", /^counts: memos/],
  "no memo of a node": [
    "redis.call('HDEL', P .. 'memos', 'watcher:n1') redis.call('ZREM', P .. 'memokeys', 'watcher:n1')",
    /^counts: nodes that ask for news/,
  ],
  "no watch": ["redis.call('DEL', P .. 'watches')", /^counts: kinds with a watch/],
  "no line": ["redis.call('DEL', P .. 'lines')", COUNTS],
};

for (const [name, [script, expected]] of Object.entries(DAMAGE)) {
  test(`damage: ${name}: the check finds it, and everything else keeps working`, async () => {
    const time = new CaseTime();
    const { server, prefix, make } = await valkey.stores({ clock: () => time.at });
    const store = make();
    await store.open({ at: time.at, node: "n1" });
    const world = new StoreWorld(store, { store }, time);
    const dueAt = time.wallMs + 50_000;
    await world.add({}, {}, { queueKey: "a" }, { queueKey: "a" });
    await world.add({ uniqueKey: "u", dueAt }, { deadlineAt: dueAt + 60_000, dueAt });
    await world.claim(1);
    const record = await world.putSchedule({ nextAt: time.wallMs + 60_000 });
    await store.records.writeRecords({
      at: time.at,
      records: [{
        type: "tick",
        fate: {
          ...{
            scheduleId: record.id,
            from: time.wallMs,
            to: time.wallMs,
            count: 1,
            at: time.wallMs,
          },
          ...{ fate: "missed", reason: "too old", instanceId: null },
        },
      }],
    });
    const logs = [{ at: time.wallMs, level: "info", message: "x", source: "job" }] as const;
    await world.settle(await world.start({ kind: "ended" }), { logs });
    for (const [key, watch] of [["job:mail", "ends"], ["watcher:n1", "failures"]] as const) {
      const memo = { key, expectedVersion: null, isProcessed: false, instances: [] };
      await store.putMemo({ at: time.at, ...memo, value: { watch, data: "" } });
    }
    assert.deepEqual(await store.records.findProblems({ limit: 9 }), []);

    await server.cli("EVAL", `local P = KEYS[1] ${script}`, 1, prefix);
    const problems = await store.records.findProblems({ limit: 99 });
    const found = problems.map(({ check, message }) => `${check}: ${message}`);
    assert.ok(found.some((text) => expected.test(text)), found.join("\n"));
    await world.claim(9);
    world.advance(100_000);
    await world.reap();
    await world.claim(9);
    world.advance(100_000_000);
    await world.reap();
    await store.cancel({ at: world.at, query: {}, limit: 99 });
    await store.retain({ at: world.at, limit: 99 });
    await store.listMemos({ prefix: "", after: null, limit: 9 });
    await world.add({ kind: "next" });
    assert.equal((await world.claim(1, ["next"])).length, 1);
    await store.close();
  });
}
