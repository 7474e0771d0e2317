import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ErrorCode, JobError } from "../../../src/core/errors.ts";
import { contractRoutes, type Route } from "../../../src/http/api/routes.ts";
import type { JobClient } from "../../../src/rpc/client/client.ts";
import { JobService, JobState } from "../../../src/rpc/gen/job_pb.ts";

/** A message as plain data, by the names of its fields in the program. */
type Plain = Record<string, unknown>;

const ROUTES = contractRoutes();

/** The names of fields whose names in JSON are others, by message. */
const JSON_NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  HistoryEntry: { uuid: "instance_id" },
  LogEntry: { uuid: "instance_id" },
  Incident: { last_uuid: "last_instance_id" },
};

function jsonName({ name, parent }: DescField): string {
  const known = JSON_NAMES[parent.name]?.[name];
  return known ?? (name === "uuid" ? "id" : name === "uuids" ? "ids" : name.replace(/_json$/, ""));
}

function stateWord(state: number): string {
  return JobState[state]?.toLowerCase() ?? String(state);
}

/** A value of a request as JSON. */
function valueToJson(field: DescField, value: unknown): unknown {
  if (field.enum) return stateWord(value as number);
  if (field.message?.name === "Timestamp") return timestampDate(value as never).toISOString();
  if (field.message) return toJson(field.message, value as Plain);
  return typeof value === "bigint" ? Number(value) : value;
}

/** JSON text that is sent as it is, with all of its digits. */
class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A body as JSON text. */
function textOf(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value);
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${textOf(one)}`).join(",")}}`;
}

function toJson(desc: DescMessage, message: Plain): Plain {
  const json: Plain = {};
  for (const field of desc.fields) {
    const value = message[field.localName];
    if (value === undefined) continue;
    if (field.name === "arguments_json" && isJson(value as string)) {
      json["arguments"] = new JsonText(value as string);
    } else if (field.name === "arguments_json") json[field.name] = value;
    else if (field.fieldKind !== "list") json[jsonName(field)] = valueToJson(field, value);
    else if ((value as unknown[]).length > 0) {
      json[jsonName(field)] = (value as unknown[]).map((item) => valueToJson(field, item));
    }
  }
  return json;
}

/** A value of a response from its JSON. */
function valueFromJson(field: DescField, json: unknown): unknown {
  if (field.enum) return JobState[String(json).toUpperCase() as keyof typeof JobState];
  if (field.message?.name === "Timestamp") return timestampFromDate(new Date(json as string));
  if (field.message) return fromJson(field.message, json as Plain);
  if (field.name.endsWith("_json")) return JSON.stringify(json);
  return field.scalar === ScalarType.INT64 ? BigInt(json as number) : json;
}

/** Arguments and results as the texts of gRPC. */
function textsOf(values: unknown): string[] {
  return (values as unknown[]).map((value) =>
    typeof value === "string" ? value : JSON.stringify(value)
  );
}

function fromJson(desc: DescMessage, json: Plain): Plain {
  const message: Plain = {};
  for (const field of desc.fields) {
    const value = json[jsonName(field)];
    const hasJson = desc.fields.some(({ name }) => name === `${field.name}_json`);
    const isTwin = desc.fields.some(({ name }) => `${name}_json` === field.name);
    if (value === undefined || isTwin) continue;
    if (hasJson) message[field.localName] = textsOf(value);
    else if (field.fieldKind !== "list") message[field.localName] = valueFromJson(field, value);
    else message[field.localName] = (value as unknown[]).map((item) => valueFromJson(field, item));
  }
  return message;
}

/** Take the value of a variable of a path out of a request. */
function take(json: Plain, path: string): string | undefined {
  const [first, rest] = path.split(".") as [string, string | undefined];
  if (rest !== undefined) {
    return json[first] === undefined ? undefined : take(json[first] as Plain, rest);
  }
  const name = first === "uuid" ? "id" : first;
  const value = json[name];
  if (typeof value !== "string" || value === "") return undefined;
  delete json[name];
  return value;
}

/** The request of a route; null if a variable of its path has no value. */
function requestOf(
  route: Route,
  json: Plain,
): { readonly path: string; readonly rest: Plain } | null {
  const query = json["query"] as Plain | undefined;
  const rest = { ...json, ...(query === undefined ? {} : { query: { ...query } }) };
  const parts: string[] = [];
  for (const segment of route.segments) {
    const value = typeof segment === "string" ? segment : take(rest, segment.field);
    if (value === undefined) return null;
    parts.push(encodeURIComponent(value));
  }
  return { path: `/${parts.join("/")}`, rest };
}

function queryOf(rest: Plain): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) {
    if (name === "query") { for (const pair of queryOf(value as Plain)) query.append(...pair); }
    else {for (const item of Array.isArray(value) ? value : [value]) {
        query.append(name, String(item));
      }}
  }
  return query;
}

async function send(
  url: string,
  method: (typeof JobService)["methods"][number],
  request: Plain,
  token: string | undefined,
): Promise<object> {
  const json = toJson(method.input, create(method.input, request as never) as unknown as Plain);
  // Variables of paths may have several bindings: the first one whose variables have values.
  const fitting = ROUTES.filter((one) => one.name === method.localName && one.set === null)
    .map((route) => ({ route, found: requestOf(route, json) }))
    .find(({ found }) => found !== null);
  if (!fitting) throw new TypeError(`${method.name} has no path for ${JSON.stringify(json)}`);
  const { route, found } = fitting;
  const { path, rest } = found!;
  if (route.when !== null) rest["wait_ms"] ??= 0;
  const query = route.hasBody ? "" : `?${queryOf(rest)}`;
  const response = await fetch(`${url}${path}${query}`, {
    method: route.verb,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(route.hasBody ? { "content-type": "application/json" } : {}),
    },
    ...(route.hasBody ? { body: textOf(rest) } : {}),
  });
  const answer = await response.json() as Plain;
  if (response.ok) return create(method.output, fromJson(method.output, answer) as never);
  const { code, detail, hint, path: place } = answer as Record<string, string>;
  throw new JobError(code as ErrorCode, detail!, { hint: hint!, path: place! });
}

/**
 * A client of the HTTP API with the methods of the client for gRPC: what the same test asks of
 * both must be answered in the same way. It has no streams.
 */
export function httpClient(url: string, token?: string): JobClient {
  const methods: Plain = { close() {} };
  for (const method of JobService.methods) {
    methods[method.localName] = (request: Plain = {}) => send(url, method, request, token);
  }
  return methods as unknown as JobClient;
}
