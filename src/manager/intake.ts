import { isJobError, JobError } from "../core/errors.ts";
import type { HookDelivery, HookRun } from "../core/hooks/hook.ts";
import type { Instance } from "../core/instance.ts";
import { checkScheduleOptions } from "../core/job/schedule_options.ts";
import type { EnqueueResult, NewInstance } from "../store/store.ts";
import type {
  BatchReport,
  InstanceApi,
  ParentInstance,
  ScheduleOptions,
  SchedulePreview,
} from "./api.ts";
import type { HandledScheduleOptions } from "./context/instance_handlers.ts";
import { acceptBatch } from "./instances/batch.ts";
import { checkRequests, newInstance, type Seed, seedOf } from "./instances/new_instance.ts";
import { assertNoNotice } from "./instances/notice_rules.ts";
import type { ManagerParts } from "./manager_parts.ts";

type BatchCall = Parameters<InstanceApi["scheduleBatch"]>;

/** Accepts instances: makes them from requests, and writes them to the store. */
export class Intake {
  readonly #parts: ManagerParts;
  readonly #assertOpen: () => void;

  /** @param assertOpen throws while nothing new is accepted */
  constructor(parts: ManagerParts, assertOpen: () => void) {
    this.#parts = parts;
    this.#assertOpen = assertOpen;
  }

  /** See {@link InstanceApi.scheduleJob}. */
  async schedule(
    kind: string,
    options: HandledScheduleOptions,
    parent?: ParentInstance,
  ): Promise<Instance> {
    const wanted = this.#newInstance(kind, options, { parent });
    const { handlers } = this.#parts.events;
    // Before it is accepted, because a free worker may claim it in the same transaction.
    const hasOwn = handlers.add(wanted.id, options);
    try {
      const instance = await this.enqueue(wanted);
      // Another instance has its unique key, or it ran before: drop these handlers.
      if (hasOwn && instance.id !== wanted.id) handlers.delete(wanted.id);
      return instance;
    } catch (error) {
      if (hasOwn) handlers.delete(wanted.id);
      throw error;
    }
  }

  /** See {@link InstanceApi.scheduleBatch}. */
  async scheduleBatch(
    ...[requests, { isDryRun = false, parent } = {}]: BatchCall
  ): Promise<BatchReport> {
    checkRequests(requests);
    const { bulk, options, store } = this.#parts;
    return await bulk.run(requests.length, async () => {
      const nowMs = options.clock.now().wallMs;
      const make = (one: BatchCall[0][number], index: number) =>
        this.#newInstance(one.kind, one, { nowMs, parent, index });
      const accept = (all: readonly NewInstance[]) => this.#accept(all);
      return await acceptBatch(requests, { make, accept, isDryRun, store });
    });
  }

  /** See {@link InstanceApi.previewJob}. */
  preview(kind: string, options: ScheduleOptions): SchedulePreview {
    checkScheduleOptions(kind, options);
    const { argumentsJson, priority, dueAt } = this.#newInstance(kind, options);
    const { wallMs } = this.#parts.options.clock.now();
    return { kind, argumentsJson, priority, dueAt: dueAt ?? wallMs };
  }

  /** See {@link ExternalApi.deliver}. */
  async deliver(kind: string, delivery: HookDelivery): Promise<HookRun> {
    const { registry, options } = this.#parts;
    const job = registry.get(kind);
    if (!job.hook) throw new JobError("not_found", `Cannot deliver to job "${kind}": no hook`);
    const seed = seedOf(options);
    const id = delivery.id ?? seed.id;
    const wanted = newInstance(job, { arguments: delivery.arguments }, { ...seed, id });
    try {
      const [result] = await this.#accept([wanted]);
      return { id: result!.instance.id, isNew: result!.outcome === "accepted" };
    } catch (error) {
      // It was accepted before, when unsigned values or the configuration were different.
      if (isJobError(error, "already_exists") && error.path === "id") return { id, isNew: false };
      throw error;
    }
  }

  /** Accept an instance. Returns it as stored. */
  async enqueue(wanted: NewInstance): Promise<Instance> {
    const [result] = await this.#accept([wanted]);
    return result!.instance;
  }

  #newInstance(
    kind: string,
    options: ScheduleOptions,
    { nowMs, ...how }: Pick<Seed, "parent" | "index"> & { readonly nowMs?: number } = {},
  ): NewInstance {
    assertNoNotice(kind, "schedule");
    const { registry, options: own } = this.#parts;
    return newInstance(registry.get(kind), options, { ...seedOf(own, nowMs), ...how });
  }

  async #accept(instances: readonly NewInstance[]): Promise<readonly EnqueueResult[]> {
    this.#assertOpen();
    const { store, options, dispatcher, events } = this.#parts;
    const enqueued = store.enqueue({ at: options.clock.now(), instances });
    // In the same turn of the event loop, so that a free worker's claim shares the transaction.
    dispatcher.poke();
    const { value, at } = await enqueued;
    for (const { instance, outcome, replaced } of value) {
      if (replaced) events.changed(replaced, at);
      if (outcome === "accepted") events.changed(instance, at);
    }
    return value;
  }
}
