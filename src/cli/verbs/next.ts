import { JobError } from "../../core/errors.ts";
import type { JobDefinition } from "../../core/job.ts";
import type { NextRun } from "../../tools/next.ts";
import type { Args } from "../args.ts";
import { CONFIG_OPTION, configFileOf } from "../config_file.ts";
import type { CliIo } from "../io.ts";
import type { View } from "../output/view.ts";
import type { Verb } from "../verb.ts";
import { textCell } from "../views/instance_view.ts";

const COUNT_DEFAULT = 5;
const COUNT_MAX = 1_000;

const NEXT_VIEW: View<NextRun> = {
  name: (run) => run.utc,
  record: (run) => ({
    at: run.utc,
    local: run.local,
    timezone: run.timezone,
    relative: run.relative,
    schedule: run.schedule,
  }),
  keys: ["at", "local", "timezone", "relative", "schedule"],
  columns: [
    { title: "LOCAL", cell: (run) => textCell(run.local) },
    { title: "ZONE", cell: (run) => textCell(run.timezone) },
    { title: "UTC", cell: (run) => textCell(run.utc) },
    { title: "RELATIVE", cell: (run) => textCell(run.relative) },
    { title: "SCHEDULE", isWide: true, cell: (run) => textCell(run.schedule) },
  ],
};

// An expression needs no configuration, and a broken one must not be in its way.
async function loadKinds(text: string, args: Args, io: CliIo): Promise<readonly JobDefinition[]> {
  if (!/^[\w.:-]+$/.test(text)) return [];
  const file = configFileOf(args, io.cwd);
  if (file === null) return [];
  const { loadProject } = await import("../../tools/load_project.ts");
  const nowMs = io.clock.now().wallMs;
  const { jobs, problems } = await loadProject(file, { env: io.env, cwd: io.cwd, nowMs });
  const problem = problems.find(({ job }) => job === text);
  if (problem) {
    throw new JobError(
      "invalid_config",
      `Cannot list the runs of "${text}": ${problem.message}`,
      { hint: problem.hint ?? `See jobctl check --config ${file}`, path: problem.path },
    );
  }
  return jobs;
}

/** `jobctl next EXPR|KIND` */
export const NEXT: Verb = {
  name: "next",
  summary: "Show the next runs of a cron expression, or of a job of the configuration",
  details: "Works without a daemon.",
  words: [{
    name: "SCHEDULE",
    describe: 'An expression ("30 2 * * *", "@daily", "@every 15m") or the kind of a job',
    isRest: true,
  }],
  options: {
    config: CONFIG_OPTION,
    tz: { describe: "Zone of the expression, such as Europe/Berlin (default UTC)" },
    after: { describe: "Runs after this time (default now)" },
    count: { alias: "n", describe: `How many (default ${COUNT_DEFAULT}, at most ${COUNT_MAX})` },
  },
  examples: [
    ["jobctl next '30 2 * * *' --tz Europe/Berlin -n 3", "When does this run"],
    ["jobctl next report --config config.toml", "When does this job run"],
  ],
  isClient: false,
  async run(args, { io, printer }) {
    const text = args.words("SCHEDULE").join(" ");
    const count = args.integer("count", { min: 1, max: COUNT_MAX }) ?? COUNT_DEFAULT;
    const afterMs = args.timeMs("after", "future");
    const timezone = args.text("tz") ?? null;
    const jobs = await loadKinds(text, args, io);
    const { nextRuns } = await import("../../tools/next.ts");
    const nowMs = io.clock.now().wallMs;
    await printer.list(NEXT_VIEW, nextRuns({ text, timezone, afterMs, nowMs, count, jobs }));
    return 0;
  },
};
