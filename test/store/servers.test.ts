import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { startCuttingProxy } from "../support/servers/cutting_proxy.ts";
import { withEtcd } from "../support/servers/etcd_server.ts";
import { startCluster, startSentinel } from "../support/servers/valkey_groups.ts";
import { withValkey } from "../support/servers/valkey_server.ts";

/** The servers and the proxy that other tests rely on. */

/** The data of a connection until it ended or `want` came. */
function exchange(port: number, text: string, want: string): Promise<string> {
  return new Promise((resolve) => {
    let got = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("utf8").on("data", (chunk) => {
      got += chunk;
      if (got.includes(want)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(got));
  });
}

test("startValkey() keeps port and data over a restart when it has an append-only file", async () => {
  await withValkey({ appendonly: true }, async (server) => {
    await server.cli("set", "a", "1");
    await server.kill();
    await server.start();
    assert.equal(await server.cli("get", "a"), "1");
  });
});

test("startCuttingProxy() cuts before the request and before the answer", async () => {
  await withValkey({}, async (server) => {
    const proxy = await startCuttingProxy(server.port);
    try {
      assert.equal(await exchange(proxy.port, "INCR n\r\n", ":1"), ":1\r\n");
      proxy.cutBeforeRequest();
      assert.equal(await exchange(proxy.port, "INCR n\r\n", ":"), "");
      assert.equal(await server.cli("get", "n"), "1");
      proxy.cutBeforeAnswer();
      assert.equal(await exchange(proxy.port, "INCR n\r\n", ":"), "");
      assert.equal(await server.cli("get", "n"), "2");
      assert.equal(proxy.cuts, 2);
      assert.equal(await exchange(proxy.port, "INCR n\r\n", ":3"), ":3\r\n");
    } finally {
      await proxy.close();
    }
  });
});

test("startSentinel() and startCluster() give servers that know each other", async () => {
  const group = await startSentinel();
  try {
    const address = await group.sentinel.cli("sentinel", "get-master-addr-by-name", group.name);
    assert.equal(address, `127.0.0.1\n${group.master.port}`);
  } finally {
    await group.close();
  }
  const cluster = await startCluster();
  try {
    const slots = await cluster.nodes[2]!.cli("cluster", "shards");
    for (const { port } of cluster.nodes) assert.match(slots, new RegExp(`\\b${port}\\b`));
  } finally {
    await cluster.close();
  }
});

test("startEtcd() keeps ports and data over kill -9, with several members too", async () => {
  await withEtcd({ members: 3 }, async (server) => {
    await server.ctl("put", "a", "1");
    const [first] = server.members;
    await first!.kill();
    assert.equal(await server.ctl("get", "a", "--print-value-only"), "1");
    await first!.start();
    assert.equal(await server.ctl("get", "a", "--print-value-only"), "1");
  });
});
