import { joinComments, readAssignment, variableProblem } from "./crontab_lines.ts";
import { type Crontab, type CrontabLine, fileNote, type ImportNote } from "./crontab_reader.ts";

// anacron stores the date of each job's last run, and runs it once its days have passed.

const ENTRY = /^(\d{1,4}|@[a-z]+)[ \t]+(\d{1,5})[ \t]+(\S+)[ \t]+(\S.*)$/;
/** Hour at which Debian starts anacron; START_HOURS_RANGE can set another. */
const START_HOUR = 7;
const MINUTES_PER_DAY = 1_440;
const NAMED: Readonly<Record<string, string>> = {
  "1": "* * *",
  "7": "* * 0",
  "30": "1 * *",
  "31": "1 * *",
  "365": "1 1 *",
  "@daily": "* * *",
  "@weekly": "* * 0",
  "@monthly": "1 * *",
  "@yearly": "1 1 *",
  "@annually": "1 1 *",
};
/** Variables for anacron itself. */
const OWN_VARIABLES = ["START_HOURS_RANGE", "PREFERRED_HOUR", "MAILTO", "LOGNAME", "USER"];

function scheduleOf(period: string, minuteOfDay: number): string | null {
  const days = NAMED[period];
  if (days !== undefined) return `${minuteOfDay % 60} ${Math.floor(minuteOfDay / 60)} ${days}`;
  return /^[1-9]/.test(period) ? `@every ${Number(period) * 24}h` : null;
}

/**
 * Read an anacrontab: `period delay job-id command`. A period becomes a daily, weekly, monthly or
 * yearly time: the hour at which anacron starts, plus the delay.
 */
export function readAnacrontab(text: string, file: string): Crontab {
  const lines: CrontabLine[] = [];
  const how =
    "here it runs at a fixed time of day, and after a downtime once, immediately; mail has cron's subject";
  const notes: ImportNote[] = [fileNote(file, `read as an anacrontab: ${how}`, true)];
  let env: Record<string, string> = {};
  let comments: string[] = [];
  let leftOut = 0;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line.startsWith("#")) {
      comments.push(line);
      continue;
    }
    const above = comments;
    comments = [];
    if (line === "") continue;
    const place = { file, line: index + 1 };
    const note = (text: string) => void notes.push({ ...place, text, isLoss: true });
    const assignment = readAssignment(line);
    if (assignment !== null) {
      const problem = variableProblem(assignment[0]);
      if (problem !== null) note(problem);
      else env = { ...env, [assignment[0]]: assignment[1] };
      continue;
    }
    const [, period, delay, id, command] = ENTRY.exec(line) ?? [];
    const hour = Number(/^\d+/.exec(env.START_HOURS_RANGE ?? "")?.[0] ?? START_HOUR);
    const minuteOfDay = (hour * 60 + Number(delay)) % MINUTES_PER_DAY;
    const schedule = period === undefined ? null : scheduleOf(period, minuteOfDay);
    if (schedule === null) {
      leftOut += 1;
      note(`cannot read "${line.slice(0, 80)}": anacron wants days, minutes, a name and a command`);
      continue;
    }
    lines.push({
      ...place,
      text: line,
      fields: `${period} ${delay}`,
      schedule,
      user: null,
      command: command!,
      stdin: null,
      env: Object.fromEntries(
        Object.entries(env).filter(([name]) => !OWN_VARIABLES.includes(name)),
      ),
      ...(env.MAILTO === undefined ? {} : { mailTo: env.MAILTO }),
      comment: joinComments(above),
      anacronId: id!,
    });
  }
  return { lines, notes, leftOut };
}
