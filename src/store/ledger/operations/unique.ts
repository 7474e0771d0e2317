import type { Instance } from "../../../core/instance.ts";
import { UNIQUE_DEFAULT } from "../../../core/job/limits.ts";
import { isFinal } from "../../../core/state.ts";
import type { NewInstance } from "../../store.ts";
import { runsError, takenError } from "../refusals.ts";
import { storable } from "../rules.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { Range } from "../tables/tables.ts";

const LATEST: Range = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: true, limit: 1 };

/** The instance that holds a unique key: the unfinished one, or one that keeps it for a time. */
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
 * What becomes of an instance whose key another holds: whether that one is the answer, or gives way.
 *
 * @throws JobError `already_exists` for one of another kind or with other arguments, `conflict` for one that runs
 */
export function resolveConflict(input: NewInstance, holder: Instance): "answer" | "replace" {
  const { onConflict } = input.unique ?? UNIQUE_DEFAULT;
  if (onConflict === "refuse" || input.kind !== holder.kind) {
    assertSame(input, holder, "unique key");
    return "answer";
  }
  if (onConflict === "keep" || isFinal(holder.state)) return "answer";
  if (holder.state !== "processing") return "replace";
  throw runsError(holder.id, input.kind);
}

/** @throws JobError `already_exists` when what is there is of another kind or has other arguments */
export function assertSame(
  input: NewInstance,
  there: Instance,
  what: "id" | "unique key",
): void {
  if (input.kind === there.kind && storable(input.argumentsJson) === there.argumentsJson) return;
  const value = what === "id" ? input.id : input.uniqueKey;
  throw takenError({ what, value, kind: input.kind, holder: there });
}
