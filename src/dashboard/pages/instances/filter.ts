import type { JobInstance, JobState, KindCounts, Query } from "../../gen/api_types.ts";
import { isNotice } from "../../text/notice_kind.ts";
import { countIn, SHOWN_STATES } from "../../text/instance_state.ts";

/** Selects the instances of a list. It is the query of the page's URL. */
export interface InstanceFilter {
  readonly kind: string;
  readonly states: readonly JobState[];
  /** RFC 3339; empty for no limit. */
  readonly after: string;
  readonly before: string;
  readonly scheduleId: string;
  readonly uniqueKey: string;
  /** The instance that scheduled it. */
  readonly parentId: string;
  /** Any instance of its flow. */
  readonly flowId: string;
  /** Text that its arguments contain. */
  readonly text: string;
  /** Node of its last attempt. */
  readonly node: string;
  /** Tag that its job needs. */
  readonly tag: string;
}

/** For each text of a filter: the parameter of the URL, the condition of the API, the option. */
const TEXTS: Readonly<
  Record<Exclude<keyof InstanceFilter, "states">, readonly [url: string, api: string, cli: string]>
> = {
  kind: ["kind", "kind", "--kind"],
  tag: ["tag", "tag", "--tag"],
  text: ["text", "text", "--text"],
  node: ["node", "node", "--node"],
  scheduleId: ["schedule", "schedule_id", "--schedule"],
  uniqueKey: ["key", "unique_key", "--unique-key"],
  parentId: ["parent", "parent_id", "--parent"],
  flowId: ["flow", "flow_id", "--flow"],
  after: ["after", "after", "--since"],
  before: ["before", "before", "--until"],
};
const NAMES = Object.keys(TEXTS) as readonly (keyof typeof TEXTS)[];

/** The filter that a URL's query means. */
export function filterOf(query: URLSearchParams): InstanceFilter {
  const states = query.getAll("state").filter((one) => SHOWN_STATES.some((state) => state === one));
  const texts = NAMES.map((name) => [name, query.get(TEXTS[name][0]) ?? ""] as const);
  return { ...Object.fromEntries(texts), states } as unknown as InstanceFilter;
}

/** The conditions of a request for the instances that match. */
export function conditionsOf(filter: InstanceFilter): Partial<Query> {
  const given = NAMES.filter((name) => filter[name] !== "");
  const { states } = filter;
  return {
    ...Object.fromEntries(given.map((name) => [TEXTS[name][1], filter[name]])),
    ...(states.length === 0 ? {} : { states }),
  };
}

/** True if nothing is filtered. */
export function isEverything(filter: InstanceFilter): boolean {
  return Object.keys(conditionsOf(filter)).length === 0;
}

/** True if an instance is listed: the system's own are not, unless asked for. */
export function isListed(instance: JobInstance, { kind }: InstanceFilter): boolean {
  return kind !== "" || !isNotice(instance.kind);
}

/**
 * The number of listed instances that match, from the store's counters.
 *
 * @param counts of the kind that the filter names, or of all kinds without notices
 * @returns null if the filter has more than kind and states, or the counts are unknown
 */
export function countOf(filter: InstanceFilter, counts: KindCounts | null): number | null {
  const { kind: _, states, ...others } = filter;
  if (counts === null || Object.values(others).some((one) => one !== "")) return null;
  const wanted = states.length === 0 ? SHOWN_STATES : states;
  return wanted.reduce((sum, state) => sum + countIn(counts, state), 0);
}

/** Name of a state on the command line: "TimedOut". */
function cliState(state: JobState): string {
  return state.replace(/(?:^|_)[a-z]/g, (found) => found.at(-1)!.toUpperCase());
}

/** The equivalent arguments of `jobctl`, after the verb. */
export function selectionWords(filter: InstanceFilter): string[] {
  const { kind, states } = filter;
  const words = (option: string, value: string) =>
    value.startsWith("-") ? [`${option}=${value}`] : [option, value];
  return [
    ...NAMES.filter((name) => filter[name] !== "").flatMap((name) =>
      // A comma separates kinds.
      words(TEXTS[name][2], name === "kind" ? kind.replaceAll(",", "\\,") : filter[name])
    ),
    ...(states.length === 0 ? [] : ["--state", states.map(cliState).join(",")]),
  ];
}
