import { countText } from "../../../core/text/count_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { confirm } from "../../lookup/confirm.ts";
import { unlessInterrupted } from "../../verb/follow.ts";
import { formatAbsolute } from "../../output/when.ts";
import { usageError } from "../../parsing/args.ts";
import { jobTimeMs } from "../../lookup/job_time.ts";
import { TICKS_KIND, TICKS_SCHEDULE, ticksTarget, ticksZone } from "../../lookup/ticks_of_job.ts";
import type { Verb } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { isoOf, msOf, timestampOf } from "../../io/wire.ts";

/** `jobctl backfill KIND` */
export const BACKFILL: Verb = {
  name: "backfill",
  summary: "Run the past ticks in a range that did not run",
  details: [
    "Each tick runs once, the oldest first. They run one after the other, unless the schedule's",
    "overlap is allow. Ticks in a blackout window are left out. On a terminal it says how many",
    "ticks there are and asks first. Elsewhere it needs --yes. Until these runs have ended,",
    "overlap also applies between them and the schedule's own ticks.",
  ].join(" "),
  words: [TICKS_KIND],
  options: {
    from: {
      value: "TIME",
      describe: "Ticks at this time or later, in the job's zone: 2026-11-24, -2d, yesterday",
    },
    to: { value: "TIME", describe: "Ticks before this time (default now)" },
    ...TICKS_SCHEDULE,
    "dry-run": { describe: "Count only", isFlag: true },
    yes: { alias: "y", describe: "Do not ask", isFlag: true },
  },
  examples: [
    ["jobctl backfill report --from 2026-11-01 --to 2026-11-08 --yes", "A week of reports"],
    ["jobctl backfill report --from -2d --dry-run", "Count them only"],
  ],
  async run(args, context) {
    const { io, client, printer } = context;
    const earliestMs = args.timeMs("from", "past");
    if (earliestMs === undefined) {
      throw usageError("Cannot backfill: --from is missing", "Give --from TIME, such as -2d");
    }
    args.timeMs("to", "past");
    const connection = await client();
    const zone = ticksZone(args, connection);
    const input = { args, context, direction: "past", zone } as const;
    const fromMs = await jobTimeMs("from", input) ?? earliestMs;
    // The daemon's clock may be a little behind this one.
    const toMs = await jobTimeMs("to", input) ?? io.clock.now().wallMs - 1_000;
    const range = { ...ticksTarget(args), from: timestampOf(fromMs), to: timestampOf(toMs) };
    const found = await connection.backfill({ ...range, dryRun: true });
    const count = Number(found.count);
    const [first, last] = [msOf(found.first), msOf(found.last)];
    const span = first === undefined
      ? ""
      : `, from ${formatAbsolute(first)} to ${formatAbsolute(last!)}`;
    if (args.flag("dry-run") || count === 0) {
      const record = { count, first: isoOf(found.first) ?? null, last: isoOf(found.last) ?? null };
      const text = `${countText(count, "tick has", "ticks have")} no run${span}`;
      return await printer.value(record, text);
    }
    await confirm(
      io,
      `run ${countText(count, "tick")} of job "${args.word("KIND")}"${span}`,
      args.flag("yes"),
    );
    const look = `jobctl list instances --kind ${shellWord(args.word("KIND"))}`;
    const made = await unlessInterrupted(context, connection.backfill(range), look);
    await printer.list(INSTANCE_VIEW, made.instances);
    const leftOut = count - Number(made.count);
    const why = "another instance has their unique key, or they have run in the meantime";
    await printer.note(
      leftOut > 0 ? `Made ${made.count}, left out ${leftOut}: ${why}` : `Made ${made.count}`,
    );
  },
};
