import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { EtcdCalls } from "../../../src/store/etcd/calls.ts";
import { Layout } from "../../../src/store/etcd/layout.ts";
import { checkCluster } from "../../../src/store/etcd/start_checks.ts";
import { createMedium, keepingLogger, put } from "../../support/servers/etcd_medium.ts";
import { type EtcdServer, withEtcd } from "../../support/servers/etcd_server.ts";

/** The log of the cluster's checks. */
async function warningsOf(server: EtcdServer, limits: Parameters<typeof checkCluster>[3]) {
  const logger = keepingLogger();
  const endpoints = server.members.map(({ port }) => ({ host: "127.0.0.1", port }));
  const connection = { endpoints, user: null, password: null, tls: null, timeoutMs: 2_000 };
  const calls = new EtcdCalls(connection, systemClock);
  await calls.open();
  await checkCluster(calls, new Layout("jobctl"), logger, limits);
  calls.close();
  return logger.messages;
}

test("open() warns of a database that is nearly full, and of one that nobody compacts", async () => {
  await withEtcd({}, async (server) => {
    assert.deepEqual(await warningsOf(server, undefined), []);
    const [full] = await warningsOf(server, { quotaBytes: 1, revisionsUncompacted: 50_000n });
    assert.match(full!, /nearly full/);
    for (const value of ["1", "2", "3"]) await server.ctl("put", "a", value);
    const limits = { quotaBytes: 1e9, revisionsUncompacted: 3n };
    const [uncompacted] = await warningsOf(server, limits);
    assert.match(uncompacted!, /never compacted.*--auto-compaction-mode/);
    await server.ctl("compact", "3");
    assert.deepEqual(await warningsOf(server, limits), []);
  });
});

test("fault 33: open() refuses data of a newer layout, and changes nothing", async () => {
  await withEtcd({}, async (server) => {
    await server.ctl("put", "jobctl/store", '{"id":"x","layout":2}');
    const medium = createMedium(server.members.map(({ port }) => port));
    await assert.rejects(
      medium.open(),
      (error) => isJobError(error, "invalid_config") && /layout is 2.*knows 1/.test(error.message),
    );
    assert.equal(
      await server.ctl("get", "--prefix", "--count-only", "--write-out=fields", "jobctl/")
        .then((text) => /"Count" : (\d+)/.exec(text)?.[1]),
      "1",
    );
  });
});

test("load() is of one moment while others commit and fold", async () => {
  await withEtcd({}, async (server) => {
    const ports = server.members.map(({ port }) => port);
    const [writer, reader] = [createMedium(ports), createMedium(ports)];
    await Promise.all([writer.open(), reader.open()]);
    let isOver = false;
    const writing = (async () => {
      for (let next = 1; !isOver; next += 1) {
        // Every row of a commit has its version: two versions in one image would show.
        const puts = Array.from({ length: 150 }, (_, row) => [`k${row}`, `${next}`] as const);
        const isOdd = next % 2 === 1;
        const extra = Array.from({ length: 50 }, (_, row) => `x${row}`);
        const odd = extra.map((key) => [key, `${next}`] as const);
        assert.ok(await put(writer, next, isOdd ? [...puts, ...odd] : puts, isOdd ? [] : extra));
        if (next % 5 === 0) await writer.fold();
      }
    })();
    for (let count = 0; count < 40; count += 1) {
      const { version, pairs } = await reader.load();
      const rows = new Map<string, string>();
      for await (const part of pairs) for (const [key, value] of part) rows.set(key, value);
      const size = version === 0 ? 0 : version % 2 === 1 ? 200 : 150;
      assert.equal(rows.size, size, `version ${version}`);
      for (const [key, value] of rows) assert.equal(value, `${version}`, key);
    }
    isOver = true;
    await writing;
    await Promise.all([writer.close(), reader.close()]);
  });
});

test("fault 24: a load whose moment was compacted meanwhile fails as one to try again", async () => {
  await withEtcd({}, async (server) => {
    const medium = createMedium(server.members.map(({ port }) => port));
    await medium.open();
    assert.ok(await put(medium, 1, Array.from({ length: 200 }, (_, row) => [`k${row}`, "1"])));
    assert.equal(await medium.fold(), 1);
    const { pairs } = await medium.load();
    const reading = pairs[Symbol.asyncIterator]();
    await reading.next();
    assert.ok(await put(medium, 2, [["k1", "2"]]));
    const [{ Status }] = JSON.parse(await server.ctl("endpoint", "status", "-w", "json"));
    await server.ctl("compact", String(Status.header.revision));
    await assert.rejects(
      reading.next(),
      (error) => isJobError(error, "unavailable") && /compacted meanwhile/.test(error.message),
    );
    await medium.close();
  });
});
