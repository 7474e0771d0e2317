import { encodeError } from "../../core/arguments/encode.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { isNoticeKind } from "../../notices/context/notice_kinds.ts";
import { BACKUP_KIND } from "../../core/settings/backup_settings.ts";
import type { ClaimKey } from "../../store/store.ts";
import type {
  AbortCause,
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
} from "../../worker/executor.ts";
import type { InstanceApi } from "../api/instances.ts";
import type { NodeApi } from "../api/nodes.ts";
import type { ManagerOptions } from "../context/manager_options.ts";
import { startBackup } from "../store/backup_job.ts";
import { runSystemJob } from "../store/system_jobs.ts";
import type { Adopted } from "./adopted.ts";
import { JobCalls } from "./job_calls.ts";
import { ResourceWait } from "./resource_wait.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import { isUnasked, notStarted, type UnaskedOutcome, withAnswer } from "./settlement.ts";
import type { PartContext } from "../context/part_context.ts";

/** Time for an aborted attempt to end. */
const HURRY_MS = 1_000;
/** Longest time to kill the processes of an attempt, on a busy machine. */
const LOSE_MS = 500;

/** Calls of running jobs, and of backups. */
export type AttemptCalls = InstanceApi & Pick<NodeApi, "workOnStore">;

interface AttemptRunnerOptions extends
  Pick<
    PartContext,
    "store" | "executor" | "clock" | "logger" | "events" | "earlyClaims" | "notices"
  > {
  readonly backUp?: ManagerOptions["backUp"];
  readonly manager: AttemptCalls;
  /** True if this node still has the claim. */
  readonly isClaimed: (claim: ClaimKey) => boolean;
  /** False once the node drains or has no workers. */
  readonly mayBegin: (running: RunningAttempt) => boolean;
  /** Called once for each attempt given to {@link AttemptRunner.run}. */
  readonly ended: (running: RunningAttempt, outcome: AttemptOutcome) => void;
}

/** Runs claimed attempts: in the executor, or in the manager for system jobs. */
export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
  readonly #calls: JobCalls;
  readonly #resources: ResourceWait;

  constructor(options: AttemptRunnerOptions) {
    this.#options = options;
    this.#calls = new JobCalls(options.manager, options.isClaimed, options);
    this.#resources = new ResourceWait({
      ...options,
      retry: (running, deadlineMs) => this.#start(running, running.job!, { deadlineMs }),
    });
  }

  /**
   * Run an attempt now, or when it is due if it was claimed early. An executor that respects that
   * time gets it earlier, to prepare it.
   */
  run(running: RunningAttempt, job: JobDefinition, deadlineMs: number): void {
    const { earlyClaims, executor } = this.#options;
    if (executor.keepsStartAt?.(job)) {
      this.#start(running, job, { deadlineMs, leftMs: earlyClaims.leftMs(running) });
    } else earlyClaims.delay(running, () => this.#start(running, job, { deadlineMs }));
  }

  /** Take back unstarted attempts that wait for their due time. */
  withdraw(all: Iterable<RunningAttempt>): void {
    const { clock, earlyClaims, mayBegin } = this.#options;
    const nowMs = clock.now().monotonicMs;
    for (const running of all) {
      const isWaiting = running.startedMs > nowMs || earlyClaims.isDelayed(running);
      if (isWaiting && !mayBegin(running)) this.abort(running, "drain");
    }
  }

  abort(running: RunningAttempt, cause: AbortCause): void {
    const { clock, earlyClaims, ended } = this.#options;
    running.startedMs = Math.min(running.startedMs, clock.now().monotonicMs);
    if (earlyClaims.release(running)) ended(running, notStarted(cause));
    else running.attempt?.abort(cause);
  }

  /** Kill aborted attempts that do not end soon. */
  hurry(all: Iterable<RunningAttempt>): void {
    for (const { attempt } of all) attempt?.hurry?.(HURRY_MS);
  }

  /** An attempt is settled. Returns the time until it may be claimed again, in milliseconds. */
  settle(running: RunningAttempt, outcome: AttemptOutcome): number {
    return this.#resources.leave(running, outcome);
  }

  /** @param times `leftMs` is the time until it may begin, in milliseconds */
  #start(
    running: RunningAttempt,
    job: JobDefinition,
    { deadlineMs, leftMs = 0 }: { readonly deadlineMs: number; readonly leftMs?: number },
  ): void {
    const { clock, mayBegin, ended } = this.#options;
    const { wallMs, monotonicMs } = clock.now();
    running.startedMs = monotonicMs + leftMs;
    // Since its claim, the node may have begun to drain, or been frozen past the end of the lease.
    const isLate = running.startedMs >= deadlineMs;
    if (isLate || !mayBegin(running)) return ended(running, notStarted());
    const startAt = leftMs > 0 ? wallMs + leftMs : undefined;
    if (job.source.type !== "system") return this.#execute(running, job, { deadlineMs, startAt });
    if (isNoticeKind(job.kind)) return this.#notify(running);
    if (job.kind === BACKUP_KIND) return this.#backUp(running);
    void runSystemJob(running.instance, this.#options).then((outcome) => ended(running, outcome));
  }

  /** A delivery can hang, so unlike other system jobs it can be aborted. */
  #notify(running: RunningAttempt): void {
    const { notices, clock, ended } = this.#options;
    const abort = new AbortController();
    const outcome = notices.parts!.notices.run(running.instance, {
      signal: abort.signal,
      log: (level, message) => {
        running.log([{ at: clock.now().wallMs, level, message, source: "system" }]);
      },
    });
    running.attempt = { outcome, extend: () => {}, abort: (cause) => abort.abort(cause) };
    void outcome.then((result) => ended(running, result));
  }

  #backUp(running: RunningAttempt): void {
    running.attempt = startBackup(running, this.#options);
    void running.attempt.outcome.then((result) => this.#options.ended(running, result));
  }

  /**
   * Give up an attempt that seems to have no process. Anything that does run is killed first: its
   * instance may run again at once.
   */
  lose(running: RunningAttempt, why: string): void {
    const { attempt } = running;
    const { clock, ended } = this.#options;
    // Any further end counts as lost.
    running.attempt = null;
    attempt?.hurry?.(0);
    clock.timer(LOSE_MS, () => {
      attempt?.outcomeRecorded?.();
      const error = { name: "ProcessGone", message: `Nothing runs for it any more: ${why}` };
      ended(running, { type: "lost", error });
    });
  }

  /** Continue an attempt that an earlier daemon began. */
  adopt(running: RunningAttempt, { job, found, lines }: Adopted): void {
    const { executor } = this.#options;
    this.#follow(running, job, 0, (task, sink) => {
      return executor.survivors!.adopt(found, task, sink, lines);
    });
  }

  #execute(
    running: RunningAttempt,
    job: JobDefinition,
    { deadlineMs, startAt }: Pick<AttemptTask, "deadlineMs" | "startAt">,
  ): void {
    const { executor } = this.#options;
    this.#follow(running, job, deadlineMs, (task, sink) => {
      return executor.run(startAt === undefined ? task : { ...task, startAt }, sink);
    });
  }

  #follow(
    running: RunningAttempt,
    job: JobDefinition,
    deadlineMs: number,
    run: (task: AttemptTask, sink: AttemptSink) => Attempt,
  ): void {
    const { events, ended } = this.#options;
    const { instance } = running;
    const after = events.handled(instance.id);
    try {
      running.calls = this.#calls;
      running.attempt = run({ job, instance, deadlineMs, after }, running);
    } catch (error) {
      return ended(running, { type: "lost", error: encodeError(error) });
    }
    const { attempt } = running;
    running.hasOutcome = false;
    const deadline = running.watchDeadline();
    void attempt.outcome.then((outcome) => {
      deadline?.cancel();
      // It was given up, see {@link lose}.
      if (running.attempt !== attempt) return;
      running.hasOutcome = true;
      if (outcome.type === "unstarted") {
        // The next start is another attempt for the executor.
        attempt.outcomeRecorded?.();
        this.#resources.enter(running, outcome, deadlineMs);
      } else if (isUnasked(outcome) && this.#options.isClaimed(instance)) {
        void this.#askHandlers(running, job, outcome);
      } else ended(running, outcome);
    });
  }

  // The failed worker may be gone, so another one calls the job's handlers.
  async #askHandlers(
    running: RunningAttempt,
    job: JobDefinition,
    outcome: UnaskedOutcome,
  ): Promise<void> {
    const { executor, ended } = this.#options;
    const { onTerminate, retryDelay } = job.hasHandler;
    if (!onTerminate && !retryDelay) return ended(running, outcome);
    const answer = await executor.handle({
      job,
      instance: running.instance,
      call: { type: "terminate", error: outcome.error },
      log: (entries) => running.log(entries),
    });
    ended(running, withAnswer(outcome, answer));
  }
}
