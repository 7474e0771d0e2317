import type { Instance } from "../../core/instance.ts";
import type { JobDefinition, JobHandlers } from "../../core/job/job.ts";
import type { ScheduleOptions } from "../../core/job/gen/run_options.ts";
import type { Logger } from "../../platform/logger.ts";

/** Most instances whose handlers are kept; the oldest, which may have ended, are dropped. */
const INSTANCES_MAX = 100_000;

/** Handlers that one instance can have. */
const NAMES = ["onComplete", "onTerminate", "onStateChange"] as const;

/** Options of one instance, with handlers that replace its job's. */
export interface HandledScheduleOptions
  extends ScheduleOptions, Pick<JobHandlers, (typeof NAMES)[number]> {}

/**
 * Handlers passed when an instance was scheduled. As functions of this process, they are called if
 * this manager makes the change or runs the attempt, and are lost when the process ends.
 */
export class InstanceHandlers {
  readonly #byId = new Map<string, JobHandlers>();
  readonly #logger: Logger;
  #hasWarned = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Keep the handlers of `options`. Returns true if there are any. */
  add(id: string, options: HandledScheduleOptions): boolean {
    const given = NAMES.filter((name) => options[name] !== undefined);
    if (given.length === 0) return false;
    this.#byId.set(
      id,
      Object.fromEntries(given.map((name) => [name, options[name]!.bind(options)])),
    );
    if (this.#byId.size > INSTANCES_MAX) this.#dropOldest();
    return true;
  }

  /** Forget the handlers of an instance that is final, or was not accepted. */
  delete(id: string): void {
    this.#byId.delete(id);
  }

  of({ id }: Pick<Instance, "id">): JobHandlers | undefined {
    return this.#byId.get(id);
  }

  #dropOldest(): void {
    const [oldest] = this.#byId.keys();
    this.#byId.delete(oldest!);
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#logger.warn(
      "Dropped the handlers of the oldest instances: too many waiting instances have their own",
      { most: INSTANCES_MAX },
    );
  }
}

/** The job with an instance's own handlers in place of the job's. */
export function withHandlers(job: JobDefinition, own: JobHandlers | undefined): JobDefinition {
  if (own === undefined || job.source.type !== "function") return job;
  const handlers: JobHandlers = { ...job.source.handlers, ...own };
  const hasHandler = { ...job.hasHandler };
  for (const name of NAMES) hasHandler[name] ||= own[name] !== undefined;
  return { ...job, source: { ...job.source, handlers }, hasHandler };
}
