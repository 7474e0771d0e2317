import { type Clock, sleep } from "../platform/clock.ts";
import { createIdSource } from "../platform/ids.ts";
import type { Random } from "../platform/random.ts";
import type { NewInstance, Settlement, Store } from "../store/store.ts";

/** Durations of one kind of round trip, in milliseconds. */
export interface Latency {
  readonly operation: string;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const KIND = "selftest";
const NODE = "selftest";
const LEASE_MS = 1_000;
const ROUNDS_MAX = 100_000;

/** Measure enqueue, claim and settle one by one, and the block of an instance by a lost lease. */
export async function measureStore(
  open: () => Store,
  { clock, random, measureMs }: {
    readonly clock: Clock;
    readonly random: Random;
    readonly measureMs: number;
  },
): Promise<readonly Latency[]> {
  const store = open();
  await store.open({ at: clock.now(), node: NODE });
  try {
    const times = { enqueue: [] as number[], claim: [] as number[], settle: [] as number[] };
    const takeover: number[] = [];
    const newId = createIdSource(clock, random);
    const timed = async <T>(into: number[], run: () => Promise<T>): Promise<T> => {
      const beganMs = clock.now().monotonicMs;
      const value = await run();
      into.push(clock.now().monotonicMs - beganMs);
      return value;
    };
    const claim = { node: NODE, kinds: new Set([KIND]), limit: 1, leaseMs: LEASE_MS };
    const endMs = clock.now().monotonicMs + measureMs;
    for (let round = 0; round < ROUNDS_MAX && clock.now().monotonicMs < endMs; round++) {
      const instances = [newInstance(newId(), clock.now().wallMs)];
      await timed(times.enqueue, () => store.enqueue({ at: clock.now(), instances }));
      const { value } = await timed(
        times.claim,
        () => store.claim({ ...claim, at: clock.now() }),
      );
      const settlements = value.map(({ id, fence }): Settlement => ({
        id,
        fence,
        logs: [],
        outcome: {
          type: "final",
          state: "completed",
          reason: "ok",
          resultsJson: "[]",
          error: null,
          isFailure: false,
        },
      }));
      const request = { node: NODE, settlements };
      await timed(times.settle, () => store.settle({ ...request, at: clock.now() }));
    }
    const instances = [newInstance(newId(), clock.now().wallMs)];
    await store.enqueue({ at: clock.now(), instances });
    await timed(takeover, () => loseLease(store, claim, clock));
    return [
      ...Object.entries(times).map(([operation, taken]) => latencyOf(operation, taken)),
      latencyOf(`claim again after a lease of ${LEASE_MS} ms`, takeover),
    ];
  } finally {
    await store.close();
  }
}

async function loseLease(
  store: Store,
  claim: Omit<Parameters<Store["claim"]>[0], "at">,
  clock: Clock,
): Promise<void> {
  await store.claim({ ...claim, at: clock.now() });
  for (;;) {
    await store.reap({ at: clock.now(), limit: 10 });
    const { value } = await store.claim({ ...claim, at: clock.now() });
    if (value.length > 0) return;
    await sleep(clock, 20);
  }
}

function latencyOf(operation: string, taken: readonly number[]): Latency {
  const sorted = [...taken].sort((left, right) => left - right);
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return Math.round(value * 1_000) / 1_000;
  };
  return { operation, count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function newInstance(id: string, dueAt: number): NewInstance {
  return {
    id,
    kind: KIND,
    priority: 5,
    queueKey: KIND,
    uniqueKey: null,
    argumentsJson: "[]",
    dueAt,
    scheduleId: null,
    scheduledFor: null,
    retryOf: null,
    deadlineAt: null,
    retryMax: 0,
    crashesMax: 3,
    timeoutMs: 0,
    keepSuccessMs: 60_000,
    keepFailureMs: 60_000,
  };
}
