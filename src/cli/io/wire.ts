import { parseState } from "../../core/state.ts";
import type { JobMethods } from "../../rpc/client/client.ts";
import type { JobState as WireState } from "../../rpc/gen/job_pb.ts";
import { msOfTime, type Time, timeOfMs } from "../../rpc/model/time.ts";

export type { Time as Timestamp, WireState };

/** The fields of a message: a plain request, without message objects. */
export type PlainInit<T> = Exclude<T, { readonly $typeName: string }>;
/** The request of one method. */
export type RequestOf<Name extends keyof JobMethods> = PlainInit<
  NonNullable<Parameters<JobMethods[Name]>[0]>
>;

// The generated enum is a module that loads the protobuf library; the wire's numbers cannot change.
const STATE_NAMES: Readonly<Record<number, string>> = {
  1: "Created",
  2: "Scheduled",
  4: "Processing",
  8: "Cancelled",
  16: "TimedOut",
  32: "Completed",
  64: "Terminated",
};

/** Final states, as the CLI spells them. */
const FINAL_NAMES: readonly string[] = ["Completed", "Terminated", "Cancelled", "TimedOut"];

/** go-job's name of a state, used in the CLI's output; undefined for the unset state. */
export function stateName(state: WireState): string | undefined {
  return STATE_NAMES[state];
}

/** Names of all states. */
export const STATES: readonly string[] = Object.values(STATE_NAMES);

/** Wire value of a state, by its name in any spelling of the product. */
export function stateOfName(name: string): WireState | null {
  const state = parseState(name);
  if (state === null) return null;
  const found = Object.entries(STATE_NAMES).find(([, known]) => parseState(known) === state);
  return found === undefined ? null : Number(found[0]) as WireState;
}

/** True if the state is final. */
export function isFinalState(state: WireState): boolean {
  return FINAL_NAMES.includes(STATE_NAMES[state] ?? "");
}

/** Wire values of the final states. */
export function finalStates(): WireState[] {
  return FINAL_NAMES.map((name) => stateOfName(name)!);
}

/** Wire values of the non-final states. */
export function unfinishedStates(): WireState[] {
  return Object.keys(STATE_NAMES).map(Number).filter((state) => !isFinalState(state));
}

/** Epoch milliseconds of a timestamp; undefined if absent. */
export function msOf(timestamp: Time | undefined): number | undefined {
  return timestamp && msOfTime(timestamp);
}

/** ISO text of a timestamp; undefined if absent. */
export function isoOf(timestamp: Time | undefined): string | undefined {
  const ms = msOf(timestamp);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Epoch milliseconds as a timestamp for a request; undefined stays undefined. */
export function timestampOf(ms: number | undefined): Time | undefined {
  return ms === undefined ? undefined : timeOfMs(Math.round(ms));
}

/** A duration in milliseconds for a request; undefined stays so. */
export function bigMs(ms: number | undefined): bigint | undefined {
  return ms === undefined ? undefined : BigInt(Math.round(ms));
}
