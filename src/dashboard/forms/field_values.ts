/** A JSON Schema, as far as forms and the pages about the API need it. */
export interface FieldSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly FieldSchema[];
  readonly oneOf?: readonly FieldSchema[];
  readonly allOf?: readonly FieldSchema[];
  readonly items?: FieldSchema | boolean;
  readonly prefixItems?: readonly FieldSchema[];
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: FieldSchema | boolean;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, FieldSchema>>;
}

/** Display of a field. */
export type FieldKind =
  | "text"
  | "number"
  | "integer"
  | "boolean"
  | "choice"
  | "list"
  | "json";

/** The typed content of a field: text, or a choice. */
export type FieldText = string;

/** The values that a schema allows, if listed. */
export function choicesOf(schema: FieldSchema): readonly unknown[] | null {
  if (schema.enum !== undefined) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  if (schema.anyOf === undefined) return null;
  const choices = schema.anyOf.map(choicesOf);
  return choices.every((one) => one !== null) ? choices.flat() : null;
}

/** Input method for the values of a schema. */
export function kindOf(schema: FieldSchema): FieldKind {
  if (choicesOf(schema) !== null) return "choice";
  switch (schema.type) {
    case "string":
      return "text";
    case "number":
    case "integer":
    case "boolean":
      return schema.type;
    case "array":
      return typeof schema.items === "object" && schema.prefixItems === undefined &&
          ["string", "number", "integer"].includes(String(schema.items.type))
        ? "list"
        : "json";
    default:
      return "json";
  }
}

/** A value as the text of its field. */
export function textOf(value: unknown, kind: FieldKind): FieldText {
  if (value === undefined) return "";
  switch (kind) {
    case "text":
      return typeof value === "string" ? value : JSON.stringify(value);
    case "list":
      return Array.isArray(value)
        ? value.map((one) => typeof one === "string" ? one : JSON.stringify(one)).join("\n")
        : JSON.stringify(value);
    default:
      return JSON.stringify(value, null, kind === "json" ? 2 : undefined);
  }
}

/** Value of a field's text, or its fault. */
export type FieldReading = { readonly value: unknown } | { readonly problem: string };

function readNumber(text: string, isWhole: boolean): FieldReading {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return { problem: "Expected a number" };
  if (isWhole && !Number.isInteger(value)) return { problem: "Expected a whole number" };
  return { value };
}

function readJson(text: string): FieldReading {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { problem: 'Expected JSON, such as {"key": "value"} or [1, 2]' };
  }
}

function readList(text: string, schema: FieldSchema): FieldReading {
  const items = schema.items as FieldSchema;
  const lines = text.split("\n").filter((line) => line !== "");
  if (items.type === "string") return { value: lines };
  const read = lines.map((line) => readNumber(line, items.type === "integer"));
  const bad = read.find((one) => "problem" in one);
  return bad ?? { value: read.map((one) => (one as { value: unknown }).value) };
}

/** Read typed text. @param text not empty */
export function readField(text: FieldText, schema: FieldSchema): FieldReading {
  switch (kindOf(schema)) {
    case "text":
      return { value: text };
    case "number":
      return readNumber(text, false);
    case "integer":
      return readNumber(text, true);
    case "list":
      return readList(text, schema);
    case "boolean":
    case "choice":
    case "json":
      return readJson(text);
  }
}

/** The content of the fields, by name: the arguments, or the problems. */
export interface FormReading {
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: Readonly<Record<string, string>>;
}

/**
 * Read all fields of an object's schema, without empty ones.
 *
 * @param touched edited fields, where an empty text is a value
 */
export function readForm(
  texts: Readonly<Record<string, FieldText>>,
  schema: FieldSchema,
  touched: ReadonlySet<string>,
): FormReading {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const text = texts[name] ?? "";
    const isRequired = schema.required?.includes(name) === true;
    if (text === "") {
      const kind = kindOf(field);
      if (isRequired && touched.has(name) && kind === "text") values[name] = "";
      else if (isRequired && touched.has(name) && kind === "list") values[name] = [];
      else if (isRequired) problems[name] = "Required";
      continue;
    }
    const read = readField(text, field);
    if ("problem" in read) problems[name] = read.problem;
    else values[name] = read.value;
  }
  return { values, problems };
}

/** The schema that a reference names. */
export function resolve(schema: FieldSchema, root: FieldSchema): FieldSchema {
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? "")?.[1];
  const found = name === undefined ? undefined : root.$defs?.[name];
  return found === undefined ? schema : { ...found, ...schema };
}

/** The words for a type, as a hint beside a field. */
export function typeWords(schema: FieldSchema): string {
  if (schema.format === "date-time") return "date, such as 2026-11-24T09:00:00Z";
  if (schema.format === "uri") return "URL";
  switch (kindOf(schema)) {
    case "integer":
      return "whole number";
    case "list":
      return "one for each line";
    case "json":
      return schema.type === "object"
        ? "JSON object"
        : schema.type === "array"
        ? "JSON array"
        : "JSON";
    case "choice":
      return "";
    default:
      return String(schema.type ?? "");
  }
}
