import { kindOfReference } from "../../core/job/schedule_options.ts";
import { checkText, TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import type { Pause } from "../../store/store.ts";
import type { ScheduleApi } from "../api/schedules.ts";
import { readOptions } from "../context/call_options.ts";
import { assertNoNotice } from "../instances/notice_rules.ts";
import type { Context } from "../context/context.ts";
import type { Peers } from "../nodes/peers.ts";
import { assertAhead } from "./recurring.ts";

interface PauseParts extends Pick<Context, "store"> {
  readonly peers: Peers;
  readonly dispatcher: { poke(): void };
  readonly options: Pick<Context, "clock">;
}

/** Pause a kind, or everything for null; see {@link ScheduleApi}. @throws JobError */
export async function pause(
  { store, peers, options: { clock } }: PauseParts,
  kind: string | null,
  options: Parameters<ScheduleApi["pause"]>[1] = {},
): Promise<Pause> {
  const { until = null, reason = "" } = readOptions("pause", options, "pause");
  if (kind !== null) {
    assertNoNotice(kind, "pause");
    await peers.assertKnown(kindOfReference(kind, "pause a job"));
  }
  const lengthMax = TEXT_LENGTH_MAX.pauseReason;
  checkText(reason, { what: "pause reason", path: "reason", lengthMax });
  if (until !== null) assertAhead(until, clock.now().wallMs, "pause");
  return (await store.setPause({ at: clock.now(), kind, until, reason })).value;
}

/** End a pause. Returns false without one. @throws JobError `not_found` */
export async function resume(
  { store, peers, dispatcher, options: { clock } }: PauseParts,
  kind: string | null,
): Promise<boolean> {
  if (kind !== null) kindOfReference(kind, "resume a job");
  const { value } = await store.removePause({ at: clock.now(), kind });
  // A pause outlives its job: it is a mistake only if the kind is neither paused nor known.
  if (!value && kind !== null) await peers.assertKnown(kind);
  dispatcher.poke();
  return value;
}
