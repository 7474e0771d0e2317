import assert from "node:assert/strict";
import { isFinal } from "../../src/core/state.ts";
import {
  compareReady,
  emptyCounts,
  isHeld,
  isKeyed,
  type KindCounts,
  readyKeyOf,
  type Row,
  stateIndex,
} from "../../src/store/ledger/tables/row.ts";
import type { Tables } from "../../src/store/ledger/tables/tables.ts";

/** Check that counts and offered rows match the rows. */
export function checkTables(tables: Tables): void {
  const all = { from: 1, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1_000 };
  const rows = tables.instances.scan({ type: "all" }, all);
  checkCounts(rows, tables);
  for (const { seq, instance: { uniqueKey, state } } of rows) {
    if (uniqueKey === null || isFinal(state)) continue;
    assert.equal(tables.instances.openByKey(uniqueKey)?.seq, seq, `who holds key ${uniqueKey}`);
  }
  const held = new Map<string, number>();
  for (const row of rows.filter(isHeld)) {
    const id = row.instance.scheduleId!;
    held.set(id, (held.get(id) ?? 0) + 1);
  }
  assert.deepEqual(tables.instances.countHeld(), held, "held instances");
  const queues = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.isReady !== true || !isKeyed(row.instance)) continue;
    const name = `${row.instance.kind} ${row.instance.queueKey}`;
    queues.set(name, [...queues.get(name) ?? [], row]);
  }
  for (const [name, waiting] of queues) {
    waiting.sort((left, right) => compareReady(readyKeyOf(left), readyKeyOf(right)));
    const offered = waiting.filter(({ isBehind }) => !isBehind).map(({ seq }) => seq);
    const isBack = tables.limits.delayOf(waiting[0]!.instance) !== null;
    assert.deepEqual(offered, isBack ? [] : [waiting[0]!.seq], `what queue ${name} offers`);
  }
}

function checkCounts(rows: readonly Row[], tables: Tables): void {
  const expected = new Map<string, KindCounts>();
  for (const { instance: { kind, state }, isReady, isBehind } of rows) {
    let counts = expected.get(kind);
    if (!counts) expected.set(kind, counts = emptyCounts());
    counts.states[stateIndex(state)]! += 1;
    if (isReady === true) counts.ready += 1;
    if (isReady === false) counts.later += 1;
    if (isBehind) counts.behind += 1;
  }
  for (const [kind, counts] of tables.kinds.read()) {
    assert.deepEqual(counts, expected.get(kind) ?? emptyCounts(), `counts of kind ${kind}`);
    expected.delete(kind);
  }
  assert.deepEqual([...expected.keys()], [], "kinds that are not counted");
}
