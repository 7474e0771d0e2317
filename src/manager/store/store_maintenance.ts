import { JobError } from "../../core/errors.ts";
import type { StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { StoreInfo } from "../../store/store.ts";
import { holdWork } from "./hold.ts";
import type { ManagerParts } from "../manager_parts.ts";

/** How long other nodes may take beyond the drain time to end or lose what they run, in milliseconds. */
const OTHERS_MS = 5_000;

/** Looks after the store of a manager, one work at a time. */
export class StoreMaintenance {
  readonly #parts: () => ManagerParts;
  #work: StoreWork["type"] | null = null;
  /** Goes on with what a move held. */
  #resume: (() => void) | null = null;
  #problem: string | null = null;

  /** @param parts of the manager, asked for when there is something to do */
  constructor(parts: () => ManagerParts) {
    this.#parts = parts;
  }

  /** Where the store has moved to, and what to do; null while it is in use. */
  get problem(): string | null {
    return this.#problem;
  }

  /** See {@link ManagerApi.workOnStore}. */
  async *run(
    work: StoreWork,
    info: StoreInfo | null,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreStep> {
    if (!info) {
      throw new JobError("unavailable", "Cannot look after the store: the manager does not run");
    }
    const { options, store } = this.#parts();
    const { workOnStore, node, clock, drainMs, leaseMs } = options;
    if (!workOnStore) {
      throw new JobError("unimplemented", "Cannot look after the store: nobody does so here");
    }
    const isShort = work.type === "info";
    if (this.#work !== null && !isShort) {
      throw new JobError("conflict", `Cannot ${work.type} the store: "${this.#work}" goes on`, {
        hint: "Wait until it has ended",
      });
    }
    if (!isShort) this.#work = work.type;
    try {
      const steps = workOnStore(work, {
        ...{ store, info, node, clock },
        suspend: () => this.#hold(),
        drainMs: drainMs + leaseMs + OTHERS_MS,
        ...(signal ? { signal } : {}),
      });
      for await (const step of steps) {
        if (step.type === "report" && work.type === "migrate") this.#noteMove(step.report);
        yield step;
      }
      if (work.type === "undo") this.#goOn();
    } finally {
      if (!isShort) this.#work = null;
    }
  }

  // Otherwise the daemon would look idle to anyone who does not know about the move.
  #noteMove({ to }: Readonly<Record<string, unknown>>): void {
    this.#problem = `it moved to ${to}, and nothing runs here: write that as store.url in the ` +
      "configuration and restart the daemon";
    this.#parts().options.logger.warn(`The store: ${this.#problem}`);
  }

  async #hold(): Promise<() => void> {
    this.#resume ??= await holdWork(this.#parts());
    return () => this.#goOn();
  }

  #goOn(): void {
    const resume = this.#resume;
    this.#resume = null;
    this.#problem = null;
    resume?.();
  }
}
