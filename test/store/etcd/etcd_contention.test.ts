import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { Instance } from "../../../src/core/instance.ts";
import { completed } from "../../../src/conformance/world/store_world.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { createIdSource } from "../../../src/platform/ids.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { etcdStoreOn } from "../../../src/store/etcd/create.ts";
import type { ReplicaStore } from "../../../src/store/replica/store.ts";
import { createMedium } from "../../support/servers/etcd_medium.ts";
import { type EtcdServer, startEtcd } from "../../support/servers/etcd_server.ts";
import { type CuttingProxy, startCuttingProxy } from "../../support/servers/cutting_proxy.ts";
import { sleep } from "../../support/wait.ts";

const LEASE_MS = 2_000;
const newIds = createIdSource(systemClock, systemRandom);
const KINDS: ReadonlySet<string> = new Set(["mail"]);
let server: EtcdServer;

before(async () => {
  server = await startEtcd();
});
after(() => server.close());

/** A node that retries what the store could not do, as the manager does. */
class Claimer {
  readonly store: ReplicaStore;
  readonly node: string;

  constructor(node: string, prefix: string, port = server.members[0]!.port) {
    this.node = node;
    this.store = etcdStoreOn({
      medium: createMedium([port], { prefix }),
      clock: systemClock,
      random: systemRandom,
      maxSkewMs: 1_000,
    });
  }

  async open(): Promise<void> {
    await this.store.open({ at: systemClock.now(), node: this.node });
  }

  async add(count: number): Promise<readonly string[]> {
    const { wallMs } = systemClock.now();
    const ids = Array.from({ length: count }, newIds);
    const instances = ids.map((id) => ({
      ...{ id, kind: "mail", priority: 5, queueKey: "mail", uniqueKey: null, argumentsJson: "[]" },
      ...{ dueAt: wallMs, scheduleId: null, scheduledFor: null, retryOf: null, deadlineAt: null },
      ...{ retryMax: 0, crashesMax: 100, timeoutMs: 0, keepSuccessMs: 6e7, keepFailureMs: 6e7 },
    }));
    await again(() => this.store.enqueue({ at: systemClock.now(), instances }));
    return ids;
  }

  async claim(limit: number): Promise<readonly Instance[]> {
    const { node } = this;
    const { value } = await again(() =>
      this.store.claim({ at: systemClock.now(), node, kinds: KINDS, limit, leaseMs: LEASE_MS })
    );
    return value;
  }

  /** The statuses of the settlements. */
  async settle(claims: readonly Instance[]): Promise<readonly string[]> {
    const outcome = completed();
    const settlements = claims.map(({ id, fence }) => ({ id, fence, logs: [], outcome }));
    const { node } = this;
    const { value } = await again(() =>
      this.store.settle({ at: systemClock.now(), node, settlements })
    );
    return value.map(({ status }) => status);
  }

  async reap(): Promise<void> {
    await again(() => this.store.reap({ at: systemClock.now(), limit: 100 }));
  }

  async completedCount(): Promise<number> {
    return (await again(() => this.store.stats())).kinds.get("mail")?.completed ?? 0;
  }
}

async function again<T>(operation: () => Promise<T>): Promise<T> {
  for (let tries = 0;; tries += 1) {
    try {
      return await operation();
    } catch (error) {
      if (tries === 100 || !isJobError(error, "unavailable")) throw error;
      await sleep(50);
    }
  }
}

test("four nodes on etcd give 50 claimers 400 instances, each once", async () => {
  const nodes = ["a", "b", "c", "d"].map((id) => new Claimer(id, "many"));
  await Promise.all(nodes.map((node) => node.open()));
  const ids = (await Promise.all(nodes.map((node) => node.add(100)))).flat();
  const runs = new Map<string, number>();
  const claimer = async (node: Claimer) => {
    for (;;) {
      const claims = await node.claim(3);
      if (claims.length === 0) return;
      for (const { id } of claims) runs.set(id, (runs.get(id) ?? 0) + 1);
      assert.deepEqual(await node.settle(claims), claims.map(() => "settled"));
    }
  };
  await Promise.all(Array.from({ length: 50 }, (_, place) => claimer(nodes[place % 4]!)));
  assert.equal(runs.size, ids.length);
  assert.ok([...runs.values()].every((count) => count === 1));
  for (const node of nodes) assert.equal(await node.completedCount(), 400);
  await Promise.all(nodes.map(({ store }) => store.close()));
});

/** Cause each fault in turn, until stopped. */
async function breakThings(proxies: readonly CuttingProxy[], isOver: () => boolean) {
  const [member] = server.members;
  const revision = async () => {
    const [{ Status }] = JSON.parse(await server.ctl("endpoint", "status", "-w", "json"));
    return String(Status.header.revision);
  };
  let compacted = "0";
  for (let round = 0; !isOver(); round += 1) {
    const proxy = proxies[round % proxies.length]!;
    if (round % 2 === 0) proxy.cutBeforeAnswer();
    else proxy.cutBeforeRequest();
    // Each has time to reconnect and get something done.
    await sleep(150);
    const last = compacted;
    if (round % 10 === 2) compacted = await revision();
    if (compacted !== last) await server.ctl("compact", compacted);
    if (round % 10 === 5) {
      await member!.kill();
      await member!.start();
    }
  }
}

test("faults 16, 17, 24: each instance ends once while responses are lost, the server is killed and history is compacted", async () => {
  const ports = [server.members[0]!.port, server.members[0]!.port, server.members[0]!.port];
  const proxies = await Promise.all(ports.map((port) => startCuttingProxy(port)));
  const nodes = proxies.map(({ port }, index) => new Claimer(`n${index}`, "faults", port));
  await Promise.all(nodes.map((node) => node.open()));
  const total = 1_800;
  const settled = new Map<string, number>();
  const breaking = breakThings(proxies, () => settled.size === total);
  const ids = (await Promise.all(nodes.map((node) => node.add(total / 3)))).flat();
  // Fences of an instance strictly rise, whoever claims it.
  const fences = new Map<string, number>();
  const claimer = async (node: Claimer) => {
    while (settled.size < total) {
      const claims = await node.claim(4);
      for (const { id, fence } of claims) {
        assert.ok(fence > (fences.get(id) ?? 0));
        fences.set(id, fence);
      }
      if (claims.length === 0) {
        await node.reap();
        await sleep(100);
        continue;
      }
      for (const [index, status] of (await node.settle(claims)).entries()) {
        const { id } = claims[index]!;
        // "repeated" is this claim's own settlement, whose response was lost.
        if (status !== "stale") settled.set(id, (settled.get(id) ?? 0) + 1);
      }
    }
  };
  await Promise.all(nodes.flatMap((node) => [claimer(node), claimer(node)]));
  await breaking;
  assert.deepEqual(new Set(settled.keys()), new Set(ids));
  assert.ok([...settled.values()].every((count) => count === 1));
  for (const node of nodes) assert.equal(await node.completedCount(), total);
  await Promise.all(nodes.map(({ store }) => store.close()));
  await Promise.all(proxies.map((proxy) => proxy.close()));
});
