/** Calls of a flow to its node. */
export type FlowMethod =
  | "flow.load"
  | "flow.put"
  | "flow.call"
  | "flow.callAll"
  | "flow.children"
  | "flow.cancel";

/** Children to call at once. */
export interface ChildrenCall {
  /** Key of the call. */
  readonly key: string;
  readonly kind: string;
  /** The arguments of each. */
  readonly args: readonly (readonly unknown[])[];
  /** True to end the wait at the first failure. */
  readonly isFast: boolean;
  /** Failures after which the wait ends; null: any number. */
  readonly failuresMax: number | null;
  /** Most children under way at once; null: all. */
  readonly inFlight: number | null;
  /** True to record no results. */
  readonly isBare: boolean;
}

/** A page of the records of an instance. */
export interface RecordPage {
  readonly records: readonly (readonly [key: string, data: string])[];
  /** The key after which the next page begins; null for the last page. */
  readonly after: string | null;
}
