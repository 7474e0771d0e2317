import { JobError } from "../../core/errors.ts";
import type { CronField } from "./cronie.ts";

// supercronic's cronexpr: seconds before and a year after the five fields are allowed, "5/15" runs
// to the end of the range, and a day matches if either restricted day field does.

const MONTHS =
  "january february march april may june july august september october november december";
const WEEKDAYS = "sunday monday tuesday wednesday thursday friday saturday";
const FIELDS: readonly CronField[] = [
  { field: "second", low: 0, high: 59, names: [] },
  { field: "minute", low: 0, high: 59, names: [] },
  { field: "hour", low: 0, high: 23, names: [] },
  { field: "day-of-month", low: 1, high: 31, names: [] },
  { field: "month", low: 1, high: 12, names: MONTHS.split(" ") },
  { field: "day-of-week", low: 0, high: 7, names: WEEKDAYS.split(" ") },
];
const NICKNAMES = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly", "@reboot"];
const WORDS_MAX = 7;

function bad({ field }: CronField, text: string): JobError {
  return new JobError("invalid_argument", `syntax error in ${field} field: "${text.slice(0, 80)}"`);
}

function readValue(rule: CronField, text: string): number {
  const place = rule.names.findIndex((name) => name === text || name.slice(0, 3) === text);
  const value = /^\d{1,2}$/.test(text) ? Number(text) : place < 0 ? NaN : rule.low + place;
  if (!(value >= rule.low && value <= rule.high)) throw bad(rule, text);
  return value;
}

/** One item, in the syntax of the product. */
function readItem(rule: CronField, item: string): string {
  const text = item.toLowerCase();
  if (text === "*" || text === "?") return "*";
  if (rule.field === "day-of-month" && /^(?:l|lw|\d{1,2}w)$/.test(text)) return text.toUpperCase();
  const special = rule.field === "day-of-week" ? /^(\w+?)(l|#[1-5])$/.exec(text) : null;
  if (special !== null) {
    return `${readValue(rule, special[1]!) % 7}${special[2]!.toUpperCase()}`;
  }
  const [range = "", step, ...others] = text.split("/");
  const isStep = step === undefined || /^\d+$/.test(step) && Number(step) >= 1 &&
      Number(step) <= rule.high;
  if (!isStep || others.length > 0) throw bad(rule, item);
  const suffix = step === undefined ? "" : `/${step}`;
  if (range === "*") return suffix === "" ? "*" : `${rule.low}-${rule.high}${suffix}`;
  const [from = "", to, ...more] = range.split("-");
  const first = readValue(rule, from);
  if (to === undefined) return step === undefined ? `${first}` : `${first}-${rule.high}${suffix}`;
  const last = readValue(rule, to);
  if (more.length > 0 || last < first) throw bad(rule, item);
  return `${first}-${last}${suffix}`;
}

function readField(rule: CronField, text: string): string {
  const items = text.split(",").filter((item) => item !== "").map((item) => readItem(rule, item));
  if (items.length === 0) throw bad(rule, text);
  // A star means every value, regardless of other items.
  return items.includes("*") ? "*" : items.join(",");
}

function readFields(words: readonly string[]): string {
  const year = words.length > 5 ? words.at(-1)! : "*";
  if (!/^(?:[*?]|19[789]\d|20\d\d)([-/,].*)?$/.test(year)) {
    throw new JobError("invalid_argument", `syntax error in year field: "${year.slice(0, 80)}"`);
  }
  const seconds = words.length === WORDS_MAX ? words[0]! : "0";
  const fields = [seconds, ...words.slice(words.length === WORDS_MAX ? 1 : 0).slice(0, 5)];
  const read = FIELDS.map((rule, place) => readField(rule, fields[place]!));
  if (!/^[*?]$/.test(year)) {
    throw new JobError(
      "unimplemented",
      `the year "${year}" is not carried over: schedules of jobctl have no years`,
    );
  }
  return read.slice(read[0] === "0" ? 1 : 0).join(" ");
}

/** A line split into schedule and command like in supercronic: the most readable fields. */
export interface SupercronicLine {
  /** As written, with single blanks. */
  readonly fields: string;
  /** The same in the syntax of the product; null if inexpressible. */
  readonly schedule: string | null;
  readonly command: string;
  /** Reason for a missing schedule. */
  readonly problem: string | null;
}

/** Read a line of a crontab. Returns null for a line that supercronic refuses. */
export function readSupercronicLine(line: string): SupercronicLine | null {
  for (const count of [WORDS_MAX, 6, 5, 1]) {
    const match = new RegExp(`^(\\S+(?:\\s+\\S+){${count - 1}})\\s+(\\S.*)$`).exec(line);
    if (match === null) continue;
    const words = match[1]!.split(/\s+/);
    const found = { fields: words.join(" "), command: match[2]!, problem: null };
    if (count === 1) {
      const [word = ""] = words;
      return NICKNAMES.includes(word) ? { ...found, schedule: word } : null;
    }
    try {
      return { ...found, schedule: readFields(words) };
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      if (error.code === "unimplemented") {
        return { ...found, schedule: null, problem: error.message };
      }
    }
  }
  return null;
}
