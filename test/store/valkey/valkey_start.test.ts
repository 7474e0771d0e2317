import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isJobError } from "../../../src/core/errors.ts";
import type { StoreTls } from "../../../src/core/settings/store_config.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { ConnectionLost } from "../../../src/store/valkey/link/connection.ts";
import { unreachable } from "../../../src/store/valkey/link/reply_errors.ts";
import { tlsFile } from "../../support/tls_files.ts";
import { startCluster, startSentinel } from "../../support/servers/valkey_groups.ts";
import {
  startValkey,
  type ValkeyOptions,
  withValkey,
} from "../../support/servers/valkey_server.ts";
import { until } from "../../support/wait.ts";
import { count, keepingLogger, linkTo, textOf } from "./valkey_link_world.ts";

/** What a server must be like, and how it is found and connected to. */

const CA = tlsFile("server.crt");
const TLS: StoreTls = { ca: CA, cert: null, key: null, serverName: null };

/** Open and close a link; returns what it logged. */
async function opening(
  url: string,
  options: Parameters<typeof linkTo>[1] = {},
): Promise<{ readonly isDurable: boolean; readonly warnings: readonly string[] }> {
  const logger = keepingLogger();
  const link = linkTo(url, { logger, ...options });
  await link.open();
  const { isDurable } = link;
  await link.close();
  return { isDurable, warnings: logger.lines };
}

function refusal(code: ErrorCode, message: RegExp, hint: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isJobError(error, code), String(error));
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  };
}

const PERSISTENCE: readonly (readonly [ValkeyOptions, boolean, RegExp | null])[] = [
  [{ appendonly: true, config: { appendfsync: "always" } }, true, null],
  [{ appendonly: true }, false, null],
  [
    { appendonly: true, config: { appendfsync: "no" } },
    false,
    /a power failure can lose half a minute/,
  ],
  [{}, false, /no append-only file: .* loses all data/],
  [{ config: { save: ["60", "1"] } }, false, /no append-only file: .* since its last snapshot/],
];

for (const [options, isDurable, warning] of PERSISTENCE) {
  test(`ServerLink warns what a server with ${JSON.stringify(options)} can lose`, async () => {
    await withValkey(options, async (server) => {
      const found = await opening(server.url);
      assert.equal(found.isDurable, isDurable);
      assert.equal(found.warnings.length, warning === null ? 0 : 1, found.warnings.join());
      if (warning) assert.match(found.warnings[0]!, warning);
    });
  });
}

test("ServerLink warns when it cannot tell because the server hides its configuration", async () => {
  const users = ["app on >secret ~* &* +@all -config"];
  await withValkey({ appendonly: true, users }, async (server) => {
    const found = await opening(server.url, { username: "app", password: "secret" });
    assert.equal(found.isDurable, false);
    assert.match(found.warnings.join(), /^Cannot tell how often .* \(appendfsync\)/);
  });
});

test("fault 22: a server that evicts keys is refused, and one without a memory limit is not", async () => {
  const policy = { "maxmemory-policy": "allkeys-lru" };
  await withValkey({ config: { ...policy, maxmemory: "100mb" } }, async (server) => {
    await assert.rejects(
      opening(server.url),
      refusal("invalid_config", /maxmemory-policy allkeys-lru/, /Set maxmemory-policy noeviction/),
    );
  });
  await withValkey({ config: policy }, async (server) => {
    await opening(server.url);
  });
});

test("fault 22: a full server refuses writes as resource_exhausted, and nothing is lost", async () => {
  await withValkey({ config: { maxmemory: "1" } }, async (server) => {
    const link = linkTo(server.url);
    try {
      await link.open();
      await assert.rejects(
        link.run(count("a")),
        refusal("resource_exhausted", /memory is full/, /maxmemory/),
      );
      await server.cli("config", "set", "maxmemory", "0");
      assert.equal(await textOf(link.run(count("a"))), "1");
    } finally {
      await link.close();
    }
  });
});

test("fault 22: a replica is refused with the name of its master", async () => {
  const master = await startValkey();
  const replica = await startValkey({ replicaOf: master.port });
  try {
    await assert.rejects(
      opening(replica.url),
      refusal(
        "unavailable",
        new RegExp(`a replica of 127\\.0\\.0\\.1:${master.port}`),
        /sentinels/,
      ),
    );
  } finally {
    await replica.close();
    await master.close();
  }
});

test("ServerLink waits for replicas and fails when too few have a write", async () => {
  const master = await startValkey();
  const replica = await startValkey({ replicaOf: master.port });
  const link = linkTo(master.url, { waitReplicas: 1, limits: { replicasMs: 1_000 } });
  try {
    await until("the replica is in step", async () => {
      return (await replica.cli("info", "replication")).includes("master_link_status:up");
    });
    await link.open();
    assert.equal(await textOf(link.run(count("a"))), "1");
    replica.process.freeze();
    await assert.rejects(
      link.run(count("b")),
      refusal("unavailable", /it was written, but 0 of 1 replicas have it/, /store\.wait_replicas/),
    );
    replica.process.thaw();
    await until("the repeat is answered", async () => {
      return await textOf(link.run(count("b"))).catch(() => "") === "2";
    });
  } finally {
    await link.close();
    await replica.close();
    await master.close();
  }
});

test("ServerLink fails at once on a wrong password and does not try it again", async () => {
  await withValkey({ password: "right" }, async (server) => {
    const options = {
      password: "wrong",
      limits: { retry: { firstMs: 1, longestMs: 1, refusedMs: 1 } },
    };
    await assert.rejects(
      opening(server.url, { ...options, startWaitMs: 10_000 }),
      refusal("unauthenticated", /WRONGPASS/, /store\.username and store\.password/),
    );
    await assert.rejects(opening(server.url), refusal("unauthenticated", /NOAUTH/, /Set store/));
    const { warnings } = await opening(server.url, { password: "right" });
    assert.doesNotMatch(warnings.join(), /right|wrong/);
    const log = await server.cli("acl", "log");
    assert.equal(log.match(/^AUTH$/gm)?.length, 1, log);
  });
});

test("ServerLink reports which right its user lacks", async () => {
  const rule = "app on >secret ~app:* &* +@all -@dangerous +info";
  await withValkey({ users: [rule] }, async (server) => {
    const link = linkTo(server.url, { username: "app", password: "secret" });
    try {
      await link.open();
      await assert.rejects(
        link.run(count("a")),
        refusal("permission_denied", /NOPERM/, /"jobctl docs stores"/),
      );
    } finally {
      await link.close();
    }
  });
});

test("fault 61: ServerLink speaks TLS with a server that it can trust, and with no other", async () => {
  await withValkey({ tls: true }, async (server) => {
    await opening(server.url, { tls: TLS });
    // The certificate also names the address.
    await opening(`valkeys://127.0.0.1:${server.port}`, { tls: TLS });
    await opening(`valkeys://127.0.0.1:${server.port}`, {
      tls: { ...TLS, serverName: "localhost" },
    });
    const untrusted = [
      { ...TLS, ca: null },
      { ...TLS, ca: tlsFile("other.crt") },
      { ...TLS, serverName: "elsewhere.example" },
    ];
    for (const tls of untrusted) {
      await assert.rejects(
        opening(server.url, { tls }),
        refusal("unavailable", /^Cannot reach the store valkeys:/, /store\.tls/),
      );
    }
    await assert.rejects(
      opening(`valkey://127.0.0.1:${server.port}`, { limits: { handshakeMs: 500 } }),
      refusal("unavailable", /^Cannot reach the store valkey:/, /valkeys:\/\//),
    );
  });
});

test("ServerLink presents its certificate to a server that requires one", async () => {
  await withValkey({ tls: "mutual" }, async (server) => {
    const cert = CA;
    const key = tlsFile("server.key");
    await opening(server.url, { tls: { ...TLS, cert, key } });
    await assert.rejects(
      opening(server.url, { tls: TLS, limits: { handshakeMs: 500 } }),
      (error) => isJobError(error, "unavailable"),
    );
  });
});

test("fault 21: ServerLink follows a failover to the replica that the sentinel names", async () => {
  const group = await startSentinel({ appendonly: true });
  const url = `valkey-sentinel://127.0.0.1:${group.sentinel.port}/${group.name}`;
  const logger = keepingLogger();
  const link = linkTo(url, { logger, limits: { answerMs: 15_000 } });
  try {
    await link.open();
    assert.equal(await textOf(link.run(count("a"))), "1");
    await until("the replica has it", async () => await group.replica.cli("get", "{t}:n") === "1");
    await group.master.kill();
    assert.equal(await textOf(link.run(count("b"))), "2");
    assert.equal(await group.replica.cli("get", "{t}:n"), "2");
    assert.match(logger.lines.join("\n"), /restarted or replaced: .* may be lost/);
    await assert.rejects(
      opening(`valkey-sentinel://127.0.0.1:${group.sentinel.port}/other`),
      refusal("unavailable", /knows no master "other"/, /store\.url/),
    );
  } finally {
    await link.close();
    await group.close();
  }
});

test("ServerLink authenticates to sentinels with a password, over TLS", async () => {
  const group = await startSentinel({ tls: true, sentinelPassword: "watch" });
  const url = `valkeys-sentinel://localhost:${group.sentinel.port}/${group.name}`;
  const tls = { ...TLS, serverName: "localhost" };
  const hint = /store\.sentinel_password/;
  try {
    await opening(url, { tls, sentinelPassword: "watch" });
    await opening(url, { tls, sentinelUsername: "default", sentinelPassword: "watch" });
    await assert.rejects(opening(url, { tls }), refusal("unauthenticated", /NOAUTH/, hint));
    await assert.rejects(
      opening(url, { tls, sentinelPassword: "wrong" }),
      refusal("unauthenticated", /WRONGPASS/, hint),
    );
    await assert.rejects(
      opening(url, { tls: { ...tls, ca: tlsFile("other.crt") }, sentinelPassword: "watch" }),
      refusal("unavailable", /^Cannot reach the store valkeys-sentinel:/, /store\.tls/),
    );
  } finally {
    await group.close();
  }
});

test("ServerLink uses the cluster's server with its keys, and follows them when they move", async () => {
  const cluster = await startCluster();
  const link = linkTo(`valkey-cluster://127.0.0.1:${cluster.nodes[0]!.port}`);
  try {
    await link.open();
    assert.equal(await textOf(link.run(count("a"))), "1");
    const slot = await cluster.nodes[0]!.cli("cluster", "keyslot", "{t}");
    const holds = await Promise.all(
      cluster.nodes.map(async (node) => await node.cli("cluster", "countkeysinslot", slot) === "2"),
    );
    const from = cluster.nodes[holds.indexOf(true)]!;
    const to = cluster.nodes[holds.indexOf(false)]!;
    await assert.rejects(
      opening(from.url),
      refusal("invalid_config", /part of a cluster/, /valkey-cluster/),
    );
    const [fromId, toId] = [await from.cli("cluster", "myid"), await to.cli("cluster", "myid")];
    await to.cli("cluster", "setslot", slot, "importing", fromId);
    await from.cli("cluster", "setslot", slot, "migrating", toId);
    await from.cli("migrate", "127.0.0.1", to.port, "", 0, 5_000, "keys", "{t}:n", "{t}:n:seen");
    for (const node of [to, from]) await node.cli("cluster", "setslot", slot, "node", toId);
    assert.equal(await textOf(link.run(count("b"))), "2");
    assert.equal(await to.cli("get", "{t}:n"), "2");
  } finally {
    await link.close();
    await cluster.close();
  }
});

test("fault 19: a start waits for an unreachable server as long as configured, or not at all", async () => {
  await withValkey({ appendonly: true }, async (server) => {
    await server.stop();
    await assert.rejects(
      opening(server.url),
      refusal("unavailable", /^Cannot reach the store/, /Is the server running/),
    );
    const link = linkTo(server.url, { startWaitMs: 20_000 });
    const opened = link.open();
    await server.start();
    await opened;
    await link.close();
  });
});

test("a start that waits makes its last attempt when the time is over", async () => {
  await withValkey({}, async (server) => {
    await server.stop();
    const startWaitMs = 200;
    const clock = systemClock;
    const startedAt = clock.now().monotonicMs;
    // Far longer than the time left after the first attempt.
    const limits = { retry: { firstMs: 60_000, longestMs: 60_000, refusedMs: 60_000 } };
    await assert.rejects(opening(server.url, { startWaitMs, limits, clock }), {
      code: "unavailable",
    });
    assert.ok(clock.now().monotonicMs - startedAt >= startWaitMs);
  });
});

test("a connection that OpenSSL refuses is reported in one line", () => {
  const { message } = unreachable("valkeys://h:1", new ConnectionLost("SSL alert number 116\n"));
  assert.equal(message, "Cannot reach the store valkeys://h:1: SSL alert number 116");
});
