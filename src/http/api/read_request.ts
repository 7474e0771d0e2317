import { JobError } from "../../core/errors.ts";
import { unknownMember } from "../../core/text/object_keys.ts";
import { type FieldName, jsonFields, namesOf } from "../../rpc/model/json_names.ts";
import { fillMessage } from "../../rpc/model/message_codec.ts";
import { type MessageInit, MessageReader } from "../../rpc/model/read_json.ts";
import type { Route } from "./routes.ts";

/** The content of a request, apart from its method and path. */
export interface RequestParts {
  /** Values of the variables of the path. */
  readonly values: readonly string[];
  readonly query: URLSearchParams;
  /** The value of the body; ignored if the route has no body. */
  readonly body: unknown;
  /** The header Idempotency-Key. */
  readonly key: string | undefined;
}

/** Conditions, whose names a query gives without this prefix. */
const QUERY = "query";
/** Singular conditions that a query may repeat, and the lists for them. */
const PLURALS: Readonly<Record<string, string>> = { kind: "kinds", id: "ids", state: "states" };
const FIELDS_OF_BODY = new MessageReader("Cannot read the body");
const FIELDS_OF_QUERY = new MessageReader("Cannot read the query");
const FIELDS_OF_PATH = new MessageReader("Cannot read the path");
const FIELDS_OF_KEY = new MessageReader("Cannot read the header Idempotency-Key");

/** The request of a route. @throws JobError `invalid_argument` with the path of the JSON field */
export function readRequest(route: Route, parts: RequestParts): object {
  const { method: { input }, hasBody } = route;
  const init: MessageInit = hasBody ? FIELDS_OF_BODY.message(input, parts.body) : {};
  setPath(route, init, parts.values);
  if (route.set !== null) {
    const { field, value: text } = route.set;
    setField(FIELDS_OF_PATH, init, { variable: fieldAt(input, field), text });
  }
  setQuery(route, init, parts.query);
  if (parts.key !== undefined) setKey(route, init, parts.key);
  return fillMessage(input, init);
}

/** A field that a variable of a path sets. */
interface Variable {
  readonly found: FieldName;
  /** The field of the message around it; null for a field of the request itself. */
  readonly outer: FieldName | null;
}

/** A body may repeat a value of the path, but not contradict it. */
function setPath(
  { method: { input }, segments }: Route,
  init: MessageInit,
  values: readonly string[],
) {
  const fields = segments.filter((segment) => typeof segment !== "string");
  for (const [index, { field }] of fields.entries()) {
    const text = values[index]!;
    const variable = fieldAt(input, field);
    const { found, outer } = variable;
    const given = init[found.field.name];
    if (given === undefined || outer !== null) setField(FIELDS_OF_PATH, init, { variable, text });
    else if (given !== text) throw contradiction(found.field.json, "the path");
  }
}

function contradiction(name: string, place: string): JobError {
  return new JobError("invalid_argument", `Cannot read the body: "${name}" differs from ${place}`, {
    path: name,
    hint: "Give it once",
  });
}

/** The field at a path of at most two names. */
function fieldAt(input: string, path: string): Variable {
  const [first, second] = path.split(".") as [string, string | undefined];
  const found = namesOf(input).get(first)!;
  if (second === undefined) return { found, outer: null };
  return { found: namesOf(found.field.type).get(second)!, outer: found };
}

function setField(
  reader: MessageReader,
  init: MessageInit,
  { variable: { found, outer }, text }: { readonly variable: Variable; readonly text: string },
): void {
  reader.setTexts(innerOf(init, outer), found, [text], found.field.json);
}

/** The members of a nested message, beginning with the first. */
function innerOf(init: MessageInit, outer: FieldName | null): MessageInit {
  if (outer === null) return init;
  return (init[outer.field.name] ??= {}) as MessageInit;
}

function setQuery(
  { method: { input }, hasBody }: Route,
  init: MessageInit,
  query: URLSearchParams,
) {
  if (query.size === 0) return;
  const own = namesOf(input);
  const outer = own.get(QUERY);
  for (const name of new Set(query.keys())) {
    if (hasBody) throw inBody(name);
    const texts = query.getAll(name);
    const short = outer && name.startsWith(`${QUERY}.`) ? name.slice(QUERY.length + 1) : name;
    const found = short === name ? own.get(name) : undefined;
    if (found !== undefined && found.field.kind !== "message") {
      FIELDS_OF_QUERY.setTexts(init, found, texts, name);
      continue;
    }
    const condition = outer && conditionOf(outer.field.type, short, texts);
    if (!condition) throw unknownParameter(name, input, outer);
    FIELDS_OF_QUERY.setTexts(innerOf(init, outer), condition, texts, name);
  }
}

/** The condition of a name; several values make a list of a singular one. */
function conditionOf(
  conditions: string,
  name: string,
  texts: readonly string[],
): FieldName | undefined {
  const names = namesOf(conditions);
  const found = names.get(name);
  const plural = found && texts.length > 1 ? PLURALS[found.field.json] : undefined;
  return plural === undefined ? found : names.get(plural);
}

function inBody(name: string): JobError {
  const short = name.slice(0, 100);
  return new JobError("invalid_argument", `Cannot read the query: "${short}" has no effect here`, {
    path: short,
    hint: "Give the fields of this request in its body",
  });
}

function unknownParameter(name: string, input: string, outer: FieldName | undefined): JobError {
  const known = jsonFields(input).concat(outer ? jsonFields(outer.field.type) : [])
    .filter(({ kind }) => kind !== "message" && kind !== "json")
    .map(({ json }) => json);
  return unknownMember(name.slice(0, 100), known, {
    failure: "Cannot read the query",
    noun: "parameter",
  });
}

/** The key is the id of the new instance: a repeated request is accepted once. */
function setKey(
  { method: { input }, verb, segments }: Route,
  init: MessageInit,
  key: string,
): void {
  if (verb !== "POST") return;
  const id = namesOf(input).get("id");
  const isInPath = segments.some((one) => typeof one !== "string" && one.field.includes("uuid"));
  if (id === undefined || isInPath) {
    throw new JobError(
      "invalid_argument",
      "Cannot use the header Idempotency-Key: this request creates no instance by id",
      { hint: "Leave the header out; it works with POST /api/v1/jobs/KIND/runs" },
    );
  }
  const { name } = id.field;
  if (init[name] !== undefined && init[name] !== key) {
    throw contradiction("id", "the header Idempotency-Key");
  }
  delete init[name];
  FIELDS_OF_KEY.setTexts(init, id, [key], "Idempotency-Key");
}
