import { isDeadState, isFinal } from "../../../core/state.ts";
import type { KeptSteps, NewInstance, RedriveResult } from "../../store.ts";
import { checkBatch, checkNewInstance } from "../checks.ts";
import { insertInstance } from "./enqueue.ts";
import { checkKeptSteps, copySteps } from "./flows.ts";
import { redriveError } from "../refusals.ts";
import { acceptInstance } from "../accept_instance.ts";
import type { LedgerState, Moment } from "../state.ts";

/** @throws JobError `invalid_argument` for new instances that cannot replace the others */
export function checkRedrive(instances: readonly NewInstance[], steps?: KeptSteps): void {
  if (steps !== undefined) checkKeptSteps(instances.length, steps);
  checkBatch(instances.length, "redrive");
  for (const input of instances) {
    checkNewInstance(input);
    if (input.retryOf === null) {
      throw redriveError(input.id, "it does not say which instance it repeats");
    }
    if (input.uniqueKey !== null) throw redriveError(input.id, "it has a unique key");
  }
}

/** Accept instances in place of final ones. Marked dead letters are run again only once. */
export function redrive(
  state: LedgerState,
  moment: Moment,
  request: {
    readonly instances: readonly NewInstance[];
    readonly isForced: boolean;
    readonly steps?: KeptSteps;
  },
): readonly RedriveResult[] {
  const { instances, isForced, steps } = request;
  checkRedrive(instances, steps);
  const ids = new Set<string>();
  for (const input of instances) {
    const isTaken = ids.has(input.id) || state.tables.instances.get(input.id);
    if (isTaken) throw redriveError(input.id, "its id is taken");
    ids.add(input.id);
  }
  return instances.map((input) => redriveOne(state, moment, input, { isForced, steps }));
}

function redriveOne(
  state: LedgerState,
  moment: Moment,
  input: NewInstance,
  { isForced, steps }: { readonly isForced: boolean; readonly steps: KeptSteps | undefined },
): RedriveResult {
  const row = state.tables.instances.get(input.retryOf!);
  if (!row) return { past: null, outcome: "gone", instance: null };
  const past = row.instance;
  if (!isFinal(past.state)) return { past, outcome: "unfinished", instance: null };
  if (past.redrivenAs !== null && !isForced) {
    const instance = state.tables.instances.get(past.redrivenAs)?.instance ?? null;
    return { past, outcome: "repeated", instance };
  }
  const accepted = acceptInstance(input, moment);
  insertInstance(state, moment, accepted);
  const instance = steps === undefined
    ? accepted
    : copySteps(state, moment, { from: past.id, to: accepted.id, steps });
  if (!isDeadState(past.state)) return { past, outcome: "accepted", instance };
  const marked = { ...past, redrivenAs: instance.id };
  state.update(row, { ...row, instance: marked });
  return { past: marked, outcome: "accepted", instance };
}
