import { countText } from "../../../core/text/count_text.ts";
import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import type { Schedule } from "../../../rpc/gen/job_pb.ts";
import { assertKinds, collect, listSchedules, lookupInstances, withTag } from "../../lookup.ts";
import type { Printer } from "../../output/printer.ts";
import type { View } from "../../output/view.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import { FIELDS_OPTION, type OptionSpecs } from "../../parsing/options.ts";
import { FILTER_OPTIONS, readQuery, readStates, TIME_OPTIONS } from "../../parsing/query.ts";
import { emptyNote } from "./empty_list.ts";
import type { Verb, VerbContext, VerbGroup } from "../../verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { JOB_VIEW } from "../../views/job_view.ts";
import { SILENCE_VIEW } from "../../views/notice_views.ts";
import { NODE_VIEW } from "../../views/node_view.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";
import { PAUSE_VIEW, TIMER_VIEW } from "../../views/tick_view.ts";
import { msOf, stateName } from "../../wire.ts";

/** Rows of a table unless `--limit` or `--all` says otherwise. */
const TABLE_ROWS = 100;
const LIMIT_MAX = 10_000_000;

const LIMIT_OPTIONS: OptionSpecs = {
  limit: { value: "N", describe: `At most this many (default ${TABLE_ROWS} in a table, else all)` },
  all: { describe: "No limit, even in a table", isFlag: true },
  ...FIELDS_OPTION,
};

/** How many to show; null for all. */
function readLimit(args: Args, printer: Printer): number | null {
  assertOneOf(args, ["limit", "all"]);
  const limit = args.integer("limit", { min: 1, max: LIMIT_MAX });
  if (limit !== undefined) return limit;
  return printer.isHuman && !args.flag("all") ? TABLE_ROWS : null;
}

async function printLimited<T>(
  printer: Printer,
  view: View<T>,
  options: {
    readonly limit: number | null;
    readonly items: (limit: number | null) => AsyncIterable<T>;
    /** The note if there are no items. */
    readonly none: string;
  },
): Promise<void> {
  const { limit, items, none } = options;
  let hasMore = false;
  // One more is fetched to know if there are more.
  const counted = async function* () {
    let count = 0;
    for await (const item of items(limit === null ? null : limit + 1)) {
      hasMore = count === limit;
      if (hasMore) return;
      count += 1;
      yield item;
    }
  };
  await printer.list(view, counted(), none);
  if (hasMore) {
    await printer.note(
      `These are the first ${limit}; --all shows the rest, --limit N more or fewer`,
    );
  }
}

async function listInstances(
  args: Args,
  { client, printer }: VerbContext,
  { isDead }: { readonly isDead: boolean },
): Promise<void> {
  assertOneOf(args, ["since", "after"]);
  assertOneOf(args, ["until", "before"]);
  const given = { ...readQuery(args), ...(isDead ? { dead: true } : {}) };
  const limit = readLimit(args, printer);
  const connection = await client();
  await assertKinds(connection, args.list("kind"));
  const query = await withTag(connection, given, args.text("tag"));
  // What a user did not start is shown only to those who ask, or if it failed for good.
  const isAnyShown = isDead || args.flag("all") || args.list("kind").length > 0;
  const items = (count: number | null) =>
    lookupInstances(
      connection,
      query,
      count,
      ({ kind }) => isAnyShown || !kind.startsWith(NOTICE_KINDS),
    );
  const none = isDead
    ? emptyNote(args, {
      noun: "dead letters",
      command: "jobctl list dead",
      none: "All instances: jobctl list instances",
    })
    : emptyNote(args, {
      noun: "instances",
      command: "jobctl list instances",
      none: "Run a job with: jobctl run KIND",
    });
  await printLimited(printer, INSTANCE_VIEW, { limit, items, none });
}

const JOBS: Verb = {
  name: "jobs",
  summary: "List the registered jobs",
  watches: "everything",
  options: FIELDS_OPTION,
  examples: [["jobctl list jobs", "Kinds with their schedules and arguments"]],
  async run(_args, { client, printer }) {
    const { jobs } = await (await client()).listRegisteredJobs({});
    await printer.list(JOB_VIEW, jobs, "No jobs. Define one in config.toml: see jobctl init");
  },
};

const INSTANCES: Verb = {
  name: "instances",
  summary: "List instances, the newest first",
  watches: "everything",
  details: [
    "Notices are instances, too: of the kinds system.notices and system.notice.CHANNEL. They are",
    "listed only with --all, or if --kind names them. States may be given in everyday words: waiting",
    "(Scheduled), running (Processing), done (Completed), and failed (Terminated or TimedOut).",
  ].join(" "),
  options: {
    ...{ ...FILTER_OPTIONS, ...TIME_OPTIONS, ...LIMIT_OPTIONS },
    all: { describe: "No limit, even in a table; also list notices", isFlag: true },
  },
  examples: [
    ["jobctl list instances --kind report --since -2h", "Runs of a job in the last two hours"],
    ["jobctl list instances --state failed -o wide", "What failed or took too long, in full"],
    ["jobctl list instances --state running --watch", "What runs, redrawn at each change"],
    ["jobctl list instances --tag gpu --state running", "What runs of the jobs that need a GPU"],
    [
      "jobctl list instances --state waiting -o name",
      "Ids of all waiting instances, one per line",
    ],
  ],
  run: (args, context) => listInstances(args, context, { isDead: false }),
};

/** States of dead letters. */
const DEAD_STATES: readonly string[] = ["Terminated", "TimedOut"];

/** @throws JobError `invalid_argument` for a state that no dead letter has */
function assertDeadStates(args: Args): void {
  for (const state of readStates(args)) {
    const name = stateName(state) ?? "";
    if (DEAD_STATES.includes(name)) continue;
    throw usageError(
      `Cannot list dead letters in state "${name}": there are none`,
      `Dead letters are ${DEAD_STATES.join(" or ")}; jobctl list instances lists all states`,
    );
  }
}

const DEAD: Verb = {
  name: "dead",
  summary: "List dead letters: instances that failed for good and were not run again",
  watches: "everything",
  details: [
    "These are instances that ended as Terminated or TimedOut, the newest first: their retries,",
    'crashes or time were used up, or their job gave up. "jobctl redrive" runs them again. They are',
    "kept for keep.failure, like every other instance that did not complete.",
  ].join(" "),
  options: {
    kind: FILTER_OPTIONS.kind!,
    state: {
      value: "STATE",
      describe: "In this state: Terminated or TimedOut",
      suggests: DEAD_STATES,
    },
    ...{ tag: FILTER_OPTIONS.tag!, ...TIME_OPTIONS, ...LIMIT_OPTIONS },
  },
  examples: [
    ["jobctl list dead", "What needs attention"],
    ["jobctl list dead --kind import --since -1d -o wide", "Those of one job in the last day"],
  ],
  run(args, context) {
    assertDeadStates(args);
    return listInstances(args, context, { isDead: true });
  },
};

function emptySchedules(args: Args, command: string): string {
  const none = "Add one with cron in config.toml, or with: jobctl schedule KIND --cron …";
  return emptyNote(args, { noun: "schedules", command, none });
}

const SCHEDULES: Verb = {
  name: "schedules",
  summary: "List recurring schedules, from the configuration and created at run time",
  watches: "everything",
  options: { kind: FILTER_OPTIONS.kind!, ...LIMIT_OPTIONS },
  examples: [["jobctl list schedules", "When each job runs next"]],
  async run(args, { client, printer }) {
    const kinds = args.list("kind");
    const limit = readLimit(args, printer);
    const connection = await client();
    await assertKinds(connection, kinds);
    await printLimited(printer, SCHEDULE_VIEW, {
      limit,
      items: (count) => listSchedules(connection, kinds, count),
      none: emptySchedules(args, "jobctl list schedules"),
    });
  },
};

const TIMERS: Verb = {
  name: "timers",
  summary: "List when each schedule runs next and last ran, the soonest first",
  watches: "everything",
  options: { kind: FILTER_OPTIONS.kind!, ...LIMIT_OPTIONS },
  examples: [["jobctl list timers", "What runs next"]],
  async run(args, { client, printer }) {
    const limit = readLimit(args, printer);
    const kinds = args.list("kind");
    const connection = await client();
    await assertKinds(connection, kinds);
    const timers = await collect(listSchedules(connection, kinds, null));
    const nextOf = (timer: Schedule) => msOf(timer.nextAt) ?? Infinity;
    timers.sort((a, b) => nextOf(a) - nextOf(b) || (a.id < b.id ? -1 : 1));
    const shown = limit === null ? timers : timers.slice(0, limit);
    await printer.list(TIMER_VIEW, shown, emptySchedules(args, "jobctl list timers"));
    if (timers.length === 0) return;
    const paused = timers.filter((timer) => timer.status === "paused").length;
    const more = limit !== null && timers.length > limit ? `; ${limit} of them are shown` : "";
    const count = countText(timers.length, "timer");
    await printer.note(`${count}, ${paused} paused${more}`);
  },
};

const PAUSES: Verb = {
  name: "pauses",
  summary: "List what is paused, until when and why",
  watches: "everything",
  options: FIELDS_OPTION,
  examples: [["jobctl list pauses", "What does not run"]],
  async run(_args, { client, printer }) {
    const { pauses } = await (await client()).listPauses({});
    await printer.list(PAUSE_VIEW, pauses, "Nothing is paused");
  },
};

const SILENCES: Verb = {
  name: "silences",
  summary: "List the silences in force: until when, by whom and why",
  watches: "everything",
  options: FIELDS_OPTION,
  examples: [["jobctl list silences", "Whose notices are held back now"]],
  async run(_args, { client, printer }) {
    const { silences } = await (await client()).listSilences({});
    await printer.list(SILENCE_VIEW, silences, "Nothing is silenced");
  },
};

const NODES: Verb = {
  name: "nodes",
  summary: "List the daemons on the store",
  watches: "everything",
  details: [
    "Each node is listed with its tags, the number of its jobs and the number of busy workers. A",
    'node that has ended stays in the list for an hour: as "left" if it stopped, as "lost" if its',
    "lease expired without notice.",
  ].join(" "),
  options: FIELDS_OPTION,
  examples: [["jobctl list nodes", "Who shares the work"], [
    "jobctl list nodes -o wide",
    "With the process, zone database and jobs of each",
  ]],
  async run(_args, { client, printer }) {
    const { nodes } = await (await client()).listNodes({});
    await printer.list(NODE_VIEW, nodes);
  },
};

/** `jobctl list …` */
export const LIST: VerbGroup = {
  name: "list",
  summary: "List jobs, instances, schedules, timers, pauses, silences or nodes",
  verbs: [JOBS, INSTANCES, DEAD, SCHEDULES, TIMERS, PAUSES, SILENCES, NODES],
};
