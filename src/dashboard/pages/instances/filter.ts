import type { QueryValues } from "../../api/client.ts";
import type { JobInstance, JobState, KindCounts, Query } from "../../gen/api_types.ts";
import { SHOWN_STATES } from "../../text/instance_state.ts";

/** Which instances a list shows. It is the query of the page's URL. */
export interface InstanceFilter {
  readonly kind: string;
  readonly states: readonly JobState[];
  /** RFC 3339; empty for no limit. */
  readonly after: string;
  readonly before: string;
  readonly scheduleId: string;
  readonly uniqueKey: string;
  /** Its arguments have it. */
  readonly text: string;
  /** It ran there last. */
  readonly node: string;
  /** Its job needs it. */
  readonly tag: string;
}

/** The filter that a URL's query means. */
export function filterOf(query: URLSearchParams): InstanceFilter {
  const states = query.getAll("state").filter((one) => SHOWN_STATES.some((state) => state === one));
  return {
    kind: query.get("kind") ?? "",
    states: states as JobState[],
    after: query.get("after") ?? "",
    before: query.get("before") ?? "",
    scheduleId: query.get("schedule") ?? "",
    uniqueKey: query.get("key") ?? "",
    text: query.get("text") ?? "",
    node: query.get("node") ?? "",
    tag: query.get("tag") ?? "",
  };
}

/** The parameters of a request for the instances that match. */
export function requestOf(filter: InstanceFilter): QueryValues {
  return {
    kind: filter.kind,
    states: filter.states,
    after: filter.after,
    before: filter.before,
    schedule_id: filter.scheduleId,
    unique_key: filter.uniqueKey,
    text: filter.text,
    node: filter.node,
    tag: filter.tag,
  };
}

/** The query of a request that changes all instances that match. */
export function bodyOf(filter: InstanceFilter): Partial<Query> {
  const { kind, states, after, before, scheduleId, uniqueKey, text, node, tag } = filter;
  return {
    ...(kind === "" ? {} : { kind }),
    ...(states.length === 0 ? {} : { states }),
    ...(after === "" ? {} : { after }),
    ...(before === "" ? {} : { before }),
    ...(scheduleId === "" ? {} : { schedule_id: scheduleId }),
    ...(uniqueKey === "" ? {} : { unique_key: uniqueKey }),
    ...(text === "" ? {} : { text }),
    ...(node === "" ? {} : { node }),
    ...(tag === "" ? {} : { tag }),
  };
}

/** True if nothing is filtered. */
export function isEverything(filter: InstanceFilter): boolean {
  return Object.keys(bodyOf(filter)).length === 0;
}

/** True if an instance is listed: the system's own are not, unless asked for. */
export function isListed(instance: JobInstance, { kind }: InstanceFilter): boolean {
  return kind !== "" || !instance.kind.startsWith("system.notice");
}

const COUNTERS: Readonly<Partial<Record<JobState, Exclude<keyof KindCounts, "kind">>>> = {
  scheduled: "scheduled",
  processing: "processing",
  completed: "completed",
  terminated: "terminated",
  timed_out: "timed_out",
  cancelled: "canceled",
};

/**
 * The number of instances that match, from the store's counters.
 *
 * @returns null if the filter has more than kind and states
 */
export function countOf(filter: InstanceFilter, kinds: Iterable<KindCounts>): number | null {
  const { kind, states, ...others } = filter;
  if (Object.values(others).some((one) => one !== "")) return null;
  let sum = 0;
  for (const counts of kinds) {
    if (kind !== "" && counts.kind !== kind) continue;
    for (const state of states.length === 0 ? SHOWN_STATES : states) {
      sum += counts[COUNTERS[state]!];
    }
  }
  return sum;
}

/** How a state is called on the command line. */
const CLI_STATES: Readonly<Partial<Record<JobState, string>>> = {
  scheduled: "Scheduled",
  processing: "Processing",
  completed: "Completed",
  terminated: "Terminated",
  timed_out: "TimedOut",
  cancelled: "Cancelled",
};

/** The arguments of `jobctl` that select the same, behind the verb. */
export function selectionWords(filter: InstanceFilter): string[] {
  const { kind, states, after, before, tag } = filter;
  return [
    ...(kind === "" ? [] : ["--kind", kind]),
    ...(states.length === 0 ? [] : ["--state", states.map((state) => CLI_STATES[state]).join(",")]),
    ...(tag === "" ? [] : ["--tag", tag]),
    ...(after === "" ? [] : ["--since", after]),
    ...(before === "" ? [] : ["--until", before]),
  ];
}
