import { createHash } from "node:crypto";
import { isJobError, JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import {
  type BulkOptions,
  readBulkFilter,
  readInstanceFilter,
} from "../../core/job/instance_filter.ts";
import type { ScheduleOptions } from "../../core/job/gen/run_options.ts";
import type { JobManager } from "../../core/job/job_manager.ts";
import { checkScheduleOptions, kindOfReference } from "../../core/job/schedule_options.ts";
import { BurstLog } from "../../platform/burst_log.ts";
import type { ClaimKey } from "../../store/store.ts";
import type { InstanceApi } from "../api/instances.ts";
import type { Context } from "../context/context.ts";
import { checkTimeout, inRequest, readOptions, readPage } from "../context/call_options.ts";
import { checkRequests } from "../instances/new_instance.ts";
import { childId } from "./child_id.ts";
import { FlowCalls } from "./flow_calls.ts";
import type { RunningAttempt } from "./running_attempt.ts";

/** Most calls of one attempt, to stop a job that schedules endlessly. */
const CALLS_MAX = 10_000;
/** Time after which the attempt's claim is checked again. */
const WAIT_SLICE_MS = 5_000;

/** The calls of one attempt. */
interface Caller {
  calls: number;
  /** Number of times that it scheduled each thing. */
  readonly scheduled: Map<string, number>;
}

type Method = (by: Instance, caller: Caller, args: readonly unknown[]) => Promise<unknown>;

/**
 * Handles the calls that running jobs make through their `Manager`. Only an attempt that has its
 * claim may call.
 *
 * Scheduling is idempotent: the id of a child is derived from its parent, its kind and arguments,
 * and its number among equal children of the attempt. An attempt that runs again thus schedules the
 * same children once, in any order and with any calls in between. Due times are ignored: "in ten
 * minutes" differs in each attempt.
 */
export class JobCalls {
  readonly #manager: InstanceApi;
  readonly #isClaimed: (claim: ClaimKey) => boolean;
  readonly #callers = new WeakMap<RunningAttempt, Caller>();
  readonly #log: BurstLog;
  readonly #flows: FlowCalls;
  /** The methods that a job can call. */
  readonly #methods: Readonly<Record<keyof JobManager, Method>> = {
    scheduleJob: (by, caller, args) => this.#schedule(by, caller, args),
    scheduleJobs: (by, caller, [requests]) => this.#scheduleMany(by, caller, requests),
    getInstance: (_by, _caller, [id]) => this.#manager.getInstance(String(id)),
    lookupInstances: (_by, _caller, args) => this.#lookup(args),
    cancelInstances: (by, _caller, args) => this.#cancel(by, args),
    waitInstance: (by, _caller, args) => this.#wait(by, args),
  };

  constructor(
    manager: InstanceApi,
    isClaimed: (claim: ClaimKey) => boolean,
    { logger, clock, store }: Pick<Context, "logger" | "clock" | "store">,
  ) {
    this.#flows = new FlowCalls({ manager, store, clock, isClaimed });
    this.#manager = manager;
    this.#isClaimed = isClaimed;
    this.#log = new BurstLog(logger, clock, "changes by jobs", "jobctl list instances");
  }

  /** @throws JobError `stale_fence` if the claim has expired; `unimplemented` for another method */
  async handle(
    running: RunningAttempt,
    method: string,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { instance } = running;
    if (!this.#isClaimed(instance)) throw staleFence(instance, method);
    if (this.#flows.has(method)) return await this.#flows.handle(instance, method, args);
    const caller = this.#callers.get(running) ?? { calls: 0, scheduled: new Map() };
    this.#callers.set(running, caller);
    if (!isPoll(method, args)) caller.calls += 1;
    if (caller.calls > CALLS_MAX) {
      throw new JobError(
        "resource_exhausted",
        `Cannot call "${method}": the attempt made ${CALLS_MAX} calls already`,
      );
    }
    // Own members only: job code may write to the channel itself.
    if (Object.hasOwn(this.#methods, method)) {
      return await this.#methods[method as keyof JobManager](instance, caller, args);
    }
    throw new JobError("unimplemented", `Cannot call "${method}": no such method`, {
      hint: `A job can call: ${Object.keys(this.#methods).join(", ")}`,
    });
  }

  // The worker has checked the arguments, but job code may write to the channel itself.
  async #lookup([filter, page]: readonly unknown[]): Promise<unknown> {
    const query = readInstanceFilter(given(filter));
    return await this.#manager.lookupInstances(query, readPage(given(page), "look up instances"));
  }

  async #cancel(by: Instance, [filter, options]: readonly unknown[]): Promise<unknown> {
    const bulk = readOptions("bulk", given(options) as BulkOptions | undefined, "cancel");
    const query = readBulkFilter(given(filter), bulk, "cancel");
    const how = { ...bulk, mayCancelNotices: false };
    const canceled = await this.#manager.cancelInstances(query, how);
    const [first] = canceled;
    if (first) {
      this.#log.tell("info", "Canceled instances", {
        count: canceled.length,
        kind: first.kind,
        instance: first.id,
        by: `job ${by.kind}`,
        from: by.id,
      });
    }
    return canceled;
  }

  async #schedule(
    instance: Instance,
    caller: Caller,
    args: readonly unknown[],
  ): Promise<Instance> {
    const kind = kindOfReference(args[0]);
    const options = readScheduleOptions(kind, args[1]);
    const accept = (id: string) => this.#manager.scheduleJob(kind, { ...options, id }, instance);
    if (options.id !== undefined) return await accept(options.id);
    const key = keyOf(caller, kind, options);
    try {
      return await accept(childId(instance, key));
    } catch (error) {
      if (!isJobError(error, "already_exists")) throw error;
      // The job now converts these arguments differently than for an earlier attempt.
      return await accept(childId(instance, `${key}/${instance.attempt}`));
    }
  }

  async #scheduleMany(
    instance: Instance,
    caller: Caller,
    requests: unknown,
  ): Promise<readonly Instance[]> {
    checkRequests(requests);
    const children = requests.map((request, index) =>
      inRequest(index, () => {
        const { kind: name, ...rest } = objectOf(request);
        const kind = kindOfReference(name);
        const options = readScheduleOptions(kind, rest);
        const id = options.id ?? childId(instance, keyOf(caller, kind, options));
        return { ...options, kind, id };
      })
    );
    return (await this.#manager.scheduleBatch(children, { parent: instance })).instances;
  }

  // In slices, so that a wait does not outlive its attempt by much.
  async #wait(instance: Instance, [id, timeout]: readonly unknown[]): Promise<Instance | null> {
    // A missing one becomes null in JSON.
    checkTimeout(timeout ?? undefined);
    let leftMs = (timeout ?? Infinity) as number;
    for (;;) {
      const sliceMs = Math.min(leftMs, WAIT_SLICE_MS);
      const final = await this.#manager.waitInstance(String(id), sliceMs);
      leftMs -= sliceMs;
      if (final || leftMs <= 0) return final;
      if (!this.#isClaimed(instance)) throw staleFence(instance, "waitInstance");
    }
  }
}

/** A wait of zero length, which precedes every other wait of a worker. */
function isPoll(method: string, args: readonly unknown[]): boolean {
  return method === "waitInstance" && args[1] === 0;
}

function staleFence(instance: Instance, method: string): JobError {
  return new JobError(
    "stale_fence",
    `Cannot call "${method}" for instance "${instance.id}": its claim has expired`,
  );
}

function readScheduleOptions(kind: string, value: unknown): ScheduleOptions {
  const options = given(value) ?? {};
  if (Reflect.has(Object(options), "cron")) {
    throw new JobError(
      "unimplemented",
      `Cannot schedule "${kind}" by a cron expression from a job: instances only`,
      { path: "cron", hint: "Give the job a schedule in its definition" },
    );
  }
  checkScheduleOptions(kind, options);
  return options;
}

/** Identifies a scheduled thing, and the number of times that this attempt scheduled it before. */
function keyOf(caller: Caller, kind: string, options: ScheduleOptions): string {
  const content = JSON.stringify([kind, options.arguments ?? [], options.uniqueKey ?? null]);
  const digest = createHash("sha256").update(content).digest("base64");
  const count = caller.scheduled.get(digest) ?? 0;
  caller.scheduled.set(digest, count + 1);
  return `${digest}/${count}`;
}

/** The given argument; a missing one is null in JSON. Its reader checks the type. */
function given(value: unknown): object | undefined {
  return value === null ? undefined : value as object | undefined;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
