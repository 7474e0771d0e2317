import type { FromWorker } from "./protocol.ts";

/** Errors of what ended runs left behind that are told for one worker; what it left behind is known after a few. */
const LATE_MAX = 3;
/** Messages without a meaning that a worker may send: job code uses `process.send` for programs that are not there. */
const STRAY_MAX = 100;
/** Changes of the process group of one command: it is begun, and it is gone. */
const GROUPS_MAX = 4;
/** Shortest time between two reports of progress that are told, but for a few that may come at once. */
const PROGRESS_EVERY_MS = 250;
const PROGRESS_AT_ONCE = 10;

/** What decides which messages a run may send. */
export interface ExpectedRun {
  readonly number: number;
  /** Whether the worker has to say that job code begins. */
  readonly wantsStarted: boolean;
  readonly isCommand: boolean;
  /** Whether a handler of the job may run after its code, as part of the attempt. */
  readonly hasLastWord: boolean;
  /** What its result has to carry. */
  readonly token: string;
}

/** What to do with a message: take it, forget it, or end the worker, which cannot have sent it by itself. */
export type Verdict = "take" | "drop" | { readonly problem: string };

/**
 * Which messages a worker may send now. Job code has the worker's end of the channel, so that any message may be made up: each
 * counts once for each run, and only where the worker's own program would send it.
 */
export class MessageOrder {
  #isGreeted = false;
  #run: ExpectedRun | null = null;
  #lastNumber = 0;
  #hasBegun = false;
  #hasDecided = false;
  #hasResult = false;
  #hasCalled = false;
  #groups = 0;
  #lates = 0;
  #strays = 0;
  #progress = PROGRESS_AT_ONCE;
  #progressMs = 0;

  /** The worker was given a run, or has begun the next one of a batch. */
  begin(run: ExpectedRun): void {
    this.end();
    this.#run = run;
    this.#hasBegun =
      this.#hasDecided =
      this.#hasResult =
      this.#hasCalled =
        false;
    this.#groups = 0;
    this.#progress = PROGRESS_AT_ONCE;
  }

  /** The run is over. */
  end(): void {
    if (this.#run !== null) this.#lastNumber = this.#run.number;
    this.#run = null;
  }

  /** Judge what is no message of ours. */
  stray(): Verdict {
    this.#strays += 1;
    if (this.#strays <= STRAY_MAX) return "drop";
    return { problem: `more than ${STRAY_MAX} meaningless messages` };
  }

  /** Judge a message; one that is taken counts as sent. */
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
    // What was on its way when its run ended.
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
      case "group":
        this.#groups += 1;
        if (run.isCommand && this.#groups <= GROUPS_MAX) return "take";
        return {
          problem: `"group" ${run.isCommand ? "too often" : "for a job that is not a command"}`,
        };
      case "decided":
        if (this.#hasDecided || message.result.type === "unstarted") return again("decided");
        this.#hasDecided = true;
        // It would only gain time for a handler that there is not.
        return run.hasLastWord ? "take" : "drop";
      case "result":
        if (message.token !== run.token) {
          return { problem: '"result" without the token of its run' };
        }
        // What has begun cannot be given back.
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

  // In a batch it may come before the result of the run that left it.
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
