import {
  AHEAD_MS_MIN,
  correctInstance,
  correctSchedule,
  isFromAhead,
} from "../../core/time/clock_correction.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { isJobError, toJobError } from "../../core/errors.ts";
import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { pagesOf } from "../../core/query.ts";
import type { Instant } from "../../platform/clock.ts";
import type { InstanceQuery } from "../../store/store.ts";
import type { Context } from "../context/context.ts";
import { schedulePages } from "./stored_schedules.ts";

/** Smallest difference between the wall clock and the monotonic clock that is logged as a jump. */
const JUMP_MS = 10_000;
/** Schedules written per call. */
const WRITES_MAX = 250;
/** Instances read per call: each may have a megabyte of arguments. */
const PAGE = 50;
/** Most instances checked after a correction, among waiting ones and among all. */
const LOOK_MAX = { waiting: 100_000, all: 20_000 } as const;
/** Number of older instances checked: they may have ended while the clock was ahead. */
const OLDER_LOOK_MAX = 2_000;

/** One reading of the clock that decides due times. */
interface Look {
  readonly wallMs: number;
  /** The monotonic time of the request. */
  readonly monotonicMs: number;
  /** Duration of the response. */
  readonly tookMs: number;
}

/**
 * Notices that the clock for schedules was ahead and has been corrected, while this node ran or
 * before it started. If it was hours ahead, it resets the schedules that the clock had moved ahead;
 * otherwise they would be silent until that time comes again. Instances that were accepted to run
 * at once do so in any case.
 */
export class ClockCorrections {
  readonly #options: Pick<Context, "store" | "clock" | "logger">;
  /** The latest time seen, epoch ms; Infinity before the first check. */
  #latestMs = Infinity;
  /** The recorded time of the store when instances were last corrected, epoch ms. */
  #recordedMs = 0;
  /** The last check; null before that. */
  #looked: Look | null = null;

  constructor(options: Pick<Context, "store" | "clock" | "logger">) {
    this.#options = options;
  }

  /** Check every schedule at the next turn, even if the clock did not jump. */
  restart(): void {
    this.#latestMs = Infinity;
    this.#recordedMs = 0;
    this.#looked = null;
  }

  /**
   * Check the time and, after a correction, every schedule. Returns true if any was changed.
   *
   * @param nowMs the current time on the clock that decides due times
   */
  async check(nowMs: number, asked: Instant): Promise<boolean> {
    const { monotonicMs } = this.#options.clock.now();
    // Count from the last check, before the clock was set: no tick that was ahead then is lost.
    const elapsedMs = monotonicMs - (this.#looked?.monotonicMs ?? monotonicMs);
    const look = {
      wallMs: nowMs,
      monotonicMs: asked.monotonicMs,
      tookMs: monotonicMs - asked.monotonicMs,
    };
    this.#logJump(look);
    const isCorrected = isFromAhead(this.#latestMs, nowMs);
    const corrected = isCorrected ? await this.#correctAll(nowMs, nowMs - elapsedMs) : [];
    this.#latestMs = isCorrected ? nowMs : Math.max(this.#latestMs, nowMs);
    this.#looked = look;
    // Ticks do not wait for this.
    if (isCorrected) void this.#correctRest(nowMs, corrected.length > 0);
    if (corrected.length === 0) return false;
    const cursors = corrected.map(({ correction }) => correction!.cursor);
    const furthestMs = cursors.reduce((most, cursor) => Math.max(most, cursor));
    this.#options.logger.warn(
      "The clock was ahead and has been set back: schedules continue from now",
      {
        schedules: corrected.length,
        ahead: formatDuration(Math.round((furthestMs - nowMs) / 1_000) * 1_000),
        wasAt: new Date(furthestMs).toISOString(),
        now: new Date(nowMs).toISOString(),
      },
    );
    return true;
  }

  /**
   * Note the recorded time of the store. A fast clock leaves it ahead, even after a moment;
   * instances accepted meanwhile are then corrected, once.
   */
  noteRecorded(recordedMs: number, nowMs: number): void {
    if (recordedMs - nowMs <= AHEAD_MS_MIN || recordedMs === this.#recordedMs) return;
    this.#recordedMs = recordedMs;
    void this.#correctRest(nowMs, false);
  }

  #logJump({ wallMs: nowMs, monotonicMs, tookMs }: Look): void {
    if (this.#looked === null) return;
    const expectedMs = this.#looked.wallMs + monotonicMs - this.#looked.monotonicMs;
    const jumpMs = Math.round(nowMs - expectedMs);
    // The time in a slow response may be its start or its end.
    if (Math.abs(jumpMs) - tookMs - this.#looked.tookMs < JUMP_MS) return;
    this.#options.logger.warn(`The clock has jumped ${jumpMs > 0 ? "ahead" : "back"}`, {
      by: formatDuration(Math.abs(jumpMs)),
      expected: new Date(expectedMs).toISOString(),
      now: new Date(nowMs).toISOString(),
    });
  }

  async #correctAll(nowMs: number, fromMs: number): Promise<readonly ScheduleRecord[]> {
    const { store } = this.#options;
    const corrected: ScheduleRecord[] = [];
    for await (const page of schedulePages(store, { withRemoved: true })) {
      const found = page.map((record) => this.#correct(record, nowMs, fromMs))
        .filter((record) => record !== null);
      for (let from = 0; from < found.length; from += WRITES_MAX) {
        const written = await Promise.all(
          found.slice(from, from + WRITES_MAX).map((one) => this.#write(one)),
        );
        corrected.push(...written.filter((record) => record !== null));
      }
    }
    return corrected;
  }

  #correct(record: ScheduleRecord, nowMs: number, fromMs: number): ScheduleRecord | null {
    try {
      return correctSchedule(record, nowMs, Math.floor(fromMs));
    } catch (error) {
      // Its zone may be unknown on this host; the other schedules continue.
      this.#options.logger.error(`Cannot reset schedule "${record.id}" to the current time`, {
        error: toJobError(error, "Cannot compute its next tick").message,
      });
      return null;
    }
  }

  async #write(record: ScheduleRecord): Promise<ScheduleRecord | null> {
    const { store, clock } = this.#options;
    const { generation: expectedGeneration, correction } = record;
    try {
      const request = { record, expectedGeneration, expectedCursor: correction!.cursor };
      return (await store.putSchedule({ at: clock.now(), ...request, isByClock: true })).value;
    } catch (error) {
      // Another node was first.
      if (isJobError(error, "conflict")) return null;
      throw error;
    }
  }

  async #correctRest(nowMs: number, wasAhead: boolean): Promise<void> {
    const { store, logger } = this.#options;
    try {
      const { items: [newest] } = await store.list({}, { limit: 1, order: "newest" });
      const createdAt = newest?.createdAt ?? 0;
      // Acceptance times never decrease, so this one shows that no fast clock accepted anything.
      if (!wasAhead && createdAt - nowMs <= AHEAD_MS_MIN) return;
      const isByHours = wasAhead || isFromAhead(createdAt, nowMs);
      if (isByHours) await this.#correctPauses(nowMs);
      const waiting = { lookMax: LOOK_MAX.waiting, olderMax: isByHours ? Infinity : 0 };
      let count = await this.#correctInstances({ states: ["scheduled"] }, nowMs, waiting);
      const all = { lookMax: LOOK_MAX.all, olderMax: OLDER_LOOK_MAX };
      if (isByHours) count += await this.#correctInstances({}, nowMs, all);
      if (count === 0) return;
      logger.warn("Corrected instances whose times came from a clock that was ahead", {
        instances: count,
      });
    } catch (error) {
      const { code, message } = toJobError(error, "Cannot correct times");
      // Tried again at the next start.
      if (code !== "unavailable") logger.error("Cannot correct times", { error: message });
    }
  }

  async #correctPauses(nowMs: number): Promise<void> {
    const { store, clock } = this.#options;
    for (const { kind, until, reason, at } of await store.listPauses()) {
      if (until === null || !isFromAhead(at, nowMs)) continue;
      const left = Math.max(1, until - at);
      await store.setPause({ at: clock.now(), kind, until: nowMs + left, reason });
    }
  }

  /**
   * @param most limits for checked instances, and for ones possibly accepted before the clock was
   * ahead
   */
  async #correctInstances(
    query: InstanceQuery,
    nowMs: number,
    most: { readonly lookMax: number; readonly olderMax: number },
  ): Promise<number> {
    const { store, clock } = this.#options;
    const pages = pagesOf((token) => store.list(query, { limit: PAGE, order: "newest", token }));
    let [count, older, looked] = [0, 0, 0];
    for await (const items of pages) {
      const ids = items.filter((one) => correctInstance(one, nowMs) !== null).map(({ id }) => id);
      if (ids.length > 0) {
        count += (await store.correctTimes({ at: clock.now(), ids })).value.length;
      }
      older += items.filter(({ createdAt }) => createdAt <= nowMs).length;
      looked += PAGE;
      if (looked >= most.lookMax || older > most.olderMax) break;
    }
    return count;
  }
}
