import { batteryCases, combinedCases } from "./battery_cases.ts";
import { cancelCases } from "./cancel_cases.ts";
import { childrenCases } from "./children_cases.ts";
import { claimCases } from "./claim_cases.ts";
import { enqueueCases, flowCases } from "./enqueue_cases.ts";
import { externalCases } from "./external_cases.ts";
import { limitCases } from "./limit_cases.ts";
import { logCases } from "./log_cases.ts";
import { memoCases } from "./memo_cases.ts";
import { newsCases } from "./news_cases.ts";
import { nodeCases } from "./node_cases.ts";
import { openCases } from "./open_cases.ts";
import { overlapCases } from "./overlap_cases.ts";
import { readCases } from "./read_cases.ts";
import { recordCases } from "./record_cases.ts";
import { redriveCases } from "./redrive_cases.ts";
import { retentionCases } from "./retention_cases.ts";
import { scheduleCases } from "./schedule_cases.ts";
import { slotCases } from "./slot_cases.ts";
import { settleCases } from "./settle_cases.ts";
import { spanCases } from "./span_cases.ts";
import { stepCases } from "./step_cases.ts";
import { unwindingCases } from "./unwinding_cases.ts";
import { CaseTime, type OpenFixture, type StoreCases, StoreWorld } from "./world/store_world.ts";

/** The guarantees of a store, in words for its operator, with the cases that check them. */
export const GUARANTEES: Readonly<Record<string, StoreCases>> = {
  "contention, fences, lost answers, values": batteryCases,
  "openings, epochs, hints": openCases,
  "accepting once, unique keys": enqueueCases,
  "claims in order, leases, takeover": claimCases,
  "limits, rates and pauses": limitCases,
  "slots kept to the end": slotCases,
  "outcomes, retries, crashes, deadlines": settleCases,
  "logs": logCases,
  "canceling": cancelCases,
  "dead letters run again once": redriveCases,
  "instances that schedule others": flowCases,
  "steps, waits and signals": stepCases,
  "several children": childrenCases,
  "taking back what steps did": unwindingCases,
  "each tick once": scheduleCases,
  "ticks that overlap": overlapCases,
  "runs elsewhere": externalCases,
  "nodes": nodeCases,
  "reading and paging under writes": readCases,
  "counting and listing by time": spanCases,
  "retention": retentionCases,
  "memos": memoCases,
  "news of ends and of missed ticks": newsCases,
  "combinations": combinedCases,
  "moving, saving, restoring": recordCases,
};

/** Every rule of the `Store` interface, each as one case. */
export const STORE_CASES: StoreCases = Object.assign({}, ...Object.values(GUARANTEES));

/** Run one case on a new store, which it opens and ends. @throws the fault that the case found */
export async function runCase(run: StoreCases[string], open: OpenFixture): Promise<void> {
  const time = new CaseTime();
  const fixture = await open({ clock: () => time.at });
  try {
    await fixture.store.open({ at: { ...time.at, monotonicMs: 0 }, node: "n1" });
    await run(new StoreWorld(fixture.store, fixture, time));
  } finally {
    await fixture.end();
  }
}
