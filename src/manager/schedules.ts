import { isJobError, JobError } from "../core/errors.ts";
import type { ArgumentInput, JobDefinition } from "../core/job.ts";
import type { ScheduleRecord, ScheduleSpec } from "../core/schedule.ts";
import { nextTickOf } from "../core/ticks.ts";
import type { Clock } from "../platform/clock.ts";
import type { IdSource } from "../platform/ids.ts";
import type { Logger } from "../platform/logger.ts";
import { BATCH_MAX, type Store } from "../store/store.ts";
import type { RecurringOptions, ScheduleChange } from "./api.ts";
import { argumentsFor, checkPolicy } from "./new_instance.ts";
import type { Peers } from "./peers.ts";
import type { Registry } from "./registry.ts";
import { changed, hashOf, saidOf, specOf, type ZonedScheduleDefaults } from "./schedule_spec.ts";

/** How often a write is tried again when another node was first. */
const TRIES_MAX = 5;

/** Jobs whose schedules are written at once. */
const SYNC_BATCH = 500;

/** What the schedules are kept with. */
export interface SchedulesOptions {
  readonly store: Store;
  readonly node: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly defaults: ZonedScheduleDefaults;
  /** Version of the time zone database. */
  readonly tzVersion: string;
  /** A schedule of a job that another node has is that node's. */
  readonly peers: Pick<Peers, "list">;
  /** Whether jobs may come after the start: schedules of kinds that are unknown then are kept. */
  readonly keepsUnknown: boolean;
}

/** Keeps the store's schedule records in step with the config, and makes those of the run time. */
export class Schedules {
  readonly #options: SchedulesOptions;
  /** What schedules of the run time inherit. */
  defaults: ZonedScheduleDefaults;

  constructor(options: SchedulesOptions) {
    this.#options = options;
    this.defaults = options.defaults;
  }

  /**
   * Write the config's schedules: new and changed ones start at now, unchanged ones keep their cursor, and those that the
   * config no longer has are deleted, unless their job is only disabled or may still come.
   */
  async sync(): Promise<void> {
    const { registry, store, logger, clock, keepsUnknown } = this.#options;
    const left = new Map<string, ScheduleRecord>();
    for (const record of await this.list({})) {
      const renewed = await this.#renewZones(record);
      if (record.origin === "config") left.set(record.id, renewed);
    }
    const jobs = registry.list();
    // Together, so that thousands of them share transactions.
    for (let from = 0; from < jobs.length; from += SYNC_BATCH) {
      const batch = jobs.slice(from, from + SYNC_BATCH);
      const written = await Promise.all(batch.map((job) => this.#syncJob(job, left)));
      for (const id of written.flat()) left.delete(id);
    }
    const elsewhere = await this.#kindsElsewhere();
    for (const record of left.values()) {
      const mayCome = !registry.find(record.kind) && (keepsUnknown || elsewhere.has(record.kind));
      if (registry.disabledBecause(record.kind) !== undefined || mayCome) continue;
      await store.deleteSchedule({ at: clock.now(), id: record.id });
      logger.info("A schedule left the config and was deleted", { schedule: record.id });
    }
  }

  /** What other nodes have, also those that ended within the hour: they may be restarting. */
  async #kindsElsewhere(): Promise<ReadonlySet<string>> {
    const { peers, node } = this.#options;
    const others = (await peers.list()).filter(({ id }) => id !== node);
    return new Set(others.flatMap(({ kinds, idle }) => [...kinds, ...idle]));
  }

  /** Write the schedules of one job that came later; those that a definition before it had beyond are deleted. */
  async syncJob(job: JobDefinition): Promise<void> {
    const { store, clock } = this.#options;
    const left = new Map<string, ScheduleRecord>();
    for (const record of await this.list({ origin: "config", kind: job.kind })) {
      left.set(record.id, record);
    }
    for (const id of await this.#syncJob(job, left)) left.delete(id);
    for (const id of left.keys()) await store.deleteSchedule({ at: clock.now(), id });
  }

  /** Make a schedule at run time. @throws JobError `invalid_argument` for a bad expression, zone or argument */
  async create(job: JobDefinition, options: RecurringOptions): Promise<ScheduleRecord> {
    checkPolicy(options);
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
   * Change what a schedule of the run time says; what is not given stays, null takes away. One whose times change starts at now.
   *
   * @throws JobError `not_found`; `conflict` for one of the config; `invalid_argument`
   */
  update(id: string, options: ScheduleChange): Promise<ScheduleRecord> {
    checkPolicy(saidOf(options));
    return this.change(id, "update", (record, nowMs) => {
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
        // What is due before the change belongs to what was written before it.
        ...(hasNewTimes ? { ...startOf(spec, nowMs), runs: 0 } : {}),
      };
    });
  }

  /** Change a stored schedule whatever other nodes do to it meanwhile. @throws JobError `not_found` */
  async change(
    id: string,
    action: string,
    changeOf: (record: ScheduleRecord, nowMs: number) => ScheduleRecord,
  ): Promise<ScheduleRecord> {
    const { store, clock } = this.#options;
    for (let tries = 1;; tries++) {
      const before = await store.getSchedule(id);
      if (!before) throw notFound(id, action);
      const at = clock.now();
      const record = {
        ...changeOf(before, at.wallMs),
        generation: before.generation + 1,
        updatedAt: at.wallMs,
      };
      const { generation: expectedGeneration, cursor: expectedCursor } = before;
      try {
        return (await store.putSchedule({ at, record, expectedGeneration, expectedCursor })).value;
      } catch (error) {
        if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
      }
    }
  }

  /** @throws JobError `not_found`; `conflict` for one of the config */
  async remove(id: string): Promise<void> {
    const { store, clock } = this.#options;
    const record = await store.getSchedule(id);
    if (record) this.#assertRuntime(record, "delete");
    const isDeleted = record !== null &&
      (await store.deleteSchedule({ at: clock.now(), id })).value;
    if (!isDeleted) throw notFound(id, "delete");
  }

  #assertRuntime(record: ScheduleRecord, action: string): void {
    if (record.origin !== "config") return;
    throw new JobError(
      "conflict",
      `Cannot ${action} schedule "${record.id}": it belongs to the config`,
      { hint: `Change "schedule" of [jobs.${record.kind}] in the config and reload it` },
    );
  }

  /** Every stored schedule that matches, by id. */
  async list(
    query: { readonly kind?: string; readonly origin?: "config" | "runtime" },
  ): Promise<readonly ScheduleRecord[]> {
    const found: ScheduleRecord[] = [];
    let token: string | undefined;
    do {
      const page = await this.#options.store.listSchedules(query, { limit: BATCH_MAX, token });
      found.push(...page.items);
      token = page.nextToken ?? undefined;
    } while (token);
    return found;
  }

  // Rules of zones change: what was computed with another database is computed again.
  async #renewZones(record: ScheduleRecord): Promise<ScheduleRecord> {
    const { store, clock, tzVersion, logger } = this.#options;
    if (record.tzVersion === undefined || record.tzVersion === tzVersion) return record;
    const { spec, startAt, cursor, generation: expectedGeneration } = record;
    if (record.nextAt === null) return record;
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
      // Another node was first, or the zone is gone: the scheduler tells of the latter.
      if (!isJobError(error)) throw error;
      return await store.getSchedule(record.id) ?? record;
    }
  }

  /** Answers the ids of the job's schedules. */
  async #syncJob(
    job: JobDefinition,
    stored: ReadonlyMap<string, ScheduleRecord>,
  ): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const [index, schedule] of job.schedules.entries()) {
      const id = `config:${job.kind}:${index}`;
      ids.push(id);
      await this.#syncOne(job, { id, ...schedule }, stored.get(id));
    }
    return ids;
  }

  async #syncOne(
    job: JobDefinition,
    wanted: { readonly id: string; readonly spec: ScheduleSpec; readonly arguments: ArgumentInput },
    stored: ScheduleRecord | undefined,
  ): Promise<void> {
    const { store, clock, tzVersion } = this.#options;
    const { id, spec } = wanted;
    const argumentsJson = argumentsFor(job, wanted.arguments);
    const specHash = hashOf(spec, argumentsJson, job.options.priority);
    let existing = stored ?? null;
    for (let tries = 1;; tries++) {
      const isSame = existing?.specHash === specHash;
      // One that was put off, as its job was not there, goes on with the tick after its cursor.
      const nextAt = isSame ? nextOf(existing!) : null;
      if (isSame && existing!.nextAt === nextAt) return;
      const at = clock.now();
      const record: ScheduleRecord = isSame ? { ...existing!, nextAt } : {
        ...{ id, kind: job.kind, origin: "config", spec, specHash, argumentsJson },
        generation: (existing?.generation ?? 0) + 1,
        ...startOf(spec, at.wallMs),
        ...{ priority: null, timeoutMs: null, retryMax: null },
        createdAt: existing?.createdAt ?? at.wallMs,
        updatedAt: at.wallMs,
        tzVersion,
      };
      const expectedGeneration = existing?.generation ?? null;
      try {
        await store.putSchedule({ at, record, expectedGeneration });
        return;
      } catch (error) {
        // Another node wrote the same config.
        if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
        existing = await store.getSchedule(id);
      }
    }
  }
}

/** The next tick of a record as it should be; null also for one that is finished. */
function nextOf(record: ScheduleRecord): number | null {
  if (record.nextAt === null) return null;
  return nextTickOf(record.spec, record.startAt, record.cursor);
}

function startOf(spec: ScheduleSpec, nowMs: number) {
  return { cursor: nowMs, startAt: nowMs, nextAt: nextTickOf(spec, nowMs, nowMs) };
}

function timesOf({ cron, everyMs, timezone, startsAt, endsAt, runsMax }: ScheduleSpec) {
  return { cron, everyMs, timezone, startsAt, endsAt, runsMax };
}

function notFound(id: string, action: string): JobError {
  return new JobError("not_found", `Cannot ${action} schedule "${id}": no such schedule`, {
    hint: "List them with: jobctl list schedules",
  });
}
