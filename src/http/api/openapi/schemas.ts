import type { DescEnum, DescMessage } from "@bufbuild/protobuf";
import type { JsonSchema } from "../../../core/arguments/json_schema.ts";
import { type FieldPlan, planOf, wordsOf } from "../../../rpc/json/message_plan.ts";
import { JOB_PROTO } from "../../../rpc/gen/job_proto.ts";

/** Which way a message goes: requests may leave out what responses always have. */
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
  message(desc: DescMessage, direction: Direction): JsonSchema {
    const isInput = direction === "request" && !desc.name.endsWith("Request");
    const name = isInput ? `${desc.name}Input` : desc.name;
    this.#make(name, () => this.#object(desc, direction));
    return schemaRef(name);
  }

  /** The properties of the message of a request, without some of its fields. */
  properties(desc: DescMessage, without: ReadonlySet<string>): Record<string, JsonSchema> {
    const fields = planOf(desc).fields.filter(({ name }) => !without.has(name));
    return this.#properties(desc, fields, "request");
  }

  /** The schema of a field: a parameter of a query, or a property. */
  field(desc: DescMessage, plan: FieldPlan, direction: Direction): JsonSchema {
    const value = this.#value(plan, direction);
    const schema = plan.isList ? { type: "array", items: value } : value;
    const description = this.comments.get(`${desc.name}.${plan.field.name}`);
    return description === undefined ? schema : { ...schema, description };
  }

  #make(name: string, make: () => JsonSchema): void {
    if (this.#made.has(name)) return;
    // Its place comes first: a message may contain itself.
    this.#made.set(name, {});
    this.#made.set(name, make());
  }

  #object(desc: DescMessage, direction: Direction): JsonSchema {
    const { fields } = planOf(desc);
    const properties = this.#properties(desc, fields, direction);
    const description = this.comments.get(desc.name);
    const isInput = direction === "request";
    const required = isInput ? [] : fields.filter(isAlwaysThere).map(({ name }) => name);
    return {
      type: "object",
      ...(description === undefined ? {} : { description }),
      properties,
      ...(required.length === 0 ? {} : { required }),
      ...(isInput ? { additionalProperties: false } : {}),
    };
  }

  #properties(
    desc: DescMessage,
    fields: readonly FieldPlan[],
    direction: Direction,
  ): Record<string, JsonSchema> {
    const properties: Record<string, JsonSchema> = {};
    for (const plan of fields) properties[plan.name] = this.field(desc, plan, direction);
    if (direction === "response") return properties;
    for (const [name, { plan, isDuration }] of planOf(desc).names) {
      if (isDuration && fields.includes(plan)) properties[name] = durationOf(plan.name);
    }
    return properties;
  }

  #value({ kind, name, field, message }: FieldPlan, direction: Direction): JsonSchema {
    switch (kind) {
      case "text":
        return { type: "string" };
      case "flag":
        return { type: "boolean" };
      case "int":
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
        return this.#choice(field.enum!);
      case "time":
        return { type: "string", format: "date-time" };
      case "json":
        return jsonValue(name, direction);
      case "message":
        return this.message(message!, direction);
    }
  }

  #choice(choices: DescEnum): JsonSchema {
    this.#make(choices.name, () => ({ type: "string", enum: wordsOf(choices) }));
    return schemaRef(choices.name);
  }
}

/** A duration in place of milliseconds. @param name of the field of milliseconds */
export function durationOf(name: string): JsonSchema {
  return { ...DURATION, description: `Such as "1h30m", instead of ${name}.` };
}

function jsonValue(name: string, direction: Direction): JsonSchema {
  if (name === "signature") return { type: "object" };
  if (direction === "response") return { type: "array" };
  return {
    anyOf: [{ type: "array" }, { type: "object" }],
    description: "By position, or by name.",
  };
}

/** True if every response has a field: zeros and empty lists too. */
function isAlwaysThere({ kind, isOptional }: FieldPlan): boolean {
  return !isOptional && kind !== "json" && kind !== "choice";
}

const BLOCK = /^\s*(?:message|service|oneof) (\w+) \{/;
const MEMBER = /^\s*(?:rpc (\w+)\(|(?:optional |repeated )?[\w.]+ (\w+) = \d+)/;
const COMMENT = /^\s*\/\/ ?(.*)$/;

/**
 * The comments of the contract, by the names of what they are about: `JobInstance`,
 * `JobInstance.state` and `JobService.Explain`.
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
