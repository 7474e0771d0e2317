import { messageOf } from "../core/errors.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { type ProcessIdentity, thisProcess } from "../platform/process/process_identity.ts";
import type {
  Attempt,
  AttemptSink,
  AttemptTask,
  FoundAttempt,
  Survivors,
} from "../worker/executor.ts";
import { usageLimits } from "../worker/process/worker_launch.ts";
import { ClaimSeal } from "./claim_seal.ts";
import { findEnded } from "./ended_runs.ts";
import type { FoundSupervisor } from "./find_supervisors.ts";
import { type FoundRun, markerOfRun } from "./protocol.ts";
import { SupervisedCommand } from "./supervised_command.ts";
import { updateRecord } from "./supervisor_folder.ts";
import type { SupervisorPool } from "./supervisor_pool.ts";
import type { SupervisorProcess } from "./supervisor_process.ts";
import type { SupervisorSystem } from "./supervisor_system.ts";
import { type LeftClaims, readLeftClaims } from "./waiting_claims.ts";

/** Least time that an attempt has here, in milliseconds; its supervisor has the real deadline. */
const LEFT_MS_MIN = 1_000;

interface SurvivorsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mask: SecretMask;
  readonly system: SupervisorSystem;
  readonly folder: () => string;
  /** Takes the supervisors that were found. */
  readonly pool: Pick<SupervisorPool, "adopt" | "reuse">;
  /** Continue a command as an attempt. */
  readonly resume: (task: AttemptTask, sink: AttemptSink, command: SupervisedCommand) => Attempt;
}

interface FoundCommand {
  readonly supervisor: FoundSupervisor;
  readonly run: FoundRun;
}

/** An unstarted claim. */
interface UnbegunCommand {
  readonly fence: number;
  readonly left: LeftClaims;
}

/** The commands that earlier daemons of this node have left running. */
export class CommandSurvivors implements Survivors {
  readonly #options: SurvivorsOptions;
  #foundMs = 0;
  #supervisors: readonly FoundSupervisor[] = [];
  /** By instance. */
  #commands = new Map<string, FoundCommand>();
  readonly #adopted = new Set<FoundRun>();
  readonly #processes = new Map<FoundSupervisor, SupervisorProcess>();
  #leftClaims: readonly LeftClaims[] = [];
  /** By instance. */
  readonly #unbegun = new Map<string, UnbegunCommand>();
  /** Unstarted claims, until they are released. */
  readonly #releasing = new Map<LeftClaims, number>();

  constructor(options: SurvivorsOptions) {
    this.#options = options;
  }

  get place(): string {
    return this.#options.folder();
  }

  async find(): Promise<readonly FoundAttempt[]> {
    const { clock, logger, system } = this.#options;
    this.leave();
    const identity = thisProcess();
    const living = await system.find(this.place, { clock, logger, identity });
    this.#supervisors = [...living, ...findEnded(this.place, { clock, logger })];
    this.#foundMs = clock.now().monotonicMs;
    const seal = ClaimSeal.read(this.place);
    for (const supervisor of this.#supervisors) {
      const { record: { token }, runs } = supervisor;
      for (const run of runs) {
        const { id, fence } = run.claim;
        if (!seal?.isGenuine(run.claim, markerOfRun(token, run.run))) continue;
        // A start that failed for want of resources is repeated with the same fence.
        const isOlder = fence < (this.#commands.get(id)?.run.claim.fence ?? 0);
        if (!isOlder) this.#commands.set(id, { supervisor, run });
      }
    }
    this.#findUnbegun(identity);
    const begun = [...this.#commands.values()].map(({ run }) => {
      const { claim: { id, fence }, ageMs, leftMs } = run;
      return { id, fence, ageMs, leftMs, isUnbegun: false };
    });
    const unbegun = [...this.#unbegun].map(([id, { fence }]) => {
      return { id, fence, ageMs: 0, leftMs: 0, isUnbegun: true };
    });
    return [...begun, ...unbegun];
  }

  #findUnbegun(identity: ProcessIdentity): void {
    try {
      this.#leftClaims = readLeftClaims(this.place, identity);
    } catch {
      // The search for supervisors has logged the reason.
      return;
    }
    for (const left of this.#leftClaims) {
      for (const { id, fence } of left.claims) {
        const known = this.#commands.get(id)?.run.claim ?? this.#unbegun.get(id);
        if (fence > (known?.fence ?? 0)) this.#unbegun.set(id, { fence, left });
      }
    }
  }

  adopt(found: FoundAttempt, task: AttemptTask, sink: AttemptSink, lines: number): Attempt {
    const { clock, resume } = this.#options;
    if (found.isUnbegun) return this.#release(found);
    const command = this.#commands.get(found.id)!;
    this.#adopted.add(command.run);
    const nowMs = clock.now().monotonicMs;
    const leftMs = Math.max(LEFT_MS_MIN, command.run.leftMs - (nowMs - this.#foundMs));
    const given = { ...task, deadlineMs: nowMs + leftMs };
    return resume(given, sink, this.#commandOf(command, { task, lines }));
  }

  /** A command that was found. @param attempt facts about its attempt; null if it has no attempt */
  #commandOf(
    { supervisor, run }: FoundCommand,
    attempt: { readonly task: AttemptTask; readonly lines: number } | null = null,
  ): SupervisedCommand {
    const { clock, mask } = this.#options;
    const process = this.#processOf(supervisor);
    const sinceMs = clock.now().monotonicMs - this.#foundMs;
    const command = new SupervisedCommand(process, {
      clock,
      mask,
      number: run.run,
      marker: markerOfRun(supervisor.record.token, run.run),
      limits: attempt && usageLimits(attempt.task.job),
      start: null,
      begun: {
        ageMs: run.ageMs + sinceMs,
        isFrozen: run.isFrozen,
        frozenMs: run.frozenMs + (run.isFrozen ? sinceMs : 0),
        endedAgoMs: run.endedAgoMs === null ? null : run.endedAgoMs + sinceMs,
        lines: attempt?.lines ?? 0,
        aborted: run.aborted ?? null,
      },
    });
    if (run.pid !== null) process.noteLeader(command, run.pid);
    return command;
  }

  /** An attempt that ends at once, like an unstarted one. */
  #release({ id }: FoundAttempt): Attempt {
    const { left } = this.#unbegun.get(id)!;
    this.#releasing.set(left, (this.#releasing.get(left) ?? 0) + 1);
    const error = { name: "AbortError", message: "Its daemon ended before it began" };
    return {
      outcome: Promise.resolve({ type: "aborted", cause: "drain", error, isUnstarted: true }),
      extend() {},
      abort() {},
      outcomeRecorded: () => {
        const others = this.#releasing.get(left)! - 1;
        this.#releasing.set(left, others);
        if (others > 0) return;
        this.#releasing.delete(left);
        left.remove();
      },
    };
  }

  begin(): void {
    for (const left of this.#leftClaims) if (!this.#releasing.has(left)) left.remove();
    for (const supervisor of this.#supervisors) {
      const process = this.#processOf(supervisor);
      this.#sign(supervisor);
      process.attach();
      for (const run of supervisor.runs) {
        if (!this.#adopted.has(run)) this.#commandOf({ supervisor, run }).discard();
      }
      if (!this.#options.pool.reuse(process, supervisor)) process.end();
    }
    this.#forget();
  }

  /** From now on, this daemon's end matters. */
  #sign({ place, record, peer }: FoundSupervisor): void {
    // It has ended, with its record.
    if (peer.pid === null) return;
    try {
      updateRecord(place, { ...record, daemon: thisProcess().process });
    } catch (error) {
      const problem = messageOf(error);
      this.#options.logger.warn("Cannot write the record of a supervisor", { place, problem });
    }
  }

  /** Leave commands that were not taken over as they are. */
  leave(): void {
    for (const supervisor of this.#supervisors) {
      if (!this.#processes.has(supervisor)) supervisor.leave();
    }
    this.#forget();
  }

  #forget(): void {
    this.#supervisors = [];
    this.#leftClaims = [];
    this.#unbegun.clear();
    this.#commands = new Map();
    this.#adopted.clear();
    this.#processes.clear();
  }

  #processOf(supervisor: FoundSupervisor): SupervisorProcess {
    const known = this.#processes.get(supervisor);
    if (known !== undefined) return known;
    const process = this.#options.pool.adopt(supervisor);
    this.#processes.set(supervisor, process);
    return process;
  }
}
