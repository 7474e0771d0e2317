import type { Instance } from "../../../src/core/instance.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { seededRandom } from "../seeded_random.ts";
import { ReplicaStore } from "../../../src/store/replica/store.ts";
import type { NewInstance, Settlement } from "../../../src/store/store.ts";
import { type MediumConnection, SharedMedium } from "./shared_medium.ts";

export const LEASE_MS = 15_000;
const KINDS: ReadonlySet<string> = new Set(["mail"]);

/** One node with its own connection to the medium. */
export interface ReplicaNode {
  readonly id: string;
  readonly store: ReplicaStore;
  readonly medium: MediumConnection;
}

/** Nodes on one medium. */
export class Replicas {
  readonly shared = new SharedMedium();
  readonly clock: Clock;
  readonly nodes: ReplicaNode[] = [];
  #nextId = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Another node, opened. */
  async open(): Promise<ReplicaNode> {
    const node = this.make();
    await node.store.open({ at: this.clock.now(), node: node.id });
    return node;
  }

  /** Another node, not yet opened. */
  make(): ReplicaNode {
    const id = `n${this.nodes.length + 1}`;
    const medium = this.shared.connect();
    const random = seededRandom(this.nodes.length + 1);
    const { clock } = this;
    const store = new ReplicaStore({ medium, clock, random, now: () => clock.now() });
    const node = { id, store, medium };
    this.nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ store }) => store.close()));
  }

  newInstance(given: Partial<NewInstance> = {}): NewInstance {
    this.#nextId += 1;
    return {
      ...{ id: `019b76da-a800-7000-8000-${this.#nextId.toString(16).padStart(12, "0")}` },
      ...{ kind: "mail", priority: 5, queueKey: "mail", uniqueKey: null, argumentsJson: "[]" },
      ...{ dueAt: 0, scheduleId: null, scheduledFor: null, retryOf: null, deadlineAt: null },
      ...{ retryMax: 0, crashesMax: 3, timeoutMs: 0, keepSuccessMs: 1e9, keepFailureMs: 1e9 },
      ...given,
    };
  }

  async add({ store }: ReplicaNode, count = 1): Promise<readonly Instance[]> {
    const instances = Array.from({ length: count }, () => this.newInstance());
    const { value } = await store.enqueue({ at: this.clock.now(), instances });
    return value.map(({ instance }) => instance);
  }

  async claim({ store, id }: ReplicaNode, limit = 1): Promise<readonly Instance[]> {
    const request = { at: this.clock.now(), node: id, kinds: KINDS, limit, leaseMs: LEASE_MS };
    return (await store.claim(request)).value;
  }

  async renew({ store, id }: ReplicaNode, claims: readonly Instance[]) {
    const request = { at: this.clock.now(), node: id, claims, leaseMs: LEASE_MS };
    return (await store.renew(request)).value.map(({ status }) => status);
  }

  async settle({ store, id: node }: ReplicaNode, claims: readonly Instance[]) {
    const settlements = claims.map(({ id, fence }): Settlement => ({
      ...{ id, fence, logs: [] },
      outcome: {
        ...{ type: "final", state: "completed", reason: "ok", resultsJson: "[1]" },
        ...{ error: null, isFailure: false },
      },
    }));
    const { value } = await store.settle({ at: this.clock.now(), node, settlements });
    return value.map(({ status }) => status);
  }
}
