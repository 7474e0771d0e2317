import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { parseState } from "../../core/state.ts";
import { snakeCase } from "../../core/text/snake_case.ts";

/**
 * What the value of a field is in JSON: `json` is any JSON value, whose text the message has, and
 * `time` a text in RFC 3339.
 */
export type ValueKind =
  | "text"
  | "flag"
  | "int"
  | "long"
  | "double"
  | "choice"
  | "time"
  | "json"
  | "message";

/** A field of a message as it is in JSON. */
export interface FieldPlan {
  readonly field: DescField;
  /** Its name in JSON. */
  readonly name: string;
  readonly kind: ValueKind;
  readonly isList: boolean;
  /** True if it may be absent. */
  readonly isOptional: boolean;
  /** The fields of its message, if it is one. */
  readonly message: DescMessage | null;
}

/** How a name in a request is read. */
export interface FieldName {
  readonly plan: FieldPlan;
  /** True if the value is duration text for a field of milliseconds: `wait` is `wait_ms`. */
  readonly isDuration: boolean;
  /** True if the value of a field of JSON is given as its text. */
  readonly isJsonText: boolean;
}

/** The fields of a message type. */
export interface MessagePlan {
  readonly fields: readonly FieldPlan[];
  /** By every name that requests may use: that in JSON, that of the contract, and durations. */
  readonly names: ReadonlyMap<string, FieldName>;
}

const TIME = "google.protobuf.Timestamp";
const JSON_SUFFIX = "_json";
const DETAIL_SUFFIX = "_detail";
const MS_SUFFIX = "_ms";

const SCALARS: Partial<Record<ScalarType, ValueKind>> = {
  [ScalarType.STRING]: "text",
  [ScalarType.BOOL]: "flag",
  [ScalarType.INT32]: "int",
  [ScalarType.SINT32]: "int",
  [ScalarType.INT64]: "long",
  [ScalarType.DOUBLE]: "double",
};

const plans = new Map<DescMessage, MessagePlan>();

/** The plan of a message type, which is inspected once. */
export function planOf(message: DescMessage): MessagePlan {
  let plan = plans.get(message);
  if (plan === undefined) plans.set(message, plan = makePlan(message));
  return plan;
}

function makePlan(message: DescMessage): MessagePlan {
  // Of a value that is there as text and also as JSON text, or with more details, the latter is in
  // JSON.
  const isText = ({ name }: DescField) =>
    message.fields.some((other) =>
      other.name === name + JSON_SUFFIX || other.name === name + DETAIL_SUFFIX
    );
  const fields = message.fields.filter((field) => !isText(field)).map(planField);
  const names = new Map<string, FieldName>();
  for (const plan of fields) {
    const { field, name, kind } = plan;
    const plain = { plan, isDuration: false, isJsonText: false };
    names.set(name, plain);
    if (field.name !== name) names.set(field.name, { ...plain, isJsonText: kind === "json" });
  }
  for (const plan of fields) {
    if (plan.kind !== "long" || !plan.name.endsWith(MS_SUFFIX)) continue;
    const name = plan.name.slice(0, -MS_SUFFIX.length);
    if (!names.has(name)) names.set(name, { plan, isDuration: true, isJsonText: false });
  }
  return { fields, names };
}

function planField(field: DescField): FieldPlan {
  return {
    field,
    name: nameOf(field),
    kind: kindOf(field),
    isList: field.fieldKind === "list",
    isOptional: field.fieldKind !== "list" && (field.proto.proto3Optional || !!field.message),
    message: field.message ?? null,
  };
}

/**
 * As in the contract; a `json_name` given there in snake case; without the end that says that it is
 * JSON text or has details.
 */
function nameOf(field: DescField): string {
  if (isJson(field)) return field.name.slice(0, -JSON_SUFFIX.length);
  if (field.name.endsWith(DETAIL_SUFFIX)) return field.name.slice(0, -DETAIL_SUFFIX.length);
  const camelCase = field.name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return field.jsonName === camelCase ? field.name : snakeCase(field.jsonName);
}

function isJson({ name, scalar, fieldKind }: DescField): boolean {
  return fieldKind === "scalar" && scalar === ScalarType.STRING && name.endsWith(JSON_SUFFIX);
}

function kindOf(field: DescField): ValueKind {
  if (isJson(field)) return "json";
  if (field.message) return field.message.typeName === TIME ? "time" : "message";
  if (field.enum) return "choice";
  const kind = field.scalar === undefined ? undefined : SCALARS[field.scalar];
  if (kind === undefined) throw new TypeError(`${String(field)} has no form in JSON`);
  return kind;
}

const words = new Map<DescEnum, ReadonlyMap<number, string>>();

/** The words of an enumeration: its names in lower case, without what they have in common. */
function wordMapOf(choices: DescEnum): ReadonlyMap<number, string> {
  let found = words.get(choices);
  if (found === undefined) {
    const start = snakeCase(choices.name).length;
    const entries = choices.values.map(({ number, name }) =>
      [number, name.toLowerCase().slice(start)] as const
    );
    words.set(choices, found = new Map(entries));
  }
  return found;
}

/** The word of a value; its number if it has none. */
export function wordOf(choices: DescEnum, value: number): string {
  return wordMapOf(choices).get(value) ?? String(value);
}

/** The words of an enumeration that a request may give. */
export function wordsOf(choices: DescEnum): string[] {
  return [...wordMapOf(choices)].filter(([value]) => value !== 0).map(([, word]) => word);
}

/** The value of a word in any spelling of the product; undefined for an unknown one. */
export function valueOfWord(choices: DescEnum, word: string): number | undefined {
  const state = choices.name === "JobState" ? parseState(word) : null;
  const wanted = lettersOf(state ?? word);
  return choices.values.find(({ name, number }) =>
    number !== 0 && (wanted === lettersOf(name) || wanted === lettersOf(wordOf(choices, number)))
  )?.number;
}

/** A word without case and separators; go-job's spelling of "canceled" as ours. */
function lettersOf(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, "").replace("cancelled", "canceled");
}
