import type { FromWorker } from "../protocol.ts";

/** Most late errors logged per worker: after a few, the cause is known. */
const LATE_MAX = 3;
/**
 * Unknown messages tolerated per worker: some job code calls `process.send` for programs that may
 * have started it.
 */
const STRAY_MAX = 100;
/** Shortest average time between two progress reports passed on; a few may come at once. */
const PROGRESS_EVERY_MS = 250;
const PROGRESS_AT_ONCE = 10;

/** The properties that decide which messages a run may send. */
export interface ExpectedRun {
  readonly number: number;
  /** True if the worker must report that job code starts. */
  readonly wantsStarted: boolean;
  /** True if a handler of the job may run after its code, as part of the attempt. */
  readonly hasLastWord: boolean;
  /** The token that its result must carry. */
  readonly token: string;
}

/** Accept a message, drop it, or end the worker because its own program would never send it. */
export type Verdict = "take" | "drop" | { readonly problem: string };

/**
 * Decides which messages a worker may send now. Job code has access to the worker's end of the
 * channel, so any message may be forged: each is accepted once per run, and only where the worker's
 * own program would send it.
 */
export class MessageOrder {
  #isGreeted = false;
  #run: ExpectedRun | null = null;
  #lastNumber = 0;
  #hasBegun = false;
  #hasDecided = false;
  #hasResult = false;
  #hasCalled = false;
  #lates = 0;
  #strays = 0;
  #progress = PROGRESS_AT_ONCE;
  #progressMs = 0;

  /** The worker was given a run, or has started the next one of a batch. */
  begin(run: ExpectedRun): void {
    this.end();
    this.#run = run;
    this.#hasBegun =
      this.#hasDecided =
      this.#hasResult =
      this.#hasCalled =
        false;
    this.#progress = PROGRESS_AT_ONCE;
  }

  end(): void {
    if (this.#run !== null) this.#lastNumber = this.#run.number;
    this.#run = null;
  }

  /** Judge an unknown message. */
  stray(): Verdict {
    this.#strays += 1;
    if (this.#strays <= STRAY_MAX) return "drop";
    return { problem: `more than ${STRAY_MAX} meaningless messages` };
  }

  /** Judge a message; an accepted one counts as sent. */
  judge(message: FromWorker, nowMs: number): Verdict {
    const { type } = message;
    if (type === "hello" || type === "unfit") {
      if (this.#isGreeted) return again(type);
      if (type === "hello") this.#isGreeted = true;
      return "take";
    }
    if (!this.#isGreeted) return { problem: `"${type}" before "hello"` };
    if (type === "late") return this.#late(message.run);
    const run = this.#run;
    // It was in flight when its run ended.
    if (run === null || message.run < run.number) return this.stray();
    if (message.run > run.number) return { problem: `"${type}" for a run that it was not given` };
    if (this.#hasResult) return type === "call" ? "drop" : { problem: `"${type}" after "result"` };
    return this.#judgeRun(message, run, nowMs);
  }

  #judgeRun(
    message: Exclude<FromWorker, { readonly type: "hello" | "unfit" | "late" }>,
    run: ExpectedRun,
    nowMs: number,
  ): Verdict {
    switch (message.type) {
      case "started":
        if (this.#hasBegun || !run.wantsStarted) return again("started");
        this.#hasBegun = true;
        return "take";
      case "progress":
        return this.#mayProgress(nowMs) ? "take" : "drop";
      case "call":
        this.#hasCalled = true;
        return "take";
      case "decided":
        if (this.#hasDecided || message.result.type === "unstarted") return again("decided");
        this.#hasDecided = true;
        // It would only extend the time of a missing handler.
        return run.hasLastWord ? "take" : "drop";
      case "result":
        if (message.token !== run.token) {
          return { problem: '"result" without the token of its run' };
        }
        // A run that has started cannot be released.
        if (message.result.type === "unstarted" && (this.#hasBegun || !run.wantsStarted)) {
          return { problem: '"unstarted" after the run had started' };
        }
        this.#hasResult = true;
        return "take";
      case "refused":
        if (this.#hasBegun || this.#hasDecided || this.#hasCalled) {
          return { problem: '"refused" after the run had started' };
        }
        return "take";
    }
  }

  // In a batch it may arrive before the result of the run that caused it.
  #late(run: number): Verdict {
    if (run !== this.#run?.number && run !== this.#lastNumber) return this.stray();
    this.#lates += 1;
    return this.#lates <= LATE_MAX ? "take" : "drop";
  }

  #mayProgress(nowMs: number): boolean {
    const more = (nowMs - this.#progressMs) / PROGRESS_EVERY_MS;
    this.#progress = Math.min(PROGRESS_AT_ONCE, this.#progress + more);
    this.#progressMs = nowMs;
    if (this.#progress < 1) return false;
    this.#progress -= 1;
    return true;
  }
}

function again(type: string): Verdict {
  return { problem: `"${type}" when it was not expected` };
}
