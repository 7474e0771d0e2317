import type { Instance } from "../../../core/instance.ts";
import { UNIQUE_DEFAULT } from "../../../core/job/limits.ts";
import { isFinal } from "../../../core/state.ts";
import type { NewInstance } from "../../store.ts";
import { runsError, takenError } from "../refusals.ts";
import { isClaimedEarly } from "../rules.ts";
import { storable } from "../storable.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { Range } from "../tables/tables.ts";

const LATEST: Range = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: true, limit: 1 };

/** The instance that has a unique key: unfinished, or keeping it for a time. */
export function keyHolder(state: LedgerState, moment: Moment, uniqueKey: string): Instance | null {
  const open = state.tables.instances.openByKey(uniqueKey);
  if (open) return open.instance;
  const [latest] = state.tables.instances.scan({ type: "uniqueKey", uniqueKey }, LATEST);
  if (!latest) return null;
  const { state: reached, uniqueUntil } = latest.instance;
  const isHeld = uniqueUntil !== null && uniqueUntil > moment.wallMs && reached !== "canceled";
  return isHeld ? latest.instance : null;
}

/**
 * Decide on an instance whose key another has: return that one, or replace it. An instance claimed
 * before its due time has not begun, and is replaced like a waiting one.
 *
 * @throws JobError `already_exists` if it has another kind or other arguments, `conflict` if it is
 * running
 */
export function resolveConflict(
  input: NewInstance,
  holder: Instance,
  { stamp }: Moment,
): "return" | "replace" {
  const { onConflict } = input.unique ?? UNIQUE_DEFAULT;
  if (onConflict === "refuse" || input.kind !== holder.kind) {
    assertSame(input, holder, "unique key");
    return "return";
  }
  if (onConflict === "keep" || isFinal(holder.state)) return "return";
  if (holder.state !== "processing" || isClaimedEarly(holder, stamp)) return "replace";
  throw runsError(holder.id, input.kind);
}

/** @throws JobError `already_exists` if the existing instance differs in kind or arguments */
export function assertSame(
  input: NewInstance,
  existing: Instance,
  what: "id" | "unique key",
): void {
  if (input.kind === existing.kind && storable(input.argumentsJson) === existing.argumentsJson) {
    return;
  }
  const value = what === "id" ? input.id : input.uniqueKey;
  throw takenError({ what, value, kind: input.kind, holder: existing });
}
