import { JobError } from "../../../core/errors.ts";
import { configOf, placeOf } from "../../../core/store_address.ts";
import type { StoreMark } from "../../records.ts";
import { markedError } from "../refusals.ts";
import type { LedgerState, Moment } from "../state.ts";

/** What a mark over the store does to an operation. */
export type Reach =
  /** Something new: refused from a draining on. */
  | "new"
  /** What goes on with what was begun: refused when the store has moved. */
  | "begun"
  /** How a store is moved: never refused. */
  | "moving";

/** What stands over the store at a moment; a draining whose time has passed is nothing. */
export function markAt({ mark }: LedgerState, wallMs: number): StoreMark | null {
  return mark?.type === "draining" && mark.until <= wallMs ? null : mark;
}

/** @throws JobError `unavailable` when a mark keeps the operation from being done */
export function checkMark(
  state: LedgerState,
  moment: Moment,
  action: string,
  reach: Reach,
): void {
  if (state.mark === null || reach === "moving") return;
  const mark = markAt(state, moment.wallMs);
  if (mark === null || mark.type === "receiving") return;
  if (mark.type === "draining" && reach === "begun") return;
  throw markedError(action, mark);
}

/** Put a mark over the store, or take it away. */
export function setMark(state: LedgerState, mark: StoreMark | null): StoreMark | null {
  state.isDirty = true;
  state.tables.maintenance.saveMark(mark);
  state.mark = mark;
  // Claims begin or end by it, as by a pause.
  state.hints.push({ type: "pauses" });
  return mark;
}

/** @throws JobError `conflict` when somebody opens a store that is being filled, or moved away */
export function checkOpening(mark: StoreMark | null, location: string): void {
  if (mark?.type === "moved") {
    const place = placeOf(mark);
    throw new JobError("conflict", `Cannot open "${location}": its data moved to ${place}`, {
      hint: `Write ${
        configOf(mark)
      } in the configuration; to go on with this older copy: jobctl store migrate --undo`,
    });
  }
  if (mark?.type === "receiving") {
    throw new JobError(
      "conflict",
      `Cannot open "${location}": it is being filled from ${mark.from}`,
      { hint: "Run the command that fills it again: it goes on where it was" },
    );
  }
}
