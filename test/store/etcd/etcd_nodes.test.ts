import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { etcdStoreOn } from "../../../src/store/etcd/create.ts";
import type { ReplicaStore } from "../../../src/store/replica/store.ts";
import type { NodeReport } from "../../../src/store/nodes.ts";
import { createMedium } from "../../support/servers/etcd_medium.ts";
import { type EtcdServer, startEtcd } from "../../support/servers/etcd_server.ts";
import { startCuttingProxy } from "../../support/servers/cutting_proxy.ts";
import { sleep, until } from "../../support/wait.ts";

const LEASE_MS = 2_000;
let server: EtcdServer;

before(async () => {
  server = await startEtcd();
});
after(() => server.close());

const REPORT: NodeReport = {
  version: "0",
  host: "here",
  pid: 1,
  process: null,
  startedAt: 0,
  tags: [],
  kinds: ["mail"],
  workers: 1,
  busy: 0,
  idle: [],
  isDraining: false,
  tzVersion: "0",
  limits: {},
};

/** A node of a store, whose wall clock the test sets. */
class TestNode {
  readonly id: string;
  readonly store: ReplicaStore;
  offMs = 0;

  constructor(id: string, prefix: string, port = server.members[0]!.port) {
    this.id = id;
    this.store = etcdStoreOn({
      medium: createMedium([port], { prefix }),
      clock: systemClock,
      random: systemRandom,
      maxSkewMs: 1_000,
      now: () => this.at,
    });
  }

  get at() {
    const { wallMs, monotonicMs } = systemClock.now();
    return { wallMs: wallMs + this.offMs, monotonicMs };
  }

  async join(): Promise<void> {
    await this.store.open({ at: this.at, node: this.id });
    await this.store.joinNode({ at: this.at, id: this.id, report: REPORT, leaseMs: LEASE_MS });
  }

  /** The result of a claim: how many, or why not. */
  async claim(): Promise<number | string> {
    const kinds = new Set(["mail"]);
    try {
      const { value } = await this.store.claim({
        at: this.at,
        node: this.id,
        kinds,
        limit: 1,
        leaseMs: LEASE_MS,
      });
      return value.length;
    } catch (error) {
      assert.ok(isJobError(error, "unavailable"), String(error));
      return error.message;
    }
  }
}

async function keysOf(prefix: string): Promise<readonly string[]> {
  const keys = await server.ctl("get", "--prefix", "--keys-only", `${prefix}/node/`);
  return keys.split("\n").filter((key) => key !== "").map((key) => key.slice(prefix.length + 6));
}

test("fault 38: the node whose clock is far from its peers' claims, fires and reaps nothing, until it is right", async () => {
  const nodes = ["a", "b", "c"].map((id) => new TestNode(id, "skew"));
  const [left, right, odd] = nodes as [TestNode, TestNode, TestNode];
  odd.offMs = 20_000;
  await left.join();
  await right.join();
  await odd.join();
  // From its first claim on, nothing that is due only by its clock starts.
  assert.match(
    String(await odd.claim()),
    /clock of node "c" is (19\.9|20\.0) s ahead .* "a", "b", and 1 s/,
  );
  await assert.rejects(odd.store.reap({ at: odd.at, limit: 1 }), /20\.0 s|19\.9 s/);
  await assert.rejects(odd.store.advance({ at: odd.at, advances: [] }), /s ahead/);
  assert.equal(await left.claim(), 0);
  assert.equal(await right.claim(), 0);
  const listed = await left.store.listNodes({ at: left.at });
  assert.ok(Math.abs(listed.find(({ id }) => id === "c")!.skewMs! - 20_000) < 500);
  odd.offMs = 0;
  await until("the clock is right", async () => await odd.claim() === 0, 3_000);
  right.offMs = -3_000;
  await until("the clock is wrong", async () => /behind/.test(String(await right.claim())), 3_000);
  assert.equal(await left.claim(), 0);
  await Promise.all(nodes.map(({ store }) => store.close()));
  assert.deepEqual(await keysOf("skew"), []);
});

test("a node's key goes with its lease, and comes again with the node", async () => {
  const proxy = await startCuttingProxy(server.members[0]!.port);
  const cut = new TestNode("node/with ä", "lease", proxy.port);
  const other = new TestNode("b", "lease");
  await Promise.all([cut.join(), other.join()]);
  assert.deepEqual(await keysOf("lease"), ["b", encodeURIComponent("node/with ä")]);
  proxy.shut();
  await until(
    "the key is gone",
    async () => (await keysOf("lease")).length === 1,
    LEASE_MS + 4_000,
  );
  proxy.open();
  await until("the key is there", async () => (await keysOf("lease")).length === 2, 6_000);
  await until("it claims again", async () => await cut.claim() === 0, 3_000);
  await Promise.all([cut.store.close(), other.store.close(), proxy.close()]);
});

test("fault 24: a lease that etcd lost is taken again", async () => {
  const node = new TestNode("a", "lost");
  await node.join();
  const [id] = (await server.ctl("lease", "list")).split("\n").slice(1);
  await server.ctl("lease", "revoke", id!);
  await until("the key is there again", async () => (await keysOf("lost")).length === 1, 6_000);
  assert.equal(await node.claim(), 0);
  await node.store.close();
});

test("a node that leaves while it takes a lease leaves neither its key nor a lease behind", async () => {
  const medium = createMedium([server.members[0]!.port], { prefix: "leaving" });
  await medium.open();
  for (const delayMs of [0, 1, 2, 3, 4, 6]) {
    const limits = { leaseMs: 60_000, maxSkewMs: 1_000 };
    const presence = medium.presenceOf(`a${delayMs}`, limits);
    const started = presence.start();
    await sleep(delayMs);
    await presence.stop();
    await started;
  }
  const leases = async () => (await server.ctl("lease", "list")).split("\n").slice(1);
  await until("no lease is left", async () => {
    return (await leases()).every((line) => line === "");
  }, 3_000);
  assert.deepEqual(await keysOf("leaving"), []);
  await medium.close();
});
