import test from "node:test";
import { startCuttingProxy } from "../../support/servers/cutting_proxy.ts";
import { withEtcd } from "../../support/servers/etcd_server.ts";
import { checkSlowStore } from "../../support/servers/slow_store.ts";

/** The compiled file on a real etcd that is slow. */

test("fault 20: on an etcd that takes three tenths of the lease for each call, jobs run once and keep their leases", async () => {
  await withEtcd({ isInMemory: true }, async (server) => {
    const proxy = await startCuttingProxy(server.members[0]!.port);
    try {
      const url = `etcd://127.0.0.1:${proxy.port}`;
      await checkSlowStore({ url, proxy, delayMs: 1_800, leaseMs: 6_000, jobs: 3 });
    } finally {
      await proxy.close();
    }
  });
});
