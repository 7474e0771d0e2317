import type { NewInstance } from "../../store.ts";
import type { Packable } from "./msgpack.ts";
import { isOrdinary, packDue, packFixed } from "./rows.ts";

/** Smaller batches are sent one by one, and combined with other operations by the script. */
const RUN_MIN = 8;
/** Longest fixed part that a run shares, so that a small call cannot write very much. */
const SHARED_BYTES_MAX = 1_024;

/** Consecutive instances that differ in id and fixed part only; see `script/enqueue.lua`. */
interface Run {
  readonly first: NewInstance;
  readonly ids: string[];
  readonly fixed: Uint8Array[];
  isSame: boolean;
}

/** Split a batch of ordinary instances into runs; null for others, repeated ids, too many runs. */
export function runsOf(instances: readonly NewInstance[]): readonly Run[] | null {
  if (instances.length < RUN_MIN) return null;
  const runs: Run[] = [];
  let last: NewInstance | null = null;
  for (const input of instances) {
    if (!isOrdinary(input)) return null;
    if (last === null || !isOneRun(last, input)) {
      if (runs.length * RUN_MIN >= instances.length) return null;
      const fixed = packFixed(input);
      const isSame = fixed.length <= SHARED_BYTES_MAX;
      runs.push({ first: input, ids: [input.id], fixed: [fixed], isSame });
    } else {
      const run = runs.at(-1)!;
      const isSame = hasSameFixed(last, input);
      run.ids.push(input.id);
      run.fixed.push(isSame ? run.fixed.at(-1)! : packFixed(input));
      if (!isSame) run.isSame = false;
    }
    last = input;
  }
  const ids = new Set(instances.map(({ id }) => id));
  return ids.size === instances.length ? runs : null;
}

function isOneRun(one: NewInstance, other: NewInstance): boolean {
  return one.kind === other.kind && one.priority === other.priority && one.dueAt === other.dueAt &&
    one.keepSuccessMs === other.keepSuccessMs && one.keepFailureMs === other.keepFailureMs;
}

function hasSameFixed(one: NewInstance, other: NewInstance): boolean {
  return one.argumentsJson === other.argumentsJson && one.crashesMax === other.crashesMax &&
    one.scheduledFor === other.scheduledFor && one.retryMax === other.retryMax &&
    one.timeoutMs === other.timeoutMs;
}

/** A run in the form of the script. */
export function packRun({ first, ids, fixed, isSame }: Run): Packable {
  const { kind, priority, dueAt, keepSuccessMs, keepFailureMs } = first;
  return [
    kind,
    priority,
    packDue(dueAt),
    keepSuccessMs,
    keepFailureMs,
    ids,
    isSame ? fixed[0]! : fixed,
  ];
}
