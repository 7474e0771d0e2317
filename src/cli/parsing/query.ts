import { withoutUndefined } from "../../core/text/object_keys.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { JobState as WireState } from "../../rpc/gen/job_pb.ts";
import { type Args, assertOneOf, usageError } from "./args.ts";
import {
  type PlainInit,
  type RequestOf,
  stateName,
  stateOfName,
  STATES,
  timestampOf,
} from "../io/wire.ts";
import type { OptionSpecs } from "./options.ts";

/** A query for instances. */
export type QueryInit = PlainInit<NonNullable<RequestOf<"lookupInstances">["query"]>>;

/** The everyday word for the two states of an instance that failed for good. */
const FAILED = "failed";
/** Everyday words for states, the common ones first. */
const EVERYDAY_STATES = ["waiting", "running", "done", FAILED];

/** Options that select instances by kind, state and tag. */
export const FILTER_OPTIONS: OptionSpecs = {
  kind: {
    value: "KIND",
    alias: "k",
    describe: "Of this kind; separate several by commas, or repeat the option",
    offers: "kinds",
  },
  state: {
    value: "STATE",
    describe: `In this state, or in several, as with --kind: ${EVERYDAY_STATES.join(", ")}, or ${
      STATES.join(", ")
    }`,
    // Unquoted, "done" would end a loop in the scripts of the shells.
    suggests: [...EVERYDAY_STATES.filter((name) => name !== "done"), ...STATES],
  },
  tag: { value: "TAG", describe: "Of this daemon's jobs that need this tag" },
};

/** Options that select instances by their arguments, their node and their origin. */
export const ORIGIN_OPTIONS: OptionSpecs = {
  text: { value: "TEXT", describe: "With this text in the arguments, in upper or lower case" },
  node: { value: "ID", describe: "Claimed by this node last", offers: "node" },
  schedule: { value: "ID", describe: "Of the schedule with this id", offers: "schedule" },
  parent: { value: "ID", describe: "Scheduled by this instance", offers: "instance" },
  flow: {
    value: "ID",
    describe: "In the flow of this instance: the first one and all descendants",
    offers: "instance",
  },
  "unique-key": {
    value: "KEY",
    describe: 'With this unique key, as instances show it: "report 7"; or 7, with --kind report',
  },
};

/** Options that select instances by the time of their creation. */
export const TIME_OPTIONS: OptionSpecs = {
  since: {
    value: "TIME",
    describe: "Created at this time or later: 2026-11-24, 09:00, -2h, yesterday",
  },
  after: { value: "TIME", describe: "The same as --since" },
  until: { value: "TIME", describe: "Created before this time" },
  before: { value: "TIME", describe: "The same as --until" },
};

const DETAIL_NAMES = [
  ...Object.keys(ORIGIN_OPTIONS),
  ...Object.keys(TIME_OPTIONS),
];
/** Options that select instances. */
export const CONDITIONS: readonly string[] = ["kind", "state", "tag", ...DETAIL_NAMES];

/** @throws JobError `invalid_argument` for two options that mean the same time */
export function assertTimes(args: Args): void {
  assertOneOf(args, ["since", "after"]);
  assertOneOf(args, ["until", "before"]);
}

/** The options that select instances, for people: ` of kind "mail" in state failed`. */
export function conditionsText(args: Args): string {
  const states = args.list("state");
  return kindsText(args.list("kind"), args.text("tag")) +
    (states.length > 0 ? ` in state ${states.join(", ")}` : "") + detailsText(args);
}

/** The other given options that select instances: ` with --node n1 --text x`. */
function detailsText(args: Args): string {
  const given = args.given(DETAIL_NAMES).map((name) => `--${name} ${shellWord(args.raw(name)!)}`);
  return given.length === 0 ? "" : ` with ${given.join(" ")}`;
}

/** Wire values of the states of instances that failed for good. */
export function failedStates(): WireState[] {
  return [stateOfName("terminated")!, stateOfName("timedOut")!];
}

/** Wire values of the states that `--state` names. */
export function readStates(args: Args): WireState[] {
  const states = args.list("state").flatMap((name) => {
    const state = stateOfName(name);
    // A search for failures includes timeouts.
    if (name.toLowerCase() === FAILED) return failedStates();
    if (state !== null) return [state];
    throw usageError(
      `Cannot read --state "${name}": not a state`,
      didYouMean(name, [...EVERYDAY_STATES, ...STATES]) ??
        `States: ${EVERYDAY_STATES.join(", ")}, or ${STATES.join(", ")}`,
    );
  });
  return [...new Set(states)];
}

const DEAD_STATES: readonly string[] = ["Terminated", "TimedOut"];

/** Selects dead letters by their state. */
export const DEAD_STATE_OPTION: OptionSpecs[string] = {
  value: "STATE",
  describe: "In this state: Terminated or TimedOut, or failed for both",
  suggests: DEAD_STATES,
};

/** @throws JobError `invalid_argument` for a state that no dead letter has */
export function assertDeadStates(args: Args, action: "list" | "redrive"): void {
  for (const state of readStates(args)) {
    const name = stateName(state) ?? "";
    if (DEAD_STATES.includes(name)) continue;
    throw usageError(
      `Cannot ${action} dead letters in state "${name}": there are none`,
      `Dead letters are ${DEAD_STATES.join(" or ")}; jobctl list instances lists all states`,
    );
  }
}

/** Kinds and a tag as a condition in a message: ` of kind "mail", "report"`; empty without any. */
export function kindsText(kinds: readonly string[], tag?: string): string {
  const named = kinds.length === 0 ? "" : ` of kind ${kinds.map((kind) => `"${kind}"`).join(", ")}`;
  return tag === undefined ? named : `${named} that need tag "${tag}"`;
}

/** The end of a span: `--since 22:00 --until 06:00` is one night, even before its end. */
export function untilAfter(
  name: string,
  afterMs: number | undefined,
  args: Args,
): number | undefined {
  const endMs = args.timeMs(name, "past");
  if (endMs === undefined || afterMs === undefined || endMs > afterMs) return endMs;
  return args.timeMs(name, "future", afterMs);
}

/** States as a condition; a single one in go-job's own field. */
export function statesQuery(states: readonly WireState[]): Pick<QueryInit, "state" | "states"> {
  return states.length === 1 ? { state: states[0] } : { states: [...states] };
}

/** The query of `--kind`, `--state` and, if the verb has them, the times. */
export function readQuery(args: Args): QueryInit {
  const kinds = args.list("kind");
  const states = readStates(args);
  const afterMs = args.timeMs("since", "past") ?? args.timeMs("after", "past");
  const beforeMs = untilAfter("until", afterMs, args) ??
    untilAfter("before", afterMs, args);
  if (afterMs !== undefined && beforeMs !== undefined && beforeMs <= afterMs) {
    throw usageError(
      `Cannot search until ${new Date(beforeMs).toISOString()}: it is not after ${
        new Date(afterMs).toISOString()
      }`,
      "Give --until a later time than --since",
    );
  }
  return {
    // A single value uses go-job's own field, so that its server understands the query.
    ...(kinds.length === 1 ? { kind: kinds[0] } : { kinds: [...kinds] }),
    ...statesQuery(states),
    ...withoutUndefined({
      text: args.text("text"),
      node: args.text("node"),
      scheduleId: args.text("schedule"),
      parentId: args.text("parent"),
      flowId: args.text("flow"),
      uniqueKey: args.text("unique-key"),
    }),
    ...(afterMs === undefined ? {} : { after: timestampOf(afterMs) }),
    ...(beforeMs === undefined ? {} : { before: timestampOf(beforeMs) }),
  };
}
