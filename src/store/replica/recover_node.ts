import type { Instance } from "../../core/instance.ts";
import { loseAttempt } from "../ledger/claiming/claims.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";

/**
 * Take back what a node held that opens the store, unless a session of its id may be live: then joining decides. Other nodes'
 * claims keep their leases.
 */
export function recoverNode(
  state: LedgerState,
  moment: Moment,
  node: string,
): readonly Instance[] {
  const session = state.nodes.get(node);
  if (session && session.record.leftAt === null) return [];
  const lost = [...state.leases.values()].filter(({ row }) => row.instance.node === node);
  return lost.map(({ row }) => loseAttempt(state, moment, row));
}
