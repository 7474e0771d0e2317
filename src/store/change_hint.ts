import type { ClaimKey } from "./store.ts";

/** What changed, told after the commit; hints may be merged, and missing one costs time, never an instance. */
export type ChangeHint =
  | { readonly type: "instances"; readonly dueAt: number }
  | { readonly type: "schedules" }
  | { readonly type: "cancel"; readonly claims: readonly ClaimKey[] }
  | { readonly type: "pauses" }
  /** A node came, left, serves other kinds, or is to have another number of workers. */
  | { readonly type: "nodes" }
  /** A claim gave nothing, as instances wait whose deadline has passed: they are to be reaped first. */
  | { readonly type: "deadlines" };
