import { createHash } from "node:crypto";
import { JobError, renameOptions, toJobError } from "../../core/errors.ts";
import type { Caller } from "../../rpc/auth/auth.ts";
import { memberOf } from "../../rpc/field_names.ts";
import type { ListRegisteredJobsResponse } from "../../rpc/gen/job_pb.ts";
import type { StreamName, UnaryName } from "../../rpc/backend.ts";
import type { Calls } from "../../rpc/server/call_policy.ts";
import type { HttpRequest, HttpResponse, PlainResponse } from "../request/http_types.ts";
import { type Created, CREATES, placeOf } from "./created.ts";
import { readBody } from "./json_body.ts";
import { problemResponse } from "./problem.ts";
import { readRequest } from "./read_request.ts";
import { contractRoutes, type PathMatch, type Route, RouteTable } from "./routes.ts";
import { isEnd, nextOf, type OpenStream, streamEvents } from "./stream_events.ts";
import { decodeMessage, encodeMessage } from "../../rpc/model/message_codec.ts";
import { tableOf } from "../../rpc/model/message_table.ts";
import { writeJson } from "../../rpc/model/write_json.ts";

/** A request of the API, from any server of HTTP. */
type ApiRequest = Omit<HttpRequest, "isHead" | "admit" | "address" | "isSecure" | "user">;

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };
const EVENT_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };
const EMPTY = new Uint8Array(0);
/** Longest body of a request with only numbers and flags, in bytes. */
const SHORT_BYTES_MAX = 1_024;
const JSON_TYPE = /^\s*application\/(?:[^\/;]+\+)?json\s*(?:;|$)/i;
const DOCUMENT_PATH = "/api/v1/openapi.json";
const READ_VERBS: ReadonlySet<string> = new Set(["GET", "HEAD"]);
/** Characters of the hash in an ETag. */
const TAG_LENGTH = 27;

/** Options of {@link Api}. */
export interface ApiOptions {
  readonly calls: Pick<Calls, "complete" | "readJson" | "stream">;
  /** Path of the server behind a proxy, such as "/jobs"; empty without one. */
  readonly basePath?: string;
}

/** The HTTP API: the methods of the contract as JSON, by the routes that the contract gives. */
export class Api {
  readonly #calls: ApiOptions["calls"];
  readonly #basePath: string;
  readonly #table = new RouteTable(contractRoutes());

  constructor({ calls, basePath = "" }: ApiOptions) {
    this.#calls = calls;
    this.#basePath = basePath;
  }

  /** The response to a request whose path begins with `/api/v1`; never fails. */
  async respond(request: ApiRequest): Promise<HttpResponse> {
    let hasBody = false;
    try {
      if (request.path === DOCUMENT_PATH) return await this.#document(request);
      const match = this.#table.match(request.path);
      if (match === null) return unknownPath(request.path);
      const route = routeFor(match, request);
      if (route === null) return otherMethods(match, request.method);
      hasBody = route.hasBody;
      const decision = request.authorize(route.name);
      const caller = decision instanceof Promise ? await decision : decision;
      if (caller instanceof JobError) return problemResponse(caller);
      return await this.#call(route, match.values, request, caller);
    } catch (thrown) {
      const error = toJobError(thrown, "Cannot complete the request");
      return problemResponse(renameOptions(error, (option) => memberOf(option, hasBody)));
    }
  }

  async #call(
    route: Route,
    values: readonly string[],
    request: ApiRequest,
    caller: Caller,
  ): Promise<HttpResponse> {
    const { headers, query, peer, from } = request;
    const key = headers["idempotency-key"];
    const lastEventId = textOf(headers["last-event-id"]);
    const isStream = route.method.isStream;
    if (isStream && lastEventId !== undefined) {
      if (isEnd(lastEventId)) return { status: 204, headers: {}, body: "" };
      query.set("cursor", lastEventId);
    }
    const sent = route.hasBody ? await request.body(bytesMaxOf(route)).catch(bodyError) : EMPTY;
    if (sent instanceof JobError) {
      return problemResponse(sent, sent.code === "resource_exhausted" ? 413 : undefined);
    }
    if (sent.byteLength > 0 && !isJson(headers["content-type"])) return notJson();
    const body = readBody(sent);
    const message = readRequest(route, { values, query, body, key: textOf(key) });
    const who = { caller, peer, from, isJson: true };
    if (isStream && request.method === "HEAD") {
      return { status: 200, headers: EVENT_HEADERS, body: "" };
    }
    const { name, method: { input, output } } = route;
    if (isStream) {
      const context = { ...who, signal: request.signal };
      const bytes = encodeMessage(input, message);
      const stream = this.#calls.stream(name as StreamName, bytes, context);
      const messages = stream[Symbol.asyncIterator]();
      // The first message comes at once: a refusal is then a response like any other.
      const first = await nextOf(messages);
      const hasEnd = name === "follow";
      const open = { type: output as OpenStream["type"], first, rest: messages, hasEnd };
      return { status: 200, headers: EVENT_HEADERS, events: streamEvents(open) };
    }
    const context = { ...who, signal: request.cancelSignal ?? request.signal };
    const json = this.#calls.readJson(name as UnaryName, message, context);
    if (json !== null) return cacheable(await json, headers["if-none-match"]);
    const bytes = encodeMessage(input, message);
    const response = await this.#calls.complete(name as UnaryName, bytes, context);
    return this.#answer(route, response, headers["if-none-match"]);
  }

  /** The API as a document, with the jobs that the caller may see. */
  async #document(request: ApiRequest): Promise<HttpResponse> {
    const { headers, method, peer, from, signal } = request;
    if (method !== "GET" && method !== "HEAD") return methodRefused(method, READ_VERBS);
    const caller = await request.authorize("listRegisteredJobs");
    if (caller instanceof JobError) return problemResponse(caller);
    const context = { caller, peer, from, signal, isJson: true };
    const bytes = await this.#calls.complete("listRegisteredJobs", EMPTY, context);
    const type = "job.v1.ListRegisteredJobsResponse";
    const { jobs } = decodeMessage<ListRegisteredJobsResponse>(type, bytes);
    const { apiDocument } = await import("./openapi/document.ts");
    return cacheable(JSON.stringify(apiDocument(jobs, this.#basePath)), headers["if-none-match"]);
  }

  #answer(
    { method: { output }, name, verb }: Route,
    bytes: Uint8Array,
    ifNoneMatch: string | undefined,
  ): PlainResponse {
    const message = decodeMessage(output, bytes);
    const body = writeJson(output, message);
    if (verb === "GET") return cacheable(body, ifNoneMatch);
    if (!CREATES.has(name)) return { status: 200, headers: JSON_HEADERS, body };
    const place = placeOf(message as Created, this.#basePath);
    // A dry run creates nothing.
    const isCreated = place !== null || (name === "scheduleJobs" && bytes.byteLength > 0);
    const headers = place === null ? JSON_HEADERS : { ...JSON_HEADERS, location: place };
    return { status: isCreated ? 201 : 200, headers, body };
  }
}

/** The route of a request: among several, the route with its parameter in the query. */
function routeFor({ routes }: PathMatch, { method, query }: ApiRequest): Route | null {
  const verb = method === "HEAD" ? "GET" : method;
  let plain: Route | null = null;
  for (const route of routes) {
    const { when } = route;
    if (route.verb !== verb) continue;
    if (when === null) plain ??= route;
    else if (query.has(when) || query.has(`${when}_ms`)) return route;
  }
  return plain;
}

function cacheable(body: string, ifNoneMatch: string | undefined): PlainResponse {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, TAG_LENGTH);
  const headers = { ...JSON_HEADERS, etag: `"${hash}"` };
  const isKnown = ifNoneMatch?.split(",").some((tag) => {
    const known = tag.trim();
    return known === "*" || known === headers.etag || known === `W/${headers.etag}`;
  });
  return isKnown ? { status: 304, headers, body: "" } : { status: 200, headers, body };
}

function unknownPath(path: string): PlainResponse {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return problemResponse(
    new JobError("not_found", `Cannot find "${shown}": the API has no such path`, {
      hint: `${DOCUMENT_PATH} lists all of them`,
    }),
  );
}

function otherMethods({ routes }: PathMatch, method: string): PlainResponse {
  const verbs = new Set<string>(routes.map(({ verb }) => verb));
  if (verbs.has("GET")) verbs.add("HEAD");
  return methodRefused(method, verbs);
}

function methodRefused(method: string, verbs: ReadonlySet<string>): PlainResponse {
  const allow = [...verbs, "OPTIONS"].sort().join(", ");
  if (method === "OPTIONS") return { status: 204, headers: { allow }, body: "" };
  const error = new JobError("unimplemented", `Cannot ${method.slice(0, 20)} this path`, {
    hint: `Use one of ${allow}`,
  });
  return problemResponse(error, 405, { allow });
}

/** The longest body of a route; undefined for a message's limit. */
function bytesMaxOf({ method }: Route): number | undefined {
  const isShort = tableOf(method.input).fields.every(({ kind, isList }) =>
    !isList && ["flag", "int", "sint", "long", "double"].includes(kind)
  );
  return isShort ? SHORT_BYTES_MAX : undefined;
}

const bodyError = (thrown: unknown) => toJobError(thrown, "Cannot read the body");

/** True if a request declares a JSON body; browsers preflight these for other origins. */
function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && JSON_TYPE.test(contentType);
}

function notJson(): PlainResponse {
  const error = new JobError(
    "invalid_argument",
    "Cannot read the body: it is not said to be JSON",
    {
      hint: 'Send the header "content-type: application/json"',
    },
  );
  return problemResponse(error, 415);
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}
