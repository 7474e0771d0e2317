import { kindOfReference } from "../../core/job/schedule_options.ts";
import { checkText, TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import type { Pause } from "../../store/store.ts";
import type { ManagerParts } from "../manager_parts.ts";
import { assertAhead } from "../schedules/recurring.ts";

type PauseParts = Pick<ManagerParts, "store" | "options" | "peers" | "dispatcher">;

/** Start no more instances of a kind, or of any for null. @throws JobError `not_found` */
export async function pause(
  kind: string | null,
  options: { readonly until?: number; readonly reason?: string },
  { store, options: { clock }, peers }: PauseParts,
): Promise<Pause> {
  const { until = null, reason = "" } = options;
  if (kind !== null) await peers.assertKnown(kindOfReference(kind, "pause a job"));
  checkText(reason, {
    what: "pause reason",
    path: "reason",
    lengthMax: TEXT_LENGTH_MAX.pauseReason,
  });
  if (until !== null) assertAhead(until, clock.now().wallMs, "pause");
  return (await store.setPause({ at: clock.now(), kind, until, reason })).value;
}

/** End a pause. Returns false if there was none. @throws JobError `not_found` */
export async function resume(
  kind: string | null,
  { store, options: { clock }, peers, dispatcher }: PauseParts,
): Promise<boolean> {
  if (kind !== null) kindOfReference(kind, "resume a job");
  const { value } = await store.removePause({ at: clock.now(), kind });
  // A pause outlives its job: it is a mistake only if the kind is neither paused nor known.
  if (!value && kind !== null) await peers.assertKnown(kind);
  dispatcher.poke();
  return value;
}
