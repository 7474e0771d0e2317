import { JobError } from "../../../core/errors.ts";
import { configOf, placeOf } from "../../../core/settings/store_address.ts";
import type { StoreMark } from "../../records.ts";
import { markedError } from "../refusals.ts";
import type { LedgerState, Moment } from "../state.ts";

/** When an operation is allowed although the store has a mark. */
export type Allowed =
  /** It creates something: refused once the store drains for a move. */
  | "new"
  /** It continues earlier work: refused once the store has moved. */
  | "begun"
  /** It is part of a move: never refused. */
  | "moving";

/** The store's mark at a moment; null for none, or for a drain whose time has passed. */
export function markAt({ mark }: LedgerState, wallMs: number): StoreMark | null {
  return mark?.type === "draining" && mark.until <= wallMs ? null : mark;
}

/** @throws JobError `unavailable` if the store's mark forbids the operation */
export function checkMark(
  state: LedgerState,
  moment: Moment,
  action: string,
  allowed: Allowed,
): void {
  if (state.mark === null || allowed === "moving") return;
  const mark = markAt(state, moment.wallMs);
  if (mark === null || mark.type === "receiving") return;
  if (mark.type === "draining" && allowed === "begun") return;
  throw markedError(action, mark);
}

/** Set the store's mark, or remove it with null. */
export function setMark(
  state: LedgerState,
  _moment: Moment,
  { mark }: { readonly mark: StoreMark | null },
): StoreMark | null {
  state.isDirty = true;
  state.tables.maintenance.saveMark(mark);
  state.mark = mark;
  // Like a pause, it starts or stops claims.
  state.hints.push({ type: "pauses" });
  return mark;
}

/** @throws JobError `conflict` if the store is being filled, or has moved */
export function checkOpening(mark: StoreMark | null, location: string): void {
  if (mark?.type === "moved") {
    const place = placeOf(mark);
    throw new JobError("conflict", `Cannot open "${location}": its data moved to ${place}`, {
      hint: `Write ${
        configOf(mark)
      } in the configuration; to continue with this older copy: jobctl store migrate --undo`,
    });
  }
  if (mark?.type === "receiving") {
    throw new JobError(
      "conflict",
      `Cannot open "${location}": it is being filled from ${mark.from}`,
      { hint: "Run the command that fills it again: it continues where it stopped" },
    );
  }
}
