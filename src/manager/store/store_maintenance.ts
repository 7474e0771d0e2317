import { JobError } from "../../core/errors.ts";
import { inTime } from "../../platform/clock.ts";
import type { StoreContent, StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { StoreInfo } from "../../store/store.ts";
import type { ManagerSettings } from "../context/manager_options.ts";

/** Time beyond the drain time for other nodes to end or lose their attempts, in milliseconds. */
const OTHERS_MS = 5_000;
/** Interval between progress reports for a move that another call began, in milliseconds. */
const REPORT_MS = 1_000;

/** A task that is running. */
interface Running {
  readonly work: StoreWork;
  /** Its report when it has ended; null if it failed, or its caller left. */
  readonly ended: Promise<StoreStep | null>;
  progress: StoreStep | null;
}

interface MaintenanceParts extends Pick<ManagerSettings, "store"> {
  readonly options: ManagerSettings;
  readonly dispatcher: {
    start(): void;
    drain(options: { readonly drainMs: number }): Promise<unknown>;
  };
  readonly scheduler: { stop(): void; resume(): void };
  readonly janitor: { start(): void; stop(): void };
}

/** Maintains the store of a manager, one work at a time. */
export class StoreMaintenance {
  readonly #parts: MaintenanceParts;
  #running: Running | null = null;
  /** Resumes the work that a move suspended; null if nothing is suspended. */
  #resume: (() => void) | null = null;
  #problem: string | null = null;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  /** The new place of a moved store, and what to do; null while it is in use. */
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
    while (!isShort && this.#running !== null) {
      // The caller of that move may have been killed: it continues, or ends and is run again.
      const report = yield* this.#join(this.#running, work, signal);
      if (report !== null) return yield report;
    }
    const ended = Promise.withResolvers<StoreStep | null>();
    const running: Running = { work, ended: ended.promise, progress: null };
    if (!isShort) this.#running = running;
    let report: StoreStep | null = null;
    try {
      const steps = workOnStore(work, {
        store,
        info,
        node,
        clock,
        signal,
        suspend: () => this.#suspend(),
        drainMs: drainMs + leaseMs + OTHERS_MS,
      });
      for await (const step of steps) {
        if (step.type === "report" && work.type === "migrate") this.#noteMove(step.report);
        if (step.type === "report") report = step;
        else if (step.type === "progress") running.progress = step;
        yield step;
      }
      if (work.type === "undo") this.#resumeNow();
    } finally {
      if (!isShort) this.#running = null;
      ended.resolve(report);
    }
  }

  /**
   * Wait for the same move, which another call began. @returns its report; null without one
   *
   * @throws JobError `conflict` for another task, `canceled` if the caller leaves
   */
  async *#join(
    running: Running,
    work: StoreWork,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreStep, StoreStep | null> {
    const { work: other } = running;
    const isSame = work.type === "migrate" && other.type === "migrate" && work.to === other.to &&
      work.prefix === other.prefix;
    if (!isSame) {
      throw new JobError("conflict", `Cannot ${work.type} the store: "${other.type}" is running`, {
        hint: "Wait until it has ended",
      });
    }
    yield { type: "progress", text: `Joining the move to ${other.to}, which is running` };
    const { clock } = this.#parts.options;
    const ended = running.ended.then((report) => ({ report }));
    for (let shown: StoreStep | null = null;;) {
      const found = await inTime(ended, REPORT_MS, { clock, late: () => null });
      if (found !== null) return found.report;
      if (signal?.aborted) throw new JobError("canceled", "Stopped waiting for the move");
      if (running.progress !== null && running.progress !== shown) yield shown = running.progress;
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
   * Begin nothing more and wait for running attempts. Attempts that do not end within the drain
   * time are aborted and released, and keep their number of attempts.
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
