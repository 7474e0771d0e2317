import { encodeError } from "../../src/core/arguments/encode.ts";
import type { Clock, Timer } from "../../src/platform/clock.ts";
import type { Random } from "../../src/platform/random.ts";
import type {
  AbortCause,
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
} from "../../src/worker/executor.ts";

/** The behaviour of simulated job code. */
export interface SimJob {
  /** Longest duration in milliseconds. */
  readonly durationMaxMs: number;
  /** Share of attempts that fail. */
  readonly failureShare: number;
  /** Share of attempts that snooze, and as many that discard their instance. */
  readonly snoozeShare?: number;
  /** Share of attempts whose worker dies. */
  readonly crashShare: number;
}

/** An interval in which job code ran, on the true clock. */
export interface SimRun {
  readonly instanceId: string;
  readonly fence: number;
  readonly node: string;
  readonly startedAt: number;
  /** Epoch ms, by the true clock. */
  readonly beganAt: number;
  endedAt: number | null;
  /** Monotonic ms by which it had to end: the lease minus its margin. */
  deadlineMs: number;
}

interface Options {
  /** The true clock, which runs while a node is frozen: that of the guard and of job code. */
  readonly clock: Clock;
  readonly random: Random;
  readonly node: string;
  readonly jobs: Readonly<Record<string, SimJob>>;
  readonly onRun: (run: SimRun) => void;
  readonly onEffect: (instanceId: string, fence: number) => void;
}

/**
 * Workers of the simulation. Job code continues while its node is frozen, as a worker process does,
 * and the guard ends it at the lease's deadline. Its result reaches the node once the node runs.
 */
export class SimExecutor implements Executor {
  readonly waiting = 0;
  readonly #options: Options;
  readonly #live = new Set<() => void>();
  /**
   * Set by the world: delivers a message to the node when it is not frozen, never when it is dead.
   */
  deliver: (message: () => void) => void = (message) => message();

  constructor(options: Options) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  resize(): void {}

  async handle(): Promise<null> {
    return null;
  }

  stats() {
    return { alive: this.#live.size, busy: this.#live.size };
  }

  /** The host dies: job code ends at once, without a message. */
  kill(): void {
    for (const end of [...this.#live]) end();
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    const { clock, random, jobs, node, onRun, onEffect } = this.#options;
    const { instance } = task;
    const job = jobs[instance.kind]!;
    const run: SimRun = {
      instanceId: instance.id,
      fence: instance.fence,
      node,
      startedAt: clock.now().monotonicMs,
      beganAt: clock.now().wallMs,
      endedAt: null,
      deadlineMs: task.deadlineMs,
    };
    onRun(run);
    onEffect(instance.id, instance.fence);
    let resolve!: (outcome: AttemptOutcome) => void;
    const outcome = new Promise<AttemptOutcome>((settle) => resolve = settle);
    const timers: Timer[] = [];
    let guard: Timer;
    const end = (result: AttemptOutcome | null) => {
      if (run.endedAt !== null) return;
      run.endedAt = clock.now().monotonicMs;
      for (const timer of [...timers, guard]) timer.cancel();
      this.#live.delete(kill);
      if (result) this.deliver(() => resolve(result));
    };
    const kill = () => end(null);
    this.#live.add(kill);
    const armGuard = (deadlineMs: number) => {
      guard = clock.timer(
        deadlineMs - clock.now().monotonicMs,
        () => end(aborted("lease")),
      );
    };
    armGuard(task.deadlineMs);
    const durationMs = Math.floor(random.next() * job.durationMaxMs);
    const fate = random.next();
    const log = (message: string) => {
      const entry = { at: instance.processedAt!, level: "info", message, source: "job" } as const;
      this.deliver(() => sink.log([entry]));
    };
    log("begin");
    timers.push(clock.timer(durationMs / 2, () => {
      onEffect(instance.id, instance.fence);
      log("half");
    }));
    timers.push(clock.timer(durationMs, () => end(outcomeOf(fate, job))));
    if (instance.timeoutMs > 0) {
      timers.push(clock.timer(instance.timeoutMs, () => end(aborted("timeout"))));
    }
    return {
      outcome,
      extend: (deadlineMs) => {
        if (run.endedAt !== null) return;
        run.deadlineMs = deadlineMs;
        guard.cancel();
        armGuard(deadlineMs);
      },
      abort: (cause) => void timers.push(clock.timer(5, () => end(aborted(cause)))),
    };
  }
}

function outcomeOf(fate: number, job: SimJob): AttemptOutcome {
  if (fate < job.crashShare) return { type: "lost", error: encodeError(new Error("killed")) };
  if (fate < job.crashShare + job.failureShare) {
    return { type: "error", error: encodeError(new Error("failed")) };
  }
  // Taken from the other end, so that one share does not change other results.
  const { snoozeShare = 0 } = job;
  if (fate > 1 - snoozeShare) return { type: "snooze", delayMs: 700 };
  if (fate > 1 - 2 * snoozeShare) {
    return { type: "error", error: encodeError(new Error("no use")), wish: "discarded" };
  }
  return { type: "ok", resultsJson: "[]" };
}

function aborted(cause: AbortCause): AttemptOutcome {
  return { type: "aborted", cause, error: encodeError(new Error(cause)) };
}
