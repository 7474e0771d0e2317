import { JobError } from "../../core/errors.ts";
import { watchNames } from "../../platform/files/name_watch.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { StoreInfo } from "../../store/store.ts";
import type { PartContext } from "../context/part_context.ts";

/** Interval between looks at a private store whose folder cannot be watched. */
const LOOK_MS = 4_000;
/** The same if its folder is watched: a file can get a second name in another folder. */
const WATCHED_LOOK_MS = 60_000;
/** After a change in the folder, where others may have files too. */
const CHANGED_LOOK_MS = 1_000;

/**
 * Checks that the files of a store are still in place, even without writes. The store itself
 * refuses to write once they are not.
 */
export class StoreWatch {
  readonly #options: Pick<PartContext, "store" | "clock" | "storeHealth">;
  readonly #watchNames: typeof watchNames;
  readonly #timer: LazyTimer;
  #unwatch: (() => void) | null = null;

  constructor(
    options: Pick<PartContext, "store" | "clock" | "storeHealth">,
    watch: typeof watchNames = watchNames,
  ) {
    this.#options = options;
    this.#watchNames = watch;
    this.#timer = new LazyTimer(options.clock, () => this.#look());
  }

  /** Look from now on, if the store is in files. */
  start({ hasFiles = false, location }: Pick<StoreInfo, "hasFiles" | "location">): void {
    if (!hasFiles) return;
    this.#unwatch = this.#watchNames(location, () => {
      this.#timer.setWithin(CHANGED_LOOK_MS);
    });
    this.#arm(false);
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#timer.cancel();
  }

  // A file may lose its second name in another folder, too.
  #arm(isAway: boolean): void {
    this.#timer.setIn(this.#unwatch === null || isAway ? LOOK_MS : WATCHED_LOOK_MS);
  }

  #look(): void {
    const { store, storeHealth } = this.#options;
    const { problem } = store;
    if (problem) storeHealth.failed(new JobError("unavailable", problem), "look at the files");
    else storeHealth.succeeded("look at the files");
    this.#arm(Boolean(problem));
  }
}
