import { JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { SCHEDULE_DEFAULTS } from "../core/job/option_table.ts";
import {
  LIBRARY_JOB_OPTIONS,
  type LibraryJobInput,
  resolveLibraryJob,
} from "../library/library_job.ts";
import { Manager } from "../manager/manager.ts";
import { sleep, systemClock } from "../platform/clock.ts";
import { createIdSource } from "../platform/ids.ts";
import { silentLogger } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { VERSION } from "../platform/version.ts";
import { BATCH_MAX } from "../store/store.ts";
import { pagesOf } from "../core/query.ts";
import { MemoryStore } from "../store/memory/store.ts";
import { createInlineExecutor } from "../worker/isolation/inline_executor.ts";
import { crashingExecutor } from "./crashing_executor.ts";
import type { StepStubs } from "./stubs.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** Longest real time for a step's function to end, in milliseconds. */
const PATIENCE_MS = 5_000;
/** Turns of the event loop after which the next timers are due. */
const TURNS = 20;
/** The store and the manager gather calls for less than this, in milliseconds. */
const SOON_MS = 100;
/** Nobody else uses the store: no report has to come in time. */
const LEASE_MS = 3_650 * 86_400_000;
const WORKERS = 16;

/** A manager on a store in memory, in virtual time. */
export class TestWorld {
  readonly manager: TestManager;
  readonly #clock: VirtualClock;
  readonly #stubs: StepStubs;
  readonly #attempts: () => number;
  readonly #startMs: number;

  constructor({ jobs, startAt, stubs, diesBefore }: {
    readonly jobs: readonly LibraryJobInput[];
    readonly startAt: Date;
    readonly stubs: StepStubs;
    readonly diesBefore: (names: readonly string[]) => boolean;
  }) {
    this.#stubs = stubs;
    this.#startMs = startAt.getTime();
    const clock = this.#clock = new VirtualClock(this.#startMs);
    const context = { clock, random: systemRandom, logger: silentLogger };
    const executor = crashingExecutor(createInlineExecutor({ clock }), diesBefore);
    this.#attempts = () => executor.stats().busy;
    const scheduleDefaults = { ...SCHEDULE_DEFAULTS, timezone: "UTC" };
    const inherited = {
      options: LIBRARY_JOB_OPTIONS,
      schedules: scheduleDefaults,
      timezone: scheduleDefaults.timezone,
      now: this.#startMs,
    };
    this.manager = new TestManager({
      ...context,
      store: new MemoryStore({ clock: () => clock.now() }),
      executor,
      ids: createIdSource(clock, systemRandom),
      node: "test",
      version: VERSION,
      workers: WORKERS,
      leaseMs: LEASE_MS,
      nodeLeaseMs: LEASE_MS,
      drainMs: 0,
      jobDefaults: LIBRARY_JOB_OPTIONS,
      scheduleDefaults,
      jobs: jobs.map((job) => resolveLibraryJob(job, inherited).job),
      disabled: new Map(),
    });
  }

  get nowMs(): number {
    return this.#clock.now().wallMs;
  }

  async begin(kind: string, args: readonly unknown[]): Promise<Instance> {
    await this.during(this.manager.start());
    return await this.manager.scheduleJob(kind, { arguments: args });
  }

  /** Run until nothing is left to do at this time. @throws JobError `timeout` */
  async rest(): Promise<void> {
    for (;;) {
      await this.during(this.manager.idle());
      if (this.#attempts() > 0) return;
      const soonMs = await this.#timeUntil(runsSoon);
      if (soonMs === Infinity) return;
      const untilMs = this.#clock.now().monotonicMs + soonMs;
      this.#clock.moveTo(untilMs);
      while (this.#clock.fireNext(untilMs)) await this.#turn();
    }
  }

  /** Let time pass, and run what becomes due at its time. @throws JobError `timeout` */
  async advance(ms: number): Promise<void> {
    const endMs = this.#clock.now().monotonicMs + ms;
    await this.rest();
    for (;;) {
      // A manager that only looks for work every minute need not look in between.
      const idleMs = this.#attempts() === 0 ? await this.#timeUntil(() => true) : 0;
      this.#clock.moveTo(Math.min(endMs, this.#clock.now().monotonicMs + idleMs));
      if (!this.#clock.fireNext(endMs)) break;
      await this.rest();
    }
    this.#clock.moveTo(endMs);
  }

  /** Time until one of these instances is due or passes its deadline, in ms; Infinity: none. */
  async #timeUntil(counts: (instance: Instance, nowMs: number) => boolean): Promise<number> {
    const waiting = await this.manager.waiting();
    const times = waiting.filter((one) => counts(one, this.nowMs))
      .flatMap(({ dueAt, deadlineAt }) => [dueAt, deadlineAt ?? Infinity]);
    return Math.max(0, Math.min(...times) - this.nowMs);
  }

  /** Let a call that was made take effect. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < TURNS; turns += 1) await this.#turn();
  }

  /**
   * Wait for a call, or until only functions run that do not end. Virtual time passes only while no
   * function runs.
   *
   * @throws JobError `timeout` if a function runs too long
   */
  async during(call: Promise<unknown>): Promise<void> {
    let isOver = false;
    const ended = call.finally(() => isOver = true);
    // It may be left.
    ended.catch(() => {});
    const endMs = systemClock.now().monotonicMs + PATIENCE_MS;
    for (let turns = 0; !isOver; turns += 1) {
      await this.#turn();
      if (turns < TURNS) continue;
      const hasRun = this.#clock.fireNext(this.#soonMs);
      if (hasRun) {
        turns = 0;
        continue;
      }
      if (this.#stubs.isHanging) return;
      if (systemClock.now().monotonicMs > endMs) throw this.#endless();
      await sleep(systemClock, 1);
    }
    await ended;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => systemClock.defer(resolve));
  }

  /** Timers until then do not need {@link advance}. */
  get #soonMs(): number {
    const { monotonicMs } = this.#clock.now();
    return this.#attempts() === 0 ? monotonicMs + SOON_MS : monotonicMs;
  }

  #endless(): JobError {
    const [name] = this.#stubs.running;
    const what = name === undefined ? "code outside of a step" : `step "${name}"`;
    return new JobError("timeout", `Cannot wait for the flow: ${what} runs for ${PATIENCE_MS} ms`, {
      hint: "Give it a stub, or the stub `hangs` if it is not to end",
    });
  }
}

/** A manager whose rest can be awaited. */
class TestManager extends Manager {
  idle(): Promise<void> {
    return this.life.waitIdle();
  }

  async waiting(): Promise<readonly Instance[]> {
    const query = { states: ["created", "scheduled"] } as const;
    const pages = pagesOf((token) => {
      const from = token === undefined ? {} : { token };
      return this.parts.store.list(query, { limit: BATCH_MAX, order: "oldest", ...from });
    });
    const all: Instance[] = [];
    for await (const items of pages) all.push(...items);
    return all;
  }
}

/** True for an instance that no wait of job code holds back: it is to end, or its process died. */
function runsSoon(
  { waits, dueAt, reason, cancelRequestedAt }: Instance,
  nowMs: number,
): boolean {
  if (reason === "lost") return true;
  const isEnding = cancelRequestedAt !== null || reason === "unwinding";
  return (waits ?? []).length === 0 && (isEnding || dueAt <= nowMs + SOON_MS);
}
