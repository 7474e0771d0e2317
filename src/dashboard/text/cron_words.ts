import { WEEKDAYS } from "../../core/time/calendar.ts";
import { NICKNAMES } from "../../core/time/cron_expression.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/** The months from January on. */
export const MONTHS: readonly string[] = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const MONTH_NAMES = MONTHS.map((name) => name.slice(0, 3).toLowerCase());

const UNIT_WORDS: Readonly<Record<string, string>> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
};

/** "a", "a and b", "a, b and c". */
function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function every(count: number, unit: string): string {
  return count === 1 ? `every ${unit}` : `every ${count} ${unit}s`;
}

/** The numbers of a field that names each; null for ranges and steps. */
function numbersOf(field: string, names: readonly string[] = []): readonly number[] | null {
  const numbers = field.split(",").map((part) => {
    const named = names.indexOf(part.toLowerCase());
    return named >= 0 ? named : /^\d+$/.test(part) ? Number(part) : NaN;
  });
  return numbers.every((one) => Number.isFinite(one)) ? numbers : null;
}

function stepOf(field: string): number | null {
  const step = /^(?:\*|0)\/(\d+)$/.exec(field)?.[1];
  return step === undefined ? null : Number(step);
}

function clock(hour: number, minute: number): string {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

/** When within a day. */
function timeWords(minute: string, hour: string): string | null {
  const minuteStep = minute === "*" ? 1 : stepOf(minute);
  const hourRange = /^(\d+)-(\d+)$/.exec(hour);
  if (minuteStep !== null) {
    if (hour === "*") return every(minuteStep, "minute");
    if (hourRange !== null) {
      const [, from, to] = hourRange;
      return `${every(minuteStep, "minute")} from ${clock(Number(from), 0)} to ${
        clock(Number(to), 59)
      }`;
    }
    const hours = numbersOf(hour);
    if (hours === null) return null;
    const spans = hours.map((one) => `${clock(one, 0)} to ${clock(one, 59)}`);
    return `${every(minuteStep, "minute")} from ${listed(spans)}`;
  }
  const minutes = numbersOf(minute);
  if (minutes === null) return null;
  const past = `at minute ${listed(minutes.map(String))}`;
  if (hour === "*") return minutes.join() === "0" ? "every hour" : `${past} of every hour`;
  const hourStep = stepOf(hour);
  if (hourStep !== null) {
    const hours = every(hourStep, "hour");
    return minutes.join() === "0" ? hours : `${past}, ${hours}`;
  }
  if (hourRange !== null) {
    const [, from, to] = hourRange;
    const hours = `every hour from ${clock(Number(from), minutes[0]!)} to ${
      clock(Number(to), minutes.at(-1)!)
    }`;
    return minutes.length === 1 ? hours : null;
  }
  const hours = numbersOf(hour);
  if (hours === null || hours.length * minutes.length > 6) return null;
  return `at ${listed(hours.flatMap((one) => minutes.map((at) => clock(one, at))))}`;
}

function weekdayWords(field: string): string | null {
  if (field === "*" || field === "?") return "";
  const lower = field.toLowerCase();
  if (lower === "1-5" || lower === "mon-fri") return "on weekdays";
  if (["0,6", "6,0", "6-7", "sat,sun", "sat-sun", "6,7"].includes(lower)) return "at weekends";
  const range = /^([\da-z]+)-([\da-z]+)$/.exec(lower);
  if (range !== null) {
    const [from, to] = [range[1]!, range[2]!].map((one) => numbersOf(one, WEEKDAYS)?.[0]);
    if (from === undefined || to === undefined) return null;
    return `from ${DAYS[from % 7]} to ${DAYS[to % 7]}`;
  }
  const days = numbersOf(field, WEEKDAYS);
  if (days === null || days.some((one) => one > 7)) return null;
  return `on ${listed(days.map((one) => DAYS[one % 7]!))}`;
}

function dayWords(field: string): string | null {
  if (field === "*" || field === "?") return "";
  if (field.toUpperCase() === "L") return "on the last day of the month";
  const step = stepOf(field);
  if (step !== null) return `every ${step} days of the month`;
  const days = numbersOf(field);
  return days === null ? null : `on day ${listed(days.map(String))} of the month`;
}

function monthWords(field: string): string | null {
  if (field === "*") return "";
  const step = stepOf(field);
  if (step !== null) return `every ${step} months`;
  const months = numbersOf(field, ["", ...MONTH_NAMES]);
  if (months === null || months.some((one) => one < 1 || one > 12)) return null;
  return `in ${listed(months.map((one) => MONTHS[one - 1]!))}`;
}

function everyWords(text: string): string | null {
  const parts = /^@every (\d+)([smhd])$/.exec(text);
  return parts === null ? null : every(Number(parts[1]), UNIT_WORDS[parts[2]!]!);
}

/** A schedule in words, such as "at 03:00 on weekdays"; null if words would not simplify it. */
export function cronWords(cron: string): string | null {
  const text = cron.trim();
  const spanned = everyWords(text);
  if (spanned !== null) return spanned;
  const fields = (NICKNAMES[text.toLowerCase()] ?? text).split(/\s+/);
  // A field of seconds with 0 changes nothing.
  if (fields.length === 6 && fields[0] === "0") fields.shift();
  if (fields.length !== 5) return null;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const time = timeWords(minute, hour);
  const days = dayWords(day);
  const months = monthWords(month);
  const weekdays = weekdayWords(weekday);
  if (time === null || days === null || months === null || weekdays === null) return null;
  // Cron takes a day that fits either of both.
  const either = days !== "" && weekdays !== "" ? [`${days} or ${weekdays}`] : [days, weekdays];
  const isDaily = time.startsWith("at ") && !time.startsWith("at minute") &&
    days === "" && weekdays === "" && months === "";
  return [time, ...either, months, isDaily ? "every day" : ""].filter((one) => one !== "").join(
    " ",
  );
}
