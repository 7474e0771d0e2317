import { encodeJson } from "../../core/arguments/encode.ts";
import { JobError } from "../../core/errors.ts";
import { readSteps, type StepInfo } from "../../core/flow/step_info.ts";
import { ACCEPT_SIGNAL, SIGNALS_MAX, stepPrefix, STEPS_MAX, UNDO_SIGNAL } from "../../core/wait.ts";
import type { Instance } from "../../core/instance.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { isObject } from "../../core/text/object_keys.ts";
import type { Clock } from "../../platform/clock.ts";
import { BATCH_MAX, type SignalRequest, type Store } from "../../store/store.ts";
import type { SignalOptions, SignalReport, SignalTarget } from "../api/instances.ts";
import { findInstance, noSuchInstance } from "./find_instance.ts";
import { wholeUniqueKey } from "./new_instance.ts";

/** Largest value of a signal, in bytes of JSON text. */
const SIGNAL_BYTES_MAX = 262_144;
/** Longest name and id of a signal, in characters. */
const TEXT_MAX = 100;
/** Most records that are read of one instance: steps, children, and what counts them. */
const RECORDS_MAX = 4 * STEPS_MAX;

interface StepParts {
  readonly store: Pick<Store, "signal" | "listMemos" | "get" | "findIds" | "list">;
  readonly clock: Clock;
}

/** The recipient of a signal: an instance by its id, or by its unique key. */
type Recipient = Exclude<SignalTarget, string>;

/** The recipient as callers name it. @throws JobError `invalid_argument` */
export function readTarget(target: SignalTarget): Recipient {
  if (typeof target === "string") return { id: target };
  if (isObject(target)) {
    const { id, kind, uniqueKey } = target as Readonly<Record<string, unknown>>;
    if (typeof id === "string") return { id };
    if (typeof kind === "string" && typeof uniqueKey === "string") return { kind, uniqueKey };
  }
  throw new JobError(
    "invalid_argument",
    `Cannot send a signal to ${quoteValue(target)}: wanted an id, or the kind and the unique key`,
    { path: "target", hint: 'Write "01938f2c-…", or { kind: "order", uniqueKey: "o-17" }' },
  );
}

/** See {@link InstanceApi.signalInstance}. */
export async function signalInstance(
  target: Recipient,
  name: string,
  options: SignalOptions,
  { store, clock }: StepParts,
): Promise<SignalReport> {
  const isDecision = name === UNDO_SIGNAL || name === ACCEPT_SIGNAL;
  if (!isDecision) checkText(name, "name");
  const { value = null, signalId = null, by = null } = options;
  if (signalId !== null) checkText(signalId, "signalId");
  const at = clock.now();
  const what = `the value of signal "${name}"`;
  const data = encodeJson(
    { value, by, at: Math.floor(at.wallMs) },
    { bytesMax: SIGNAL_BYTES_MAX, what, isExact: true },
  );
  const to = toStore(target);
  const whole = isDecision ? await decisionName(target, name, { store, clock }) : name;
  const { value: results } = await store.signal({
    at,
    signals: [{ to, name: whole, data, signalId }],
  });
  const { status, instance } = results[0]!;
  if (status === "full") {
    throw new JobError(
      "resource_exhausted",
      `Cannot send "${name}": the instance was sent ${SIGNALS_MAX} signals already`,
    );
  }
  if (status !== "gone") return { status, instance: instance! };
  if ("id" in target) throw noSuchInstance(target.id, "send a signal to");
  throw new JobError(
    "not_found",
    `Cannot send "${name}": no unfinished instance of job "${target.kind}" has the unique key ` +
      quoteValue(target.uniqueKey),
    { path: "uniqueKey", hint: "List them with: jobctl list instances" },
  );
}

/**
 * The name in the store of a decision on an undo or on changed code.
 *
 * @throws JobError `conflict` if the instance does not wait for one
 */
async function decisionName(
  target: Recipient,
  name: typeof UNDO_SIGNAL | typeof ACCEPT_SIGNAL,
  parts: StepParts,
): Promise<string> {
  const instance = "id" in target ? await findInstance(target.id, parts) : null;
  const wanted = name === UNDO_SIGNAL ? "undo" : "change";
  const wait = instance?.waits?.find(({ type }) => type === wanted);
  if (wait !== undefined) return name === UNDO_SIGNAL ? name : `${name} ${wait.name}`;
  const action = name === UNDO_SIGNAL ? "decide on an undo" : "accept changed code";
  throw new JobError("conflict", `Cannot ${action}: the instance does not wait for that`, {
    hint: "Name the instance by its id; see what it waits for with: jobctl explain ID",
  });
}

/** See {@link InstanceApi.listSteps}. */
export async function listSteps(
  id: string,
  { store, clock }: StepParts,
): Promise<readonly StepInfo[]> {
  const instance = await findInstance(id, { store, clock });
  const steps = readSteps(await readStepRecords(instance, store));
  return [...steps, ...waitedChildren(instance, steps)];
}

/** The children that an instance waits for: they have no record before their end. */
function waitedChildren(
  { waits, scheduledAt }: Instance,
  steps: readonly StepInfo[],
): readonly StepInfo[] {
  const known = new Set(steps.map(({ key }) => key));
  const missing = (waits ?? []).filter(({ type, key }) => type === "child" && !known.has(key!));
  return missing.map(({ key, name }) => ({
    key: key!,
    type: "child",
    name,
    state: "waiting",
    at: scheduledAt ?? 0,
    order: null,
    tries: 0,
    valueJson: null,
    error: null,
    dueAt: null,
    childId: null,
    by: null,
  }));
}

/** The step records of an instance, by key. */
export async function readStepRecords(
  { id, stepsAt }: Instance,
  store: Pick<Store, "listMemos">,
): Promise<ReadonlyMap<string, string>> {
  const records = new Map<string, string>();
  if (stepsAt === null) return records;
  const prefix = stepPrefix(id);
  for (let after: string | null = null; records.size < RECORDS_MAX;) {
    const found = await store.listMemos({ prefix, after, limit: BATCH_MAX });
    for (const { key, data } of found) records.set(key.slice(prefix.length), data);
    if (found.length < BATCH_MAX) break;
    after = found.at(-1)!.key;
  }
  return records;
}

function toStore(target: Recipient): SignalRequest["to"] {
  if ("id" in target) return { id: target.id };
  return { uniqueKey: wholeUniqueKey(target.kind, target.uniqueKey) };
}

function checkText(text: unknown, path: "name" | "signalId"): void {
  const isValid = typeof text === "string" && text.length >= 1 && text.length <= TEXT_MAX &&
    !/[#[\]/!\p{Cc}]/u.test(text);
  if (isValid) return;
  throw new JobError(
    "invalid_argument",
    `Cannot send a signal with the ${path} ${quoteValue(text)}: expected a text of 1 to ` +
      `${TEXT_MAX} characters without # [ ] / ! and control characters`,
    { path },
  );
}
