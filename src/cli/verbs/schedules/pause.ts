import { makeVisible } from "../../../core/text/safe_text.ts";
import { confirm } from "../../confirm.ts";
import { present } from "../../lookup.ts";
import { usageError } from "../../parsing/args.ts";
import { jobTimeMs, zoneOfJob } from "../../parsing/job_time.ts";
import type { WordSpec } from "../../parsing/options.ts";
import type { Verb } from "../../verb.ts";
import { PAUSE_VIEW } from "../../views/tick_view.ts";
import { timestampOf } from "../../wire.ts";

const KIND: WordSpec = {
  name: "KIND",
  describe: "Kind of the job (default: all jobs)",
  offers: "kind",
  isOptional: true,
};

/** `jobctl pause [KIND]` */
export const PAUSE: Verb = {
  name: "pause",
  summary: "Pause one job, or all of them",
  details: [
    "The ticks of a paused job's schedules are skipped, and recorded as skipped. Instances",
    'created with "jobctl schedule" wait. Running attempts continue. A pause survives restarts.',
    "It lasts until the time of --until, or until jobctl resume. Without a kind, on a terminal,",
    "it asks first, unless --all is given.",
  ].join(" "),
  words: [KIND],
  options: {
    all: { describe: "All jobs, without a question", isFlag: true },
    until: {
      value: "TIME",
      describe: 'Resume by itself at this time, in the job\'s zone: "monday 9:00", "+2h"',
    },
    reason: { value: "TEXT", describe: "The reason, which jobctl list pauses shows" },
  },
  examples: [
    ["jobctl pause backup --until +2h --reason 'disk is being replaced'", "One job, for a while"],
    ["jobctl pause --all", "Everything, until jobctl resume"],
  ],
  async run(args, context) {
    const { client, io, printer } = context;
    args.timeMs("until", "future");
    const [kind] = args.words("KIND");
    const isAll = args.flag("all");
    if (isAll && kind !== undefined) {
      throw usageError(
        `Cannot use --all with the kind "${makeVisible(kind)}": they exclude each other`,
        "Leave one of them out",
      );
    }
    // Scripts have always written it without a kind.
    if (kind === undefined && io.isInteractive) await confirm(io, "pause all jobs", isAll);
    const connection = await client();
    const zone = async () => kind === undefined ? null : await zoneOfJob(connection, kind);
    const untilMs = await jobTimeMs("until", { args, context, direction: "future", zone });
    const { pause } = await connection.pause({
      kind,
      until: timestampOf(untilMs),
      reason: args.text("reason"),
    });
    await printer.one(PAUSE_VIEW, present(pause, "Cannot pause"));
  },
};

/** `jobctl resume [KIND]` */
export const RESUME: Verb = {
  name: "resume",
  summary: "End a pause",
  details: [
    "A job can be paused by its kind and also by a pause of all jobs. It runs again once both",
    "have ended.",
  ].join(" "),
  words: [KIND],
  examples: [
    ["jobctl resume backup", "One job"],
    ["jobctl resume", 'What "jobctl pause" without a kind paused'],
  ],
  async run(args, { client, printer }) {
    const connection = await client();
    const [kind] = args.words("KIND");
    const { wasPaused } = await connection.resume({ kind });
    await printer.value(
      { kind: kind ?? null, was_paused: wasPaused },
      wasPaused ? `Resumed ${kind ?? "everything"}` : `${kind ?? "Everything"} was not paused`,
    );
    const { pauses } = await connection.listPauses({});
    const others = pauses.filter((pause) => pause.kind === undefined || kind === undefined);
    if (others.length > 0) {
      await printer.note(
        `Still paused: ${others.map((pause) => pause.kind ?? "everything").join(", ")}`,
      );
    }
  },
};
