import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { ReplicaStore } from "../../../src/store/replica/store.ts";
import { NODE_KEPT_MS, type NodeReport } from "../../../src/store/store.ts";
import { SharedMedium } from "../../support/servers/shared_medium.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const LEASE_MS = 15_000;
const REPORT: NodeReport = {
  ...{ version: "1", host: "h", pid: 1, process: null, startedAt: 0, tags: [], kinds: [] },
  ...{ workers: 1, busy: 0, isDraining: false, tzVersion: "x", idle: [], limits: {} },
};

/** A node whose wall clock is off. */
class SkewedNode {
  readonly id: string;
  readonly store: ReplicaStore;
  skewMs: number;
  readonly #clock: SimClock;
  #session = 0;

  constructor(clock: SimClock, shared: SharedMedium, id: string, skewMs: number) {
    this.id = id;
    this.skewMs = skewMs;
    this.#clock = clock;
    const options = { medium: shared.connect(), clock, random: seededRandom(id.length) };
    this.store = new ReplicaStore({ ...options, now: () => this.now(), maxSkewMs: 1_000 });
  }

  now() {
    const { wallMs, monotonicMs } = this.#clock.now();
    return { wallMs: wallMs + this.skewMs, monotonicMs };
  }

  async #run<T>(asked: Promise<T>): Promise<T> {
    asked.catch(() => {});
    await this.#clock.settle();
    return await asked;
  }

  async join(): Promise<void> {
    await this.#run(this.store.open({ at: this.now(), node: this.id }));
    const request = { at: this.now(), id: this.id, report: REPORT, leaseMs: LEASE_MS };
    this.#session = (await this.#run(this.store.joinNode(request))).value.node.session;
  }

  async report(): Promise<void> {
    const { id } = this;
    const request = { at: this.now(), id, report: REPORT, leaseMs: LEASE_MS };
    await this.#run(this.store.reportNode({ ...request, session: this.#session }));
  }

  async listed(): Promise<readonly string[]> {
    const nodes = await this.#run(this.store.listNodes({ at: this.now() }));
    return nodes.map(({ id }) => id);
  }

  claim() {
    const kinds = new Set(["mail"]);
    const request = { at: this.now(), node: this.id, kinds, limit: 1, leaseMs: LEASE_MS };
    return this.#run(this.store.claim(request));
  }

  async refusal(): Promise<string> {
    return await this.claim().then(() => "none", (error) => {
      assert.ok(isJobError(error, "unavailable"));
      return error.message;
    });
  }
}

async function joined(skews: readonly number[]) {
  const clock = new SimClock();
  const shared = new SharedMedium();
  const nodes = skews.map((skewMs, index) =>
    new SkewedNode(clock, shared, `n${index + 1}`, skewMs)
  );
  for (const node of nodes) await node.join();
  const pass = async () => {
    await clock.advance(5_000);
    for (const node of nodes) await node.report();
  };
  return { nodes, pass, clock, shared };
}

test("fault 38: a node claims nothing while its clock is further off than max_skew from most peers", async () => {
  const { nodes, pass } = await joined([0, 100, 20_000]);
  const [first, second, ahead] = nodes;
  assert.match(await ahead!.refusal(), /peers' clocks are not known yet/);
  await pass();
  await pass();
  assert.equal(await first!.refusal(), "none");
  assert.equal(await second!.refusal(), "none");
  const said =
    /the clock of node "n3" is (19|20)\.\d s ahead of that of 2 of its peers, such as "n1", "n2", and 1 s are/;
  assert.match(await ahead!.refusal(), said);
  ahead!.skewMs = 0;
  await pass();
  await pass();
  assert.equal(await ahead!.refusal(), "none");
});

test("fault 38: a node behind its peers is refused, and one alone or among dead peers claims", async () => {
  const { nodes, pass, clock } = await joined([0, 0, -3_000]);
  await pass();
  await pass();
  const behind = nodes[2]!;
  assert.match(await behind.refusal(), /is (2|3)\.\d s behind that of 2 of its peers/);
  await clock.advance(LEASE_MS);
  assert.equal(await behind.refusal(), "none");
});

test("reportNode() forgets nodes whose row a replica opened later still finds", async () => {
  const { nodes, clock, shared } = await joined([0, 0]);
  const keptMs = LEASE_MS + NODE_KEPT_MS;
  const listed = async (id: string) => {
    const node = new SkewedNode(clock, shared, id, 0);
    await node.join();
    return await node.listed();
  };
  await clock.advance(keptMs);
  assert.deepEqual(await listed("n3"), ["n1", "n2", "n3"]);
  await nodes[1]!.report();
  assert.deepEqual(await listed("n4"), ["n2", "n3", "n4"]);
});
