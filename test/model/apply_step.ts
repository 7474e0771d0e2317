import assert from "node:assert/strict";
import { isJobError } from "../../src/core/errors.ts";
import type { Instant } from "../../src/platform/clock.ts";
import type { Committed, EnqueueResult, SettleResult } from "../../src/store/store.ts";
import type { MediumFaults } from "./failing_tables.ts";
import type { Step } from "./model_turns.ts";
import { ModelRefusal, type StoreModel } from "./store_model.ts";
import { type Claimer, LEASE_MS, type WatchedStore } from "./watched_store.ts";

interface Parties {
  readonly store: WatchedStore;
  readonly model: StoreModel;
  readonly faults: MediumFaults;
  readonly at: Instant;
}

type Outcome = { readonly committed: Committed<unknown> } | { readonly error: unknown };

/** Send the requests of one turn to the store and to the model, and compare the results. */
export async function applySteps(
  { store, model, faults, at }: Parties,
  steps: readonly Step[],
): Promise<void> {
  // All are sent before anything is awaited: requests of one turn share a transaction.
  const asked = steps.map((step): [Step, Claimer | null, Promise<Outcome>] => {
    const claimer = step.type === "claim" ? store.claimerOf(step, at) : null;
    const outcome = ask(store, at, step, claimer).then(
      (committed) => ({ committed }),
      (error: unknown) => ({ error }),
    );
    return [step, claimer, outcome];
  });
  const outcomes = await Promise.all(asked.map(([, , outcome]) => outcome));
  for (const [index, [step, claimer]] of asked.entries()) {
    const outcome = outcomes[index]!;
    if (faults.hasFailed) {
      const code = "error" in outcome && isJobError(outcome.error) ? outcome.error.code : null;
      assert.equal(code, "unavailable", `${step.type} on a medium that failed`);
      continue;
    }
    compare({ store, model, at }, step, claimer, outcome);
  }
}

function compare(
  { store, model, at }: Omit<Parties, "faults">,
  step: Step,
  claimer: Claimer | null,
  outcome: Outcome,
): void {
  let expected: unknown;
  let code: string | null = null;
  try {
    expected = model.run(at, () => answer(model, at, step, claimer));
  } catch (error) {
    if (!(error instanceof ModelRefusal)) throw error;
    code = error.code;
  }
  if ("error" in outcome) {
    const found = isJobError(outcome.error) ? outcome.error.code : "";
    if (found !== code) throw outcome.error;
    return;
  }
  assert.equal(code, null, `${step.type} was to be refused`);
  const { committed } = outcome;
  assert.ok(committed.rev > store.rev, "revisions rise");
  store.rev = committed.rev;
  assert.equal(committed.at, model.at, "the recorded time");
  assert.deepEqual(comparable(step, committed.value), comparable(step, expected), step.type);
  if (step.type === "settle") checkSettled(committed.value as never, expected as never);
  store.answered(step, committed.value);
}

function ask(
  { store }: WatchedStore,
  at: Instant,
  step: Step,
  claimer: Claimer | null,
): Promise<Committed<unknown>> {
  switch (step.type) {
    case "enqueue":
      return store.enqueue({ at, instances: step.instances });
    case "claim":
      return store.claim({ at, ...claimer! });
    case "renew":
      return store.renew({ at, node: step.node, claims: step.claims, leaseMs: LEASE_MS });
    case "settle":
      return store.settle({ at, node: step.node, settlements: step.settlements });
    case "cancel":
      return store.cancel({ at, query: step.query, limit: step.limit });
    case "reap":
      return store.reap({ at, limit: 1_000 });
    case "redrive":
      return store.redrive({ at, instances: step.instances, isForced: step.isForced });
    case "progress":
      return store.appendLogs({
        at,
        appends: [{ ...step.claim, progress: step.progress, logs: [] }],
      });
    case "putSchedule":
      return store.putSchedule({ at, ...step.put });
    case "deleteSchedule":
      return store.deleteSchedule({ at, id: step.id });
    case "advance":
      return store.advance({ at, advances: step.advances });
    case "backfill":
      return store.backfill({ at, backfill: step.backfill });
    case "pause":
      return store.setPause({ at, ...step.pause });
    case "resume":
      return store.removePause({ at, kind: step.kind });
    case "retain":
      return store.retain({ at, limit: 1_000 });
    case "clear": {
      const { query, settledBefore } = step;
      return store.clearInstances({ at, query, settledBefore, limit: 1_000 });
    }
    case "list":
    case "reopen":
      throw new Error(`A turn with "${step.type}" has no other requests`);
  }
}

function answer(
  model: StoreModel,
  at: Instant,
  step: Step,
  claimer: Claimer | null,
): unknown {
  switch (step.type) {
    case "enqueue":
      return model.enqueue(step.instances);
    case "claim":
      return model.claim({ at, ...claimer! });
    case "renew":
      return model.renew({ at, node: step.node, claims: step.claims, leaseMs: LEASE_MS });
    case "settle":
      return model.settle(step.settlements);
    case "cancel":
      return model.cancel(step.query, step.limit);
    case "reap":
      return model.reap();
    case "redrive":
      return model.redrive(step.instances, step.isForced);
    case "progress":
      return model.noteProgress({ ...step.claim, progress: step.progress }) ? [] : [step.claim];
    case "putSchedule":
      return model.putSchedule({ at, ...step.put });
    case "deleteSchedule":
      return model.deleteSchedule(step.id);
    case "advance":
      return step.advances.map((one) => model.advance(one));
    case "backfill":
      return model.backfill(step.backfill);
    case "pause":
      return model.setPause(step.pause);
    case "resume":
      return model.removePause(step.kind);
    case "retain":
      return model.retain();
    case "clear":
      return model.clear(step.query, step.settledBefore);
    case "list":
    case "reopen":
      return null;
  }
}

/** Instances by id, where the order is not promised. */
export function byId<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return [...items].sort((left, right) => left.id < right.id ? -1 : 1);
}

/**
 * A result without what is not promised: an order, or how far later items of a batch show in its
 * earlier ones.
 */
function comparable(step: Step, value: unknown): unknown {
  switch (step.type) {
    case "enqueue": {
      const results = value as readonly EnqueueResult[];
      if (results.length === 1) return results;
      return results.map(({ instance, outcome, replaced }) => [instance.id, outcome, replaced?.id]);
    }
    case "settle":
      return (value as readonly SettleResult[]).map(({ instance }) => instance);
    case "reap":
      return byId(value as never);
    case "retain":
    case "clear":
      return [...value as readonly string[]].sort();
    default:
      return value;
  }
}

/**
 * A repeat is recognized. Another outcome with the same result may count as one; it writes nothing
 * either.
 */
function checkSettled(found: readonly SettleResult[], expected: readonly SettleResult[]): void {
  for (const [index, { status, id }] of expected.entries()) {
    const given = found[index]!.status;
    if (status === "stale" && given === "repeated") continue;
    assert.equal(given, status, `the settlement of ${id}`);
  }
}
