import { type JsonSchema, SCHEMA_DIALECT } from "../core/arguments/json_schema.ts";
import { JOB_SCHEMA } from "../config/job_keys.ts";
import { SCHEMA } from "../config/keys.ts";
import { NOTICE_SCHEMA } from "../config/notices/notice_keys.ts";
import type { Key, Keys, Schema } from "../config/values/schema.ts";

/** A table while its keys are added. */
type Table = {
  readonly type: "object";
  readonly properties: Record<string, JsonSchema>;
  readonly additionalProperties: false;
};

/** A text with a variable may replace any type. */
const VARIABLE = { type: "string", pattern: "\\$\\{" };

/** JSON Schema of the configuration, for editors. TOML has the values of JSON, and dates. */
export function configSchema(
  schema: Schema<Keys> = SCHEMA,
  jobSchema: Schema<Keys> = JOB_SCHEMA,
): JsonSchema {
  const { properties, ...root } = tableSchema(schema);
  const jobs = tablesSchema("The jobs, by their kinds.", jobSchema);
  const notices = tablesSchema("The channels of notices, by their names.", NOTICE_SCHEMA);
  return {
    $schema: SCHEMA_DIALECT,
    title: "Configuration of jobctl",
    ...root,
    properties: { ...properties, notices, jobs },
    $defs: { variable: VARIABLE },
  };
}

function tablesSchema(description: string, schema: Schema<Keys>): JsonSchema {
  return { type: "object", description, additionalProperties: tableSchema(schema) };
}

function tableSchema({ keys, shorthands }: Schema<Keys>): Table {
  const root = emptyTable();
  const tables = new Map<string, Table>([["", root]]);
  const tableAt = (path: string): Table => {
    const known = tables.get(path);
    if (known !== undefined) return known;
    const [parent, name] = splitPath(path);
    const table = emptyTable();
    tables.set(path, table);
    const short = shorthands[path];
    tableAt(parent).properties[name] = short === undefined
      ? table
      : { anyOf: [keySchema(keys[short]!), table] };
    return table;
  };
  for (const [path, key] of Object.entries(keys)) {
    const [parent, name] = splitPath(path);
    tableAt(parent).properties[name] = keySchema(key);
  }
  return root;
}

function emptyTable(): Table {
  return { type: "object", properties: {}, additionalProperties: false };
}

function splitPath(path: string): [parent: string, name: string] {
  const at = path.lastIndexOf(".");
  return [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
}

function keySchema({ reader, doc, initial }: Key<unknown>): JsonSchema {
  const { schema } = reader;
  const isText = schema.type === "string" || schema.type === "object";
  return {
    ...(isText ? schema : { anyOf: [schema, { $ref: "#/$defs/variable" }] }),
    description: doc,
    ...(initial === undefined ? {} : { default: initial }),
  } as JsonSchema;
}
