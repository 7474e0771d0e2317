import { quoteValue } from "../core/text/quote_value.ts";
import { JobError } from "../core/errors.ts";
import { WORKERS_MAX } from "../core/job/limits.ts";
import {
  FLAG,
  isDuration,
  isFilled,
  isListOf,
  isObject,
  isWhole,
  isWithin,
  type KeysOf,
  WORD,
} from "../core/text/object_keys.ts";
import type { Logger } from "../platform/logger.ts";
import type { ReplicaMedium } from "../store/replica/medium.ts";
import type { StoreOptions } from "./store_options.ts";

/** Options of a manager of the library; all have defaults. */
export interface ManagerSetup {
  /**
   * "memory:" (the default), "sqlite:PATH", the URL of a server, the path of a module, one of these
   * with options, or a medium of your own.
   */
  readonly store?: string | StoreOptions | ReplicaMedium;
  /** Most concurrent attempts; 4 by default. */
  readonly workers?: number;
  /** Most concurrent attempts of the jobs of each pool. */
  readonly pools?: Readonly<Record<string, number>>;
  /** Default time zone of schedules; UTC by default. */
  readonly timezone?: string;
  /** Length of a claim's lease, in milliseconds or as a duration; 15 s by default. */
  readonly lease?: number | string;
  /** How long `stop` lets running attempts finish; 30 s by default. */
  readonly drain?: number | string;
  /** Where the manager reports; nowhere by default. */
  readonly logger?: Logger;
  /** Unique name of this node among those on the store; by default host and process number. */
  readonly node?: string;
  /** Tags that jobs can require with `needs`. */
  readonly tags?: readonly string[];
  /**
   * True (the default) if the manager keeps the process alive from `start` to `stop`. With false,
   * the process may end while the manager only waits.
   */
  readonly keepAlive?: boolean;
}

/** The options of a manager, and their checks. */
export const SETUP_KEYS: KeysOf<ManagerSetup> = {
  store: ["a medium, or the URL of a store", (value) => isFilled(value) || isObject(value)],
  workers: [`a whole number from 0 to ${WORKERS_MAX}`, isWithin(0, WORKERS_MAX)],
  pools: [
    "an object of whole numbers by the names of pools",
    (value) => isObject(value) && checkPools(value),
  ],
  timezone: ["the name of a zone", isFilled],
  lease: ["milliseconds or duration text", isDuration],
  drain: ["milliseconds or duration text", isDuration],
  logger: ["an object with debug, info, warn and error", isLogger],
  node: WORD,
  tags: ["a list of texts", isListOf(isFilled)],
  keepAlive: FLAG,
};

function checkPools(pools: object): true {
  for (const [name, most] of Object.entries(pools)) {
    if (isWhole(1)(most)) continue;
    const found = `found ${quoteValue(most)} for "${name}"`;
    throw new JobError("invalid_argument", `${found}, wanted a whole number of 1 or more`);
  }
  return true;
}

function isLogger(value: unknown): boolean {
  return isObject(value) && ["debug", "info", "warn", "error"].every((name) => {
    return typeof value[name] === "function";
  });
}
