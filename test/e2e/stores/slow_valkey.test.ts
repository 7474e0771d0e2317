import assert from "node:assert/strict";
import test from "node:test";
import { startCuttingProxy } from "../../support/servers/cutting_proxy.ts";
import { checkSlowStore } from "../../support/servers/slow_store.ts";
import { withValkey } from "../../support/servers/valkey_server.ts";

/** The compiled file on a real Valkey that is slow. */

test("fault 20: on a Valkey that takes three tenths of the lease for each call, jobs run once and keep their leases", async () => {
  await withValkey({ appendonly: true, isInMemory: true }, async (server) => {
    const proxy = await startCuttingProxy(server.port);
    try {
      const url = `valkey://127.0.0.1:${proxy.port}`;
      await checkSlowStore({ url, proxy, delayMs: 1_800, leaseMs: 6_000, jobs: 3 });
      assert.equal(proxy.cuts, 0);
    } finally {
      await proxy.close();
    }
  });
});
