import { JobError } from "../../core/errors.ts";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "month": "jan feb mar apr may jun jul aug sep oct nov dec".split(" "),
  "day-of-week": "sun mon tue wed thu fri sat".split(" "),
};
const FIELDS = ["minute", "hour", "day-of-month", "month", "day-of-week"];
const ITEM = /^(?:\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/[0-9]+)?/i;

function isValue(text: string, field: string): boolean {
  return /^\d+$/.test(text) || (NAMES[field] ?? []).includes(text.toLowerCase());
}

/** The part of a field that Debian's cron reads. It skips text between a whole item and a comma. */
function readPart(text: string, field: string): string {
  let read = "";
  let rest = text;
  for (;;) {
    const item = ITEM.exec(rest)?.[0] ?? "";
    const values = item.replace(/\/.*/, "").split("-");
    const isStep = !item.includes("/") || item.startsWith("*") || values.length === 2;
    const isRead = item === "*" || item.startsWith("*/") ||
      (item !== "" && values.every((value) => isValue(value, field)));
    rest = rest.slice(item.length);
    // A second number or a step is begun, but none follows.
    if (!isRead || !isStep || /^[-/]/.test(rest) && !item.includes("/")) {
      throw new JobError("invalid_argument", `Cannot read "${text.slice(0, 80)}": bad ${field}`);
    }
    read += item;
    if (!rest.startsWith(",")) return read;
    read += ",";
    rest = rest.slice(1);
  }
}

/**
 * Five fields as Debian's cron reads them, rewritten for readers as strict as cronie: `1~5` becomes
 * `1`, and `fri#2` becomes `fri`.
 *
 * @throws JobError `invalid_argument` with cron's own words, such as `bad minute`
 */
export function readDebianFields(text: string): string {
  if (text.startsWith("@")) return text;
  const fields = text.split(" ");
  return FIELDS.map((name, place) => readPart(fields[place] ?? "", name)).join(" ");
}
