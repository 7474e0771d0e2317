import { type Instance, isElsewhere } from "../../../core/instance.ts";
import { loseAttempt } from "../claiming/claims.ts";
import type { KeptClaims, OpenRequest } from "../../store.ts";
import type { LedgerState, Moment } from "../state.ts";
import { fencesOf, takeBack } from "./nodes.ts";

const NONE: KeptClaims = { claims: [], leaseMs: 0 };

/** Rows taken back at a time. */
const RECOVER_ROWS = 1_000;

/** Take back every claim of an earlier opening: its leases are void. Kept ones get a new lease. */
export function recover(
  state: LedgerState,
  moment: Moment,
  keeps: KeptClaims = NONE,
): readonly Instance[] {
  const kept = fencesOf(keeps.claims);
  // An opening is always stored, with its revision.
  state.isDirty = true;
  const recovered: Instance[] = [];
  for (const kind of state.counts.keys()) {
    const index = { type: "kindState", kind, state: "processing" } as const;
    const all = { to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: RECOVER_ROWS };
    for (let from = 1;;) {
      const rows = state.tables.instances.scan(index, { ...all, from });
      for (const row of rows) {
        const { id, fence } = row.instance;
        if (kept.get(id) === fence) {
          state.setLease(id, { row, untilMs: moment.monotonicMs + keeps.leaseMs });
        } else if (!isElsewhere(row.instance)) recovered.push(loseAttempt(state, moment, row));
      }
      if (rows.length < RECOVER_ROWS) break;
      from = rows.at(-1)!.seq + 1;
    }
  }
  return recovered;
}

/**
 * Take back the claims of a node that opens a shared store, unless a session of its id may be live:
 * joining then decides. Claims of other nodes keep their leases.
 */
export function recoverNode(
  state: LedgerState,
  moment: Moment,
  { node, keeps = NONE }: Pick<OpenRequest, "node" | "keeps">,
): readonly Instance[] {
  const session = state.nodes.get(node);
  if (session && session.record.leftAt === null) return [];
  return takeBack(state, moment, { id: node, keeps: keeps.claims });
}
