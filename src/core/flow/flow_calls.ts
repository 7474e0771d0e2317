/** Calls of a flow to its node. */
export type FlowMethod = "flow.load" | "flow.put" | "flow.call" | "flow.callAll" | "flow.cancel";

/** A page of the records of an instance. */
export interface RecordPage {
  readonly records: readonly (readonly [key: string, data: string])[];
  /** The key after which the next page begins; null for the last page. */
  readonly after: string | null;
}
