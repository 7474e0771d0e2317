import type { Instance } from "../../core/instance.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../core/payload_chars.ts";
import { pagesOf } from "../../core/query.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import {
  BATCH_MAX,
  type ClaimKey,
  type InstanceQuery,
  type LogQuery,
  type Store,
} from "../../store/store.ts";
import type { PartContext } from "../context/part_context.ts";
import { countAll } from "./count_up_to.ts";
import type { Semaphore } from "./semaphore.ts";

/** Most instances that an operation on many returns. */
const INSTANCES_MAX = 10_000;
/** Rows deleted in one transaction, so that claims never wait long for it. */
const DELETE_BATCH = 500;

/** Dependencies of bulk operations on instances. */
export interface BulkParts extends Pick<PartContext, "store" | "registry" | "events"> {
  readonly options: Pick<PartContext, "clock" | "ids" | "random">;
  /** Limits their concurrent writes. */
  readonly bulk: Semaphore;
  readonly dispatcher: {
    poke(): void;
    abort(cause: "canceled", claims: readonly ClaimKey[]): void;
  };
}

/** The result of an operation that changed many instances: they may not all fit in memory. */
export class ChangedInstances {
  readonly #instances: Instance[] = [];
  #chars = 0;

  add(instances: readonly Instance[]): void {
    for (const instance of instances) {
      if (this.#instances.length >= INSTANCES_MAX) return;
      this.#chars += instanceChars(instance);
      const hasRoom = this.#chars <= PAGE_CHARS_MAX;
      this.#instances.push(
        hasRoom ? instance : { ...instance, argumentsJson: "[]", resultsJson: null },
      );
    }
  }

  /** The first 10,000. After the first megabytes they have no arguments and results. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }
}

/** Count instances that match; uses the store's counts if only kinds and states are given. */
export async function countInstances(
  store: Pick<Store, "stats" | "list">,
  query: InstanceQuery,
): Promise<number> {
  const { kinds: _, states: __, ...others } = query;
  if (Object.values(others).every((value) => value === undefined)) {
    return await countAll(store, query);
  }
  let count = 0;
  const pages = pagesOf((token) => store.list(query, { limit: BATCH_MAX, token }));
  for await (const items of pages) count += items.length;
  return count;
}

/** Delete final instances that match, with history and logs. Returns their number. */
export function clearInstances(
  store: Store,
  clock: Clock,
  which: { readonly query: InstanceQuery; readonly settledBefore?: number | undefined },
): Promise<number> {
  const { query, settledBefore = Number.MAX_SAFE_INTEGER } = which;
  return inBatches(clock, async (at) => {
    const request = { at, query, settledBefore, limit: DELETE_BATCH };
    return (await store.clearInstances(request)).value.length;
  });
}

/** Delete log lines that match. Returns their number. */
export function clearLogs(store: Store, clock: Clock, query: LogQuery): Promise<number> {
  return inBatches(clock, async (at) => {
    return (await store.clearLogs({ at, query, limit: DELETE_BATCH })).value;
  });
}

async function inBatches(clock: Clock, clear: (at: Instant) => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await clear(clock.now());
    total += count;
    if (count === 0) return total;
  }
}
