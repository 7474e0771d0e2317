import { CronExpressionParser } from "cron-parser";
import { JobError } from "../errors.ts";
import { WEEKDAYS } from "./calendar.ts";
import type { CronField } from "./cron_expression.ts";

/** The fields of a cron expression, in their order. */
export const FIELD_NAMES = [
  "second",
  "minute",
  "hour",
  "day of month",
  "month",
  "day of week",
] as const;
type CronFieldName = (typeof FIELD_NAMES)[number];

interface CronFieldRule {
  readonly low: number;
  readonly high: number;
  /** Names for `low`, `low + 1`, …; empty if only numbers are allowed. */
  readonly names: readonly string[];
  readonly key: "second" | "minute" | "hour" | "dayOfMonth" | "month" | "dayOfWeek";
  /** Highest value for `H` and `~`: every month has it, and no weekday has two numbers. */
  readonly pickHigh: number;
}

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

const RULES: Readonly<Record<CronFieldName, CronFieldRule>> = {
  "second": { low: 0, high: 59, names: [], key: "second", pickHigh: 59 },
  "minute": { low: 0, high: 59, names: [], key: "minute", pickHigh: 59 },
  "hour": { low: 0, high: 23, names: [], key: "hour", pickHigh: 23 },
  "day of month": { low: 1, high: 31, names: [], key: "dayOfMonth", pickHigh: 28 },
  "month": { low: 1, high: 12, names: MONTHS, key: "month", pickHigh: 12 },
  "day of week": { low: 0, high: 7, names: WEEKDAYS, key: "dayOfWeek", pickHigh: 6 },
};

/** Context of a field, for messages and for `H` and `~`. */
interface FieldContext {
  readonly expression: string;
  readonly name: CronFieldName;
  /** Determines `H` and `~`; null refuses them. */
  readonly seed: string | null;
}

/** Most cached fields and items: equal schedules share them. */
const KNOWN_MAX = 5_000;
/** Longest expression shown in a message. */
const SHOWN_MAX = 80;

/** The error for an expression: `Cannot read cron expression "…": <reason>`. */
export function cronError(expression: string, reason: string, hint?: string): JobError {
  const shown = expression.length > SHOWN_MAX ? `${expression.slice(0, SHOWN_MAX)}…` : expression;
  return new JobError("invalid_argument", `Cannot read cron expression "${shown}": ${reason}`, {
    hint: hint ?? "Write five fields: minute, hour, day of month, month, day of week",
  });
}

function refuse(context: FieldContext, item: string, found: string, hint?: string): JobError {
  const { low, high, names } = RULES[context.name];
  const wanted = names.length === 0
    ? `${low} to ${high}`
    : `${low} to ${high} or ${names[0]} to ${names.at(-1)}`;
  return cronError(
    context.expression,
    `${context.name} "${item.slice(0, SHOWN_MAX)}" ${found}, wanted ${wanted}`,
    hint ?? "A field is *, a value, a range a-b, any of them with a step /n, or a list of those",
  );
}

/** FNV-1a, mixed: the same on every machine. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 16)) >>> 0;
}

function readValue(context: FieldContext, item: string, text: string): number {
  const { low, high, names } = RULES[context.name];
  if (/^\d{1,9}$/.test(text)) {
    const value = Number(text);
    if (value < low || value > high) throw refuse(context, item, "is out of range");
    return value;
  }
  const index = names.indexOf(text.toLowerCase());
  if (index < 0) throw refuse(context, item, "is not understood");
  return low + index;
}

function readRange(context: FieldContext, item: string, range: string): readonly [number, number] {
  const [first = "", last = "", ...others] = range.split("-");
  if (others.length > 0) throw refuse(context, item, "is not understood");
  const low = readValue(context, item, first);
  const high = readValue(context, item, last);
  if (low > high) {
    const isSunday = context.name === "day of week" && high === 0;
    const hint = isSunday
      ? `Sunday at the end of a range is 7: "${low}-7"`
      : `Write two ranges: "${low}-${RULES[context.name].high},${RULES[context.name].low}-${high}"`;
    throw refuse(context, item, "runs backwards", hint);
  }
  return [low, high];
}

function readStep(context: FieldContext, item: string, text: string | undefined): number {
  if (text === undefined) return 1;
  const step = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (step === 0) throw refuse(context, item, "has a step that is not a positive number");
  return step;
}

/** Replace `H`, `H(a-b)`, `H/n`, `~`, `a~b` with values for the seed. Other items stay. */
function pin(context: FieldContext, item: string): string {
  const hashed = /^H(?:\(([^)]*)\))?(?:\/(.*))?$/.exec(item);
  const random = /^([^~/]*)~([^~/]*)$/.exec(item);
  if (hashed === null && random === null) return item;
  if (context.seed === null) {
    throw refuse(
      context,
      item,
      "depends on the job that it is for",
      "Write the value, or a step such as */15",
    );
  }
  const rule = RULES[context.name];
  let low = rule.low;
  let high = rule.pickHigh;
  if (hashed?.[1] !== undefined) [low, high] = readRange(context, item, hashed[1]);
  if (random?.[1]) low = readValue(context, item, random[1]);
  if (random?.[2]) high = readValue(context, item, random[2]);
  else if (low > high) high = rule.high;
  if (low > high) throw refuse(context, item, "runs backwards");
  const step = hashed?.[2] === undefined ? null : readStep(context, item, hashed[2]);
  const number = hash(`${context.seed}\n${context.name}\n${item}`);
  const span = Math.min(step ?? Infinity, high - low + 1);
  const picked = low + number % span;
  return step === null ? String(picked) : `${picked}-${high}/${step}`;
}

const expanded = new Map<string, readonly number[]>();

/** Values from `first` to `last` of a field, with a step by cron-parser. */
function expand(
  name: CronFieldName,
  { first, last, step }: { readonly first: number; readonly last: number; readonly step: number },
): readonly number[] {
  // The first use of cron-parser takes 7 MB, and most schedules have no step.
  const values = step === 1
    ? Array.from({ length: last - first + 1 }, (_, place) => first + place)
    : expandSteps(name, `${first}-${last}/${step}`);
  // Sunday is both 0 and 7.
  return name === "day of week" ? values.map((value) => value % 7) : values;
}

function expandSteps(name: CronFieldName, item: string): readonly number[] {
  const known = expanded.get(`${name} ${item}`);
  if (known !== undefined) return known;
  const { key } = RULES[name];
  const fields = ["0", "0", "0", "*", "*", "*"];
  fields[FIELD_NAMES.indexOf(name)] = item;
  const parsed = CronExpressionParser.parse(fields.join(" "), {
    currentDate: new Date(0),
    tz: "UTC",
  });
  const values = parsed.fields[key].values as readonly number[];
  if (expanded.size >= KNOWN_MAX) expanded.clear();
  expanded.set(`${name} ${item}`, values);
  return values;
}

/** Read a form that only days of the month have. Returns false for any other item. */
function readMonthDay(context: FieldContext, item: string, field: Mutable<CronField>): boolean {
  if (item === "L") field.isLastDay = true;
  else if (item === "LW") field.isLastWorkday = true;
  else if (/^\w+W$/.test(item)) {
    field.nearest = [...field.nearest, readValue(context, item, item.slice(0, -1))];
  } else return false;
  return true;
}

/** Read a form that only days of the week have. Returns false for any other item. */
function readWeekday(context: FieldContext, item: string, field: Mutable<CronField>): boolean {
  const nth = /^(\w+)#(\w*)$/.exec(item);
  if (nth !== null) {
    const n = Number(nth[2]);
    if (!/^[1-5]$/.test(nth[2]!)) {
      const found = `${context.name} "${item}" names no week of a month, wanted # and 1 to 5`;
      throw cronError(
        context.expression,
        found,
        'Write "fri#2" for the second, "friL" for the last',
      );
    }
    field.nth = [...field.nth, [readValue(context, item, nth[1]!) % 7, n]];
  } else if (/^\w+L$/.test(item)) {
    field.lastOf = [...field.lastOf, readValue(context, item, item.slice(0, -1)) % 7];
  } else return false;
  return true;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function readItem(context: FieldContext, item: string, field: Mutable<CronField>): void {
  const { low, high } = RULES[context.name];
  if (context.name === "day of month" && readMonthDay(context, item, field)) return;
  if (context.name === "day of week" && readWeekday(context, item, field)) return;
  const [range = "", stepText, ...others] = item.split("/");
  if (others.length > 0) throw refuse(context, item, "has two steps");
  const step = readStep(context, item, stepText);
  const isRange = range.includes("-");
  if (range !== "*" && !isRange) {
    const value = readValue(context, item, range);
    if (stepText !== undefined) {
      const hint = `Write the range that the step is for: "${value}-${high}/${step}"`;
      throw refuse(context, item, "has a step but no range", hint);
    }
    const only = { first: value, last: value, step: 1 };
    field.values = [...field.values, ...expand(context.name, only)];
    return;
  }
  const [first, last] = isRange ? readRange(context, item, range) : [low, high];
  field.values = [...field.values, ...expand(context.name, { first, last, step })];
}

function readFresh(context: FieldContext, text: string): CronField {
  const items = text.split(",").map((item) => pin(context, item));
  const isQuestion = text === "?" && RULES[context.name].key.startsWith("dayOf");
  const field: Mutable<CronField> = {
    text: items.join(","),
    values: [],
    isAny: text.startsWith("*") || isQuestion,
    isLastDay: false,
    isLastWorkday: false,
    nearest: [],
    nth: [],
    lastOf: [],
  };
  if (items.includes("")) throw refuse(context, text, "has an empty part");
  for (const item of items) readItem(context, isQuestion ? "*" : item, field);
  field.values = [...new Set(field.values)].sort((a, b) => a - b);
  return field;
}

/** Cached fields: most schedules have the same ones. */
const known = new Map<string, CronField>();

/**
 * Read one field by the rules of cronie's crontab(5), and also `L`, `LW`, `nW`, `w#n`, `wL`, `?`,
 * `H` and `~`.
 *
 * @throws JobError `invalid_argument` naming the field
 */
export function readCronField(context: FieldContext, text: string): CronField {
  const key = `${context.name} ${text}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const field = readFresh(context, text);
  if (field.text === text) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, field);
  }
  return field;
}
