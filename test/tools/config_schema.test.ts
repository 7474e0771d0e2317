import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { parse } from "@iarna/toml";
import { jobOptionKeys } from "../../src/config/option_keys.ts";
import { schemaOf } from "../../src/config/values/schema.ts";
import { duration } from "../../src/core/job/option_values.ts";
import { JOB_OPTIONS } from "../../src/core/job/options.ts";
import { configSchema } from "../../src/tools/config_schema.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCHEMA = configSchema();

type Schema = Readonly<Record<string, unknown>>;

/** Paths of what does not fit, by the keywords that the schema has. */
function misfits(value: unknown, schema: Schema, path = ""): string[] {
  if (schema.$ref !== undefined) {
    return misfits(value, (SCHEMA.$defs as Record<string, Schema>).variable!, path);
  }
  const either = schema.anyOf as readonly Schema[] | undefined;
  if (either?.every((one) => misfits(value, one, path).length > 0)) {
    return either.map((one) => misfits(value, one, path)).sort((a, b) =>
      b[0]!.length - a[0]!.length
    )[0]!;
  }
  const types = schema.type === undefined ? null : [schema.type].flat();
  if (types !== null && !types.some((type) => typesOf(value).includes(type as string))) {
    return [path];
  }
  if (Array.isArray(schema.enum) && !schema.enum.includes(value)) return [path];
  if (schema.const !== undefined && schema.const !== value) return [path];
  if (typeof value === "string") {
    const { minLength = 0, pattern = "" } = schema as { minLength?: number; pattern?: string };
    return value.length >= minLength && new RegExp(pattern).test(value) ? [] : [path];
  }
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema as Record<string, number>;
    return value >= minimum && value <= maximum ? [] : [path];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      misfits(item, (schema.items ?? {}) as Schema, `${path}[${index}]`)
    );
  }
  if (typeof value !== "object" || value === null || value instanceof Date) return [];
  const { properties = {}, additionalProperties = {} } = schema as {
    properties?: Record<string, Schema>;
    additionalProperties?: Schema | false;
  };
  return Object.entries(value).flatMap(([name, item]) => {
    const at = path === "" ? name : `${path}.${name}`;
    const of = Object.hasOwn(properties, name) ? properties[name]! : additionalProperties;
    return of === false ? [at] : misfits(item, of, at);
  });
}

function typesOf(value: unknown): readonly string[] {
  if (typeof value === "number") {
    return Number.isInteger(value) ? ["integer", "number"] : ["number"];
  }
  return [Array.isArray(value) ? "array" : typeof value];
}

test("configSchema() accepts the example configuration and the snippets of the docs", () => {
  const text = readFileSync(`${ROOT}docs/configuration.md`, "utf8");
  const snippets = [...text.matchAll(/^```toml\n([^]*?)^```/gm)].map((match) => match[1]!);
  assert.ok(snippets.length >= 10);
  for (const toml of [readFileSync(`${ROOT}config.example.toml`, "utf8"), ...snippets]) {
    assert.deepEqual(misfits(parse(toml), SCHEMA), [], toml);
  }
});

const WRONG: readonly (readonly [toml: string, path: string])[] = [
  ["[server]\nprot = 1", "server.prot"],
  ["[server]\nport = 70000", "server.port"],
  ['[jobs.x]\ntimeuot = "1m"', "jobs.x.timeuot"],
  ['[jobs.x]\noverlap = "never"', "jobs.x.overlap"],
  ["[jobs.x]\nretry = { max = true }", "jobs.x.retry.max"],
  ["[jobs.x]\nenv = { A = 1 }", "jobs.x.env.A"],
];

for (const [toml, path] of WRONG) {
  test(`configSchema() refuses ${JSON.stringify(toml)}`, () => {
    assert.deepEqual(misfits(parse(toml), SCHEMA), [path]);
  });
}

test("configSchema() accepts variables and the short form of retry", () => {
  const toml = '[server]\nport = "${PORT}"\n[jobs.x]\nretry = 3\ntimeout = 0';
  assert.deepEqual(misfits(parse(toml), SCHEMA), []);
});

test("an option of one entry is in configSchema()", () => {
  const doc = "How long it warms up.";
  const keys = jobOptionKeys({ ...JOB_OPTIONS, warm_up: { value: duration(), doc } });
  const schema = configSchema(schemaOf({}), schemaOf(keys));
  assert.deepEqual(misfits({ jobs: { x: { warm_up: "1m" } } }, schema), []);
  assert.match(JSON.stringify(schema), /"warm_up":\{.*?"description":"How long it warms up\."/);
});
