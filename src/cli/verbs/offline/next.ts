import { succeeds } from "../../../core/or_else.ts";
import { isJobError, JobError } from "../../../core/errors.ts";
import type { JobDefinition } from "../../../core/job/job.ts";
import { REBOOT } from "../../../core/time/schedule.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { parseScheduleText } from "../../../core/time/ticks.ts";
import type { NextRun } from "../../../tools/next.ts";
import type { CliIo } from "../../io/io.ts";
import { membersOf, type RecordView } from "../../output/view.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import {
  CONFIG_OPTION,
  configFileOf,
  loadOptionsOf,
  neededConfigFile,
} from "../../parsing/config_file.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import { isTime } from "../../parsing/time.ts";
import type { Verb } from "../../verb/verb.ts";

const COUNT_DEFAULT = 5;
const COUNT_MAX = 1_000;

/** The view without columns that would be empty for every run. */
function nextView(runs: readonly NextRun[], isAll: boolean): RecordView<NextRun> {
  const isShown: Readonly<Record<string, boolean>> = {
    YOURS: runs.some(({ viewer }) => viewer !== null),
    NOTE: runs.some(({ note }) => note !== null),
    KIND: isAll || new Set(runs.map(({ kind }) => kind)).size > 1,
  };
  const hasSeveral = new Set(runs.map(({ schedule }) => schedule)).size > 1;
  const columns = NEXT_VIEW.columns.filter(({ title }) => isShown[title] ?? true)
    .map((column) => column.title === "SCHEDULE" ? { ...column, isWide: !hasSeveral } : column);
  return { ...NEXT_VIEW, columns };
}

const NEXT_VIEW: RecordView<NextRun> = {
  name: (run) => run.utc,
  fields: {
    at: (run) => run.utc,
    ...membersOf<NextRun>("local", "timezone", "relative", "schedule"),
    kind: (run) => run.kind ?? undefined,
    viewer_local: (run) => run.viewer?.local,
    viewer_timezone: (run) => run.viewer?.timezone,
    note: (run) => run.note ?? undefined,
  },
  columns: [
    { title: "KIND", weight: 9, least: 12, cell: (run) => run.kind ?? "" },
    { title: "LOCAL", weight: 8, cell: (run) => run.local },
    { title: "ZONE", weight: 4, cell: (run) => run.timezone },
    {
      title: "YOURS",
      cell: ({ viewer }) => viewer === null ? "" : `${viewer.local} ${viewer.timezone}`,
    },
    { title: "UTC", weight: 3, cell: (run) => run.utc.replace("T", " ") },
    { title: "RELATIVE", weight: 7, cell: (run) => run.relative },
    { title: "NOTE", weight: 6, least: 12, cell: (run) => run.note ?? undefined },
    { title: "SCHEDULE", isWide: true, cell: (run) => run.schedule },
  ],
};

/** True if a text is not an expression, so it can only be a kind. A single word can be both. */
function mayBeKind(text: string): boolean {
  if (/^[\w.:-]+$/.test(text)) return true;
  return !succeeds(() => parseScheduleText(text, { seed: "any" }));
}

/** Quoted schedules, or kinds, are a list. The words of an unquoted schedule are joined. */
function splitTexts(words: readonly string[]): readonly string[] {
  const isList = words.every((word) => /\s|^@(?!every$)/.test(word)) ||
    words.every((word) => /^[A-Za-z][\w.:-]*$/.test(word));
  return isList ? words : [words.join(" ")];
}

/** The zone of this terminal; null for UTC, which every row shows anyway. */
function ownTimezone(): string | null {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return timeZone === undefined || /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu)$/.test(timeZone)
    ? null
    : timeZone;
}

// An expression needs no configuration, so errors in one must not matter.
async function loadKinds(
  texts: readonly string[],
  args: Args,
  io: CliIo,
): Promise<readonly JobDefinition[] | undefined> {
  const kinds = texts.filter(mayBeKind);
  if (kinds.length === 0) return [];
  const file = configFileOf(args, io.cwd);
  if (file === null) return undefined;
  return await loadJobs(file, io, (kind) => kinds.includes(kind));
}

/** The jobs of a configuration that have a schedule. */
async function loadScheduled(args: Args, io: CliIo): Promise<readonly JobDefinition[]> {
  const jobs = await loadJobs(neededConfigFile(args, io.cwd, "list the next runs"), io, () => true);
  return jobs.filter(({ schedules }) => schedules.length > 0);
}

async function loadJobs(
  file: string,
  io: CliIo,
  isWanted: (kind: string) => boolean,
): Promise<readonly JobDefinition[]> {
  const { loadProject } = await import("../../../tools/load_project.ts");
  const { jobs, problems } = await loadProject(file, loadOptionsOf(io));
  const problem = problems.find(({ job }) => job !== null && isWanted(job));
  if (problem) {
    throw new JobError(
      "invalid_config",
      `Cannot list the runs of "${problem.job}": ${problem.message}`,
      { hint: problem.hint ?? `See jobctl check --config ${file}`, path: problem.path },
    );
  }
  return jobs;
}

/** The span of the runs. A time of day at its end is the next one after its start. */
function readSpan(args: Args): { readonly afterMs: number | undefined; readonly untilMs: number } {
  const fromMs = args.timeMs("after", "future");
  return {
    afterMs: fromMs === undefined ? undefined : fromMs - 1,
    untilMs: args.timeMs("until", "future", fromMs) ?? Infinity,
  };
}

/** Adds a hint to errors for `next 3:00`, `next 1:00-5:00`, `next 10`: these values are options. */
function withTimeHint<T>(words: readonly string[], list: () => T): T {
  try {
    return list();
  } catch (error) {
    const text = words.join(" ");
    const [, from, to] = /^(\d{1,2}:\d{2}) *- *(\d{1,2}:\d{2})$/.exec(text) ?? [];
    const meant = from !== undefined
      ? `--after ${from} --until ${to}`
      : /^\d+$/.test(text)
      ? `-n ${text}`
      : /[: +]/.test(text) && isTime(text)
      ? `--after ${shellWord(text)}`
      : undefined;
    if (meant === undefined || !isJobError(error)) throw error;
    throw usageError(error.message, `Did you mean "jobctl next ${meant}"?`);
  }
}

/** `jobctl next EXPR|KIND` */
export const NEXT: Verb = {
  name: "next",
  summary: "Show the next runs of cron expressions, or of jobs of the configuration",
  details: [
    "Works without a daemon. Without a SCHEDULE it lists the runs of all jobs that have one. The",
    "runs of several expressions, each in quotes, are listed together. Times are in the schedule's own zone, and also in yours if that is another. If a",
    "clock change moves or repeats a run, a note says so. It knows no pauses, and lists runs that a",
    "blackout skips; jobctl list timers asks the daemon, and shows only what will run.",
  ].join(" "),
  words: [{
    name: "SCHEDULE",
    describe: 'An expression ("30 2 * * *", "@daily", "@every 15m") or the kind of a job',
    offers: "kind",
    isOptional: true,
    isRest: true,
  }],
  options: {
    config: CONFIG_OPTION,
    all: { describe: "All jobs of the configuration that have a schedule", isFlag: true },
    each: { describe: "List --count runs of each, instead of --count in all", isFlag: true },
    tz: {
      value: "ZONE",
      describe:
        "Zone of expressions that name none, such as Europe/Berlin (default UTC); for other schedules, the zone to show beside their own",
    },
    kind: {
      value: "KIND",
      describe: "Kind of the job for which the values of H and ~ are picked",
      offers: "kind",
    },
    after: { value: "TIME", describe: "Only runs at this time or later (default now)" },
    until: { value: "TIME", describe: "Only runs before this time" },
    count: {
      value: "N",
      alias: "n",
      describe: `How many (default ${COUNT_DEFAULT}, or all with --until; at most ${COUNT_MAX})`,
    },
    ...FIELDS_OPTION,
  },
  examples: [
    ["jobctl next '30 2 * * *' --tz Europe/Berlin -n 3", "When this runs"],
    [
      "jobctl next report --config config.toml --tz Asia/Tokyo",
      "When this job runs, in its zone and in Tokyo",
    ],
    ["jobctl next '0 9 * * 1-5' '@monthly'", "Two schedules together"],
    ["jobctl next 'H H * * *' --kind backup", "The time picked for this job"],
    ["jobctl next -n 20", "What runs next, of all jobs"],
    ["jobctl next --each", "The next five runs of each job"],
    ["jobctl next --after 2:00 --until 4:00", "What runs in a part of the night"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const isAll = args.words("SCHEDULE").length === 0;
    if (!isAll && args.flag("all")) {
      throw usageError(
        "Cannot list the next runs: --all already names every schedule",
        "Leave one out",
      );
    }
    const scheduled = isAll ? await loadScheduled(args, io) : null;
    const texts = scheduled?.map(({ kind }) => kind) ?? splitTexts(args.words("SCHEDULE"));
    const { afterMs, untilMs } = readSpan(args);
    const count = args.integer("count", { min: 1, max: COUNT_MAX }) ??
      (untilMs === Infinity ? COUNT_DEFAULT : COUNT_MAX);
    const timezone = args.text("tz") ?? null;
    const jobs = scheduled ?? await loadKinds(texts, args, io);
    const { nextRuns } = await import("../../../tools/next.ts");
    const nowMs = io.clock.now().wallMs;
    const seed = args.text("kind");
    const viewerTimezone = ownTimezone();
    const request = { timezone, viewerTimezone, seed, afterMs, nowMs, count, jobs };
    const together = args.flag("each") ? texts.map((text) => [text]) : [texts];
    const found = withTimeHint(
      args.words("SCHEDULE"),
      () => together.map((texts) => nextRuns({ ...request, texts })),
    );
    const runs = found.flat().filter(({ at }) => at < untilMs);
    await printer.list(nextView(runs, isAll), runs);
    const isCut = found.some((some) => some.length === COUNT_MAX && some.at(-1)!.at < untilMs);
    if (isCut && args.given(["count"]).length === 0) {
      await printer.note(`There may be more: no more than ${COUNT_MAX} runs are listed`);
    } else if (runs.length === 0 && untilMs !== Infinity) {
      await printer.note("No run in this time");
    } else if (runs.length === 0) {
      await printer.note(
        texts.join(" ").includes(REBOOT)
          ? "No run at a set time: @reboot runs at each start of the daemon"
          : "No more runs: the schedule has ended, or it is @reboot, which runs at each start of the daemon",
      );
    }
  },
};
