import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { createMethods } from "../platform/lazy.ts";
import type { InstanceQuery } from "../store/store.ts";
import type { ManagerApi } from "./api.ts";

/** Time limit of a request to the store, in milliseconds: clients get an answer within 5 s. */
const ANSWER_MS = 4_000;
/** Time limit after a request has timed out, until the store responds again. */
const AWAY_MS = 500;

/** Methods without a time limit that are not in the contract under their name. */
const UNTIMED: ReadonlySet<string> = new Set([
  "clearInstanceHistory",
  "clearInstanceLogs",
  "countUpTo",
  "kindsOfTag",
  "processesOf",
]);

/** Time limits of the methods of the contract; short ones have no entry. */
export type MethodTimes = Readonly<
  Partial<Record<string, { readonly time?: "long" | "long for many" }>>
>;

type Method = (...args: unknown[]) => unknown;

/**
 * The manager for requests from outside. A request that takes a call or two of the store is refused
 * as `unavailable` in time if the store is slow; the manager itself keeps waiting, so the request
 * may still take effect. Requests over many instances have no time limit.
 */
export function answerInTime(
  manager: ManagerApi,
  clock: Clock,
  { location, times }: { readonly location: string; readonly times: MethodTimes },
): ManagerApi {
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
    const time = UNTIMED.has(name) ? "long" : times[name]?.time;
    if (time === "long") return method;
    const isTimed = time === "long for many" ? isForOne : () => true;
    return (...args) => {
      const answer = method(...args);
      return answer instanceof Promise && isTimed(args[0]) ? inTime(answer) : answer;
    };
  });
}

function isForOne({ ids, idPrefix }: InstanceQuery): boolean {
  return ids?.length === 1 || idPrefix !== undefined;
}
