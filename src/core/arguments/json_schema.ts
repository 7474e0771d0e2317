import { DURATION_MS_MAX } from "../time/duration.ts";
import { type ArgumentParameter, argumentsOf, literalOf } from "./describe.ts";
import { summaryOf } from "./describe_parameters.ts";
import { patternMembers } from "./open_members.ts";
import type { Definitions, MemberShape, PlainType, Signature, TypeShape } from "./signature.ts";

/** A JSON Schema, or a part of one. */
export type JsonSchema = { readonly [keyword: string]: JsonValue };
type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The dialect of the schemas. */
export const SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema";

/**
 * JSON Schema, draft 2020-12, of a job's arguments by name: their JSON form, one for each type. A
 * job also accepts text for numbers, dates and JSON, which the schema omits.
 *
 * If the parameters are unknown, it is an array of anything.
 */
export function signatureSchema(kind: string, signature: Signature): JsonSchema {
  const parameters = argumentsOf(signature);
  const summary = summaryOf(signature.doc ?? "");
  const about = {
    $schema: SCHEMA_DIALECT,
    title: kind,
    ...(summary === "" ? {} : { description: summary }),
  };
  if (!signature.isTyped && parameters.length === 0) return { ...about, type: "array" };
  const definitions = signature.definitions ?? {};
  const schema = new SchemaWriter(definitions);
  const properties = new Map<string, JsonSchema>();
  const required: string[] = [];
  for (const parameter of parameters) {
    // Callers of a destructured parameter give its members.
    const object = patternMembers(parameter, signature);
    if (object === null) {
      properties.set(parameter.name, schema.parameter(parameter));
      if (!parameter.isOptional && !schema.takesUndefined(parameter.shape)) {
        required.push(parameter.name);
      }
      continue;
    }
    for (const member of object) {
      properties.set(member.name, schema.member(member));
      const isNeeded = !member.isOptional && !schema.takesUndefined(member.shape);
      if (isNeeded && !parameter.isOptional) required.push(member.name);
    }
  }
  return {
    ...about,
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
    ...schema.definitions(),
  };
}

const DECIMAL = "^-?(?:0|[1-9][0-9]*)$";
const BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";

const PLAIN: Readonly<Record<PlainType, JsonSchema>> = {
  number: { type: "number" },
  string: { type: "string" },
  boolean: { type: "boolean" },
  null: { type: "null" },
  undefined: { type: "null" },
  unknown: {},
  int: { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
  duration: { type: "integer", minimum: 0, maximum: DURATION_MS_MAX, description: "milliseconds" },
  bigint: { anyOf: [{ type: "integer" }, { type: "string", pattern: DECIMAL }] },
  date: { type: "string", format: "date-time" },
  url: { type: "string", format: "uri" },
  bytes: { type: "string", contentEncoding: "base64", pattern: BASE64 },
};

class SchemaWriter {
  readonly #definitions: Definitions;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  definitions(): { readonly $defs?: JsonSchema } {
    const entries = Object.entries(this.#definitions);
    if (entries.length === 0) return {};
    return { $defs: Object.fromEntries(entries.map(([name, shape]) => [name, this.of(shape)])) };
  }

  parameter(parameter: ArgumentParameter): JsonSchema {
    const { doc, defaultText } = parameter;
    const literal = defaultText === undefined ? null : literalOf(defaultText);
    return {
      ...this.of(parameter.shape),
      ...(doc === undefined ? {} : { description: doc }),
      ...(literal?.value === undefined ? {} : { default: literal.value as JsonValue }),
    };
  }

  member({ shape, doc }: MemberShape): JsonSchema {
    const schema = this.of(shape);
    return doc === undefined ? schema : { ...schema, description: doc };
  }

  takesUndefined(shape: TypeShape): boolean {
    if (shape.type === "union") return shape.members.some((member) => this.takesUndefined(member));
    return shape.type === "undefined";
  }

  of(shape: TypeShape): JsonSchema {
    switch (shape.type) {
      case "literal":
        return { const: shape.value };
      case "enum":
        return { enum: shape.members.map(({ value }) => value) };
      case "ref":
        return { $ref: `#/$defs/${pointer(shape.name)}` };
      case "union":
        return this.#union(shape.members);
      case "array":
      case "set":
        return { type: "array", items: this.of(shape.element) };
      case "tuple":
        return this.#tuple(shape);
      case "object":
        return this.#object(shape);
      case "record":
        return {
          type: "object",
          additionalProperties: this.of(shape.value),
          ...(shape.key === undefined ? {} : { propertyNames: this.#names(shape.key) }),
        };
      case "map":
        return this.#map(shape.key, shape.value);
      default:
        return PLAIN[shape.type];
    }
  }

  #union(members: readonly TypeShape[]): JsonSchema {
    const literals = members.filter((member) => member.type === "literal");
    const others = members.filter(({ type }) => type !== "literal").map((each) => this.of(each));
    const values = literals.map(({ value }) => value);
    if (others.length === 0) return values.length === 0 ? { not: {} } : { enum: values };
    if (values.length > 0) others.unshift({ enum: values });
    return others.length === 1 ? others[0]! : { anyOf: others };
  }

  #map(key: TypeShape, value: TypeShape): JsonSchema {
    const values = this.of(value);
    const pair = { type: "array", prefixItems: [this.of(key), values], minItems: 2, maxItems: 2 };
    const named = { type: "object", additionalProperties: values, propertyNames: this.#names(key) };
    return { anyOf: [named, { type: "array", items: pair }] };
  }

  /** Names of members are text: the text of a value of their type. */
  #names(key: TypeShape): JsonSchema {
    if (key.type === "number") return { pattern: "^-?[0-9.]+(?:[eE][+-]?[0-9]+)?$" };
    if (key.type === "int" || key.type === "bigint") return { pattern: DECIMAL };
    const isText = key.type === "string" || key.type === "enum" ||
      (key.type === "literal" && typeof key.value === "string") ||
      (key.type === "union" &&
        key.members.every((each) => each.type === "literal" && typeof each.value === "string"));
    return isText ? this.of(key) : { type: "string" };
  }

  #tuple({ elements }: TypeShape & { readonly type: "tuple" }): JsonSchema {
    const isNeeded = (element: (typeof elements)[number]) =>
      !element.isOptional && !element.isRest && !this.takesUndefined(element.shape);
    const rest = elements.findIndex((element) => element.isRest);
    const leading = rest < 0 ? elements : elements.slice(0, rest);
    const minItems = elements.findLastIndex(isNeeded) + 1 -
      (rest >= 0 && rest < elements.findLastIndex(isNeeded) ? 1 : 0);
    // Elements after a rest element have no fixed position.
    const isLast = rest === elements.length - 1;
    const items = rest < 0
      ? false
      : isLast
      ? this.of(elements[rest]!.shape)
      : this.#union(elements.slice(rest).map(({ shape }) => shape));
    const prefixItems = leading.map((element) =>
      element.isOptional ? this.#union([element.shape, { type: "null" }]) : this.of(element.shape)
    );
    return {
      type: "array",
      ...(prefixItems.length === 0 ? {} : { prefixItems }),
      ...(minItems === 0 ? {} : { minItems }),
      items,
    };
  }

  #object(shape: TypeShape & { readonly type: "object" }): JsonSchema {
    const properties = shape.members.map((member) => [member.name, this.member(member)] as const);
    const required = shape.members
      .filter((member) => !member.isOptional && !this.takesUndefined(member.shape))
      .map(({ name }) => name);
    return {
      type: "object",
      ...(shape.name === undefined ? {} : { title: shape.name }),
      ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
      ...(required.length === 0 ? {} : { required }),
      ...(shape.rest === undefined ? {} : { additionalProperties: this.of(shape.rest) }),
    };
  }
}

/** A name as a part of a JSON pointer in a URI. */
function pointer(name: string): string {
  return encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
}
