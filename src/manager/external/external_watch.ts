import { isExternal, REPORT_WITHIN_MS } from "../../core/job/external.ts";
import { type Instance, isElsewhere } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { pagesOf } from "../../core/query.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { toJobError } from "../../core/errors.ts";
import type { TickKey } from "../../core/time/tick_of_run.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { BATCH_MAX, type RunReport } from "../../store/store.ts";
import type { PartContext } from "../context/part_context.ts";
import { listAllSchedules } from "../schedules/stored_schedules.ts";

/** Longest sleep: other nodes record runs too. */
const SLEEP_MAX_MS = 60_000;
/** Shortest sleep after a look. */
const SLEEP_MIN_MS = 100;
/** Span before a start in which ticks may still wait for their run, in ms. */
const LOOK_BACK_MS = 7 * 86_400_000;
/** Ticks or runs written at once. */
const BATCH = 250;

/**
 * Gives up on runs elsewhere without a reported end within their time limit, and on ticks without a
 * reported run. Every node may do it: a run given up by one is skipped by the others.
 */
export class ExternalWatch {
  readonly #parts: PartContext;
  readonly #timer: LazyTimer;
  /** Kinds that have unfinished runs elsewhere, even without a job. */
  readonly #kinds = new Set<string>();
  /** By schedule, the earliest tick that may still wait for its run, epoch ms. */
  readonly #from = new Map<string, number>();
  #isStarted = false;
  #isFirst = true;
  #isLooking = false;
  #mustLook = false;

  constructor(parts: PartContext) {
    this.#parts = parts;
    this.#timer = new LazyTimer(parts.clock, () => this.poke());
  }

  start(): void {
    this.#isStarted = true;
    this.#isFirst = true;
    this.#from.clear();
    this.poke();
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer.cancel();
  }

  /** A run began, or the jobs have changed. */
  poke(): void {
    this.#mustLook = true;
    if (this.#isStarted && !this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    let nextAt = Infinity;
    try {
      while (this.#isStarted && this.#mustLook) {
        this.#mustLook = false;
        const jobs = this.#parts.registry.list().filter(isExternal);
        for (const { kind } of jobs) this.#kinds.add(kind);
        nextAt = Math.min(await this.#endHung(), await this.#giveUpTicks(jobs));
      }
    } catch (error) {
      const known = toJobError(error, "Cannot watch external runs");
      if (this.#isStarted && known.code !== "unavailable") this.#parts.logger.warn(known.message);
      nextAt = -Infinity;
    } finally {
      this.#isLooking = false;
    }
    if (!this.#isStarted || (nextAt === Infinity && this.#kinds.size === 0)) return;
    const leftMs = nextAt === -Infinity ? SLEEP_MAX_MS : nextAt - this.#parts.clock.now().wallMs;
    this.#timer.setIn(Math.max(SLEEP_MIN_MS, Math.min(leftMs, SLEEP_MAX_MS)));
  }

  /** End runs past their time limit. @returns the next limit, epoch ms */
  async #endHung(): Promise<number> {
    const { store, clock, events, logger } = this.#parts;
    const states = ["processing"] as const;
    // The first look also finds runs of jobs that are gone.
    const query = this.#isFirst ? { states } : { states, kinds: [...this.#kinds] };
    if (!this.#isFirst && this.#kinds.size === 0) return Infinity;
    let nextAt = Infinity;
    const hung: Instance[] = [];
    const pages = pagesOf((token) => store.list(query, { limit: BATCH_MAX, token }));
    for await (const items of pages) {
      for (const instance of items) {
        if (!isElsewhere(instance)) continue;
        this.#kinds.add(instance.kind);
        const endsAt = endOf(instance);
        if (endsAt <= clock.now().wallMs) hung.push(instance);
        else nextAt = Math.min(nextAt, endsAt);
      }
    }
    this.#isFirst = false;
    for (let from = 0; from < hung.length; from += BATCH) {
      const runs = hung.slice(from, from + BATCH).map(hungReport);
      const { value, at } = await store.recordRuns({ at: clock.now(), runs });
      for (const { instance, status } of value.runs) {
        if (status !== "ended") continue;
        const { kind, id } = instance;
        logger.warn("The end of an external run was not reported in time", { kind, instance: id });
        events.failed(instance, at);
      }
    }
    return nextAt;
  }

  /** Give up ticks that have waited too long for their run. @returns the next limit, epoch ms */
  async #giveUpTicks(jobs: readonly JobDefinition[]): Promise<number> {
    const { store, clock, logger, ticks } = this.#parts;
    let nextAt = Infinity;
    for (const job of jobs) {
      if (job.schedules.length === 0) continue;
      const withinMs = reportWithinMs(job);
      for (const { id, nextAt: tickAt } of await listAllSchedules(store, { kind: job.kind })) {
        const { missed, firstAt } = await this.#lateTicks(id, withinMs);
        // If no tick waits, the next one will, unless the schedule is not advanced.
        const lateAt = (firstAt ?? tickAt ?? Infinity) + withinMs;
        if (lateAt > clock.now().wallMs) nextAt = Math.min(nextAt, lateAt);
        for (let from = 0; from < missed.length; from += BATCH) {
          const part = missed.slice(from, from + BATCH);
          const { value } = await store.recordRuns({ at: clock.now(), runs: [], missed: part });
          ticks.add(job.kind, { missed: value.missed.length });
          for (const { tick } of value.missed) {
            const at = new Date(tick).toISOString();
            logger.warn("An external run was not reported in time", { kind: job.kind, tick: at });
          }
        }
      }
    }
    return nextAt;
  }

  /** The ticks of a schedule that have waited long enough, and the next tick. */
  async #lateTicks(
    scheduleId: string,
    withinMs: number,
  ): Promise<{ readonly missed: readonly TickKey[]; readonly firstAt: number | null }> {
    const { store, clock } = this.#parts;
    const nowMs = clock.now().wallMs;
    const after = this.#from.get(scheduleId) ?? nowMs - withinMs - LOOK_BACK_MS;
    const missed: TickKey[] = [];
    let firstAt: number | null = null;
    let lastAt = after;
    const query = { scheduleId, after };
    const pages = pagesOf((token) => {
      return store.listFates(query, { limit: BATCH_MAX, order: "oldest", token });
    });
    for await (const fates of pages) {
      for (const { fate, from, to } of fates) {
        lastAt = Math.max(lastAt, to);
        if (fate !== "expected") continue;
        if (from + withinMs <= nowMs) missed.push({ scheduleId, tick: from });
        else firstAt ??= from;
      }
    }
    this.#from.set(scheduleId, missed[0]?.tick ?? firstAt ?? lastAt);
    return { missed, firstAt };
  }
}

/** Time after its tick by which a run of a job must be reported, in ms; Infinity for never. */
function reportWithinMs({ options }: Pick<JobDefinition, "options">): number {
  const { startWithinMs = REPORT_WITHIN_MS } = options.expect;
  return startWithinMs === 0 ? Infinity : startWithinMs;
}

/** When a run counts as hung, epoch ms. */
function endOf({ processedAt, createdAt, timeoutMs }: Instance): number {
  return timeoutMs === 0 ? Infinity : (processedAt ?? createdAt) + timeoutMs;
}

function hungReport(instance: Instance): RunReport {
  const length = formatDuration(instance.timeoutMs);
  const message = `The run started, but no end was reported within ${length}`;
  return {
    instance: { ...instance, scheduleId: null, scheduledFor: null },
    node: instance.node ?? "elsewhere",
    startedAt: instance.processedAt,
    end: {
      at: endOf(instance),
      state: "timedOut",
      reason: "timeout",
      error: { name: "TimeoutError", message },
    },
    logs: [],
  };
}
