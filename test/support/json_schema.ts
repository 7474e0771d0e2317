import assert from "node:assert/strict";

type Schema = Readonly<Record<string, unknown>>;

/** Keywords of draft 2020-12 that our schemas use, each with a check of its own value. */
const KEYWORDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  $schema: isText,
  $ref: (value) => isText(value) && String(value).startsWith("#/$defs/"),
  $defs: isObject,
  title: isText,
  description: isText,
  default: () => true,
  type: (value) =>
    ["null", "boolean", "object", "array", "number", "integer", "string"].includes(String(value)),
  properties: isObject,
  required: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
  additionalProperties: (value) => typeof value === "boolean" || isObject(value),
  propertyNames: isObject,
  items: (value) => typeof value === "boolean" || isObject(value),
  prefixItems: (value) => Array.isArray(value) && value.length > 0,
  minItems: isCount,
  maxItems: isCount,
  anyOf: (value) => Array.isArray(value) && value.length > 0,
  not: isObject,
  enum: (value) => Array.isArray(value) && value.length > 0 && new Set(value).size === value.length,
  const: () => true,
  pattern: (value) => isText(value) && new RegExp(String(value), "u") !== null,
  format: (value) => ["date-time", "uri"].includes(String(value)),
  contentEncoding: (value) => value === "base64",
  minimum: Number.isSafeInteger,
  maximum: Number.isSafeInteger,
};

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schemas inside a schema. */
function partsOf(schema: Schema): readonly unknown[] {
  const { properties, $defs, anyOf, prefixItems, items, additionalProperties, propertyNames, not } =
    schema;
  return [
    ...Object.values(properties ?? {}),
    ...Object.values($defs ?? {}),
    ...(anyOf as unknown[] ?? []),
    ...(prefixItems as unknown[] ?? []),
    ...[items, additionalProperties, propertyNames, not].filter((part) => part !== undefined),
  ];
}

/**
 * Fail unless every keyword of the schema and its parts is one that we know, with a value that it
 * may have.
 */
export function checkSchema(schema: unknown): void {
  if (typeof schema === "boolean") return;
  assert.ok(isObject(schema), JSON.stringify(schema));
  for (const [keyword, value] of Object.entries(schema)) {
    assert.ok(Object.hasOwn(KEYWORDS, keyword), `unknown keyword ${keyword}`);
    assert.ok(KEYWORDS[keyword]!(value), `${keyword}: ${JSON.stringify(value)}`);
  }
  for (const part of partsOf(schema)) checkSchema(part);
}

/** What is wrong with `value` by the schema; empty when nothing is. */
export function validate(root: Schema, value: unknown): readonly string[] {
  return problemsOf(root, value, { root, path: "" });
}

interface At {
  readonly root: Schema;
  readonly path: string;
}

function problemsOf(schema: unknown, value: unknown, at: At): string[] {
  if (schema === true) return [];
  if (schema === false) return [`${at.path}: nothing is allowed here`];
  assert.ok(isObject(schema));
  const problems: string[] = [];
  const say = (isGood: boolean, keyword: string) => {
    if (!isGood) problems.push(`${at.path}: ${JSON.stringify(value)} against ${keyword}`);
  };
  if (schema.$ref !== undefined) {
    const name = decodeURIComponent(String(schema.$ref).slice("#/$defs/".length))
      .replaceAll("~1", "/").replaceAll("~0", "~");
    const target = (at.root.$defs as Schema | undefined)?.[name];
    assert.ok(target !== undefined, `no definition ${name}`);
    problems.push(...problemsOf(target, value, at));
  }
  if (schema.type !== undefined) say(hasType(value, String(schema.type)), `type ${schema.type}`);
  if (schema.enum !== undefined) say((schema.enum as unknown[]).includes(value), "enum");
  if (Object.hasOwn(schema, "const")) say(value === schema.const, "const");
  if (schema.not !== undefined) say(problemsOf(schema.not, value, at).length > 0, "not");
  if (schema.anyOf !== undefined) {
    say(
      (schema.anyOf as unknown[]).some((one) => problemsOf(one, value, at).length === 0),
      "anyOf",
    );
  }
  if (typeof value === "number") {
    say(schema.minimum === undefined || value >= Number(schema.minimum), "minimum");
    say(schema.maximum === undefined || value <= Number(schema.maximum), "maximum");
  }
  if (typeof value === "string" && schema.pattern !== undefined) {
    say(new RegExp(String(schema.pattern), "u").test(value), `pattern ${schema.pattern}`);
  }
  if (Array.isArray(value)) problems.push(...listProblems(schema, value, at));
  else if (isObject(value)) problems.push(...memberProblems(schema, value, at));
  return problems;
}

function listProblems(schema: Schema, value: readonly unknown[], at: At): string[] {
  const prefix = (schema.prefixItems ?? []) as readonly unknown[];
  const problems = value.flatMap((item, index) =>
    problemsOf(index < prefix.length ? prefix[index] : schema.items ?? true, item, {
      ...at,
      path: `${at.path}[${index}]`,
    })
  );
  if (value.length < Number(schema.minItems ?? 0)) problems.push(`${at.path}: too few items`);
  if (value.length > Number(schema.maxItems ?? Infinity)) problems.push(`${at.path}: too many`);
  return problems;
}

function memberProblems(schema: Schema, value: Schema, at: At): string[] {
  const properties = (schema.properties ?? {}) as Schema;
  const problems: string[] = [];
  for (const name of (schema.required ?? []) as readonly string[]) {
    if (!Object.hasOwn(value, name)) problems.push(`${at.path}.${name}: is missing`);
  }
  for (const [name, part] of Object.entries(value)) {
    const inner = { ...at, path: `${at.path}.${name}` };
    const known = Object.hasOwn(properties, name);
    problems.push(
      ...problemsOf(known ? properties[name] : schema.additionalProperties ?? true, part, inner),
    );
    if (schema.propertyNames !== undefined) {
      problems.push(...problemsOf(schema.propertyNames, name, inner));
    }
  }
  return problems;
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string";
  }
}
