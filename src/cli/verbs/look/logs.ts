import { LOG_LEVELS } from "../../../core/instance.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance, LogEntry } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { timeText } from "../../output/when.ts";
import { followSteps, type FollowTarget, withInterrupt } from "../../verb/follow.ts";
import { findRun, runToFollow } from "../../lookup/find_instance.ts";
import { assertKinds, collect, lookupHistory, pages } from "../../lookup/lookup.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import { FIELDS_OPTION, fieldsOption } from "../../parsing/options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { HISTORY_VIEW, LOG_VIEW, LOGS_VIEW } from "../../views/record_views.ts";
import { settledAt } from "../../views/instance_view.ts";
import { stateCell } from "../../views/state_words.ts";
import { stateName, timestampOf } from "../../io/wire.ts";
import { endText } from "../run/show_run.ts";

/** Most lines that are shown from the end. */
const LINES_MAX = 10_000;

function lookupLogs(
  client: JobClient,
  { uuid, kind, level }: FollowTarget,
  afterMs: number | undefined,
): AsyncGenerator<LogEntry> {
  const after = timestampOf(afterMs);
  return pages(null, async (pageSize, pageToken) => {
    const answer = await client.lookupInstanceLogs({
      query: { uuid, kind, after, pageSize, pageToken, oldestFirst: true },
      level,
    });
    return { items: answer.entries, nextPageToken: answer.nextPageToken };
  });
}

/** The last lines of a run, the oldest first. */
async function lastLines(
  client: JobClient,
  { uuid, level }: FollowTarget,
  count: number,
): Promise<LogEntry[]> {
  const found = await collect(pages(count, async (pageSize, pageToken) => {
    const query = { uuid, pageSize, pageToken };
    const answer = await client.lookupInstanceLogs({ query, level, newestFirst: true });
    return { items: answer.entries, nextPageToken: answer.nextPageToken };
  }));
  return found.reverse();
}

/** Number of lines to show; undefined for all. @throws JobError `invalid_argument` */
function readLines(args: Args): number | undefined {
  for (const other of ["follow", "since"]) assertOneOf(args, ["lines", other]);
  const count = args.integer("lines", { min: 1, max: LINES_MAX });
  if (count === undefined || args.word("RUN") !== "") return count;
  throw usageError("Cannot use --lines without a run", "Name a run, last, or a kind");
}

async function* entriesOf(
  client: JobClient,
  target: FollowTarget,
  context: VerbContext & {
    readonly signal: AbortSignal;
    /** Called with each new state of the instance. */
    readonly seen: (instance: JobInstance) => void;
  },
): AsyncGenerator<LogEntry> {
  for await (const { entries, instance } of followSteps(client, target, context)) {
    if (instance !== undefined) context.seen(instance);
    yield* entries;
  }
}

function assertCombination(args: Args): boolean {
  assertOneOf(args, ["follow", "since"]);
  const hasId = args.word("RUN") !== "";
  if (!hasId || args.given(["kind"]).length === 0) return hasId;
  throw usageError("Cannot use a run with --kind: they exclude each other", "Give one of them");
}

// The daemon follows one kind, or all.
function readKind(args: Args): string | undefined {
  const kinds = args.list("kind");
  if (kinds.length < 2) return kinds[0];
  throw usageError(
    `Cannot show the log of kinds ${kinds.map((kind) => `"${kind}"`).join(" and ")}: wanted one`,
    'Give one --kind, or none for all; a comma of the kind itself is written "\\,"',
  );
}

/** Note which run of a kind is shown, and the way to the others. */
async function noteRun(run: JobInstance, { printer }: VerbContext): Promise<void> {
  const { text } = stateCell(run);
  const when = timeText(settledAt(run) ?? run.processedAt, printer.nowMs) ?? "";
  await printer.note(
    `The last run, ${printer.shortId(run.uuid)}: ${text}, ${when}\n` +
      `All of them: jobctl logs --kind ${shellWord(run.kind)}`,
  );
}

/** Print why a run failed: the log of a function lacks the error. */
async function noteFailure(run: JobInstance, { printer }: VerbContext): Promise<void> {
  const state = stateName(run.state);
  if (!printer.isHuman || (state !== "Terminated" && state !== "TimedOut")) return;
  await printer.note(endText(run, printer));
}

/** `jobctl logs [RUN]` */
export const LOGS: Verb = {
  name: "logs",
  summary: "Show the log of a run, of every run of a kind or of all, the oldest line first",
  details: [
    "The log has what the job printed and logged, and the daemon's notes on it. A kind stands for",
    "its last run; --kind shows every run of it. With -f, the last run is one that runs, if there is",
    "one. With -f and no run, only lines written from now on are shown. If the daemon restarts, -f",
    "waits for it and continues where it left off.",
  ].join(" "),
  words: [{
    name: "RUN",
    describe: "Id of the instance or a part of it, last, or a kind for its last run " +
      "(default: all instances)",
    offers: "run",
    isOptional: true,
  }],
  options: {
    kind: {
      value: "KIND",
      describe: "Every instance of this kind (default: all kinds)",
      offers: "kind",
    },
    since: {
      value: "TIME",
      describe: 'Lines from this time onwards: "-2h", "09:00", "2026-11-24"',
    },
    level: {
      value: "LEVEL",
      describe: `This level and above: ${LOG_LEVELS.join(", ")}`,
      choices: LOG_LEVELS,
    },
    lines: { value: "N", alias: "n", describe: "Only the last N lines of a run" },
    follow: {
      alias: "f",
      describe: "Keep printing new lines until the instance has ended",
      isFlag: true,
    },
    ...fieldsOption("at", "level", "message", "source", "instance_id", "kind"),
  },
  examples: [
    ["jobctl logs backup", "The last run of a job"],
    ["jobctl logs backup -n 20", "The last lines of it"],
    ["jobctl logs 01938f2c-7d3e --level warn", "Warnings and errors of one run"],
    ["jobctl logs last -f", "Watch the newest run"],
    ["jobctl logs -f --kind report", "Watch every run of a job"],
    ["jobctl logs --since -1h --level warn", "Warnings and errors of the last hour"],
  ],
  async run(args, context) {
    const level = args.text("level");
    const kind = readKind(args);
    const sinceMs = args.timeMs("since", "past");
    const hasId = assertCombination(args);
    const count = readLines(args);
    const client = await context.client();
    const isFollowed = args.flag("follow");
    const last = isFollowed ? runToFollow(context.io.clock.now().wallMs) : undefined;
    const run = hasId ? await findRun(client, args.word("RUN"), last) : undefined;
    const uuid = run?.uuid;
    if (run !== undefined && run.kind === args.word("RUN")) await noteRun(run, context);
    if (kind !== undefined) await assertKinds(client, [kind]);
    const view = hasId ? LOG_VIEW : LOGS_VIEW;
    if (!isFollowed) {
      const lines = count === undefined
        ? lookupLogs(client, { uuid, kind, level }, sinceMs)
        : await lastLines(client, { uuid, level }, count);
      const whose = uuid === undefined ? kind ?? "all instances" : uuid;
      const least = level === undefined ? "" : ` of level ${level} or above`;
      const since = sinceMs === undefined ? "" : ` since ${args.text("since")}`;
      const none = `No lines${least}${since} in the log of ${makeVisible(whose)}`;
      await context.printer.list(view, lines, none);
      if (run !== undefined) await noteFailure(run, context);
      return;
    }
    return await withInterrupt(context, async (signal) => {
      const target = { uuid, kind, level, fromNow: !hasId };
      let end = run;
      const seen = (instance: JobInstance) => void (end = instance);
      await context.printer.stream(view, entriesOf(client, target, { ...context, signal, seen }));
      if (end !== undefined && hasId) await noteFailure(end, context);
      return signal.aborted ? EXIT.interrupted : EXIT.ok;
    });
  },
};

/** `jobctl history RUN` */
export const HISTORY: Verb = {
  name: "history",
  summary: "Show the states that an instance went through, the oldest first",
  words: [{
    name: "RUN",
    describe: "Id of the instance or a part of it, last, or a kind for its last run",
    offers: "run",
  }],
  options: FIELDS_OPTION,
  examples: [["jobctl history 01938f2c-7d3e", "Each change of state with its time and reason"]],
  async run(args, { client, printer }) {
    const connection = await client();
    const { uuid } = await findRun(connection, args.word("RUN"));
    await printer.list(HISTORY_VIEW, lookupHistory(connection, uuid, null));
  },
};
