import { JobError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { Random } from "../../src/platform/random.ts";
import type { Store } from "../../src/store/store.ts";

/** The faults of the link to the store; changed while the simulation runs. */
export interface StoreFaults {
  /** Share of requests lost before they reach the store. */
  lostRequests: number;
  /** Share of responses lost after the commit. */
  lostAnswers: number;
  /** Longest delay of a message, each direction, in milliseconds. */
  latencyMaxMs: number;
  /** The store is in the node's process: requests arrive at once, responses take their time. */
  readonly isInProcess: boolean;
}

/** Methods carried by a link; the others return at once. */
const CARRIED: ReadonlySet<string> = new Set([
  "enqueue",
  "claim",
  "renew",
  "settle",
  "cancel",
  "reap",
  "redrive",
  "backfill",
  "setPause",
  "appendLogs",
  "advance",
  "putSchedule",
  "deleteSchedule",
  "dueSchedules",
  "nextDue",
  "retain",
]);

/**
 * A node's link to a store shared by all nodes: late and lost requests, late and lost responses.
 * The world opens and closes the store.
 */
export function faultyStore(
  store: Store,
  options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly faults: StoreFaults;
    readonly gate: (message: () => void) => void;
  },
): Store {
  const { clock, random, faults, gate } = options;
  const travel = (message: () => void, isRequest = false) => {
    if (isRequest && faults.isInProcess) return message();
    const delayMs = Math.floor(random.next() * faults.latencyMaxMs);
    if (delayMs === 0) message();
    else clock.timer(delayMs, message);
  };
  const lost = (what: string) =>
    new JobError("unavailable", `Cannot reach the store: ${what} lost`);
  const carry = (method: (request: unknown) => Promise<unknown>) => (request: unknown) =>
    new Promise((resolve, reject) => {
      const answer = (deliver: () => void) => travel(() => gate(deliver));
      travel(() => {
        if (random.next() < faults.lostRequests) return answer(() => reject(lost("request")));
        method(request).then((value) => {
          if (random.next() < faults.lostAnswers) answer(() => reject(lost("answer")));
          else answer(() => resolve(value));
        }, (error) => answer(() => reject(error)));
      }, true);
    });
  return new Proxy(store, {
    get(target, key) {
      if (key === "open") return () => Promise.resolve({ ...SHARED_INFO });
      if (key === "close") return () => Promise.resolve();
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      const method = value.bind(target);
      if (key === "subscribe") {
        return (listener: (hint: unknown) => void) =>
          method((hint: unknown) => gate(() => listener(hint)));
      }
      return CARRIED.has(String(key)) ? carry(method) : method;
    },
  });
}

const SHARED_INFO = {
  type: "sim",
  location: "sim",
  storeId: "sim",
  epoch: 1,
  format: 1,
  isDurable: true,
  recovered: [],
};
