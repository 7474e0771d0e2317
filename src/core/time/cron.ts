import { nextWallSecond } from "./calendar.ts";
import { type CronExpression, type CronField, NICKNAMES } from "./cron_expression.ts";
import { cronError, FIELD_NAMES, readCronField } from "./cron_field.ts";
import { countText } from "../text/count_text.ts";
import { didYouMean } from "../text/nearest.ts";
import { TEXT_LENGTH_MAX } from "../text/text_limits.ts";

/** Longest cron expression, in characters. */
export const CRON_LENGTH_MAX = TEXT_LENGTH_MAX.cron;

/** Options of {@link parseCron}. */
export interface CronOptions {
  /** Determines `H` and `~`: the kind of the job. Without it they are refused. */
  readonly seed?: string;
}

/** Any start serves: within 50 years every date that exists comes on every weekday. */
const CHECK_FROM_SECOND = 946_684_800;

function splitFields(text: string): string[] {
  if (text.startsWith("@")) {
    const expansion = Object.hasOwn(NICKNAMES, text) ? NICKNAMES[text] : undefined;
    if (expansion !== undefined) return ["0", ...expansion.split(" ")];
    const names = Object.keys(NICKNAMES);
    const hint = text.startsWith("@every")
      ? 'An interval is not a cron expression; write it as a schedule: "@every 15m"'
      : didYouMean(text.toLowerCase(), names) ??
        `Nicknames are ${names.join(", ")}, @reboot and "@every 15m"`;
    throw cronError(text, "there is no such nickname", hint);
  }
  const fields = text.split(/[ \t]+/);
  if (fields.length === 5) return ["0", ...fields];
  if (fields.length === 6) return fields;
  const found = text === "" ? "it is empty" : `it has ${countText(fields.length, "field")}`;
  throw cronError(text, `${found}, wanted five or six`, nicknameHint(text) ?? FIELDS_HINT);
}

const FIELDS_HINT =
  'Write minute, hour, day of month, month and day of week, such as "30 2 * * 1-5", with seconds before them if needed';

/** The schedule that is meant by words: "daily", "every 15m". */
function nicknameHint(text: string): string | undefined {
  const name = `@${text.toLowerCase().replace(/^every +/, "every ")}`;
  const isKnown = Object.hasOwn(NICKNAMES, name) || /^@every \d+(?:ms|[smhdw])\S*$/.test(name);
  return isKnown ? `Did you mean "${name}"?` : undefined;
}

function checkPossible(expression: CronExpression): void {
  if (nextWallSecond(expression, CHECK_FROM_SECOND) !== null) return;
  const { dayOfMonth, dayOfWeek, month, text } = expression;
  const isWeekdayAny = dayOfWeek.isAny && dayOfWeek.values.length === 7;
  throw cronError(
    text,
    `day of month "${dayOfMonth.text}" never comes in month "${month.text}"` +
      (isWeekdayAny ? "" : ` on day of week "${dayOfWeek.text}"`),
    "Choose a day that the months have; L is the last day of each",
  );
}

const known = new Map<string, CronExpression>();
const KNOWN_MAX = 20_000;

/**
 * Read a cron expression by the rules of cronie's crontab(5): five fields, six with seconds first,
 * or a nickname such as `@daily`. Also reads `L`, `LW`, `nW`, `w#n`, `wL`, `?`, and with a seed `H`
 * and `~`.
 *
 * @throws JobError `invalid_argument` with the field, the value and the expected form, also if the
 * expression would never match
 */
export function parseCron(expression: string, options: CronOptions = {}): CronExpression {
  if (expression.length > CRON_LENGTH_MAX) {
    throw cronError(
      expression,
      `it has ${expression.length} characters, at most ${CRON_LENGTH_MAX}`,
      "Write ranges and steps instead of long lists",
    );
  }
  const text = expression.trim();
  const found = known.get(text);
  if (found !== undefined) return found;
  const texts = splitFields(text);
  const seed = options.seed ?? null;
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = FIELD_NAMES.map((name, place) =>
    readCronField({ expression: text, name, seed }, texts[place]!)
  ) as [CronField, CronField, CronField, CronField, CronField, CronField];
  const fields = [second, minute, hour, dayOfMonth, month, dayOfWeek];
  const hasSeconds = texts[0] !== "0" || text.split(/[ \t]+/).length === 6;
  const parsed: CronExpression = {
    text: fields.slice(hasSeconds ? 0 : 1).map((field) => field.text).join(" "),
    second,
    minute,
    hour,
    dayOfMonth,
    month,
    dayOfWeek,
    isBothDays: dayOfMonth.isAny || dayOfWeek.isAny,
    isFixed: !minute.isAny && !hour.isAny,
  };
  checkPossible(parsed);
  // If `H` or `~` was resolved, the result is only for this seed.
  if (fields.every((field, place) => field.text === texts[place])) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(text, parsed);
  }
  return parsed;
}
