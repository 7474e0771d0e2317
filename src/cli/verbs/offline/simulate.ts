import { hostname } from "node:os";
import { formatProblem } from "../../../config/values/problems.ts";
import { WORKERS_MAX } from "../../../core/job/limits.ts";
import { parseDuration } from "../../../core/time/duration.ts";
import type { SimulatedTick } from "../../../tools/simulation/engine.ts";
import { lookupInstances } from "../../lookup/lookup.ts";
import { membersOf, type RecordView } from "../../output/view.ts";
import { formatAbsolute, isoText } from "../../output/when.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { CONFIG_OPTION, loadOptionsOf, neededConfigFile } from "../../parsing/config_file.ts";
import { parseTime } from "../../parsing/time.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { simulationLines, simulationRecord } from "../../views/simulation_view.ts";
import { msOf, stateOfName } from "../../io/wire.ts";

// Below a minute: the many jobs that run every minute would seem to overlap.
const ASSUMED_DEFAULT = "30s";
const SPAN_DEFAULT_MS = 366 * 86_400_000;
/** Most runs of a kind that determine its duration. */
const HISTORY_RUNS = 50;

const TICK_VIEW: RecordView<SimulatedTick> = {
  name: (tick) => `${tick.scheduleId}@${tick.at}`,
  fields: {
    at: (tick) => isoText(tick.at),
    ...membersOf<SimulatedTick>("kind", "scheduleId", "fate", "reason"),
    started_at: (tick) => isoText(tick.startedAt),
    ended_at: (tick) => isoText(tick.endedAt),
  },
  columns: [
    { title: "AT", weight: 8, cell: (tick) => formatAbsolute(tick.at) },
    { title: "KIND", least: 12, weight: 9, cell: (tick) => tick.kind },
    { title: "FATE", weight: 7, cell: (tick) => tick.fate },
    { title: "REASON", cell: (tick) => tick.reason ?? "" },
    {
      title: "STARTED",
      cell: ({ startedAt }) => startedAt === null ? "" : formatAbsolute(startedAt),
    },
  ],
};

/** Durations from the command line, such as `backup=20m`. */
function givenDurations(args: Args): Map<string, number> {
  return new Map(
    args.list("duration").map((text) => {
      const cut = text.lastIndexOf("=");
      if (cut < 1) {
        throw usageError(`Cannot read --duration "${text}": not KIND=DURATION`, "Write backup=20m");
      }
      try {
        return [text.slice(0, cut), parseDuration(text.slice(cut + 1))] as const;
      } catch {
        throw usageError(
          `Cannot read --duration "${text}": "${text.slice(cut + 1)}" is not a duration`,
          "Write backup=20m",
        );
      }
    }),
  );
}

/** Median duration of each kind with completed runs; null if no daemon responds. */
async function historyDurations({ client }: VerbContext): Promise<Map<string, number> | null> {
  const durations = new Map<string, number>();
  try {
    const connection = await client();
    const { jobs } = await connection.listRegisteredJobs({});
    for (const { kind } of jobs) {
      const times: number[] = [];
      const query = { kind, states: [stateOfName("completed")!] };
      for await (const instance of lookupInstances(connection, query, HISTORY_RUNS)) {
        const [began, ended] = [msOf(instance.processedAt), msOf(instance.completedAt)];
        if (began !== undefined && ended !== undefined) times.push(ended - began);
      }
      if (times.length > 0) durations.set(kind, medianOf(times));
    }
    return durations;
  } catch {
    return null;
  }
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >> 1]!;
}

async function durationsOf(args: Args, context: VerbContext) {
  const given = givenDurations(args);
  const assumed = args.text("assume") ?? ASSUMED_DEFAULT;
  const history = args.flag("offline") ? null : await historyDurations(context);
  if (history === null && !args.flag("offline")) {
    await context.printer.note("No daemon responds: durations are assumed");
  }
  return {
    known: new Map([...history ?? [], ...given]),
    named: [...given.keys()],
    assumedMs: args.durationMs("assume") ?? parseDuration(assumed),
  };
}

/** `jobctl simulate` */
export const SIMULATE: Verb = {
  name: "simulate",
  summary: "Run the schedules of a configuration on a simulated clock, and report what happens",
  details: [
    "Shows overlaps, waits for a worker, and runs on days when the clock changes; with --against",
    "also what the other configuration would change. Nothing is executed. Every run is assumed to",
    "succeed, and to take the median time of the job's last runs, which the daemon reports.",
    "Without a daemon it takes the time of --assume. Jobs with worker_slot = false take no worker:",
    "they count among the runs at once, but do not make workers busy. --notices reads past runs",
    "from the daemon instead, and lists the notices that the channels would have sent.",
  ].join(" "),
  options: {
    config: CONFIG_OPTION,
    against: {
      value: "FILE",
      describe: "Another configuration to compare it with",
      offers: "file",
    },
    from: { value: "TIME", describe: "Begin at this time (default now)" },
    to: { value: "TIME", describe: "End before this time (default a year later)" },
    workers: {
      value: "N",
      describe: "How many attempts run at once (default: worker.count of the configuration)",
    },
    duration: {
      value: "KIND=DURATION",
      describe: "How long runs of a job take, as KIND=DURATION; repeatable",
    },
    assume: {
      value: "DURATION",
      describe: `How long runs take if nothing else is known (default ${ASSUMED_DEFAULT})`,
    },
    offline: { describe: "Do not ask the daemon for durations", isFlag: true },
    ticks: { describe: "List every tick instead of the report", isFlag: true },
    notices: {
      describe: "List the notices that past runs would have caused",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl simulate --to +30d", "The next month"],
    ["jobctl simulate --against new.toml", "What the new configuration would change"],
    [
      "jobctl simulate --from 2026-10-24 --to 2026-10-26 --ticks",
      "Every run around a clock change",
    ],
    [
      "jobctl simulate --notices --config new.toml",
      "What the channels of new.toml would have sent",
    ],
  ],
  async run(args, context) {
    const { io, printer } = context;
    const file = neededConfigFile(args, io.cwd, "simulate");
    if (args.flag("notices")) {
      const { listSimulatedNotices } = await import("./simulate_notices.ts");
      return await listSimulatedNotices(file, args, context);
    }
    const options = loadOptionsOf(io);
    const { nowMs } = options;
    const fromMs = args.timeMs("from", "future") ?? nowMs;
    const to = args.text("to");
    const toMs = to === undefined
      ? fromMs + SPAN_DEFAULT_MS
      : parseTime(to, { nowMs: fromMs, direction: "future", what: "--to" });
    const workers = args.integer("workers", { min: 1, max: WORKERS_MAX }) ?? null;
    const against = args.text("against") ?? null;
    const durations = await durationsOf(args, context);
    const { simulateConfig } = await import("../../../tools/simulate.ts");
    const ticks: SimulatedTick[] = [];
    const isListed = args.flag("ticks");
    const simulated = await simulateConfig(
      { file, against, fromMs, toMs, workers, node: hostname(), durations },
      options,
      (tick) => void (isListed && ticks.push(tick)),
    );
    for (const problem of simulated.problems) {
      await writeMessage(io, `Left out: job "${problem.job}": ${formatProblem(problem)}`);
    }
    if (isListed) await printer.list(TICK_VIEW, ticks.sort((left, right) => left.at - right.at));
    else {
      await printer.details(
        simulationRecord(simulated, durations),
        file,
        simulationLines(simulated, durations, printer),
      );
    }
  },
};
