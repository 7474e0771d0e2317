import { assertOneOf } from "../../parsing/args.ts";
import { jobTimeMs } from "../../lookup/job_time.ts";
import { TICKS_KIND, TICKS_SCHEDULE, ticksTarget, ticksZone } from "../../lookup/ticks_of_job.ts";
import type { Verb } from "../../verb/verb.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";
import { timestampOf } from "../../io/wire.ts";

const SKIPS_MAX = 10_000;

/** `jobctl skip KIND` */
export const SKIP: Verb = {
  name: "skip",
  summary: "Skip the next ticks of a job's schedules",
  details: "They are recorded as skipped. A second call replaces the first.",
  words: [TICKS_KIND],
  options: {
    until: {
      value: "TIME",
      describe: 'Skip the ticks before this time, in the job\'s zone: "tomorrow 9:00", "+2d"',
    },
    next: { value: "N", alias: "n", describe: "Skip this many ticks (default 1)" },
    none: { describe: "Cancel the skip", isFlag: true },
    ...TICKS_SCHEDULE,
  },
  examples: [
    ["jobctl skip backup", "The next backup"],
    ["jobctl skip backup --until 'tomorrow 9:00'", "All backups before nine tomorrow"],
    ["jobctl skip backup --none", "Skip nothing after all"],
  ],
  async run(args, context) {
    const { client, printer } = context;
    assertOneOf(args, ["until", "next", "none"]);
    args.timeMs("until", "future");
    const next = args.integer("next", { min: 1, max: SKIPS_MAX });
    const count = args.flag("none") ? 0 : next ?? 1;
    const connection = await client();
    const zone = ticksZone(args, connection);
    const untilMs = await jobTimeMs("until", { args, context, direction: "future", zone });
    const { schedules } = await connection.skipTicks({
      ...ticksTarget(args),
      ...(untilMs === undefined ? { count } : { until: timestampOf(untilMs) }),
    });
    await printer.list(SCHEDULE_VIEW, schedules);
  },
};
