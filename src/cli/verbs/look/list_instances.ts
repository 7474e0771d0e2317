import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { assertKinds, lookupInstances } from "../../lookup/lookup.ts";
import { resolveQuery } from "../../lookup/resolve_query.ts";
import { isSortedBy, readSort, sortOption } from "../../parsing/sort.ts";
import type { Args } from "../../parsing/args.ts";
import { INSTANCE_FIELDS } from "../../parsing/options.ts";
import {
  assertDeadStates,
  assertTimes,
  DEAD_STATE_OPTION,
  FILTER_OPTIONS,
  ORIGIN_OPTIONS,
  readQuery,
  TIME_OPTIONS,
} from "../../parsing/query.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { emptyNote } from "./empty_list.ts";
import { LIMIT_OPTIONS, printLimited, readLimit } from "./limited_list.ts";

const LIST_OPTIONS = {
  ...LIMIT_OPTIONS,
  ...sortOption("took", "created", "kind", "state"),
  ...INSTANCE_FIELDS,
};
/** Whole instances fetched at a time, as each can be large. */
const WHOLE_PAGE = 20;

async function listInstances(
  args: Args,
  { client, printer }: VerbContext,
  { isDead }: { readonly isDead: boolean },
): Promise<void> {
  assertTimes(args);
  const given = { ...readQuery(args), ...(isDead ? { dead: true } : {}) };
  const limit = readLimit(args, printer);
  const sort = readSort(args);
  const connection = await client();
  await assertKinds(connection, args.list("kind"));
  const query = await resolveQuery(connection, given, args);
  // Instances that no user started are shown only on request, or if they failed for good.
  const isAnyShown = isDead || args.flag("all") || args.list("kind").length > 0;
  const isShown = ({ kind }: JobInstance) => isAnyShown || !kind.startsWith(NOTICE_KINDS);
  // The store has them in the order of their creation.
  const isByStore = sort !== null && isSortedBy(sort, "created_at");
  const sorted = { ...query, ...(isByStore && !sort.isDescending ? { oldestFirst: true } : {}) };
  const order = isByStore ? null : sort;
  const isBrief = order !== null;
  const items = (count: number | null) =>
    lookupInstances(connection, sorted, count, { isShown, isBrief });
  const complete = (some: readonly JobInstance[]) => wholeInstances(connection, some);
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
  await printLimited(printer, INSTANCE_VIEW, { limit, order, items, complete, none });
}

/** The same instances with all of their arguments and results, in the same order. */
async function* wholeInstances(
  client: JobClient,
  brief: readonly JobInstance[],
): AsyncGenerator<JobInstance> {
  for (let at = 0; at < brief.length; at += WHOLE_PAGE) {
    const uuids = brief.slice(at, at + WHOLE_PAGE).map(({ uuid }) => uuid);
    const found = new Map<string, JobInstance>();
    for await (const instance of lookupInstances(client, { uuids }, null)) {
      found.set(instance.uuid, instance);
    }
    for (const uuid of uuids) {
      const instance = found.get(uuid);
      // It may be deleted meanwhile.
      if (instance !== undefined) yield instance;
    }
  }
}

/** `jobctl list instances` */
export const INSTANCES: Verb = {
  name: "instances",
  summary: "List instances, the newest first",
  watches: "everything",
  details: [
    "Notices are instances, too: of the kinds system.notices and system.notice.CHANNEL. They are",
    "listed only with --all, or if --kind names them. States may be given in everyday words: waiting",
    "(Scheduled), running (Processing), done (Completed), and failed (Terminated or TimedOut).",
  ].join(" "),
  options: {
    ...FILTER_OPTIONS,
    ...ORIGIN_OPTIONS,
    ...TIME_OPTIONS,
    ...LIST_OPTIONS,
    all: { describe: "No limit unless --limit sets one; also list notices", isFlag: true },
  },
  examples: [
    ["jobctl list instances --kind report --since -2h", "Runs of a job in the last two hours"],
    ["jobctl list instances --state failed -o wide", "What failed or took too long, in full"],
    ["jobctl list instances --state running --watch", "What runs, redrawn at each change"],
    ["jobctl list instances --since -7d --sort took:desc -n 5", "The longest runs of a week"],
    ["jobctl list instances --tag gpu --state running", "What runs of the jobs that need a GPU"],
    ["jobctl list instances --text shop-42", "What was done for a customer"],
    [
      "jobctl list instances --state waiting -o name",
      "Ids of all waiting instances, one per line",
    ],
  ],
  run: (args, context) => listInstances(args, context, { isDead: false }),
};

/** `jobctl list dead` */
export const DEAD: Verb = {
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
    state: DEAD_STATE_OPTION,
    tag: FILTER_OPTIONS.tag!,
    ...ORIGIN_OPTIONS,
    ...TIME_OPTIONS,
    ...LIST_OPTIONS,
  },
  examples: [
    ["jobctl list dead", "What needs attention"],
    ["jobctl list dead --kind import --since -1d -o wide", "Those of one job in the last day"],
  ],
  run(args, context) {
    assertDeadStates(args, "list");
    return listInstances(args, context, { isDead: true });
  },
};
