import type { JsonSchema } from "../core/arguments/json_schema.ts";
import {
  CONCURRENCY_WANTED,
  parseConcurrency,
  parseRate,
  parseUnique,
  RATE_WANTED,
  TABLE_STYLE,
  uniqueWanted,
} from "../core/job/limit_inputs.ts";
import type { OptionTarget } from "../core/job/option_table.ts";
import { CHANNELS_MAX, type OptionForm, type PlainForm } from "../core/job/option_values.ts";
import { JOB_OPTIONS, type JobOptionTable } from "../core/job/options.ts";
import { SCHEDULES_MAX } from "../core/time/schedule.ts";
import { TAGS_MAX } from "../core/job/tags.ts";
import { BLACKOUTS_MAX } from "../core/time/blackout.ts";
import {
  BOOLEAN,
  choice,
  duration,
  integer,
  list,
  number,
  oneOrMany,
  optional,
  parsedValue,
  type Reader,
  size,
  string,
  TEXT,
  TIMEZONE,
} from "./values/readers.ts";
import { key, type Keys } from "./values/schema.ts";
import * as special from "./values/special_readers.ts";

/** The option keys of a job's table. A key without a default uses the one in `[defaults]`. */
export function jobOptionKeys(table: JobOptionTable = JOB_OPTIONS): Keys {
  return Object.fromEntries(
    Object.entries(table).map(([name, { value, isInherited, initial, doc }]) => [
      name,
      key(readerOf(value.form), doc, isInherited ? undefined : initial),
    ]),
  );
}

/** The keys of `[defaults]`, by their dotted paths. */
export function defaultKeys(table: JobOptionTable = JOB_OPTIONS): Keys {
  return Object.fromEntries(
    Object.entries(table).filter(([, { isInherited }]) => isInherited).map(
      ([name, { value, initial, doc }]) => {
        const reader = readerOf(value.form);
        return [
          `defaults.${name}`,
          key(initial === undefined ? optional(reader) : reader, doc, initial),
        ];
      },
    ),
  );
}

/**
 * The values of options by their target paths, see `withValues` of the core.
 *
 * @param values of keys by their paths
 * @param prefix of the paths of options
 */
export function optionValues(
  values: Readonly<Record<string, unknown>>,
  target: OptionTarget,
  prefix = "",
  table: JobOptionTable = JOB_OPTIONS,
): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    if (value === null || !path.startsWith(prefix)) continue;
    const name = path.slice(prefix.length);
    const goal = Object.hasOwn(table, name) ? table[name]![target] : undefined;
    if (goal !== undefined) found[goal] = value;
  }
  return found;
}

const PATHS = { anyOf: [TEXT, { type: "array", items: TEXT }] };
const COUNT = { type: "integer", minimum: 1 };
const table = (properties: JsonSchema) => ({
  type: "object",
  properties,
  additionalProperties: false,
});
const CONCURRENCY_TABLE = table({
  max: COUNT,
  by: PATHS,
  per: { enum: ["cluster", "node"] },
  hold: { enum: ["attempt", "instance"] },
});
const CONCURRENCY = { anyOf: [COUNT, CONCURRENCY_TABLE] };
const RATE = { anyOf: [TEXT, table({ max: COUNT, per: TEXT, by: PATHS })] };
const CONCURRENCY_SCHEMA = { anyOf: [CONCURRENCY, { type: "array", items: CONCURRENCY }] };
const RATE_SCHEMA = { anyOf: [RATE, { type: "array", items: RATE }] };
const UNIQUE_SCHEMA = {
  anyOf: [PATHS, table({ by: PATHS, for: TEXT, on_conflict: { enum: ["keep", "replace"] } })],
};

const READERS: Readonly<Record<PlainForm, Reader<unknown>>> = {
  flag: BOOLEAN,
  failures: list(special.FAILURE_NAME),
  tags: oneOrMany(special.NODE_NAME, { maxLength: TAGS_MAX }),
  channels: oneOrMany(special.CHANNEL_NAME, { minLength: 0, maxLength: CHANNELS_MAX }),
  concurrency: parsedValue(CONCURRENCY_WANTED, CONCURRENCY_SCHEMA, parseConcurrency),
  rate: parsedValue(RATE_WANTED, RATE_SCHEMA, (value) => parseRate(value, TABLE_STYLE)),
  unique: parsedValue(
    uniqueWanted(TABLE_STYLE),
    UNIQUE_SCHEMA,
    (value) => parseUnique(value, TABLE_STYLE),
  ),
  schedules: oneOrMany(special.SCHEDULE_TEXT, { maxLength: SCHEDULES_MAX }),
  timezone: TIMEZONE,
  time: special.TIME,
  blackout: oneOrMany(special.BLACKOUT),
  silence: oneOrMany(special.BLACKOUT, { minLength: 0, maxLength: BLACKOUTS_MAX }),
  arguments: special.ARGUMENTS,
};

function readerOf(form: OptionForm): Reader<unknown> {
  switch (form.name) {
    case "duration":
      return duration(form);
    case "size":
      return size(form);
    case "integer":
      return integer(form.min, form.max);
    case "number":
      return number(form);
    case "choice":
      return choice(form.words);
    case "choices":
      return list(choice(form.words));
    case "text":
      return string(form);
    default:
      return READERS[form.name];
  }
}
