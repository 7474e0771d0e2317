import assert from "node:assert/strict";
import test from "node:test";
import { withCluster } from "../../support/cluster/cluster.ts";
import { checkCluster } from "../../support/cluster/cluster_check.ts";

for (const store of ["valkey", "etcd"] as const) {
  test(`faults 4, 5 and 11 on ${store}: three daemons lose nothing and do nothing twice`, async () => {
    // Longer ones: npm run cluster.
    const options = { store, jobs: 100, durationMs: 3_500, leaseMs: 1_500, seed: 7 };
    const { violations, figures } = await withCluster(options, checkCluster);
    assert.deepEqual(violations, []);
    assert.equal(figures.accepted, options.jobs);
  });
}
