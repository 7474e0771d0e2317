import { MISFIRES, OVERLAPS } from "../../core/time/schedule.ts";
import { bigMs, type RequestOf, timestampOf } from "../wire.ts";
import { type Args, INT32_MAX } from "./args.ts";
import { type JobTimeInput, jobTimeMs } from "./job_time.ts";
import type { OptionSpecs } from "./options.ts";

/** Options of a recurring schedule, without its cron expression. */
export const RECURRENCE_OPTIONS: OptionSpecs = {
  timezone: {
    value: "ZONE",
    describe: "Time zone of its times, such as Europe/Berlin (default: the daemon's)",
  },
  overlap: {
    value: "RULE",
    describe: `What to do about a tick while the previous run is unfinished: ${
      OVERLAPS.join(", ")
    }`,
    choices: OVERLAPS,
  },
  "queue-max": {
    value: "N",
    describe: "With --overlap queue: how many runs may wait (default 10)",
  },
  misfire: {
    value: "RULE",
    describe: `What to do about runs that did not start in time: ${MISFIRES.join(", ")}`,
    choices: MISFIRES,
  },
  "misfire-within": { value: "DURATION", describe: "A run later than this counts as missed" },
  "starts-at": { value: "TIME", describe: "Nothing runs before this time" },
  "ends-at": { value: "TIME", describe: "Nothing runs at or after this time" },
  blackout: {
    value: "WINDOW",
    describe: 'No run in this window: "22:00-06:00", "sat-sun", "2026-12-24"; repeatable',
  },
  "runs-max": { value: "N", describe: "End the schedule after this many runs" },
};

/** The same for a verb that can also schedule a single run. */
export const CRON_ONLY_OPTIONS: OptionSpecs = Object.fromEntries(
  Object.entries(RECURRENCE_OPTIONS).map(([name, spec]) => [
    name,
    {
      ...spec,
      describe: `With --cron: ${spec.describe[0]!.toLowerCase()}${spec.describe.slice(1)}`,
    },
  ]),
);

/** Names of the options that apply only to a recurring schedule. */
export const RECURRENCE_NAMES: readonly string[] = Object.keys(RECURRENCE_OPTIONS);

/**
 * Read the options of a recurring schedule.
 *
 * @param input whose zone the times are in if they name none; by default this terminal's
 */
export async function readRecurrence(
  args: Args,
  input?: Omit<JobTimeInput, "direction">,
): Promise<Pick<RequestOf<"updateSchedule">, "timezone" | "overlap" | "misfire" | "recurrence">> {
  const direction = "future";
  const timeMs = async (name: string) =>
    input ? await jobTimeMs(name, { ...input, direction }) : args.timeMs(name, direction);
  const recurrence = {
    startsAt: timestampOf(await timeMs("starts-at")),
    endsAt: timestampOf(await timeMs("ends-at")),
    blackout: [...args.list("blackout")],
    runsMax: args.integer("runs-max", { min: 1, max: INT32_MAX }),
    queueMax: args.integer("queue-max", { min: 1, max: 1_000 }),
    misfireWithinMs: bigMs(args.durationMs("misfire-within")),
  };
  const isGiven = Object.values(recurrence).some((value) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined
  );
  return {
    timezone: args.text("timezone"),
    overlap: args.text("overlap"),
    misfire: args.text("misfire"),
    recurrence: isGiven ? recurrence : undefined,
  };
}
