import { createHash } from "node:crypto";
import { isJobError, JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { BATCH_MAX, type InstanceQuery, type PageRequest } from "../store/store.ts";
import type { ManagerApi, ScheduleOptions } from "./api.ts";
import type { RunningAttempt } from "./running.ts";

/** Calls that one attempt may make; a job that schedules without end is stopped here. */
const CALLS_MAX = 10_000;

/** What a running job may ask of the manager, and how often it did. */
interface Caller {
  calls: number;
}

/**
 * Answers what running jobs ask through their `Manager`: fenced (only the holder of the claim is answered) and, for
 * scheduling, idempotent by the number of the call, so that a taken-over attempt does not schedule its children twice.
 */
export class JobCalls {
  readonly #manager: ManagerApi;
  readonly #holds: (instance: Instance) => boolean;
  readonly #callers = new WeakMap<RunningAttempt, Caller>();

  constructor(manager: ManagerApi, holds: (instance: Instance) => boolean) {
    this.#manager = manager;
    this.#holds = holds;
  }

  /** @throws JobError `stale_fence` when the claim is no longer held, `unimplemented` for an unknown method */
  async handle(
    running: RunningAttempt,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { instance } = running;
    if (!this.#holds(instance)) {
      throw new JobError(
        "stale_fence",
        `Cannot call "${method}" for instance "${instance.id}": its claim is no longer held`,
      );
    }
    const caller = this.#callers.get(running) ?? { calls: 0 };
    this.#callers.set(running, caller);
    caller.calls += 1;
    if (caller.calls > CALLS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot call "${method}": the attempt made ${CALLS_MAX} calls already`,
      );
    }
    return await this.#dispatch(instance, caller.calls, method, args);
  }

  #dispatch(
    instance: Instance,
    call: number,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    switch (method) {
      case "scheduleJob":
        return this.#schedule(instance, call, args);
      case "getInstance":
        return this.#manager.getInstance(String(args[0]));
      case "lookupInstances":
        return this.#manager.lookupInstances(
          objectOf(args[0]) as InstanceQuery,
          { limit: BATCH_MAX, ...objectOf(args[1]) } as PageRequest,
        );
      case "cancelInstances":
        return this.#manager.cancelInstances(objectOf(args[0]) as InstanceQuery, objectOf(args[1]));
      default:
        throw new JobError("unimplemented", `Cannot call "${method}": no such method`, {
          hint: "A job can call: scheduleJob, getInstance, lookupInstances, cancelInstances",
        });
    }
  }

  async #schedule(instance: Instance, call: number, args: readonly unknown[]): Promise<Instance> {
    const kind = String(args[0]);
    const { cron, ...given } = objectOf(args[1]);
    if (cron !== undefined) {
      throw new JobError(
        "unimplemented",
        `Cannot schedule "${kind}" by a cron expression from a job: instances only`,
        { path: "cron", hint: "Give the job a schedule in its definition" },
      );
    }
    const options = given as ScheduleOptions;
    if (options.id !== undefined) return this.#manager.scheduleJob(kind, options);
    try {
      return await this.#manager.scheduleJob(kind, {
        ...options,
        id: childId(instance, `${call}`),
      });
    } catch (error) {
      if (!isJobError(error, "already_exists")) throw error;
      // A later attempt went another way: its call of this number asks for something else.
      const id = childId(instance, `${call}/${instance.attempt}`);
      return await this.#manager.scheduleJob(kind, { ...options, id });
    }
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

// The time part of the parent and a hash: again and again the same UUID version 7.
function childId(parent: Instance, call: string): string {
  const hash = createHash("sha256").update(`${parent.id}/${call}`).digest("hex");
  return `${parent.id.slice(0, 13)}-7${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}
