import { parseJson } from "../../core/arguments/json_text.ts";
import { replaceArguments } from "../../core/arguments/replace_arguments.ts";
import type { ArgumentInput } from "../../core/arguments/signature.ts";
import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { pagesOf } from "../../core/query.ts";
import { isDeadState, isFinal } from "../../core/state.ts";
import type { InstanceQuery, KeptSteps, RedriveResult } from "../../store/store.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../core/payload_chars.ts";
import { type BulkParts, ChangedInstances } from "./bulk.ts";
import { readStepRecords } from "./steps.ts";
import { noSuchInstance } from "./find_instance.ts";
import { argumentsFor, repeatInstance, seedOf } from "./new_instance.ts";
import { assertNoNotice, assertRepeatable } from "./notice_rules.ts";
import { keptSteps } from "../../core/flow/kept_steps.ts";
import type { RetryOptions } from "../../core/job/job_manager.ts";

/** Dead letters that are run again in one transaction. */
const BATCH = 250;

/**
 * See {@link InstanceApi.redriveInstances}. Conditions skip redriven instances.
 *
 * @throws JobError for an id: `not_found` if it is unknown; `conflict` if it did not fail for good,
 * or its redriven instance is deleted
 */
export async function redriveInstances(
  query: InstanceQuery,
  isForced: boolean,
  parts: BulkParts,
): Promise<readonly Instance[]> {
  const { ids, ...others } = query;
  if (ids) {
    await assertMatch(ids, others, parts.store);
    return await redriveIds(ids, isForced, parts);
  }
  return await redriveMatching(query, parts);
}

/**
 * Run one final instance again, in any state; a dead letter then counts as redriven.
 *
 * @throws JobError `conflict` if it is unfinished, or a delivered notice; `invalid_argument` for
 * arguments that do not fit, or for a notice's arguments
 */
export async function retryInstance(
  past: Instance,
  { arguments: input, ...part }: RetryOptions,
  parts: BulkParts,
): Promise<Instance> {
  assertRepeatable(past);
  if (input !== undefined) assertNoNotice(past.kind, "schedule");
  const repeated = input === undefined ? past : withArguments(past, input, parts);
  const steps = await stepsFor(past, part, parts);
  const [result] = await send([repeated], true, parts, steps);
  return instanceOf(result!, past.id, "retry");
}

/** The step records that the new instance has; undefined for none. */
async function stepsFor(
  past: Instance,
  part: Omit<RetryOptions, "arguments">,
  { store, options: { clock } }: BulkParts,
): Promise<KeptSteps | undefined> {
  if (part.only && part.from === undefined) {
    throw new JobError("invalid_argument", "Cannot retry only a step without its name", {
      path: "only",
      hint: "Name it: from",
    });
  }
  if (part.from === undefined && part.set === undefined) return undefined;
  if (!isFinal(past.state)) return undefined;
  return keptSteps(await readStepRecords(past, store), part, clock.now().wallMs);
}

function withArguments(
  past: Instance,
  input: ArgumentInput,
  { registry }: BulkParts,
): Instance {
  const job = registry.get(past.kind);
  const own = parseJson(past.argumentsJson) as readonly unknown[];
  const replaced = replaceArguments(job.signature, own, input);
  return { ...past, argumentsJson: argumentsFor(job, replaced) };
}

/** @throws JobError `conflict` for the first id that fails the other conditions */
async function assertMatch(
  ids: readonly string[],
  others: InstanceQuery,
  store: BulkParts["store"],
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
  parts: BulkParts,
): Promise<readonly Instance[]> {
  const wanted = new Set(ids);
  for (const id of wanted) {
    const past = await parts.store.get(id);
    if (!past) throw noSuchInstance(id, "redrive", "dead");
    if (!isDeadState(past.state)) {
      throw new JobError("conflict", `Cannot redrive instance "${id}": it is ${past.state}`, {
        hint: "Dead letters are terminated or timed out; retry runs any finished instance again",
      });
    }
    if (isForced) assertRepeatable(past);
    parts.registry.get(past.kind);
  }
  const redriven = new ChangedInstances();
  for await (const batch of batchesOf(wanted, parts.store)) {
    const results = await send(batch, isForced, parts);
    redriven.add(results.map((result, index) => instanceOf(result, batch[index]!.id, "redrive")));
  }
  return redriven.instances;
}

/** Reads the instances a second time, because they may not all fit in memory. */
async function* batchesOf(
  ids: Iterable<string>,
  store: BulkParts["store"],
): AsyncGenerator<readonly Instance[]> {
  let batch: Instance[] = [];
  let chars = 0;
  for (const id of ids) {
    const past = await store.get(id);
    if (!past) throw noSuchInstance(id, "redrive", "dead");
    batch.push(past);
    chars += instanceChars(past);
    if (batch.length < BATCH && chars < PAGE_CHARS_MAX) continue;
    yield batch;
    batch = [];
    chars = 0;
  }
  if (batch.length > 0) yield batch;
}

// A redriven instance may fail for good before the end: count only earlier instances.
async function redriveMatching(
  query: InstanceQuery,
  parts: BulkParts,
): Promise<readonly Instance[]> {
  const { store, options: { clock }, registry } = parts;
  const kinds = registry.repeatable.filter((kind) => query.kinds?.includes(kind) ?? true);
  for (const kind of query.kinds ?? []) registry.get(kind);
  const before = Math.min(query.before ?? Infinity, clock.now().wallMs + 1);
  const redriven = new ChangedInstances();
  const made = new Set<string>();
  const dead = { ...query, kinds, before, isDead: true } as const;
  const pages = pagesOf((token) => store.list(dead, { limit: BATCH, order: "oldest", token }));
  for await (const items of pages) {
    const old = items.filter(({ id }) => !made.has(id));
    const results = await send(old, false, parts);
    const accepted = results.flatMap(({ outcome, instance }) =>
      outcome === "accepted" ? [instance!] : []
    );
    redriven.add(accepted);
    for (const { id } of accepted) made.add(id);
  }
  return redriven.instances;
}

async function send(
  pasts: readonly Instance[],
  isForced: boolean,
  parts: BulkParts,
  steps?: KeptSteps,
): Promise<readonly RedriveResult[]> {
  if (pasts.length === 0) return [];
  const { store, options, registry, bulk, events, dispatcher } = parts;
  const instances = pasts.map((past) =>
    repeatInstance(registry.get(past.kind), past, seedOf(options))
  );
  const { value, at } = await bulk.run(
    instances.length,
    () =>
      store.redrive({
        at: options.clock.now(),
        instances,
        isForced,
        ...(steps === undefined ? {} : { steps }),
      }),
  );
  for (const { outcome, instance } of value) {
    if (outcome === "accepted") events.changed(instance!, at);
  }
  dispatcher.poke();
  return value;
}

function instanceOf(
  { outcome, instance, past }: RedriveResult,
  id: string,
  action: string,
): Instance {
  if (instance) return instance;
  if (outcome === "gone" || !past) throw noSuchInstance(id, action, "dead");
  if (outcome === "unfinished") {
    throw new JobError("conflict", `Cannot ${action} instance "${id}": it is ${past.state}`, {
      hint: "Wait until it has ended, or cancel it first",
    });
  }
  throw new JobError(
    "conflict",
    `Cannot ${action} instance "${id}": it was run again as ${past.redrivenAs}, which is deleted`,
    { hint: "Set force to run it once more" },
  );
}
