import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { createMethods } from "../platform/lazy.ts";
import type { InstanceQuery } from "../store/store.ts";
import type { ManagerApi } from "./api.ts";

/** How long a request waits for the store, in milliseconds: clients get an answer within 5 s. */
const ANSWER_MS = 4_000;
/** How long it waits after one has waited in vain, until the store responds again. */
const AWAY_MS = 500;

/** Requests that pass through many instances, wait for something, or do not ask the store. */
const UNTIMED: ReadonlySet<keyof ManagerApi> = new Set<keyof ManagerApi>([
  "backfill",
  "clearInstanceHistory",
  "clearInstanceLogs",
  "countUpTo",
  "kindsOfTag",
  "processesOf",
  "reloadConfig",
  "resizeWorkers",
  "testNotice",
  "waitInstance",
]);
/** Requests that take a call or two of the store if they are about one instance. */
const TIMED_FOR_ONE: ReadonlySet<keyof ManagerApi> = new Set<keyof ManagerApi>([
  "cancelInstances",
  "redriveInstances",
]);

type Method = (...args: unknown[]) => unknown;

/**
 * The manager for requests from outside. A request that takes a call or two of the store is refused
 * as `unavailable` in time if the store is slow; the manager itself keeps waiting, so the request
 * may still take effect. One that passes through many instances takes as long as it takes.
 *
 * @param location of the store, without secrets
 */
export function answerInTime(manager: ManagerApi, clock: Clock, location: string): ManagerApi {
  let isAway = false;
  const inTime = <T>(answer: Promise<T>): Promise<T> => {
    const waitMs = isAway ? AWAY_MS : ANSWER_MS;
    answer.then(() => isAway = false, () => {});
    return new Promise((resolve, reject) => {
      const timer = clock.timer(waitMs, () => {
        isAway = true;
        const message = `Cannot reach ${location}: no response within ${waitMs} ms`;
        const hint =
          "It is slow or unreachable; the request may have been carried out, or may still be: " +
          "with the same UUID it is carried out once";
        reject(new JobError("unavailable", message, { hint }));
      }, { unref: true });
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  };
  const { version, daemon } = manager;
  const sessions = createMethods<ManagerApi["sessions"]>({}, (name) => {
    return (...args) => inTime((manager.sessions[name] as Method)(...args) as Promise<unknown>);
  });
  return createMethods<ManagerApi>({ version, daemon, sessions }, (name) => {
    const method = (...args: unknown[]) => (manager[name] as Method)(...args);
    if (UNTIMED.has(name)) return method;
    const isTimed = TIMED_FOR_ONE.has(name) ? isForOne : () => true;
    return (...args) => {
      const answer = method(...args);
      return answer instanceof Promise && isTimed(args[0]) ? inTime(answer) : answer;
    };
  });
}

function isForOne({ ids, idPrefix }: InstanceQuery): boolean {
  return ids?.length === 1 || idPrefix !== undefined;
}
