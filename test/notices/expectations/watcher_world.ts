import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { JobDefinition, JobSchedule } from "../../../src/core/job/job.ts";
import type { ManagerParts } from "../../../src/manager/manager_parts.ts";
import { ExpectationWatcher } from "../../../src/notices/expectations/watcher.ts";
import type { AddNews, InstanceQuery, Store } from "../../../src/store/store.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

/** Options of a job with these expectations; others are those of no job. */
export function expecting(
  expect: Partial<JobOptions["expect"]>,
  options: Partial<JobOptions> = {},
): Partial<JobOptions> {
  return { ...options, expect: { ...JOB_DEFAULTS.expect, startWithinMs: 0, ...expect } };
}

/** A job with these expectations. */
export function expectingJob(
  kind: string,
  expect: Partial<JobOptions["expect"]>,
  more: { readonly options?: Partial<JobOptions>; readonly schedules?: readonly JobSchedule[] } =
    {},
): JobDefinition {
  return jobOf(kind, { ...more, options: expecting(expect, more.options) });
}

/** A manager with a watcher, on a clock that moves only when told. */
export class WatcherWorld extends ManagerWorld {
  readonly watcher: ExpectationWatcher;
  /** What the watcher asked of the store. */
  readonly calls = new Map<string, number>();
  readonly added: AddNews[] = [];
  readonly #isAlone: Promise<void>;

  constructor(options: ConstructorParameters<typeof ManagerWorld>[0] = {}) {
    super(options);
    const parts = Reflect.get(this.manager, "parts") as ManagerParts;
    const { registry, dispatcher, events, options: { ids, clock, logger } } = parts;
    // Only the calls of the world's own watcher are counted.
    this.#isAlone = parts.notices.load().then(({ expectations }) => {
      expectations.start = () => {};
    });
    const store = new Proxy(this.link.over(this.store), {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const states = key === "list" ? (args[0] as InstanceQuery).states ?? [] : [];
          const call = [String(key), ...states].join(" ");
          this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
          const result = value.apply(target, args);
          if (key === "addNews") {
            void result.then(() => this.added.push(args[0] as AddNews), () => {});
          }
          return result;
        };
      },
    }) as Store;
    this.watcher = new ExpectationWatcher({
      ...{ store, clock, ids, logger, jobs: registry, workers: dispatcher },
      subscribe: (listener) => events.subscribe(listener),
    });
  }

  /** Start with the watcher, as the manager does. */
  override async started(): Promise<this> {
    await this.#isAlone;
    await this.of(this.manager.open());
    this.watcher.start();
    return await super.started();
  }

  /** All news so far, one line each: the id, then the detail. */
  news(): readonly string[] {
    return this.added.flatMap(({ news }) => news.map(({ id, detail }) => `${id}: ${detail}`));
  }
}
