import { isJobError } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { openZone } from "../../core/time/zone.ts";
import type { Args } from "../parsing/args.ts";
import { listSchedules } from "./lookup.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { type Direction, isWallTime, parseTime } from "../parsing/time.ts";
import type { VerbContext } from "../verb/verb.ts";
import { writeMessage } from "../parsing/written_file.ts";

/** A time zone, and its origin in words. */
export interface JobZone {
  readonly timezone: string;
  readonly whose: string;
}

/** Most schedules of a job whose zones are compared. */
const SCHEDULES_MAX = 100;

/**
 * The zone of a job's times: its schedules' if they agree, else the job's, which may be the
 * configuration's.
 *
 * @param scheduleId only this schedule counts
 * @returns null if there is no such job, or if the daemon does not know its zone
 */
export async function zoneOfJob(
  client: JobClient,
  kind: string,
  scheduleId?: string,
): Promise<JobZone | null> {
  const zones = new Set<string>();
  try {
    for await (const { id, timezone } of listSchedules(client, [kind], SCHEDULES_MAX)) {
      if (scheduleId === undefined || id === scheduleId) zones.add(timezone);
    }
    const [first] = zones;
    if (zones.size === 1) {
      return { timezone: first!, whose: `the zone of the schedules of ${makeVisible(kind)}` };
    }
    const { timezone } = (await client.getJob({ kind })).job ?? {};
    return timezone ? { timezone, whose: `the zone of job ${makeVisible(kind)}` } : null;
  } catch (error) {
    // The call that needs the time will report the error.
    if (isJobError(error, "not_found")) return null;
    throw error;
  }
}

/** The zone of this terminal. */
export function ownZone(): JobZone {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return { timezone: timeZone ?? "UTC", whose: "the zone of this terminal" };
}

/** Write to stderr the zone in which a time was read. */
export async function writeZone(
  text: string,
  { timezone, whose }: JobZone,
  { args, context }: { readonly args: Args; readonly context: VerbContext },
): Promise<void> {
  if (args.flag("quiet")) return;
  await writeMessage(context.io, `"${makeVisible(text)}" is a time in ${timezone}, ${whose}`);
}

/** Settings for reading the time of an option. */
export interface JobTimeInput {
  readonly args: Args;
  readonly context: VerbContext;
  readonly direction: Direction;
  /** Called only if the text names no zone; null for this terminal's. */
  zone(): Promise<JobZone | null>;
}

/**
 * The time of an option that concerns one job, in epoch milliseconds. If the text names no zone, it
 * is in the job's zone, and a message on stderr says so.
 *
 * @throws JobError `invalid_argument` if the option is not a time
 */
export async function jobTimeMs(
  name: string,
  input: JobTimeInput,
): Promise<number | undefined> {
  const { args, context, direction } = input;
  const text = args.text(name);
  if (text === undefined || !isWallTime(text)) return args.timeMs(name, direction);
  const zone = await input.zone() ?? ownZone();
  await writeZone(text, zone, { args, context });
  const nowMs = context.io.clock.now().wallMs;
  return parseTime(text, { nowMs, direction, what: `--${name}`, zone: openZone(zone.timezone) });
}
