import type { Block } from "../../../core/job/limits.ts";
import type { NextDueRequest } from "../../store.ts";
import { Gate } from "./gate.ts";
import type { LedgerState, Moment } from "../state.ts";

const BLOCKS_MAX = 100;

/** The limit that blocks the claim of a due instance; null without one. */
export function blockOf(
  state: LedgerState,
  moment: Moment,
  request: NextDueRequest & { readonly id: string },
): Block | null {
  const row = state.tables.instances.get(request.id);
  if (row?.instance.state !== "scheduled" || row.instance.dueAt > moment.wallMs) return null;
  const gate = new Gate(state, moment, request);
  const { kind } = row.instance;
  if (!gate.isLimited(kind)) return null;
  return gate.blockOfKind(kind) ?? gate.blockOfQueue(row.instance);
}

/** Limits that are reached while instances wait; of queues with a key, only claimed ones count. */
export function listBlocks(
  state: LedgerState,
  moment: Moment,
  request: NextDueRequest,
): readonly Block[] {
  const gate = new Gate(state, moment, request);
  const blocks: Block[] = [];
  for (const [kind, counts] of state.counts) {
    if (counts.ready === 0 || !gate.isLimited(kind)) continue;
    const found = gate.blockOfKind(kind);
    if (found && !blocks.some(({ limit, name }) => limit === found.limit && name === found.name)) {
      blocks.push(found);
    }
    for (const queueKey of state.usage.queuesOf(kind)) {
      if (blocks.length >= BLOCKS_MAX) return blocks;
      const block = gate.blockOfQueue({ kind, queueKey });
      if (block && hasWaiting(state, kind, queueKey)) blocks.push(block);
    }
  }
  return blocks.slice(0, BLOCKS_MAX);
}

function hasWaiting({ tables }: LedgerState, kind: string, queueKey: string): boolean {
  return [false, true].some((isBehind) =>
    tables.waiting.firstOfQueue({ kind, queueKey }, isBehind)
  );
}
