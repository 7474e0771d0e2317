import assert from "node:assert/strict";
import { test } from "node:test";
import { plainInstance } from "../../../scripts/bench/plain_instance.ts";
import { parseStoreUrl } from "../../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS } from "../../../src/core/settings/store_config.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { createStore } from "../../../src/store/opening/open_store.ts";
import { startSentinel } from "../../support/servers/valkey_groups.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { until } from "../../support/wait.ts";
import { keepingLogger } from "./valkey_link_world.ts";

test("fault 21: a failover loses exactly what the replica did not have, warns, and accepts it again", async () => {
  const group = await startSentinel({ appendonly: true });
  const logger = keepingLogger();
  const url = `valkey-sentinel://127.0.0.1:${group.sentinel.port}/${group.name}`;
  const config = { ...STORE_DEFAULTS, address: parseStoreUrl(url), url };
  const store = createStore(config, { clock: systemClock, random: systemRandom, logger });
  const at = () => systemClock.now();
  const accept = async (count: number) => {
    const instances = Array.from({ length: count }, () => plainInstance("plain"));
    await store.enqueue({ at: at(), instances });
    return instances;
  };
  const missing = async (instances: readonly { readonly id: string }[]) => {
    const found = await Promise.all(instances.map(({ id }) => store.get(id)));
    return instances.filter((_, index) => found[index] === null);
  };
  try {
    await store.open({ at: at(), node: "a" });
    const kept = await accept(5);
    const request = { node: "a", kinds: new Set(["plain"]), limit: 1, leaseMs: 60_000 };
    const { value: [claimed] } = await store.claim({ at: at(), ...request });
    await until("the replica has them", async () => {
      const [master, replica] = await Promise.all(
        [group.master, group.replica].map((server) => server.cli("info", "replication")),
      );
      const offset = /master_repl_offset:(\d+)/;
      return offset.exec(master!)![1] === offset.exec(replica!)![1];
    });
    // From here on, writes that the master acknowledges reach no replica. The sentinel must not
    // repair that.
    group.sentinel.process.freeze();
    await group.replica.cli("replicaof", "127.0.0.1", 1);
    const lost = await accept(3);
    await group.master.kill();
    group.sentinel.process.thaw();

    await until("the store answers", async () => {
      return await store.get(kept[0]!.id).then(() => true, () => false);
    });
    assert.deepEqual(await missing([...kept, ...lost]), lost);
    assert.match(logger.lines.join("\n"), /restarted or replaced: .* may be lost/);
    const { value: again } = await store.enqueue({ at: at(), instances: lost });
    assert.deepEqual(again.map(({ outcome }) => outcome), lost.map(() => "accepted"));
    // The claim that the replica had stays valid, and fences rise.
    const settled = await store.settle({
      at: at(),
      node: "a",
      settlements: [{
        id: claimed!.id,
        fence: claimed!.fence,
        logs: [],
        outcome: {
          type: "final",
          state: "completed",
          reason: "ok",
          resultsJson: null,
          error: null,
          isFailure: false,
        },
      }],
    });
    assert.equal(settled.value[0]!.status, "settled");
    const { value: [next] } = await store.claim({ at: at(), ...request });
    assert.ok(next!.fence > 0 && next!.id !== claimed!.id);
  } finally {
    await store.close();
    await group.close();
  }
});

test("fault 87: a daemon warns when its server came back with an earlier state, and continues with rising fences", async () => {
  const server = await startValkey({ config: { save: ["3600", "1"] } });
  const logger = keepingLogger();
  const config = { ...STORE_DEFAULTS, address: parseStoreUrl(server.url), url: server.url };
  const store = createStore(config, { clock: systemClock, random: systemRandom, logger });
  const at = () => systemClock.now();
  const request = { node: "a", kinds: new Set(["plain"]), limit: 1, leaseMs: 60_000 };
  try {
    await store.open({ at: at(), node: "a" });
    const [first, second] = [plainInstance("plain"), plainInstance("plain")];
    await store.enqueue({ at: at(), instances: [first] });
    await server.cli("save");
    await store.enqueue({ at: at(), instances: [second] });
    const { value: [before] } = await store.claim({ at: at(), ...request });
    await server.kill();
    await server.start();
    await until("the store answers", () => store.get(first.id).then(() => true, () => false));
    assert.equal(await store.get(second.id), null);
    assert.match(logger.lines.join("\n"), /The store went back to an earlier state: jobs/);
    const { value: [after] } = await store.claim({ at: at(), ...request });
    assert.equal(after!.id, before!.id);
    assert.ok(after!.fence > before!.fence);
  } finally {
    await store.close();
    await server.close();
  }
});
