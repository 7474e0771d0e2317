import { createHash } from "node:crypto";
import { convertArguments } from "../core/convert.ts";
import { JobError } from "../core/errors.ts";
import type { ArgumentInput, JobDefinition } from "../core/job.ts";
import type { ScheduleDefaults, ScheduleRecord, ScheduleSpec } from "../core/schedule.ts";
import { REBOOT } from "../core/schedule.ts";
import { nextTickOf, parseScheduleText } from "../core/ticks.ts";
import type { Clock } from "../platform/clock.ts";
import type { IdSource } from "../platform/ids.ts";
import type { Logger } from "../platform/logger.ts";
import { BATCH_MAX, type Store } from "../store/store.ts";
import type { RecurringOptions } from "./api.ts";
import { checkPolicy, encodeArguments } from "./new_instance.ts";
import type { Registry } from "./registry.ts";

/** What a run-time schedule inherits when nothing is said. */
export type ZonedScheduleDefaults = ScheduleDefaults & Pick<ScheduleSpec, "timezone">;

/** Keeps the store's schedule records in step with the config, and makes those of the run time. */
export class Schedules {
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #logger: Logger;
  readonly #defaults: ZonedScheduleDefaults;

  constructor(
    options: {
      readonly store: Store;
      readonly registry: Registry;
      readonly clock: Clock;
      readonly ids: IdSource;
      readonly logger: Logger;
      readonly defaults: ZonedScheduleDefaults;
    },
  ) {
    this.#store = options.store;
    this.#registry = options.registry;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#logger = options.logger;
    this.#defaults = options.defaults;
  }

  /**
   * Write the config's schedules: new and changed ones start at now, unchanged ones keep their cursor, and those that the
   * config no longer has are deleted, unless their job is only disabled.
   */
  async sync(disabledKinds: ReadonlySet<string>): Promise<void> {
    const left = await this.#configSchedules();
    for (const job of this.#registry.list()) {
      for (const id of await this.#syncJob(job, left)) left.delete(id);
    }
    for (const record of left.values()) {
      if (disabledKinds.has(record.kind)) continue;
      await this.#store.deleteSchedule({ at: this.#clock.now(), id: record.id });
      this.#logger.info("A schedule left the config and was deleted", { schedule: record.id });
    }
  }

  /** Write the schedules of one job that came later; those that a definition before it had beyond are deleted. */
  async syncJob(job: JobDefinition): Promise<void> {
    const left = await this.#configSchedules(job.kind);
    for (const id of await this.#syncJob(job, left)) left.delete(id);
    for (const id of left.keys()) await this.#store.deleteSchedule({ at: this.#clock.now(), id });
  }

  /** Make a schedule at run time. @throws JobError `invalid_argument` for a bad expression, zone or argument */
  async create(job: JobDefinition, options: RecurringOptions): Promise<ScheduleRecord> {
    checkPolicy(options);
    const { wallMs } = this.#clock.now();
    const spec = this.#specOf(job.kind, options);
    const argumentsJson = argumentsOf(job, options.arguments ?? []);
    const record: ScheduleRecord = {
      id: this.#ids(),
      kind: job.kind,
      origin: "runtime",
      spec,
      specHash: hashOf(spec, argumentsJson, null),
      generation: 1,
      cursor: wallMs,
      startAt: wallMs,
      nextAt: nextTickOf(spec, wallMs, wallMs),
      argumentsJson,
      priority: options.priority ?? null,
      timeoutMs: options.timeoutMs ?? null,
      retryMax: options.retries ?? null,
      createdAt: wallMs,
      updatedAt: wallMs,
    };
    const request = { at: this.#clock.now(), record, expectedGeneration: null };
    return (await this.#store.putSchedule(request)).value;
  }

  /** @throws JobError `not_found`; `conflict` for one of the config */
  async remove(id: string): Promise<void> {
    const record = await this.#store.getSchedule(id);
    if (record?.origin === "config") {
      throw new JobError("conflict", `Cannot delete schedule "${id}": it belongs to the config`, {
        hint: `Remove "schedule" from [jobs.${record.kind}] and restart`,
      });
    }
    const isDeleted = record !== null &&
      (await this.#store.deleteSchedule({ at: this.#clock.now(), id })).value;
    if (isDeleted) return;
    throw new JobError("not_found", `Cannot delete schedule "${id}": no such schedule`, {
      hint: "List them with: jobctl list schedules",
    });
  }

  #specOf(kind: string, options: RecurringOptions): ScheduleSpec {
    const parsed = parseScheduleText(options.cron, { seed: kind });
    checkChoice("overlap", options.overlap, ["skip", "allow"]);
    checkChoice("misfire", options.misfire, ["skip", "latest"]);
    const spec = {
      ...this.#defaults,
      cron: parsed.cron,
      everyMs: parsed.everyMs,
      timezone: options.timezone ?? parsed.timezone ?? this.#defaults.timezone,
      overlap: options.overlap ?? this.#defaults.overlap,
      misfire: options.misfire ?? this.#defaults.misfire,
      jitterMs: options.jitterMs ?? this.#defaults.jitterMs,
    };
    const { wallMs } = this.#clock.now();
    if (spec.cron === REBOOT || nextTickOf(spec, wallMs, wallMs) !== null) return spec;
    throw new JobError(
      "invalid_argument",
      `Cannot use schedule "${options.cron}": it never fires`,
      {
        path: "cron",
      },
    );
  }

  async #configSchedules(kind?: string): Promise<Map<string, ScheduleRecord>> {
    const found = new Map<string, ScheduleRecord>();
    let token: string | undefined;
    do {
      const page = await this.#store.listSchedules({ origin: "config", kind }, {
        limit: BATCH_MAX,
        token,
      });
      for (const record of page.items) found.set(record.id, record);
      token = page.nextToken ?? undefined;
    } while (token);
    return found;
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
    existing: ScheduleRecord | undefined,
  ): Promise<void> {
    const { spec } = wanted;
    const argumentsJson = argumentsOf(job, wanted.arguments);
    const specHash = hashOf(spec, argumentsJson, job.options.priority);
    if (existing?.specHash === specHash) return;
    const at = this.#clock.now();
    const record: ScheduleRecord = {
      id: wanted.id,
      kind: job.kind,
      origin: "config",
      spec,
      specHash,
      generation: (existing?.generation ?? 0) + 1,
      cursor: at.wallMs,
      startAt: at.wallMs,
      nextAt: nextTickOf(spec, at.wallMs, at.wallMs),
      argumentsJson,
      priority: null,
      timeoutMs: null,
      retryMax: null,
      createdAt: existing?.createdAt ?? at.wallMs,
      updatedAt: at.wallMs,
    };
    const expectedGeneration = existing?.generation ?? null;
    await this.#store.putSchedule({ at, record, expectedGeneration });
  }
}

function checkChoice(path: string, value: string | undefined, known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return;
  throw new JobError("invalid_argument", `Cannot use ${path} "${value}": no such choice`, {
    path,
    hint: `Write one of: ${known.join(", ")}`,
  });
}

function argumentsOf(job: JobDefinition, input: ArgumentInput): string {
  return encodeArguments(job.kind, convertArguments(job.signature, input, { kind: job.kind }));
}

function hashOf(spec: ScheduleSpec, argumentsJson: string, priority: number | null): string {
  const text = JSON.stringify([
    spec.cron,
    spec.everyMs,
    spec.timezone,
    spec.overlap,
    spec.misfire,
    spec.misfireWithinMs,
    spec.jitterMs,
    argumentsJson,
    priority,
  ]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
