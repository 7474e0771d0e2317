import { test } from "node:test";
import { runCase, STORE_CASES } from "./cases.ts";
import type { OpenFixture, StoreCases } from "./world/store_world.ts";

export { runCase, STORE_CASES } from "./cases.ts";
export {
  CaseTime,
  type FixtureOptions,
  type OpenFixture,
  START,
  type StoreCases,
  type StoreFixture,
  StoreWorld,
} from "./world/store_world.ts";

/** Cases that a store may fail. */
export interface Exceptions {
  /** The reason, which the report shows. */
  readonly reason: string;
  /** Their names. */
  readonly tests: readonly string[];
}

/**
 * Run the conformance suite with `node:test`, under Node, Bun or Deno: every rule of the `Store`
 * interface, each on its own store.
 *
 * @param name of the store, before the names of the cases
 * @param open makes a store that is not yet open
 * @throws TypeError for an exception that names no case
 */
export function storeConformance(
  name: string,
  open: OpenFixture,
  options: {
    readonly skip?: readonly Exceptions[];
    /** Additional cases of this store. */
    readonly cases?: StoreCases;
  } = {},
): void {
  const cases: StoreCases = { ...STORE_CASES, ...options.cases };
  const skipped = new Map<string, string>();
  for (const { reason, tests } of options.skip ?? []) {
    for (const title of tests) {
      if (!(title in cases)) throw new TypeError(`Cannot skip "${title}": there is no such case`);
      skipped.set(title, reason);
    }
  }
  for (const [title, run] of Object.entries(cases)) {
    const reason = skipped.get(title);
    test(`${name}: ${title}`, { skip: reason ?? false }, () => runCase(run, open));
  }
}
