import { quietMs } from "./claiming/claims.ts";
import type { OperationOptions } from "./group.ts";
import type { Reach } from "./maintenance/marks.ts";
import type { LedgerState } from "./state.ts";

/** How a ledger runs an operation. */
export type OperationKind = OperationOptions & {
  /** What may stand over the store meanwhile. */
  readonly reach?: Reach;
};

/** Refused while the store is about to move. */
export const NEW: OperationKind = { reach: "new" };
/** Done whatever stands over the store. */
export const ALWAYS: OperationKind = { reach: "moving" };
/** Who finds nothing asks again. */
export const LATE: OperationKind = { canBeLate: true };
/** Asked every other second, mostly for nothing. */
export const REAP: OperationKind = {
  ...LATE,
  isIdle: (state, moment) => quietMs(state, moment) > 0,
};
/** An only owner keeps leases in memory. */
export const RENEW: OperationKind = {
  ...LATE,
  isIdle: (state: LedgerState) => state.tables.shared === undefined,
};
/** An only owner keeps nodes in memory. */
export const REPORT: OperationKind = {
  ...ALWAYS,
  isIdle: (state: LedgerState) => state.tables.shared === undefined,
};
