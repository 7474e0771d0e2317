import { parseState } from "../../core/state.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import { CHOICES } from "../gen/messages.ts";
import { type Field, shortName, tableOf } from "./message_table.ts";

const MS_SUFFIX = "_ms";
const STATE = "job.v1.JobState";

/** A field that is in JSON. */
export interface JsonField extends Field {
  readonly json: string;
}

/** Meaning of a name in a request. */
export interface FieldName {
  readonly field: JsonField;
  /** True if the value is duration text for a field of milliseconds: `wait` is `wait_ms`. */
  readonly isDuration: boolean;
  /** True if the value of a JSON field is given as JSON text. */
  readonly isJsonText: boolean;
}

/** The fields of a message type that are in JSON, in their order. */
export function jsonFields(typeName: string): JsonField[] {
  return tableOf(typeName).fields.filter((field): field is JsonField => field.json !== null);
}

const names = new Map<string, ReadonlyMap<string, FieldName>>();

/**
 * The fields of a message type by every name that requests may use: the one in JSON, the one in the
 * contract, and durations.
 */
export function namesOf(typeName: string): ReadonlyMap<string, FieldName> {
  let known = names.get(typeName);
  if (known === undefined) names.set(typeName, known = readNames(jsonFields(typeName)));
  return known;
}

function readNames(fields: readonly JsonField[]): ReadonlyMap<string, FieldName> {
  const read = new Map<string, FieldName>();
  for (const field of fields) {
    const plain = { field, isDuration: false, isJsonText: false };
    read.set(field.json, plain);
    const name = snakeCase(field.name);
    if (name !== field.json) read.set(name, { ...plain, isJsonText: field.kind === "json" });
  }
  for (const field of fields) {
    if (field.kind !== "long" || !field.json.endsWith(MS_SUFFIX)) continue;
    const name = field.json.slice(0, -MS_SUFFIX.length);
    if (!read.has(name)) read.set(name, { field, isDuration: true, isJsonText: false });
  }
  return read;
}

/** The words of an enumeration that a request may give. */
export function wordsOf(choice: string): string[] {
  return Object.values(CHOICES[choice]!);
}

/** The number of a word in any spelling that is accepted; undefined for an unknown one. */
export function numberOfWord(choice: string, word: string): number | undefined {
  const state = choice === STATE ? parseState(word) : null;
  const wanted = lettersOf(state ?? word);
  const found = Object.entries(CHOICES[choice]!).find(([, known]) =>
    wanted === lettersOf(known) || wanted === lettersOf(shortName(choice) + known)
  );
  return found && Number(found[0]);
}

/** A word without case and separators; go-job's spelling of "canceled" as ours. */
function lettersOf(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, "").replace("cancelled", "canceled");
}
