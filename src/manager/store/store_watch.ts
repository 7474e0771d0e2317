import { JobError } from "../../core/errors.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { StoreInfo } from "../../store/store.ts";
import type { PartContext } from "../part_context.ts";

/** How often a store that is only ours is looked at, in milliseconds. */
const LOOK_MS = 4_000;

/**
 * Checks that the files of a store are still in their place, also while nothing is written. The
 * store itself refuses to write as soon as they are not.
 */
export class StoreWatch {
  readonly #options: Pick<PartContext, "store" | "clock" | "storeHealth">;
  readonly #timer: LazyTimer;

  constructor(options: Pick<PartContext, "store" | "clock" | "storeHealth">) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => this.#look());
  }

  /** Look from now on, if the store is in files. */
  start({ hasFiles = false }: Pick<StoreInfo, "hasFiles">): void {
    if (hasFiles) this.#timer.setIn(LOOK_MS);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { store, storeHealth } = this.#options;
    const { problem } = store;
    if (problem) storeHealth.failed(new JobError("unavailable", problem), "look at the files");
    else storeHealth.succeeded("look at the files");
    this.#timer.setIn(LOOK_MS);
  }
}
