import type { LogEntry, Progress } from "../../../core/instance.ts";
import type { ClaimKey, LogAppend } from "../../store.ts";
import { checkBatch } from "../checks.ts";
import type { Row } from "../tables/row.ts";
import { storable } from "../storable.ts";
import type { Lease, LedgerState, Moment } from "../state.ts";

/** Append log lines to claims. @returns the stale ones */
export function appendLogs(
  state: LedgerState,
  _moment: Moment,
  { appends }: { readonly appends: readonly LogAppend[] },
): readonly ClaimKey[] {
  checkBatch(appends.length, "append logs of");
  const stale: ClaimKey[] = [];
  for (const { id, fence, logs, progress } of appends) {
    const lease = fence === 0 ? unclaimed(state, id) : state.leaseOf({ id, fence });
    if (!lease) {
      stale.push({ id, fence });
      continue;
    }
    if (fence === 0) addLines(state, lease.row, { fence, logs });
    else writeLogs(state, progress ? noteProgress(state, lease, progress) : lease, logs);
  }
  return stale;
}

/** The place of lines without a claim. */
function unclaimed(state: LedgerState, id: string): Lease | undefined {
  const row = state.tables.instances.get(id);
  return row ? { row, untilMs: 0 } : undefined;
}

function noteProgress(state: LedgerState, lease: Lease, progress: Progress): Lease {
  const row: Row = { ...lease.row, instance: { ...lease.row.instance, progress } };
  state.update(lease.row, row);
  const noted = { ...lease, row };
  state.setLease(row.instance.id, noted);
  return noted;
}

/** Write lines under a lease. */
export function writeLogs(state: LedgerState, { row }: Lease, logs: readonly LogEntry[]): void {
  if (logs.length > 0) addLines(state, row, { fence: row.instance.fence, logs });
}

/** Write lines, numbered after the instance's existing ones. */
export function addLines(
  state: LedgerState,
  row: Row,
  { fence, logs }: { readonly fence: number; readonly logs: readonly LogEntry[] },
): void {
  const { attempt } = row.instance;
  const last = state.tables.logs.lastSeq(row.seq);
  const rows = logs.map((entry, index) => ({
    at: Math.floor(entry.at),
    level: entry.level,
    message: storable(entry.message),
    source: entry.source,
    attempt,
    fence,
    seq: last + index + 1,
  }));
  state.isDirty = true;
  state.tables.logs.add(row, rows);
}
