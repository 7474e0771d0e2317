import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { isDeadState } from "../../core/state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { InstanceQuery, NewInstance, RedriveResult, Store } from "../../store/store.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../core/payload_chars.ts";
import type { BulkGate } from "./bulk_gate.ts";
import { ChangedInstances } from "./changed_instances.ts";
import type { Registry } from "../registry.ts";

/** Dead letters that are run again in one transaction. */
const BATCH = 250;

/** What running again works with. */
export interface RedriveContext {
  readonly store: Pick<Store, "get" | "list" | "redrive">;
  readonly bulk: BulkGate;
  readonly clock: Clock;
  readonly registry: Registry;
  /** The new instance in place of a final one. */
  readonly repeat: (past: Instance) => NewInstance;
  /** Called with each that was accepted. */
  readonly accepted: (instance: Instance, at: number) => void;
}

/**
 * Run dead letters again, each as a new instance with `retryOf`. Those that were run again before are answered with the
 * instance of that time, unless forced; without ids they do not match.
 *
 * @throws JobError of an id: `not_found` for an unknown one, `conflict` for one that did not fail for good, or whose new
 * instance is deleted already
 */
export async function redriveInstances(
  query: InstanceQuery,
  isForced: boolean,
  context: RedriveContext,
): Promise<readonly Instance[]> {
  const { ids, ...others } = query;
  if (ids) {
    await assertMatch(ids, others, context.store);
    return await redriveIds(ids, isForced, context);
  }
  return await redriveMatching(query, context);
}

/**
 * Run one final instance again, whatever it came to; a dead letter counts as redriven then.
 *
 * @throws JobError `conflict` when it is unfinished
 */
export async function retryInstance(past: Instance, context: RedriveContext): Promise<Instance> {
  const [result] = await send([past], true, context);
  return instanceOf(result!, past.id, "retry");
}

/** @throws JobError `conflict` for the first id that does not meet the other conditions of the query */
async function assertMatch(
  ids: readonly string[],
  others: InstanceQuery,
  store: RedriveContext["store"],
): Promise<void> {
  if (Object.keys(others).length === 0) return;
  for (const id of ids) {
    const { items } = await store.list({ ...others, ids: [id] }, { limit: 1 });
    if (items.length > 0 || !await store.get(id)) continue;
    throw new JobError(
      "conflict",
      `Cannot redrive instance "${id}": it does not meet the other conditions`,
      { hint: "Give the ids alone, or the conditions alone" },
    );
  }
}

async function redriveIds(
  ids: readonly string[],
  isForced: boolean,
  context: RedriveContext,
): Promise<readonly Instance[]> {
  const wanted = new Set(ids);
  for (const id of wanted) {
    const past = await context.store.get(id);
    if (!past) throw gone(id, "redrive");
    if (!isDeadState(past.state)) {
      throw new JobError("conflict", `Cannot redrive instance "${id}": it is ${past.state}`, {
        hint: "Dead letters are terminated or timed out; retry runs any final instance again",
      });
    }
    context.registry.get(past.kind);
  }
  const redriven = new ChangedInstances();
  for await (const batch of batchesOf(wanted, context.store)) {
    const results = await send(batch, isForced, context);
    redriven.add(results.map((result, index) => instanceOf(result, batch[index]!.id, "redrive")));
  }
  return redriven.instances;
}

/** They are read a second time, because they may not all fit in memory. */
async function* batchesOf(
  ids: Iterable<string>,
  store: RedriveContext["store"],
): AsyncGenerator<readonly Instance[]> {
  let batch: Instance[] = [];
  let chars = 0;
  for (const id of ids) {
    const past = await store.get(id);
    if (!past) throw gone(id, "redrive");
    batch.push(past);
    chars += instanceChars(past);
    if (batch.length < BATCH && chars < PAGE_CHARS_MAX) continue;
    yield batch;
    batch = [];
    chars = 0;
  }
  if (batch.length > 0) yield batch;
}

// What is run again may be dead again before the end: only what was there at the start counts.
async function redriveMatching(
  query: InstanceQuery,
  context: RedriveContext,
): Promise<readonly Instance[]> {
  const { store, clock, registry } = context;
  const kinds = [...registry.kinds].filter((kind) => query.kinds?.includes(kind) ?? true);
  for (const kind of query.kinds ?? []) registry.get(kind);
  const before = Math.min(query.before ?? Infinity, clock.now().wallMs + 1);
  const redriven = new ChangedInstances();
  const made = new Set<string>();
  let token: string | undefined;
  do {
    const page = await store.list({ ...query, kinds, before, isDead: true }, {
      limit: BATCH,
      order: "oldest",
      ...(token === undefined ? {} : { token }),
    });
    const old = page.items.filter(({ id }) => !made.has(id));
    const results = await send(old, false, context);
    const accepted = results.flatMap(({ outcome, instance }) =>
      outcome === "accepted" ? [instance!] : []
    );
    redriven.add(accepted);
    for (const { id } of accepted) made.add(id);
    token = page.nextToken ?? undefined;
  } while (token !== undefined);
  return redriven.instances;
}

async function send(
  pasts: readonly Instance[],
  isForced: boolean,
  context: RedriveContext,
): Promise<readonly RedriveResult[]> {
  if (pasts.length === 0) return [];
  const { store, clock, bulk, repeat, accepted } = context;
  const instances = pasts.map(repeat);
  const { value, at } = await bulk.run(
    instances.length,
    () => store.redrive({ at: clock.now(), instances, isForced }),
  );
  for (const { outcome, instance } of value) {
    if (outcome === "accepted") accepted(instance!, at);
  }
  return value;
}

function instanceOf(
  { outcome, instance, past }: RedriveResult,
  id: string,
  action: string,
): Instance {
  if (instance) return instance;
  if (outcome === "gone" || !past) throw gone(id, action);
  if (outcome === "unfinished") {
    throw new JobError("conflict", `Cannot ${action} instance "${id}": it is ${past.state}`, {
      hint: "Wait until it has ended, or cancel it first",
    });
  }
  throw new JobError(
    "conflict",
    `Cannot ${action} instance "${id}": it was run again as ${past.redrivenAs}, which is deleted`,
    { hint: "Force it to run it once more" },
  );
}

function gone(id: string, action: string): JobError {
  return new JobError("not_found", `Cannot ${action} instance "${id}": no such instance`, {
    path: "uuid",
    hint: "List them with: jobctl list dead",
  });
}
