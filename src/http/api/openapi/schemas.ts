import type { JsonSchema } from "../../../core/arguments/json_schema.ts";
import { snakeCase } from "../../../core/text/snake_case.ts";
import { type JsonField, jsonFields, namesOf, wordsOf } from "../../../rpc/model/json_names.ts";
import { shortName } from "../../../rpc/model/message_table.ts";
import { JOB_PROTO } from "../../../rpc/gen/job_proto.ts";

/** Direction of a message: requests may omit fields that responses always have. */
export type Direction = "request" | "response";

const DURATION: JsonSchema = {
  type: "string",
  pattern: "^(?:0|(?:[0-9]+(?:\\.[0-9]+)?(?:w|d|h|ms|m|s))+)$",
};
const INT_MAX = 2 ** 31;

/** A reference to a schema of the document. */
export function schemaRef(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** The schemas of messages and enumerations, each made when something refers to it. */
export class Schemas {
  readonly comments = readComments();
  readonly #made = new Map<string, JsonSchema>();

  /** All schemas so far, by name. */
  get made(): ReadonlyMap<string, JsonSchema> {
    return this.#made;
  }

  /** A reference to the schema of a message. */
  message(type: string, direction: Direction): JsonSchema {
    const plain = shortName(type);
    const isInput = direction === "request" && !plain.endsWith("Request");
    const name = isInput ? `${plain}Input` : plain;
    this.#make(name, () => this.#object(type, direction));
    return schemaRef(name);
  }

  /** The properties of the message of a request, without some of its fields. */
  properties(type: string, without: ReadonlySet<string>): Record<string, JsonSchema> {
    const fields = jsonFields(type).filter(({ json }) => !without.has(json));
    return this.#properties(type, fields, "request");
  }

  /** The schema of a field: a parameter of a query, or a property. */
  field(type: string, field: JsonField, direction: Direction): JsonSchema {
    const value = this.#value(field, direction);
    const schema = field.isList ? { type: "array", items: value } : value;
    const description = this.comments.get(`${shortName(type)}.${snakeCase(field.name)}`);
    return description === undefined ? schema : { ...schema, description };
  }

  #make(name: string, make: () => JsonSchema): void {
    if (this.#made.has(name)) return;
    // Its place comes first: a message may contain itself.
    this.#made.set(name, {});
    this.#made.set(name, make());
  }

  #object(type: string, direction: Direction): JsonSchema {
    const fields = jsonFields(type);
    const properties = this.#properties(type, fields, direction);
    const description = this.comments.get(shortName(type));
    const isInput = direction === "request";
    const required = isInput ? [] : fields.filter(isAlwaysThere).map(({ json }) => json);
    return {
      type: "object",
      ...(description === undefined ? {} : { description }),
      properties,
      ...(required.length === 0 ? {} : { required }),
      ...(isInput ? { additionalProperties: false } : {}),
    };
  }

  #properties(
    type: string,
    fields: readonly JsonField[],
    direction: Direction,
  ): Record<string, JsonSchema> {
    const properties: Record<string, JsonSchema> = {};
    for (const field of fields) properties[field.json] = this.field(type, field, direction);
    if (direction === "response") return properties;
    for (const [name, { field: { json }, isDuration }] of namesOf(type)) {
      if (isDuration && json in properties) properties[name] = durationOf(json);
    }
    return properties;
  }

  #value({ kind, json, type }: JsonField, direction: Direction): JsonSchema {
    switch (kind) {
      case "text":
        return { type: "string" };
      case "flag":
        return { type: "boolean" };
      case "int":
      case "sint":
        return { type: "integer", format: "int32", minimum: -INT_MAX, maximum: INT_MAX - 1 };
      case "long":
        return {
          type: "integer",
          format: "int64",
          ...(direction === "response" ? {} : {
            minimum: Number.MIN_SAFE_INTEGER,
            maximum: Number.MAX_SAFE_INTEGER,
          }),
        };
      case "double":
        // JSON has no form for infinity.
        return direction === "response" ? { type: ["number", "null"] } : { type: "number" };
      case "choice":
        return this.#choice(type);
      case "time":
        return { type: "string", format: "date-time" };
      case "json":
        return jsonValue(json, direction);
      case "message":
        return this.message(type, direction);
      case "bytes":
        throw new TypeError("Bytes cannot be written as JSON");
    }
  }

  #choice(type: string): JsonSchema {
    this.#make(shortName(type), () => ({ type: "string", enum: wordsOf(type) }));
    return schemaRef(shortName(type));
  }
}

/** A duration in place of milliseconds. @param name of the field of milliseconds */
export function durationOf(name: string): JsonSchema {
  return { ...DURATION, description: `Such as "1h30m", instead of ${name}.` };
}

function jsonValue(name: string, direction: Direction): JsonSchema {
  if (name === "signature" || name === "set") return { type: "object" };
  if (name !== "arguments" && name !== "results") return { description: "Any JSON value." };
  if (direction === "response") return { type: "array" };
  return {
    anyOf: [{ type: "array" }, { type: "object" }],
    description: "By position, or by name.",
  };
}

/** True if every response has a field: zeros and empty lists too. */
function isAlwaysThere({ kind, isOptional }: JsonField): boolean {
  return !isOptional && kind !== "json" && kind !== "choice";
}

const BLOCK = /^\s*(?:message|service|oneof) (\w+) \{/;
const MEMBER = /^\s*(?:rpc (\w+)\(|(?:optional |repeated )?[\w.]+ (\w+) = \d+)/;
const COMMENT = /^\s*\/\/ ?(.*)$/;

/**
 * The comments of the contract, by the names of their subjects: `JobInstance`, `JobInstance.state`
 * and `JobService.Explain`.
 */
function readComments(): ReadonlyMap<string, string> {
  const comments = new Map<string, string>();
  let block = "";
  let lines: string[] = [];
  for (const line of JOB_PROTO.split("\n")) {
    const comment = COMMENT.exec(line);
    if (comment) {
      lines.push(comment[1]!);
      continue;
    }
    const opened = BLOCK.exec(line)?.[1];
    const [, method, field] = MEMBER.exec(line) ?? [];
    const member = method ?? field;
    if (opened !== undefined) block = opened;
    const name = opened ?? (member === undefined ? undefined : `${block}.${member}`);
    if (name !== undefined && lines.length > 0) comments.set(name, lines.join(" "));
    lines = [];
  }
  return comments;
}
