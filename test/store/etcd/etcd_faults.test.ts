import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError, type JobError } from "../../../src/core/errors.ts";
import { STORE_DEFAULTS } from "../../../src/core/settings/store_config.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { createEtcdMedium } from "../../../src/store/etcd/create.ts";
import { until } from "../../support/wait.ts";
import {
  createMedium,
  keepingLogger,
  put,
  readAll,
  Told,
} from "../../support/servers/etcd_medium.ts";
import { type EtcdServer, withEtcd } from "../../support/servers/etcd_server.ts";
import { type CuttingProxy, startCuttingProxy } from "../../support/servers/cutting_proxy.ts";

function portsOf(server: EtcdServer): readonly number[] {
  return server.members.map(({ port }) => port);
}

async function revisionOf(server: EtcdServer): Promise<string> {
  const status = JSON.parse(await server.ctl("endpoint", "status", "-w", "json"));
  return String(status[0].Status.header.revision);
}

/** The error of a promise. */
async function failureOf(promise: Promise<unknown>): Promise<JobError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(isJobError(error), String(error));
    return error;
  }
  assert.fail("it did not fail");
}

/** A watch that reported version 1 and is cut off, and a medium that continues to write. */
async function withCutWatch(
  body: (parts: {
    readonly server: EtcdServer;
    readonly proxy: CuttingProxy;
    readonly writer: ReturnType<typeof createMedium>;
    readonly reader: ReturnType<typeof createMedium>;
    readonly told: Told;
  }) => Promise<void>,
): Promise<void> {
  await withEtcd({}, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    const writer = createMedium(portsOf(server));
    const reader = createMedium([proxy.port]);
    await Promise.all([writer.open(), reader.open()]);
    await Promise.all([writer.load(), reader.load()]);
    const told = new Told();
    reader.watch(0, told.listener);
    assert.ok(await put(writer, 1, [["k1", "1"]]));
    await told.until(() => told.changes.length === 1);
    proxy.shut();
    await body({ server, proxy, writer, reader, told });
    await Promise.all([writer.close(), reader.close(), proxy.close()]);
  });
}

test("fault 24: a watch resumes without a gap after a compaction of what it missed", async () => {
  await withCutWatch(async ({ server, proxy, writer, told }) => {
    for (let next = 2; next <= 50; next += 1) {
      assert.ok(await put(writer, next, [["k", `${next}`]]));
    }
    await server.ctl("compact", await revisionOf(server));
    proxy.open();
    await told.until(() => told.changes.length === 50);
    assert.deepEqual(told.versions, Array.from({ length: 50 }, (_, index) => index + 1));
    assert.deepEqual(told.lost, []);
  });
});

test("fault 24: a watch that missed folded commits is lost, and a load finds everything", async () => {
  await withCutWatch(async ({ server, proxy, writer, reader, told }) => {
    for (let next = 2; next <= 5; next += 1) {
      assert.ok(await put(writer, next, [[`k${next}`, `${next}`]]));
    }
    assert.equal(await writer.fold(), 5);
    await server.ctl("compact", await revisionOf(server));
    proxy.open();
    await told.until(() => told.lost.length === 1);
    const { version, rows } = await readAll(reader);
    assert.equal(version, 5);
    assert.equal(rows.size, 5);
    reader.watch(5, told.listener);
    assert.ok(await put(reader, 6, [["k6", "6"]]));
    await told.until(() => told.changes.length === 2);
    assert.deepEqual(told.versions, [1, 6]);
  });
});

test("fault 16: a commit whose answer is lost is made once and found out", async () => {
  await withEtcd({}, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    const medium = createMedium([proxy.port]);
    await medium.open();
    await medium.load();
    const told = new Told();
    medium.watch(0, told.listener);
    for (let next = 1; next <= 40; next += 1) {
      // The chunk of the commit's response and that of the watch's event differ: take each in turn.
      if (next % 2 === 0) proxy.cutBeforeAnswer(1 + next % 3);
      else proxy.cutBeforeRequest();
      assert.ok(await put(medium, next, [["k", `${next}`]]), `commit ${next}`);
    }
    await told.until(() => told.changes.length === 40);
    assert.deepEqual(told.versions, Array.from({ length: 40 }, (_, index) => index + 1));
    assert.ok(proxy.cuts > 20, `${proxy.cuts} cuts`);
    await Promise.all([medium.close(), proxy.close()]);
  });
});

test("a commit that nobody knows of is repeated as it is, and found out", async () => {
  await withEtcd({}, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    const medium = createMedium([proxy.port], { timeoutMs: 300 });
    const other = createMedium(portsOf(server));
    await Promise.all([medium.open(), other.open()]);
    assert.ok(await put(medium, 1, [["k", "1"]]));
    // It is carried out; the response comes after the deadline.
    proxy.delayAnswers(1_000);
    const failure = await failureOf(put(medium, 2, [["k", "2"]]));
    assert.equal(failure.code, "unavailable");
    proxy.delayAnswers(0);
    await other.load();
    assert.ok(await put(other, 3, [["k", "3"]]));
    proxy.cutAll();
    assert.equal(await put(medium, 2, [["k", "2"]]), true);
    assert.equal(await put(medium, 3, [["k", "mine"]]), false);
    await Promise.all([medium.close(), other.close(), proxy.close()]);
  });
});

test("fault 18: calls to a stopped or killed server fail in time, and work again later", async () => {
  await withEtcd({}, async (server) => {
    const [member] = server.members;
    const medium = createMedium(portsOf(server), { timeoutMs: 1_000 });
    await medium.open();
    await medium.load();
    const told = new Told();
    medium.watch(0, told.listener);
    assert.ok(await put(medium, 1, [["k", "1"]]));
    member!.process.freeze();
    let beganMs = performance.now();
    assert.equal((await failureOf(put(medium, 2, [["k", "2"]]))).code, "unavailable");
    assert.ok(performance.now() - beganMs < 2_000);
    member!.process.thaw();
    assert.ok(await put(medium, 2, [["k", "2"]]));
    await member!.kill();
    beganMs = performance.now();
    assert.equal((await failureOf(put(medium, 3, [["k", "3"]]))).code, "unavailable");
    assert.ok(performance.now() - beganMs < 2_000);
    await member!.start();
    assert.ok(await put(medium, 3, [["k", "3"]]));
    await told.until(() => told.changes.length === 3);
    assert.deepEqual(told.versions, [1, 2, 3]);
    await medium.close();
  });
});

test("fault 19: open() fails in time when no member responds, naming the address", async () => {
  const medium = createMedium([1], { timeoutMs: 1_000 });
  const beganMs = performance.now();
  const error = await failureOf(medium.open());
  assert.equal(error.code, "unavailable");
  assert.match(error.message, /127\.0\.0\.1:1: .*ECONNREFUSED/);
  assert.ok(performance.now() - beganMs < 2_000);
  await medium.close();
});

test("fault 19: open() waits for a server as long as configured", async () => {
  await withEtcd({}, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    proxy.shut();
    const logger = keepingLogger();
    const endpoints = [{ host: "127.0.0.1", port: proxy.port }];
    const config = {
      ...STORE_DEFAULTS,
      address: { type: "etcd", hosts: endpoints, isTls: false, username: null, password: null },
      url: "etcd:",
      startWaitMs: 60_000,
    } as const;
    const medium = createEtcdMedium(config, { clock: systemClock, random: systemRandom, logger });
    let isOpen = false;
    const opening = medium.open().then(() => isOpen = true);
    await until("it says that it waits", () => logger.messages.length > 0);
    assert.match(logger.messages[0]!, /unreachable; waiting/);
    assert.equal(isOpen, false);
    proxy.open();
    await opening;
    await Promise.all([medium.close(), proxy.close()]);
  });
});

test("fault 18: a commit that nobody waits for is not sent again, and not made when the server is back", async () => {
  await withEtcd({}, async (server) => {
    const medium = createMedium(portsOf(server), { timeoutMs: 15_000 });
    await medium.open();
    await medium.load();
    assert.ok(await put(medium, 1, [["k", "1"]]));
    const [member] = server.members;
    await member!.kill();
    let isWanted = true;
    const commit = { expected: 1, next: 2, puts: [["k", "2"]] as const, deletes: [] };
    const failing = failureOf(medium.commit(commit, () => isWanted));
    isWanted = false;
    assert.equal((await failing).code, "unavailable");
    await member!.start();
    assert.deepEqual(await readAll(medium), { version: 1, rows: new Map([["k", "1"]]) });
    await medium.close();
  });
});

test("fault 24: NOSPACE refuses commits with the remedy, which helps", async () => {
  await withEtcd({ flags: { "quota-backend-bytes": 24_000_000 } }, async (server) => {
    const logger = keepingLogger();
    const medium = createMedium(portsOf(server), { logger });
    await medium.open();
    await medium.load();
    let state = 1;
    const chance = () => {
      state = Math.imul(state ^ (state >>> 13), 0x2c1b3c6d) + 0x9e3779b9 | 0;
      return (state >>> 0).toString(36);
    };
    const value = () => Array.from({ length: 30_000 }, chance).join("");
    let version = 0;
    let last = "";
    let failure: JobError | null = null;
    while (failure === null && version < 400) {
      try {
        last = value();
        assert.ok(await put(medium, version + 1, [["k", last]]));
        version += 1;
      } catch (error) {
        failure = error as JobError;
      }
    }
    assert.equal(failure?.code, "resource_exhausted");
    assert.match(failure!.hint!, /compact.*defrag.*disarm/);
    const later = createMedium(portsOf(server), { logger });
    await later.open();
    assert.match(logger.messages.join("\n"), /NOSPACE/);
    await server.ctl("compact", await revisionOf(server));
    await server.ctl("defrag");
    await server.ctl("alarm", "disarm");
    // etcd also reports the alarm of a write that it applies: the one that exceeds the quota.
    const held = (await later.load()).version;
    assert.ok(held === version || held === version + 1, `${held} after ${version}`);
    // Repeated unchanged, it is made once, whether or not etcd had applied it.
    assert.ok(await put(medium, version + 1, [["k", last]]));
    assert.ok(await put(medium, version + 2, [["k", "1"]]));
    assert.equal((await later.load()).version, version + 2);
    await later.close();
    await medium.close();
  });
});

test("fault 24: commits go on over the loss of a leader, and each is made once", async () => {
  await withEtcd({ members: 3 }, async (server) => {
    // As long as a store's calls may take: an election on a busy machine takes seconds.
    const open = () => createMedium(portsOf(server), { timeoutMs: 15_000 });
    const [left, right] = [open(), open()];
    await Promise.all([left.open(), right.open()]);
    await Promise.all([left.load(), right.load()]);
    const told = new Told();
    right.watch(0, told.listener);
    let version = 0;
    const commit = async () => {
      assert.ok(await put(left, version + 1, [["k", `${version + 1}`]]));
      version += 1;
    };
    for (const _ of Array(10)) await commit();
    const status = JSON.parse(await server.ctl("endpoint", "status", "-w", "json"));
    const leaderId = status[0].Status.leader;
    const leader = status.findIndex((one: { Status: { header: { member_id: number } } }) =>
      one.Status.header.member_id === leaderId
    );
    await server.members[leader]!.kill();
    for (const _ of Array(10)) await commit();
    await server.members[leader]!.start();
    // The member that both were moved to is stopped, not closed: calls move on at their deadline.
    const others = server.members.filter((_, index) => index !== leader);
    others[0]!.process.freeze();
    for (const _ of Array(10)) await commit();
    others[0]!.process.thaw();
    await told.until(() => told.changes.length === 30);
    assert.deepEqual(told.versions, Array.from({ length: 30 }, (_, index) => index + 1));
    assert.deepEqual(told.lost, []);
    await Promise.all([left.close(), right.close()]);
  });
});

test("a store whose keys were deleted is never served as an empty one", async () => {
  await withEtcd({}, async (server) => {
    const medium = createMedium(portsOf(server), { prefix: "mine" });
    await medium.open();
    await medium.load();
    const told = new Told();
    medium.watch(0, told.listener);
    assert.ok(await put(medium, 1, [["k", "1"]]));
    assert.equal(await medium.fold(), 1);
    await server.ctl("del", "--prefix", "mine/");
    await told.until(() => told.lost.length === 1);
    assert.match((told.lost[0] as JobError).message, /its data is gone/);
    assert.match((await failureOf(medium.load())).message, /its data is gone/);
    assert.match((await failureOf(medium.version())).message, /its data is gone/);
    assert.match((await failureOf(put(medium, 2, [["k", "2"]]))).message, /its data is gone/);
    const other = createMedium(portsOf(server), { prefix: "mine" });
    await other.open();
    assert.ok(await put(other, 1, [["k", "other"]]));
    assert.match((await failureOf(medium.load())).message, /another store is in its place/);
    assert.match((await failureOf(put(medium, 2, [["k", "2"]]))).message, /another store/);
    await Promise.all([medium.close(), other.close()]);
  });
});

test("a load that misses a commit says so, and serves nothing else", async () => {
  await withEtcd({}, async (server) => {
    const medium = createMedium(portsOf(server), { prefix: "mine" });
    await medium.open();
    for (let version = 1; version <= 6; version++) {
      assert.ok(await put(medium, version, [[`k${version}`, "1"]]));
      if (version === 2) assert.equal(await medium.fold(), 2);
    }
    await medium.close();
    const load = async () => {
      const reader = createMedium(portsOf(server), { prefix: "mine" });
      await reader.open();
      try {
        const keys: string[] = [];
        for await (const pairs of (await reader.load()).pairs) {
          keys.push(...pairs.map(([key]) => key));
        }
        return keys.length;
      } finally {
        await reader.close();
      }
    };
    assert.equal(await load(), 6);
    await server.ctl("del", "mine/log/00000000000004");
    assert.match((await failureOf(load())).message, /commit 4 is missing/);
    await server.ctl("del", "--prefix", "mine/log/");
    assert.match((await failureOf(load())).message, /commit 3 is missing/);
  });
});

test("fault 25: keys of others, and of stores with a like prefix, stay as they are", async () => {
  await withEtcd({}, async (server) => {
    const foreign = ["jobctl", "jobctl-2/head", "jobctl.x", "jobctm", "a", "zz", "jobctl0"];
    for (const key of foreign) await server.ctl("put", key, "theirs");
    const medium = createMedium(portsOf(server));
    const like = createMedium(portsOf(server), { prefix: "jobctl/sub" });
    await Promise.all([medium.open(), like.open()]);
    assert.ok(await put(like, 1, [["k", "like"]]));
    assert.ok(await put(medium, 1, [["k", "1"]]));
    assert.ok(await put(medium, 2, [], ["k"]));
    assert.equal(await medium.fold(), 2);
    for (const key of foreign) {
      assert.equal(await server.ctl("get", "--print-value-only", key), "theirs", key);
    }
    await medium.drop();
    assert.equal(await server.ctl("get", "--print-value-only", "jobctl/head"), "");
    assert.deepEqual((await readAll(like)).rows, new Map([["k", "like"]]));
    for (const range of ["row", "log", "part", "node"]) {
      const within = () => createMedium(portsOf(server), { prefix: `jobctl/${range}` });
      assert.throws(within, (error) => isJobError(error, "invalid_config"));
    }
    await Promise.all([medium.close(), like.close()]);
  });
});

test("fault 20: commits of a server that takes long are made, each once", async () => {
  await withEtcd({}, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    const medium = createMedium([proxy.port], { timeoutMs: 15_000 });
    await medium.open();
    await medium.load();
    const told = new Told();
    medium.watch(0, told.listener);
    assert.ok(await put(medium, 1, [["k", "1"]]));
    // Longer than a first try waits.
    proxy.delayAnswers(1_700);
    assert.ok(await put(medium, 2, [["k", "2"]]));
    await told.until(() => told.changes.length === 2);
    assert.deepEqual(told.versions, [1, 2]);
    await Promise.all([medium.close(), proxy.close()]);
  });
});
