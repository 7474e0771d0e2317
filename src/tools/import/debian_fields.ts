import { JobError } from "../../core/errors.ts";
import { CRON_FIELDS, type CronField } from "./cronie.ts";

const ITEM = /^(?:\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/[0-9]+)?/i;

/** The part of a field that Debian's cron reads. It skips text between a whole item and a comma. */
function readPart(text: string, { field, names }: CronField): string {
  const isValue = (value: string) => /^\d+$/.test(value) || names.includes(value.toLowerCase());
  let read = "";
  let rest = text;
  for (;;) {
    const item = ITEM.exec(rest)?.[0] ?? "";
    const values = item.replace(/\/.*/, "").split("-");
    const isStep = !item.includes("/") || item.startsWith("*") || values.length === 2;
    const isRead = item === "*" || item.startsWith("*/") ||
      (item !== "" && values.every(isValue));
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
  return CRON_FIELDS.map((field, place) => readPart(fields[place] ?? "", field)).join(" ");
}
