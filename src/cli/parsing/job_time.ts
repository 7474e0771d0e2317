import { isJobError } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { openZone } from "../../core/time/zone.ts";
import type { Args } from "./args.ts";
import { listSchedules } from "../lookup.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { type Direction, isWallTime, parseTime } from "./time.ts";
import type { VerbContext } from "../verb.ts";
import { tell } from "../output/written_file.ts";

/** The zone of a job, and where it comes from in words. */
export interface JobZone {
  readonly timezone: string;
  readonly whose: string;
}

/** Schedules of a job that are looked at for their zone. */
const SCHEDULES_MAX = 100;

/**
 * The zone that the times of a job are in: that of its schedules if they agree, else the job's, which is the configuration's if it
 * has none of its own.
 *
 * @param scheduleId the one of its schedules that counts
 * @returns null if there is no such job, or if the daemon does not tell
 */
export async function zoneOfJob(
  client: JobClient,
  kind: string,
  scheduleId?: string,
): Promise<JobZone | null> {
  const zones = new Set<string>();
  try {
    for await (const { id, timezone } of listSchedules(client, kind, SCHEDULES_MAX)) {
      if (scheduleId === undefined || id === scheduleId) zones.add(timezone);
    }
    const [first] = zones;
    if (zones.size === 1) {
      return { timezone: first!, whose: `the zone of the schedules of ${makeVisible(kind)}` };
    }
    const { timezone } = (await client.getJob({ kind })).job ?? {};
    return timezone ? { timezone, whose: `the zone of job ${makeVisible(kind)}` } : null;
  } catch (error) {
    // The call for which the time is read says what is wrong.
    if (isJobError(error, "not_found")) return null;
    throw error;
  }
}

/** The zone of this terminal, as its times are shown. */
export function ownZone(): JobZone {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return { timezone: timeZone ?? "UTC", whose: "the zone of this terminal" };
}

/** Say on stderr which zone a time was read in. */
export async function tellZone(
  text: string,
  { timezone, whose }: JobZone,
  { args, context }: { readonly args: Args; readonly context: VerbContext },
): Promise<void> {
  if (args.flag("quiet")) return;
  await tell(context.io, `"${makeVisible(text)}" is a time in ${timezone}, ${whose}`);
}

/** How the time of an option is read. */
export interface JobTimeInput {
  readonly args: Args;
  readonly context: VerbContext;
  readonly direction: Direction;
  /** Looked up only for a text that names none; null for this terminal's. */
  zone(): Promise<JobZone | null>;
}

/**
 * The point in time of an option that is about one job, in epoch milliseconds. A text that names no zone is a time in the job's,
 * and stderr says which that is.
 *
 * @throws JobError `invalid_argument` when the option is no time
 */
export async function jobTimeMs(
  name: string,
  input: JobTimeInput,
): Promise<number | undefined> {
  const { args, context, direction } = input;
  const text = args.text(name);
  if (text === undefined || !isWallTime(text)) return args.timeMs(name, direction);
  const zone = await input.zone() ?? ownZone();
  await tellZone(text, zone, { args, context });
  const nowMs = context.io.clock.now().wallMs;
  return parseTime(text, {
    nowMs,
    direction,
    what: `--${name}`,
    zone: openZone(zone.timezone),
  });
}
