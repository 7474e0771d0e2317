import {
  HOOK_PARTS_MAX,
  type HookCondition,
  type HookSource,
  type HookTable,
  isHeaderName,
  parseHookSource,
  SECRET_CHARS_MIN,
  SOURCE_WANTED,
} from "../../core/hooks/hook.ts";
import { isJobError } from "../../core/errors.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { accepted, type Reader, TEXT } from "../values/readers.ts";
import { SECRET } from "../values/secrets.ts";
import { childOf, type Field, type Report } from "../values/source.ts";

/** A secret that a sender signs with, or sends. */
export const HOOK_SECRET: Reader<string> = {
  ...SECRET,
  read(field, report) {
    const text = SECRET.read(field, report);
    if (text === undefined || text.length >= SECRET_CHARS_MIN) return text;
    return report.value(
      field,
      `found ${text.length} characters, wanted at least ${SECRET_CHARS_MIN}`,
      "Make one: openssl rand -hex 32",
    );
  },
};

/** The name of a header, in lower case. */
export const HEADER_NAME: Reader<string> = accepted(
  'the name of a header such as "x-gitlab-token"',
  TEXT,
  (value) => typeof value === "string" && isHeaderName(value) ? value.toLowerCase() : undefined,
);

const ARGUMENTS_WANTED = `a table of arguments, or a list by position; each ${SOURCE_WANTED}`;

/** Place of a job's arguments in a delivery. */
export const HOOK_ARGUMENTS: Reader<HookTable["arguments"]> = {
  schema: {
    anyOf: [
      { type: "object", additionalProperties: TEXT },
      { type: "array", items: TEXT, maxItems: HOOK_PARTS_MAX },
    ],
  },
  wanted: ARGUMENTS_WANTED,
  read(field, report) {
    const { value } = field;
    const entries: (readonly [string | number, unknown])[] | null = Array.isArray(value)
      ? [...value.entries()]
      : isObject(value)
      ? Object.entries(value)
      : null;
    if (entries === null) return report.mismatch(field, ARGUMENTS_WANTED);
    if (!isFew(entries.length, field, report)) return undefined;
    const read = entries.map(([name, text]) => {
      const from = readSource(childOf(field, name, text), text, report);
      return from && { name, from };
    });
    return read.includes(undefined) ? undefined : read as HookTable["arguments"];
  },
};

const VALUE = { type: ["string", "number", "boolean"] };
const CONDITIONS_WANTED = `a table of values, or lists of them; its keys are each ${SOURCE_WANTED}`;

/** Conditions on a delivery to start the job. */
export const HOOK_CONDITIONS: Reader<readonly HookCondition[]> = {
  schema: {
    type: "object",
    additionalProperties: { anyOf: [VALUE, { type: "array", items: VALUE, minItems: 1 }] },
  },
  wanted: CONDITIONS_WANTED,
  read(field, report) {
    if (!isObject(field.value)) return report.mismatch(field, CONDITIONS_WANTED);
    const entries = Object.entries(field.value);
    if (!isFew(entries.length, field, report)) return undefined;
    const read = entries.map(([text, value]) => {
      const child = childOf(field, text, value);
      const from = readSource(child, text, report, true);
      const values = from && readValues(child, from, report);
      return from && values && { from, values };
    });
    return read.includes(undefined) ? undefined : read as HookCondition[];
  },
};

function isFew(count: number, field: Field, report: Report): boolean {
  if (count <= HOOK_PARTS_MAX) return true;
  report.value(field, `found ${count} entries, wanted at most ${HOOK_PARTS_MAX}`);
  return false;
}

/** @param isKey true if the text is the key of the field, not its value */
function readSource(
  field: Field,
  text: unknown,
  report: Report,
  isKey = false,
): HookSource | undefined {
  if (typeof text !== "string") return report.mismatch(field, SOURCE_WANTED);
  try {
    return parseHookSource(text);
  } catch (error) {
    if (!isJobError(error, "invalid_argument")) throw error;
    return report[isKey ? "key" : "value"](field, error.message, error.hint);
  }
}

function readValues(
  field: Field,
  { part }: HookSource,
  report: Report,
): HookCondition["values"] | undefined {
  const values: unknown[] = Array.isArray(field.value) ? field.value : [field.value];
  const wanted = "a text, a number, true or false, or a list of them that is not empty";
  const isPlain = (value: unknown) => ["string", "number", "boolean"].includes(typeof value);
  if (values.length === 0 || values.length > HOOK_PARTS_MAX || !values.every(isPlain)) {
    return report.mismatch(field, wanted);
  }
  if (part !== "body" && values.some((value) => typeof value !== "string")) {
    return report.mismatch(field, "text: headers and parameters are nothing else", "Quote it");
  }
  return values as HookCondition["values"];
}
