import { MISFIRES, OVERLAPS } from "../core/schedule.ts";
import type { Args } from "./args.ts";
import type { RequestOf } from "./session.ts";
import type { OptionSpecs } from "./verb.ts";
import { timestampOf } from "./wire.ts";

const INT32_MAX = 2_147_483_647;

/** Options of a recurring schedule besides its times. */
export const RECURRENCE_OPTIONS: OptionSpecs = {
  timezone: { describe: "Zone of its times, such as Europe/Berlin (default: the daemon's)" },
  overlap: {
    describe: `While the run before is unfinished: ${OVERLAPS.join(", ")}`,
    choices: OVERLAPS,
  },
  "queue-max": { describe: "With --overlap queue: how many wait at most (default 10)" },
  misfire: {
    describe: `For runs that nobody was there to start: ${MISFIRES.join(", ")}`,
    choices: MISFIRES,
  },
  "misfire-within": { describe: "Runs that are later than this are missed" },
  "starts-at": { describe: "Nothing runs before this time" },
  "ends-at": { describe: "Nothing runs at or after this time" },
  blackout: {
    describe: 'No run in this window: "22:00-06:00", "sat-sun", "2026-12-24"; repeatable',
  },
  "runs-max": { describe: "Finish after so many runs" },
};

/** The same beside options that say when an instance runs once. */
export const CRON_ONLY_OPTIONS: OptionSpecs = Object.fromEntries(
  Object.entries(RECURRENCE_OPTIONS).map(([name, spec]) => [
    name,
    {
      ...spec,
      describe: `With --cron: ${spec.describe[0]!.toLowerCase()}${spec.describe.slice(1)}`,
    },
  ]),
);

/** Names of the options that say something of a recurring schedule only. */
export const RECURRENCE_NAMES: readonly string[] = Object.keys(RECURRENCE_OPTIONS);

/** What the options say of a recurring schedule. */
export function readRecurrence(
  args: Args,
): Pick<RequestOf<"updateSchedule">, "timezone" | "overlap" | "misfire" | "recurrence"> {
  const timeOf = (name: string) => {
    const atMs = args.timeMs(name, "future");
    return atMs === undefined ? undefined : timestampOf(atMs);
  };
  const withinMs = args.durationMs("misfire-within");
  const recurrence = {
    startsAt: timeOf("starts-at"),
    endsAt: timeOf("ends-at"),
    blackout: [...args.list("blackout")],
    runsMax: args.integer("runs-max", { min: 1, max: INT32_MAX }),
    queueMax: args.integer("queue-max", { min: 1, max: 1_000 }),
    misfireWithinMs: withinMs === undefined ? undefined : BigInt(Math.round(withinMs)),
  };
  const isSaid = Object.values(recurrence).some((value) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined
  );
  return {
    timezone: args.text("timezone"),
    overlap: args.text("overlap"),
    misfire: args.text("misfire"),
    recurrence: isSaid ? recurrence : undefined,
  };
}
