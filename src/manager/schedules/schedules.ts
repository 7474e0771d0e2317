import { correctionOf } from "../../core/time/clock_correction.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import type { JobDefinition, JobSchedule } from "../../core/job/job.ts";
import { checkValues } from "../../core/job/schedule_options.ts";
import type { ScheduleRecord, ScheduleSpec } from "../../core/time/schedule.ts";
import { nextTickOf } from "../../core/time/ticks.ts";
import type { ScheduleQuery } from "../../store/store.ts";
import { argumentsFor } from "../instances/new_instance.ts";
import type { Peers } from "../nodes/peers.ts";
import { RemovedSchedules, takeUp } from "./removed_schedules.ts";
import { changeSchedule, schedulePages, TRIES_MAX, unknownSchedule } from "./stored_schedules.ts";
import { changed, hashOf, specOf } from "./schedule_spec.ts";
import type { PartContext } from "../context/part_context.ts";
import type { RecurringOptions, ScheduleChange } from "../api/schedules.ts";
import type { ZonedScheduleDefaults } from "../context/manager_options.ts";

/** Most kinds that a message lists. */
const KINDS_SHOWN_MAX = 10;

/** Schedules written at once, so that thousands of them share a few transactions. */
const SYNC_BATCH = 1_000;

interface SchedulesOptions
  extends
    Pick<PartContext, "store" | "clock" | "ids" | "logger" | "node" | "registry" | "tzVersion"> {
  readonly defaults: ZonedScheduleDefaults;
  /** Nodes whose schedules are not ours to remove. */
  readonly peers: Pick<Peers, "list">;
  /** Decides on the due ticks of a schedule before its times change. */
  readonly settle: (record: ScheduleRecord) => Promise<void>;
  /** True if jobs may be added after the start: schedules of unknown kinds are kept. */
  readonly keepsUnknown: boolean;
}

/** A schedule of the config. */
interface WantedSchedule extends JobSchedule {
  readonly id: string;
  readonly job: JobDefinition;
}

/** Syncs the schedules of the store with the configuration; makes and changes others. */
export class Schedules {
  readonly #options: SchedulesOptions;
  defaults: ZonedScheduleDefaults;
  keepsUnknown: boolean;
  readonly removed: RemovedSchedules;

  constructor(options: SchedulesOptions) {
    this.#options = options;
    this.keepsUnknown = options.keepsUnknown;
    this.removed = new RemovedSchedules(options);
    this.defaults = options.defaults;
  }

  /**
   * Write the configured schedules: new and changed ones start at now, unchanged ones keep their
   * cursor. Removed ones are deleted, unless their job is disabled or may still be added.
   */
  async sync(): Promise<void> {
    const { registry } = this.#options;
    const { gone, count } = await this.#syncJobs(registry.list(), {});
    if (gone.length === 0) return;
    const elsewhere = await this.#kindsElsewhere();
    const removed: ScheduleRecord[] = [];
    for (const record of gone) {
      const { kind } = record;
      const mayCome = !registry.find(kind) && (this.keepsUnknown || elsewhere.has(kind));
      if (registry.disabledBecause(kind) !== undefined || mayCome) continue;
      if (await this.removed.remove(record)) removed.push(record);
    }
    this.#logRemoved(removed, count);
  }

  #logRemoved(removed: readonly ScheduleRecord[], count: number): void {
    if (removed.length === 0) return;
    const kinds = [...new Set(removed.map(({ kind }) => kind))];
    const shown = kinds.slice(0, KINDS_SHOWN_MAX).join(", ");
    const more = kinds.length > KINDS_SHOWN_MAX
      ? ` and ${kinds.length - KINDS_SHOWN_MAX} more`
      : "";
    const { logger } = this.#options;
    const message =
      `No longer in the configuration: ${removed.length} of ${count} schedules, which stop; any that comes back within a day continues`;
    const fields = { schedules: removed.length, of: count, jobs: shown + more };
    // An empty file is usually a mistake.
    if (removed.length * 2 > count) logger.warn(message, fields);
    else logger.info(message, fields);
  }

  /** Kinds of other nodes, including nodes that ended within the hour: they may be restarting. */
  async #kindsElsewhere(): Promise<ReadonlySet<string>> {
    const { peers, node } = this.#options;
    const others = (await peers.list()).filter(({ id }) => id !== node);
    return new Set(others.flatMap(({ kinds, idle }) => [...kinds, ...idle]));
  }

  /** Write the schedules of a job defined later, and remove surplus ones of its old definition. */
  async syncJob(job: JobDefinition): Promise<void> {
    const { gone } = await this.#syncJobs([job], { origin: "config", kind: job.kind });
    for (const record of gone) await this.removed.remove(record);
  }

  /** Make a schedule at run time. @throws JobError `invalid_argument` for an unusable option */
  async create(job: JobDefinition, options: RecurringOptions): Promise<ScheduleRecord> {
    checkValues(options);
    const { store, clock, ids, tzVersion } = this.#options;
    const at = clock.now();
    const base = { cron: null, everyMs: null, ...this.defaults };
    const spec = specOf(options, base, { kind: job.kind, nowMs: at.wallMs });
    const argumentsJson = argumentsFor(job, options.arguments ?? []);
    const record: ScheduleRecord = {
      id: ids(),
      kind: job.kind,
      origin: "runtime",
      spec,
      specHash: hashOf(spec, argumentsJson, null),
      generation: 1,
      ...startOf(spec, at.wallMs),
      argumentsJson,
      priority: options.priority ?? null,
      timeoutMs: options.timeoutMs ?? null,
      retryMax: options.retries ?? null,
      createdAt: at.wallMs,
      updatedAt: at.wallMs,
      tzVersion,
    };
    return (await store.putSchedule({ at, record, expectedGeneration: null })).value;
  }

  /**
   * Change a schedule made at run time: absent options keep their values, null removes a value. If
   * its times change, it starts at now.
   *
   * @throws JobError `not_found`; `conflict` for a configured schedule; `invalid_argument`
   */
  async update(id: string, options: ScheduleChange): Promise<ScheduleRecord> {
    checkValues(options);
    const stored = await this.#options.store.getSchedule(id);
    if (stored !== null && stored.removedAt === undefined) await this.#options.settle(stored);
    return await this.change(id, "update", (record, nowMs) => {
      this.#assertRuntime(record, "update");
      const job = this.#options.registry.get(record.kind);
      const spec = specOf(options, record.spec, { kind: record.kind, nowMs });
      const argumentsJson = options.arguments === undefined
        ? record.argumentsJson
        : argumentsFor(job, options.arguments);
      const hasNewTimes = JSON.stringify(timesOf(spec)) !== JSON.stringify(timesOf(record.spec));
      return {
        ...record,
        spec,
        specHash: hashOf(spec, argumentsJson, null),
        argumentsJson,
        priority: changed(options.priority, record.priority),
        timeoutMs: changed(options.timeoutMs, record.timeoutMs),
        retryMax: changed(options.retries, record.retryMax),
        // Ticks due before the change belong to the schedule before it.
        ...(hasNewTimes ? { ...startOf(spec, nowMs, record), runs: 0 } : {}),
      };
    });
  }

  /** Change a stored schedule; retried if another node was first. @throws JobError `not_found` */
  async change(
    id: string,
    action: string,
    changeOf: (record: ScheduleRecord, nowMs: number) => ScheduleRecord,
  ): Promise<ScheduleRecord> {
    const stored = await this.#options.store.getSchedule(id);
    const changed = await changeSchedule(stored, this.#options, (record, nowMs) => {
      return { ...changeOf(record, nowMs), updatedAt: nowMs };
    });
    if (changed === null) throw await unknownSchedule(id, action, this.#options.store);
    return changed;
  }

  /** @throws JobError `not_found`; `conflict` for one of the configuration */
  async remove(id: string): Promise<void> {
    const { store, clock } = this.#options;
    const record = await store.getSchedule(id);
    if (record && record.removedAt === undefined) this.#assertRuntime(record, "delete");
    const isDeleted = record !== null && record.removedAt === undefined &&
      (await store.deleteSchedule({ at: clock.now(), id })).value;
    if (!isDeleted) throw await unknownSchedule(id, "delete", store);
  }

  #assertRuntime(record: ScheduleRecord, action: string): void {
    if (record.origin !== "config") return;
    throw new JobError(
      "conflict",
      `Cannot ${action} schedule "${record.id}": it belongs to the configuration`,
      { hint: `Change "schedule" of [jobs.${record.kind}] in the configuration and reload it` },
    );
  }

  #isOfOtherZones({ tzVersion, nextAt }: ScheduleRecord): boolean {
    return nextAt !== null && tzVersion !== undefined && tzVersion !== this.#options.tzVersion;
  }

  // The rules of zones change: a tick computed with another database is computed again.
  async #renewZones(record: ScheduleRecord): Promise<ScheduleRecord> {
    const { store, clock, tzVersion, logger } = this.#options;
    const { spec, startAt, cursor, generation: expectedGeneration } = record;
    try {
      const nextAt = nextTickOf(spec, startAt, cursor);
      const request = { record: { ...record, nextAt, tzVersion }, expectedGeneration };
      if (nextAt !== record.nextAt) {
        logger.warn(`The next run of schedule "${record.id}" moved with the time zone database`, {
          before: record.tzVersion,
          now: tzVersion,
        });
      }
      const at = clock.now();
      return (await store.putSchedule({ at, ...request, expectedCursor: cursor })).value;
    } catch (error) {
      // Another node was first, or the zone is missing, which the scheduler logs.
      if (!isJobError(error)) throw error;
      return await store.getSchedule(record.id) ?? record;
    }
  }

  /**
   * Write the schedules of these jobs that the store lacks. Returns the stored configured schedules
   * that the jobs no longer have, and the number of schedules.
   */
  async #syncJobs(
    jobs: readonly JobDefinition[],
    query: ScheduleQuery,
  ): Promise<{ readonly gone: readonly ScheduleRecord[]; readonly count: number }> {
    const wanted = wantedOf(jobs);
    const outdated = new Map<string, ScheduleRecord>();
    const gone: ScheduleRecord[] = [];
    let count = 0;
    // Page by page: most of thousands are up to date, and need no memory here.
    const all = { ...query, withRemoved: true };
    for await (const page of schedulePages(this.#options.store, all)) {
      for (const record of page) {
        if (this.removed.isOver(record)) {
          await this.removed.delete(record.id);
          continue;
        }
        this.removed.note(record);
        if (record.removedAt === undefined) count += 1;
        const renewed = this.#isOfOtherZones(record) ? await this.#renewZones(record) : record;
        if (record.origin !== "config") continue;
        const one = wanted.get(record.id);
        if (!one) {
          if (record.removedAt === undefined) gone.push(renewed);
        } else if (isAsWanted(one, renewed)) wanted.delete(record.id);
        else outdated.set(record.id, renewed);
      }
    }
    const missing = [...wanted.values()];
    for (let from = 0; from < missing.length; from += SYNC_BATCH) {
      const batch = missing.slice(from, from + SYNC_BATCH);
      await Promise.all(batch.map((one) => this.#syncOne(one, outdated.get(one.id) ?? null)));
    }
    return { gone, count };
  }

  async #syncOne(wanted: WantedSchedule, stored: ScheduleRecord | null): Promise<void> {
    const { store, clock, tzVersion } = this.#options;
    const { id, job, spec } = wanted;
    const { argumentsJson, specHash } = carriedBy(wanted);
    let existing = stored;
    for (let tries = 1;; tries++) {
      const isSame = existing?.specHash === specHash;
      // A schedule postponed because its job was missing continues with the tick after its cursor.
      const nextAt = isSame ? nextOf(existing!) : null;
      const isBack = existing?.removedAt !== undefined;
      if (isSame && !isBack && existing!.nextAt === nextAt) return;
      if (!isSame && !isBack && existing !== null) {
        await this.#options.settle(existing);
        existing = await store.getSchedule(id) ?? existing;
      }
      const at = clock.now();
      const record: ScheduleRecord = isSame && isBack
        ? takeUp(existing!)
        : isSame
        ? { ...existing!, nextAt }
        : {
          id,
          kind: job.kind,
          origin: "config",
          spec,
          specHash,
          argumentsJson,
          generation: (existing?.generation ?? 0) + 1,
          ...startOf(spec, at.wallMs, existing),
          priority: null,
          timeoutMs: null,
          retryMax: null,
          createdAt: existing?.createdAt ?? at.wallMs,
          updatedAt: at.wallMs,
          tzVersion,
        };
      const expectedGeneration = existing?.generation ?? null;
      try {
        await store.putSchedule({ at, record, expectedGeneration });
        if (isBack) this.removed.forget(id);
        return;
      } catch (error) {
        // Another node wrote the same config.
        if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
        existing = await store.getSchedule(id);
      }
    }
  }
}

/** By id. */
function wantedOf(jobs: readonly JobDefinition[]): Map<string, WantedSchedule> {
  const wanted = new Map<string, WantedSchedule>();
  for (const job of jobs) {
    for (const [index, schedule] of job.schedules.entries()) {
      const id = `config:${job.kind}:${index}`;
      wanted.set(id, { id, job, ...schedule });
    }
  }
  return wanted;
}

/** The arguments of a schedule's instances, and the hash of those and of the schedule. */
function carriedBy({ job, spec, arguments: given }: WantedSchedule) {
  const argumentsJson = argumentsFor(job, given);
  return { argumentsJson, specHash: hashOf(spec, argumentsJson, job.options.priority) };
}

function isAsWanted(wanted: WantedSchedule, record: ScheduleRecord): boolean {
  return record.removedAt === undefined && record.specHash === carriedBy(wanted).specHash &&
    record.nextAt === nextOf(record);
}

/** The correct next tick of a record; null if it is finished. */
function nextOf(record: ScheduleRecord): number | null {
  if (record.nextAt === null) return null;
  return nextTickOf(record.spec, record.startAt, record.cursor);
}

function startOf(spec: ScheduleSpec, nowMs: number, before: ScheduleRecord | null = null) {
  const correction = correctionOf(before, nowMs);
  return {
    cursor: nowMs,
    startAt: nowMs,
    nextAt: nextTickOf(spec, nowMs, nowMs),
    ...(correction === undefined ? {} : { correction }),
  };
}

function timesOf({ cron, everyMs, timezone, startsAt, endsAt, runsMax }: ScheduleSpec) {
  return { cron, everyMs, timezone, startsAt, endsAt, runsMax };
}
