import { JobError } from "../../core/errors.ts";
import type { StoreContent, StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { StoreInfo } from "../../store/store.ts";
import type { ManagerParts } from "../manager_parts.ts";

/** Time beyond the drain time for other nodes to end or lose what they run, in milliseconds. */
const OTHERS_MS = 5_000;

/** Maintains the store of a manager, one work at a time. */
export class StoreMaintenance {
  readonly #parts: ManagerParts;
  #work: StoreWork["type"] | null = null;
  /** Resumes what a move suspended; null if nothing is suspended. */
  #resume: (() => void) | null = null;
  #problem: string | null = null;

  constructor(parts: ManagerParts) {
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
      throw new JobError(
        "unavailable",
        "Cannot run store maintenance: the manager is not running",
      );
    }
    const { options, store } = this.#parts;
    const { workOnStore, node, clock, drainMs, leaseMs } = options;
    if (!workOnStore) {
      throw new JobError(
        "unimplemented",
        "Cannot run store maintenance: this manager does none",
      );
    }
    const isShort = work.type === "info";
    if (this.#work !== null && !isShort) {
      throw new JobError("conflict", `Cannot ${work.type} the store: "${this.#work}" is running`, {
        hint: "Wait until it has ended",
      });
    }
    if (!isShort) this.#work = work.type;
    try {
      const steps = workOnStore(work, {
        ...{ store, info, node, clock, signal },
        suspend: () => this.#suspend(),
        drainMs: drainMs + leaseMs + OTHERS_MS,
      });
      for await (const step of steps) {
        if (step.type === "report" && work.type === "migrate") this.#noteMove(step.report);
        yield step;
      }
      if (work.type === "undo") this.#resumeNow();
    } finally {
      if (!isShort) this.#work = null;
    }
  }

  /** See {@link ManagerApi.storeContent}. */
  async content(info: StoreInfo | null): Promise<StoreContent> {
    for await (const step of this.run({ type: "info" }, info, undefined)) {
      if (step.type === "report") return step.report as unknown as StoreContent;
    }
    throw new JobError("internal", "Cannot describe the store: there is no report");
  }

  // Otherwise the daemon would look idle to anyone who does not know about the move.
  #noteMove({ to }: Readonly<Record<string, unknown>>): void {
    this.#problem = `it moved to ${to}, and nothing runs here: write that as store.url in the ` +
      "configuration and restart the daemon";
    this.#parts.options.logger.warn(`The store: ${this.#problem}`);
  }

  /**
   * Begin nothing more and wait until nothing runs. Attempts that do not end within the drain time
   * are aborted and released, and keep their number of attempts.
   */
  async #suspend(): Promise<() => void> {
    const { options, dispatcher, scheduler, janitor } = this.#parts;
    if (this.#resume === null) {
      scheduler.stop();
      janitor.stop();
      await dispatcher.drain({ drainMs: options.drainMs });
      this.#resume = () => {
        dispatcher.start();
        scheduler.resume();
        janitor.start();
      };
    }
    return () => this.#resumeNow();
  }

  #resumeNow(): void {
    const resume = this.#resume;
    this.#resume = null;
    this.#problem = null;
    resume?.();
  }
}
