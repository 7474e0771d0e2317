import assert from "node:assert/strict";
import type { Row } from "../../src/store/ledger/tables/row.ts";
import type { Tables } from "../../src/store/ledger/tables/tables.ts";
import { KEYS } from "../../src/store/replica/keys.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const ALL = { from: 1, to: MAX, isReverse: false, limit: 100_000 };
const LINES = { order: "written", limit: 100_000, beforeAt: 0, afterAt: 0, afterPlace: 0 } as const;

/**
 * Check that replicas equal one that was freshly loaded, and that the medium has exactly these
 * rows.
 */
export function checkReplicas(
  replicas: readonly Tables[],
  { loaded, rows }: { readonly loaded: Tables; readonly rows: ReadonlyMap<string, string> },
): void {
  const expected = contentOf(loaded);
  for (const [index, tables] of replicas.entries()) {
    const name = `replica ${index} beside one loaded afresh`;
    assert.deepEqual(Object.fromEntries(contentOf(tables)), Object.fromEntries(expected), name);
  }
  // Nodes and renewals are not in the tables.
  const stored = [...rows.keys()].filter((key) => !/^(head$|l\/|n\/|c\/|x\/)/.test(key));
  assert.deepEqual(stored.sort(), [...expected.keys()].sort(), "keys of the medium");
  const claimed = loaded.instances.scan({ type: "all" }, ALL).filter(({ instance }) =>
    instance.state === "processing"
  ).map(({ seq }) => KEYS.lease(seq));
  const renewals = [...rows.keys()].filter((key) => key.startsWith("l/"));
  assert.deepEqual(renewals.filter((key) => !claimed.includes(key)), [], "renewals of no claim");
}

/** The content of tables, by the medium's keys, without each replica's own indexes. */
export function contentOf(tables: Tables): Map<string, unknown> {
  const content = new Map<string, unknown>();
  for (const row of tables.instances.scan({ type: "all" }, ALL)) addRow(content, tables, row);
  for (const { place, ...line } of tables.logs.read({ instanceSeq: null, ...LINES })) {
    content.set(KEYS.log(place), line);
  }
  for (const one of tables.schedules.list({ afterId: null, isReverse: false, limit: MAX })) {
    content.set(KEYS.schedule(one.id), one);
  }
  for (const fate of tables.ticks.all(null, MAX)) {
    content.set(KEYS.tick(fate), fate);
  }
  for (const one of tables.limits.windows(null, MAX)) content.set(KEYS.window(one), one);
  for (const pause of tables.pauses.all()) content.set(KEYS.pause(pause.kind), pause);
  const memos = tables.memos.list({ prefix: "", after: null, limit: MAX });
  for (const memo of memos) content.set(KEYS.memo(memo.key), memo);
  const mark = tables.maintenance.readMark();
  if (mark) content.set(KEYS.mark, mark);
  return content;
}

function addRow(content: Map<string, unknown>, tables: Tables, row: Row): void {
  const { seq, instance, expireAt } = row;
  content.set(KEYS.instance(seq), { instance, expireAt });
  for (const departure of tables.endedAttempts.list(seq, 1, MAX)) {
    content.set(KEYS.endedAttempt({ seq, attempt: departure.attempt }), departure);
  }
}
