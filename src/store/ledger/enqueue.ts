import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { EnqueueResult, NewInstance } from "../store.ts";
import { checkBatch, checkNewInstance, QuotaError } from "./checks.ts";
import { acceptInstance, storable } from "./rules.ts";
import type { LedgerState, Moment } from "./state.ts";

/** Accept instances, all or none: every one is checked before the first is written. */
export function enqueue(
  state: LedgerState,
  moment: Moment,
  inputs: readonly NewInstance[],
): readonly EnqueueResult[] {
  checkBatch(inputs.length, "enqueue");
  const results: EnqueueResult[] = [];
  const accepted: Instance[] = [];
  const byId = new Map<string, Instance>();
  const byKey = new Map<string, Instance>();
  const countByKind = new Map<string, number>();
  for (const input of inputs) {
    checkNewInstance(input);
    const sameId = byId.get(input.id) ?? state.tables.get(input.id)?.instance;
    const sameKey = sameId || input.uniqueKey === null
      ? undefined
      : byKey.get(input.uniqueKey) ?? state.tables.openByKey(input.uniqueKey)?.instance;
    const there = sameId ?? sameKey;
    if (there) {
      assertSame(input, there, sameId ? "id" : "unique key");
      results.push({ instance: there, outcome: sameId ? "sameId" : "sameKey" });
      continue;
    }
    const room = roomFor(state, input) - (countByKind.get(input.kind) ?? 0);
    if (room <= 0) throw fullQueue(input);
    countByKind.set(input.kind, (countByKind.get(input.kind) ?? 0) + 1);
    const instance = acceptInstance(input, moment.at);
    byId.set(instance.id, instance);
    if (instance.uniqueKey !== null) byKey.set(instance.uniqueKey, instance);
    accepted.push(instance);
    results.push({ instance, outcome: "accepted" });
  }
  for (const instance of accepted) insertInstance(state, moment, instance);
  return results;
}

/** Write an instance that was checked and waits for one of its schedule before it. */
export function insertHeld(state: LedgerState, instance: Instance): void {
  state.seq += 1;
  state.insert({ seq: state.seq, instance, isReady: null, expireAt: null });
}

/** How many more of an instance's kind may wait. */
export function roomFor(state: LedgerState, { kind, waitingMax }: NewInstance): number {
  if (waitingMax === undefined) return Infinity;
  const counts = state.counts.get(kind);
  return waitingMax - (counts ? counts.ready + counts.later : 0);
}

function fullQueue({ kind, waitingMax }: NewInstance): QuotaError {
  return new QuotaError(
    `Cannot schedule job "${kind}": ${waitingMax} of its instances wait already`,
    "Try again later, or raise the job's waiting_max",
  );
}

/** Write an instance that was checked, and tell of it. */
export function insertInstance(state: LedgerState, moment: Moment, instance: Instance): void {
  state.seq += 1;
  state.insert({
    seq: state.seq,
    instance,
    isReady: instance.dueAt <= moment.wallMs,
    expireAt: null,
  });
  state.hints.push({ type: "instances", dueAt: instance.dueAt });
}

function assertSame(input: NewInstance, there: Instance, what: "id" | "unique key"): void {
  if (input.kind === there.kind && storable(input.argumentsJson) === there.argumentsJson) return;
  const value = what === "id" ? input.id : input.uniqueKey;
  const difference = input.kind === there.kind ? "other arguments" : `kind "${there.kind}"`;
  throw new JobError(
    "already_exists",
    `Cannot enqueue "${input.kind}" with ${what} "${value}": it is taken by instance ${there.id} with ${difference}`,
    { path: what === "id" ? "id" : "uniqueKey", hint: `Choose another ${what}` },
  );
}
