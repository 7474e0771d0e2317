import type { FieldSchema } from "../../forms/field_values.ts";

/** Deepest nesting that is written out. */
const DEPTH_MAX = 4;

/** Name of what a reference means: its last part. */
function refName(ref: string): string {
  return ref.split("/").at(-1) ?? ref;
}

function union(parts: readonly FieldSchema[], depth: number): string {
  return parts.map((part) => schemaText(part, depth)).join(" | ");
}

function objectText(schema: FieldSchema, depth: number): string {
  const { properties = {}, required = [], additionalProperties: rest } = schema;
  const entries = Object.entries(properties);
  if (entries.length === 0) {
    return typeof rest === "object" ? `{ [name: string]: ${schemaText(rest, depth)} }` : "object";
  }
  if (depth >= DEPTH_MAX) return "{ … }";
  const indent = "  ".repeat(depth + 1);
  const lines = entries.map(([name, value]) => {
    const note = value.description === undefined ? "" : `  // ${value.description.split("\n")[0]}`;
    const mark = required.includes(name) ? "" : "?";
    return `${indent}${name}${mark}: ${schemaText(value, depth + 1)}${note}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

/** A schema in the notation of types. */
export function schemaText(schema: FieldSchema | boolean, depth = 0): string {
  if (typeof schema === "boolean") return "any";
  const { $ref, type, items, enum: values, anyOf, oneOf, allOf, format } = schema;
  if ($ref !== undefined) return refName($ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (values !== undefined) return values.map((one) => JSON.stringify(one)).join(" | ");
  const parts = anyOf ?? oneOf;
  if (parts !== undefined) return union(parts, depth);
  if (allOf !== undefined) return allOf.map((part) => schemaText(part, depth)).join(" & ");
  if (Array.isArray(type)) return (type as readonly string[]).join(" | ");
  if (type === "array") {
    const element = items === undefined ? "any" : schemaText(items, depth);
    return /[ |]/.test(element) && !element.startsWith("{") ? `(${element})[]` : `${element}[]`;
  }
  if (type === "object" || schema.properties !== undefined) return objectText(schema, depth);
  if (typeof type !== "string") return "any";
  return format === undefined ? type : `${type} (${format})`;
}
