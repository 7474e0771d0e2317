import { countText } from "../../../core/text/count_text.ts";
import type { Schedule } from "../../../rpc/gen/job_pb.ts";
import { assertKinds, collect, listSchedules } from "../../lookup/lookup.ts";
import { readSort, sortOption } from "../../parsing/sort.ts";
import type { Args } from "../../parsing/args.ts";
import { FIELDS_OPTION, fieldsOption } from "../../parsing/options.ts";
import { FILTER_OPTIONS } from "../../parsing/query.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { msOf } from "../../io/wire.ts";
import { emptyNote } from "./empty_list.ts";
import { LIMIT_OPTIONS, printLimited, readLimit } from "./limited_list.ts";
import { DEAD, INSTANCES } from "./list_instances.ts";

// Each verb loads its view only when it runs: most lines list instances.

const JOBS: Verb = {
  name: "jobs",
  summary: "List the registered jobs",
  watches: "everything",
  options: {
    all: { describe: "Also the daemon's own jobs, system.…", isFlag: true },
    ...sortOption("kind"),
    ...fieldsOption("kind", "description", "cron_specs", "usage"),
  },
  examples: [["jobctl list jobs", "Kinds with their schedules and arguments"]],
  async run(args, { client, printer }) {
    const order = readSort(args);
    const { jobs } = await (await client()).listRegisteredJobs({});
    const { isSystemKind } = await import("../../../core/job/kind.ts");
    const isAll = args.flag("all") || printer.options.isGoJob;
    const shown = isAll ? jobs : jobs.filter(({ kind }) => !isSystemKind(kind));
    const { JOB_VIEW } = await import("../../views/job_view.ts");
    await printLimited(printer, JOB_VIEW, {
      order,
      limit: null,
      items: () => shown,
      none: "No jobs. Define one in config.toml: see jobctl init",
    });
    const hidden = jobs.length - shown.length;
    if (hidden === 0) return;
    await printer.note(`${countText(hidden, "job")} of the daemon itself: jobctl list jobs --all`);
  },
};

const SCHEDULE_OPTIONS = {
  kind: FILTER_OPTIONS.kind!,
  ...LIMIT_OPTIONS,
  ...sortOption("next", "last", "kind"),
  ...fieldsOption("id", "kind", "cron", "timezone", "next_run_at", "last_run_at", "status"),
};

function emptySchedules(args: Args, command: string): string {
  const none = "Add one with cron in config.toml, or with: jobctl schedule KIND --cron …";
  return emptyNote(args, { noun: "schedules", command, none });
}

function compareKinds(one: Schedule, other: Schedule): number {
  if (one.kind !== other.kind) return one.kind < other.kind ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}

const SCHEDULES: Verb = {
  name: "schedules",
  summary: "List recurring schedules, from the configuration and created at run time",
  watches: "everything",
  details:
    "NEXT is the next tick that is expected to run: ticks that will be skipped do not count. " +
    "Tables are sorted by kind unless --sort is given.",
  options: SCHEDULE_OPTIONS,
  examples: [["jobctl list schedules", "When each job runs next"]],
  async run(args, { client, printer }) {
    const kinds = args.list("kind");
    const limit = readLimit(args, printer);
    const order = readSort(args);
    const connection = await client();
    await assertKinds(connection, kinds);
    const { SCHEDULE_VIEW } = await import("../../views/schedule_view.ts");
    // People look for a kind; the store's order is not useful.
    const byKind = order === null && printer.isHuman
      ? (await collect(listSchedules(connection, kinds, null))).sort(compareKinds)
      : null;
    await printLimited(printer, SCHEDULE_VIEW, {
      limit,
      order,
      items: (count) => byKind ?? listSchedules(connection, kinds, count),
      none: emptySchedules(args, "jobctl list schedules"),
    });
  },
};

const TIMERS: Verb = {
  name: "timers",
  summary: "List when each schedule runs next and last ran, the soonest first",
  watches: "everything",
  options: SCHEDULE_OPTIONS,
  examples: [["jobctl list timers", "What runs next"]],
  async run(args, { client, printer }) {
    const limit = readLimit(args, printer);
    const order = readSort(args);
    const kinds = args.list("kind");
    const connection = await client();
    await assertKinds(connection, kinds);
    const timers = await collect(listSchedules(connection, kinds, null));
    const nextOf = (timer: Schedule) => msOf(timer.nextRunAt) ?? Infinity;
    timers.sort((a, b) => nextOf(a) - nextOf(b) || (a.id < b.id ? -1 : 1));
    const { TIMER_VIEW } = await import("../../views/tick_view.ts");
    const none = emptySchedules(args, "jobctl list timers");
    const items = () => timers;
    if (order !== null) {
      return await printLimited(printer, TIMER_VIEW, { limit, order, items, none });
    }
    await printer.list(TIMER_VIEW, timers.slice(0, limit ?? timers.length), none);
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
    const { PAUSE_VIEW } = await import("../../views/tick_view.ts");
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
    const { SILENCE_VIEW } = await import("../../views/notice_views.ts");
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
  options: { ...sortOption("id", "busy"), ...FIELDS_OPTION },
  examples: [["jobctl list nodes", "Who shares the work"], [
    "jobctl list nodes -o wide",
    "With the process, zone database and jobs of each",
  ]],
  async run(args, { client, printer }) {
    const order = readSort(args);
    const { nodes } = await (await client()).listNodes({});
    const { NODE_VIEW } = await import("../../views/node_view.ts");
    const items = () => nodes;
    await printLimited(printer, NODE_VIEW, { order, items, limit: null, none: "No nodes" });
  },
};

/** `jobctl list …` */
export const LIST: VerbGroup = {
  name: "list",
  summary: "List jobs, instances, schedules, timers, pauses, silences or nodes",
  initial: INSTANCES,
  verbs: [JOBS, INSTANCES, DEAD, SCHEDULES, TIMERS, PAUSES, SILENCES, NODES],
};
