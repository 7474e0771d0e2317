import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { InstanceQuery } from "../store/store.ts";
import type { ManagerApi } from "./api.ts";

/** How long a request waits for its store, in milliseconds: clients, who may ask twice, are answered within 5 s. */
const ANSWER_MS = 4_000;
/** And while the store has answered nobody since one waited in vain. */
const AWAY_MS = 500;

/** What one or two calls of the store answer. What goes on by itself, or through many instances, takes as long as it takes. */
const SHORT: ReadonlySet<string> = new Set<keyof ManagerApi>([
  "scheduleJob",
  "scheduleJobs",
  "scheduleRecurring",
  "listSchedules",
  "updateSchedule",
  "deleteSchedule",
  "runSchedule",
  "skipTicks",
  "explain",
  "getInstance",
  "blockOf",
  "lookupInstances",
  "lookupInstanceHistory",
  "lookupInstanceLogs",
  "retryInstance",
  "unservedKinds",
  "listNodes",
  "resizeNode",
  "pause",
  "resume",
  "listPauses",
  "status",
]);
/** The same when they name one instance. */
const SHORT_FOR_ONE: ReadonlySet<string> = new Set<keyof ManagerApi>([
  "cancelInstances",
  "redriveInstances",
]);

/**
 * The manager for requests from outside: they are refused as `unavailable` in time although the store, which the manager itself
 * waits for, is slow. What was asked goes on and may be done afterwards.
 */
export function answerInTime(manager: ManagerApi, clock: Clock, location: string): ManagerApi {
  const store = { location, isAway: false };
  return new Proxy(manager, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]) => {
        const answer: unknown = value.apply(target, args);
        if (!isShort(String(name), args)) return answer;
        return inTime(answer as Promise<unknown>, clock, store);
      };
    },
  });
}

function isShort(name: string, [query]: readonly unknown[]): boolean {
  if (SHORT.has(name)) return true;
  const { ids, idPrefix } = (query ?? {}) as InstanceQuery;
  return SHORT_FOR_ONE.has(name) && (ids?.length === 1 || idPrefix !== undefined);
}

interface Store {
  /** Without secrets. */
  readonly location: string;
  isAway: boolean;
}

function inTime<T>(answer: Promise<T>, clock: Clock, store: Store): Promise<T> {
  const waitMs = store.isAway ? AWAY_MS : ANSWER_MS;
  answer.then(() => store.isAway = false, () => {});
  return new Promise((resolve, reject) => {
    const timer = clock.timer(waitMs, () => {
      store.isAway = true;
      reject(
        new JobError(
          "unavailable",
          `Cannot reach ${store.location}: no answer within ${waitMs} ms`,
          {
            hint:
              "It is slow or away; what was asked may have been done, or be done yet: with the same UUID it is done once",
          },
        ),
      );
    }, { unref: true });
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}
