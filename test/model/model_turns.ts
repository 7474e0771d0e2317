import type { ClaimLimits, JobLimits } from "../../src/core/job/limits.ts";
import type { InstanceQuery } from "../../src/core/query.ts";
import type {
  Advance,
  Backfill,
  ClaimKey,
  NewInstance,
  Pause,
  PutSchedule,
  Settlement,
} from "../../src/store/store.ts";

/** The claiming nodes, and the kinds. */
export const NODES = ["n1", "n2"] as const;
export const KINDS = ["a", "b", "c"] as const;

/** One request of a trail, as data: a shrunk trail can be run again. */
export type Step =
  | { readonly type: "enqueue"; readonly instances: readonly NewInstance[] }
  /** Uses the limits with this number in {@link LIMITS}. */
  | {
    readonly type: "claim";
    readonly node: string;
    readonly kinds: readonly string[];
    readonly limits: number;
    readonly limit: number;
  }
  | { readonly type: "renew"; readonly node: string; readonly claims: readonly ClaimKey[] }
  | { readonly type: "settle"; readonly node: string; readonly settlements: readonly Settlement[] }
  | { readonly type: "cancel"; readonly query: InstanceQuery; readonly limit: number }
  | { readonly type: "reap"; readonly node: string }
  | {
    readonly type: "redrive";
    readonly instances: readonly NewInstance[];
    readonly isForced: boolean;
  }
  | {
    readonly type: "progress";
    readonly claim: ClaimKey;
    readonly progress: { readonly done: number; readonly total: number | null };
  }
  | { readonly type: "putSchedule"; readonly put: Omit<PutSchedule, "at"> }
  | { readonly type: "deleteSchedule"; readonly id: string }
  | { readonly type: "advance"; readonly advances: readonly Advance[] }
  | { readonly type: "backfill"; readonly backfill: Backfill }
  | { readonly type: "pause"; readonly pause: Omit<Pause, "at"> }
  | { readonly type: "resume"; readonly kind: string | null }
  | { readonly type: "retain" }
  | { readonly type: "clear"; readonly query: InstanceQuery; readonly settledBefore: number }
  /** Read what matches, in pages. */
  | { readonly type: "list"; readonly query: InstanceQuery; readonly limit: number }
  | { readonly type: "reopen" };

/**
 * Requests of one turn of the event loop, after both clocks advanced and the wall clock was set
 * back.
 */
export interface Turn {
  readonly afterMs: number;
  readonly backMs: number;
  /** Where the medium fails, if it can: then nothing of the turn has happened. */
  readonly fails: "commit" | "write" | null;
  readonly steps: readonly Step[];
}

const KEY = ["account"];

function job(limits: Partial<JobLimits>): JobLimits {
  return { concurrency: [], rate: [], ...limits };
}

/** Starts of kind "a" count in two windows, of which either may be the narrower. */
function twice(first: number, second: number) {
  return [{ max: first, perMs: 1_000, by: [] }, { max: second, perMs: 4_000, by: [] }];
}

/**
 * Limits of nodes: none, slots, rates, both, pools. Those from number {@link RATED_FROM} on have
 * rates. Those of one kind have the same windows: how a new window counts earlier starts is not
 * promised.
 */
const LIMITS: readonly (() => ClaimLimits)[] = [
  () => ({ kinds: new Map(), pools: [] }),
  () => ({
    kinds: new Map([
      ["a", job({ concurrency: [{ max: 1, by: [], per: "cluster" }] })],
      ["b", job({ concurrency: [{ max: 1, by: KEY, per: "cluster" }] })],
    ]),
    pools: [],
  }),
  () => ({
    kinds: new Map([["a", job({ concurrency: [{ max: 1, by: KEY, per: "node" }] })]]),
    pools: [
      { name: "p", kinds: new Set(["a", "b"]), max: 1 },
      { name: "q", kinds: new Set(["b", "c"]), max: 2 },
    ],
  }),
  () => ({
    kinds: new Map([
      ["a", job({ rate: twice(2, 3) })],
      ["b", job({ rate: [{ max: 1, perMs: 2_000, by: KEY }] })],
    ]),
    pools: [{ name: "p", kinds: new Set(["a", "c"]), max: 2 }],
  }),
  () => ({
    kinds: new Map([
      [
        "a",
        job({
          concurrency: [{ max: 2, by: KEY, per: "node" }],
          rate: [{ max: 2, perMs: 3_000, by: KEY }, ...twice(1, 5)],
        }),
      ],
      ["c", job({ concurrency: [{ max: 1, by: [], per: "node" }] })],
    ]),
    pools: [],
  }),
  () => ({
    kinds: new Map([
      ["b", job({ rate: [{ max: 2, perMs: 2_000, by: KEY }, { max: 3, perMs: 1_000, by: [] }] })],
      ["c", job({ rate: [{ max: 1, perMs: 5_000, by: KEY }] })],
    ]),
    pools: [{ name: "p", kinds: new Set(["a", "b", "c"]), max: 3 }],
  }),
];

/** The first number of limits with rates. */
export const RATED_FROM = 3;
/** The number of limits. */
export const LIMITS_COUNT: number = LIMITS.length;

/** A new object of the limits with a number. */
export function limitsOf(number: number): ClaimLimits {
  return LIMITS[number]!();
}
