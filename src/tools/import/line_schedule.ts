import { isJobError, JobError } from "../../core/errors.ts";
import { REBOOT } from "../../core/time/schedule.ts";
import { parseCron } from "../../core/time/cron.ts";
import { parseScheduleText } from "../../core/time/ticks.ts";
import { CRON_FIELDS, readCronie, readNumber } from "./cronie.ts";
import { readBusyboxSchedule } from "./busybox_fields.ts";
import { readDebianFields } from "./debian_fields.ts";
import type { Dialect } from "./dialect.ts";
import { readSupercronicLine } from "./supercronic_fields.ts";

/** A schedule of a crontab, by its daemon's rules. */
export interface LineSchedule {
  /** The same runs in the product's syntax; null if it never runs. */
  readonly schedule: string | null;
  /** A remark if the daemon reads it in an unexpected way; null otherwise. */
  readonly remark: string | null;
}

/** The fields without ranges such as `fri-sun`, which cron ignores. */
function dropBackwardRanges(fields: string): string | null {
  const kept = fields.split(" ").map((field, place) =>
    field.split(",").filter((item) => {
      const [from, to] = item.replace(/\/.*/, "").split("-");
      if (to === undefined) return true;
      const field = CRON_FIELDS[place]!;
      return readNumber(field, from!) <= readNumber(field, to);
    }).join(",")
  );
  return kept.includes("") ? null : kept.join(" ");
}

/** A hint at the right form, because cron only says "bad minute". */
function hintFor(fields: string): string {
  try {
    parseScheduleText(fields, { seed: "any" });
    return "";
  } catch (error) {
    return isJobError(error) && error.hint ? ` (${error.hint})` : "";
  }
}

function readVixie(fields: string, dialect: "debian" | "cronie"): LineSchedule {
  const remarks: string[] = [];
  let read = fields;
  try {
    if (dialect === "debian") read = readDebianFields(fields);
    readCronie(read);
  } catch (error) {
    if (!isJobError(error)) throw error;
    throw new JobError("invalid_argument", `${error.message}${hintFor(fields)}`);
  }
  if (read !== fields) remarks.push(`Debian's cron reads only "${read}" of "${fields}"`);
  if (read.startsWith("@")) return { schedule: read, remark: null };
  const forward = dropBackwardRanges(read);
  if (forward === null) {
    const hint = hintFor(read);
    return { schedule: null, remark: `"${read}" has a range that runs backwards${hint}` };
  }
  if (forward !== read) remarks.push(`ranges of "${read}" that run backwards match nothing`);
  return { schedule: forward, remark: remarks.join("; ") || null };
}

/**
 * Read the schedule of a line by the rules of a daemon.
 *
 * @param fields five fields with single blanks, or a nickname
 * @throws JobError `invalid_argument` if the daemon refuses it
 */
export function readLineSchedule(
  fields: string,
  dialect: Exclude<Dialect, "supercronic">,
): LineSchedule {
  if (fields === REBOOT) return { schedule: REBOOT, remark: null };
  if (dialect !== "busybox") return readVixie(fields, dialect);
  const { schedule, errors } = readBusyboxSchedule(fields);
  if (errors.length === 0) return { schedule, remark: null };
  const remark = `busybox crond reports an error in ${errors.join(" and ")}`;
  return {
    schedule,
    remark: schedule === null
      ? `${remark}${hintFor(fields)}`
      : `${remark}, and runs it as "${schedule}"${hintFor(fields)}`,
  };
}

/** The minutes, hours, months and days of five fields, for a comparison. */
function timesOf(fields: string): string {
  const { minute, hour, month, dayOfMonth, dayOfWeek, isBothDays } = parseCron(fields);
  const days = Array.from({ length: 31 * 7 }, (_, place) => {
    const isDay = dayOfMonth.values.includes(place % 31 + 1);
    const isWeekday = dayOfWeek.values.includes(place % 7);
    return isBothDays ? isDay && isWeekday : isDay || isWeekday;
  });
  return JSON.stringify([minute.values, hour.values, month.values, days]);
}

/** True if a cron daemon reads our expression, five fields or a nickname, as we do. */
export function isReadAlike(text: string, dialect: Dialect): boolean {
  try {
    const found = dialect === "supercronic"
      ? readSupercronicLine(`${text} command`)?.schedule ?? null
      : readLineSchedule(text, dialect).schedule;
    if (found === null) return false;
    return text.startsWith("@") || found === text || timesOf(found) === timesOf(text);
  } catch (error) {
    if (!isJobError(error)) throw error;
    return false;
  }
}
