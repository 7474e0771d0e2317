import { test } from "node:test";
import { claimCases } from "./claim_cases.ts";
import { combinedCases } from "./combined_cases.ts";
import { enqueueCases } from "./enqueue_cases.ts";
import { limitCases } from "./limit_cases.ts";
import { nodeCases } from "./node_cases.ts";
import { openCases } from "./open_cases.ts";
import { overlapCases } from "./overlap_cases.ts";
import { readCases } from "./read_cases.ts";
import { redriveCases } from "./redrive_cases.ts";
import { retentionCases } from "./retention_cases.ts";
import { scheduleCases } from "./schedule_cases.ts";
import { settleCases } from "./settle_cases.ts";
import { valueCases } from "./value_cases.ts";
import { START, type StoreFixture, StoreWorld } from "./store_world.ts";

/** A case that a store need not pass. */
export interface Exception {
  /** Name of the case. */
  readonly test: string;
  readonly reason: string;
}

/**
 * Run the conformance suite: every rule of the `Store` interface, on a fresh store for each case.
 *
 * @param open makes a store that is not yet open
 */
export function exerciseStore(
  name: string,
  open: () => Promise<StoreFixture>,
  options: { readonly skip?: readonly Exception[] } = {},
): void {
  const cases = {
    ...openCases,
    ...enqueueCases,
    ...claimCases,
    ...limitCases,
    ...settleCases,
    ...redriveCases,
    ...scheduleCases,
    ...overlapCases,
    ...nodeCases,
    ...readCases,
    ...retentionCases,
    ...valueCases,
    ...combinedCases,
  };
  const skipped = new Map(options.skip?.map((one) => [one.test, one.reason]));
  for (const [title, run] of Object.entries(cases)) {
    const reason = skipped.get(title);
    test(`${name}: ${title}`, { skip: reason ?? false }, async () => {
      const fixture = await open();
      try {
        await fixture.store.open({ at: { wallMs: START, monotonicMs: 0 }, node: "n1" });
        await run(new StoreWorld(fixture.store));
      } finally {
        await fixture.end();
      }
    });
  }
}
