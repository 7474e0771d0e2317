import { isJobError } from "../core/errors.ts";
import {
  CONCURRENCY_WANTED,
  parseConcurrency,
  parseRate,
  parseUnique,
  RATE_WANTED,
  TABLE_STYLE,
  uniqueWanted,
} from "../core/job/limit_inputs.ts";
import type { ConcurrencyLimit, RateLimit, UniquePolicy } from "../core/job/limits.ts";
import { integer, type Reader } from "./readers.ts";
import { childOf, isTable } from "./source.ts";

/** Most instances that run at once. */
export function concurrency(): Reader<readonly ConcurrencyLimit[]> {
  return parsed(CONCURRENCY_WANTED, parseConcurrency);
}

/** Most starts in a span. */
export function rate(): Reader<readonly RateLimit[]> {
  return parsed(RATE_WANTED, (value) => parseRate(value, TABLE_STYLE));
}

/** What makes two instances the same one. */
export function unique(): Reader<UniquePolicy> {
  return parsed(uniqueWanted(TABLE_STYLE), (value) => parseUnique(value, TABLE_STYLE));
}

/** Most attempts at once by the name of a pool. */
export function pools(): Reader<Readonly<Record<string, number>>> {
  const count = integer(1, 10_000);
  const wanted = "a table of numbers by the name of a pool";
  return {
    wanted,
    read(field, report) {
      const { value } = field;
      if (!isTable(value)) return report.mismatch(field, wanted);
      const read = Object.entries(value).map(([name, max]) =>
        [name, count.read(childOf(field, name, max), report)] as const
      );
      if (read.some(([, max]) => max === undefined)) return undefined;
      return Object.fromEntries(read) as Record<string, number>;
    },
  };
}

function parsed<T>(wanted: string, parse: (value: unknown) => T): Reader<T> {
  return {
    wanted,
    read(field, report) {
      try {
        return parse(field.value);
      } catch (error) {
        if (!isJobError(error)) throw error;
        return report.value(field, error.message, error.hint);
      }
    },
  };
}
