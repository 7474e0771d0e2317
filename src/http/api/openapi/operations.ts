import type { JsonSchema } from "../../../core/arguments/json_schema.ts";
import { CREATES } from "../created.ts";
import { type JsonField, jsonFields, namesOf } from "../../../rpc/model/json_names.ts";
import { snakeCase } from "../../../core/text/snake_case.ts";
import type { Route } from "../routes.ts";
import { durationOf, schemaRef, type Schemas } from "./schemas.ts";

/** An operation of the document. */
export type Operation = JsonSchema;

/** The condition that a query gives without its prefix. */
const QUERY = "query";

/** The path of a route, with the names of its variables in JSON. */
export function pathOf({ method: { input }, segments }: Route): string {
  const parts = segments.map((segment) =>
    typeof segment === "string" ? segment : `{${fieldAt(input, segment.field).json}}`
  );
  return `/${parts.join("/")}`;
}

/** The operation of one route, or of several that differ only in a parameter. */
export function operationOf(routes: readonly Route[], schemas: Schemas): Operation {
  const route = routes.find(({ when }) => when === null) ?? routes[0]!;
  const { method, hasBody } = route;
  const parameters = [
    ...pathParameters(route, schemas),
    ...(hasBody ? [] : routes.flatMap((one) => queryParameters(one, schemas))),
  ];
  const known = new Map(parameters.map((one) => [`${one["in"]} ${one["name"]}`, one]));
  const texts = routes.map((one) => schemas.comments.get(`JobService.${one.method.title}`))
    .filter((text) => text !== undefined);
  return {
    operationId: operationId(route),
    tags: [String(route.segments[2])],
    ...(texts.length === 0 ? {} : { description: texts.join(" ") }),
    ...(known.size === 0 ? {} : { parameters: [...known.values(), ...keyParameter(route)] }),
    ...(hasBody ? { requestBody: requestBody(route, schemas) } : {}),
    responses: responsesOf(route, schemas.message(method.output, "response")),
  };
}

/** The first rule of a method has its name; others add their difference. */
function operationId({ name, segments, method, isMain }: Route): string {
  const last = segments.findLast((segment) => typeof segment !== "string");
  if (isMain) return name;
  if (last === undefined) return `${name}In${pascalCase(String(segments.at(-1)))}`;
  const variable = (last as { readonly field: string }).field;
  return `${name}By${pascalCase(fieldAt(method.input, variable).json)}`;
}

function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|[-_])(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function fieldAt(input: string, path: string): JsonField {
  const [first, second] = path.split(".") as [string, string | undefined];
  const { field } = namesOf(input).get(first)!;
  return second === undefined ? field : namesOf(field.type).get(second)!.field;
}

function pathParameters({ method: { input }, segments }: Route, schemas: Schemas): JsonSchema[] {
  return segments.filter((segment) => typeof segment !== "string").map(({ field }) => {
    const found = fieldAt(input, field);
    const owner = field.includes(".") ? namesOf(input).get(QUERY)!.field.type : input;
    const { description, ...schema } = schemas.field(owner, found, "request");
    return {
      name: found.json,
      in: "path",
      required: true,
      ...(description === undefined ? {} : { description }),
      schema: { ...schema, minLength: 1 },
    };
  });
}

function queryParameters(
  { method: { input }, segments, set }: Route,
  schemas: Schemas,
): JsonSchema[] {
  const taken = new Set(segments.map((one) => typeof one === "string" ? "" : one.field));
  if (set !== null) taken.add(set.field);
  const parametersOf = (type: string, prefix: string): JsonSchema[] =>
    jsonFields(type).flatMap((field) => {
      if (taken.has(prefix + snakeCase(field.name)) || field.kind === "json") return [];
      if (field.kind !== "message") return [...parametersFor(type, field, schemas)];
      return field.json === QUERY ? parametersOf(field.type, `${QUERY}.`) : [];
    });
  return parametersOf(input, "");
}

/** The parameter of a field, and its twin in duration form if it is in milliseconds. */
function* parametersFor(
  type: string,
  field: JsonField,
  schemas: Schemas,
): Generator<JsonSchema> {
  yield parameter(field.json, schemas.field(type, field, "request"));
  for (const [name, found] of namesOf(type)) {
    if (found.isDuration && found.field.name === field.name) {
      yield parameter(name, durationOf(field.json));
    }
  }
}

function parameter(name: string, { description, ...schema }: JsonSchema): JsonSchema {
  return {
    name,
    in: "query",
    ...(description === undefined ? {} : { description }),
    schema,
  };
}

function keyParameter({ name }: Route): JsonSchema[] {
  return name === "scheduleJob" ? [IDEMPOTENCY_KEY] : [];
}

/** The header that makes a repeated request for a run be accepted once. */
export const IDEMPOTENCY_KEY: JsonSchema = {
  name: "Idempotency-Key",
  in: "header",
  description: "The id of the new instance: a repeated request is accepted once.",
  schema: { type: "string", format: "uuid" },
};

function requestBody({ method: { input }, segments }: Route, schemas: Schemas): JsonSchema {
  const inPath = new Set(
    segments.flatMap((one) => typeof one === "string" ? [] : [fieldAt(input, one.field).json]),
  );
  const properties = schemas.properties(input, inPath);
  return jsonBody({ type: "object", properties, additionalProperties: false });
}

/** An optional JSON body. */
export function jsonBody(schema: JsonSchema): JsonSchema {
  return { content: { "application/json": { schema } } };
}

/** The responses of a route. */
export function responsesOf({ name, verb, method }: Route, schema: JsonSchema): JsonSchema {
  if (method.isStream) return { 200: streamOf(schema), ...FAILURES };
  const ok = { description: "Done.", ...jsonBody(schema) };
  if (verb === "GET") {
    return {
      200: { ...ok, description: "Found.", headers: { ETag: { schema: { type: "string" } } } },
      304: { description: "As in If-None-Match." },
      ...FAILURES,
    };
  }
  if (!CREATES.has(name)) return { 200: ok, ...FAILURES };
  const place = { Location: { description: "Where it is.", schema: { type: "string" } } };
  const created = { ...ok, description: "Created.", headers: place };
  if (name !== "scheduleJob" && name !== "scheduleJobs") return { 201: created, ...FAILURES };
  return {
    200: { ...ok, description: "A dry run: nothing was created." },
    201: created,
    ...FAILURES,
  };
}

const FAILURES: JsonSchema = { default: { $ref: "#/components/responses/Problem" } };

function streamOf(schema: JsonSchema): JsonSchema {
  return {
    description: `Server-sent events. The data of events "news" and "alive" is ` +
      `${
        String(schema["$ref"]).split("/").at(-1)
      }; of "problem" it is Problem; "end" is the last. ` +
      "Their ids resume the stream, as Last-Event-ID.",
    content: { "text/event-stream": { schema: { type: "string" }, "x-event-data": schema } },
  };
}

/** The errors of every operation. */
export const PROBLEM_RESPONSE: JsonSchema = {
  description: "It failed.",
  content: { "application/problem+json": { schema: schemaRef("Problem") } },
};

/** An error, RFC 9457. */
export const PROBLEM_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What went wrong." },
    code: { type: "string", description: "For programs: such as not_found or conflict." },
    hint: { type: "string", description: "What can be done about it." },
    path: { type: "string", description: "The field or argument at fault." },
  },
  required: ["type", "title", "status", "detail", "code"],
};
