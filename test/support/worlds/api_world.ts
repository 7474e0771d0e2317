import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Api } from "../../../src/http/api/api.ts";
import type { HttpResponse } from "../../../src/http/request/http_types.ts";
import { JobError } from "../../../src/core/errors.ts";
import { MESSAGE_BYTES_MAX } from "../../../src/rpc/limits.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { AuthConfig } from "../../../src/platform/network/server_config.ts";
import type { Authenticator } from "../../../src/rpc/auth/auth.ts";
import { ConfiguredAuthenticator } from "../../../src/rpc/auth/authenticator.ts";
import { CallTracker } from "../../../src/rpc/guard/call_tracker.ts";
import { ThreadMemory } from "../../../src/rpc/guard/thread_memory.ts";
import type { CallInfo, LocalReads, UnaryName } from "../../../src/rpc/backend.ts";
import { LocalBackend } from "../../../src/rpc/handlers/local_backend.ts";
import { METHOD_RULES } from "../../../src/rpc/gen/method_rules.ts";
import { Calls } from "../../../src/rpc/server/call_policy.ts";
import { FakeManager } from "./fake_manager.ts";
import { keepingLogger, type LoggedLine, NO_AUTH } from "./rpc_world.ts";

const PEER = "127.0.0.1:1";

/** The HTTP API over a fake manager, behind a plain server that authenticates nobody. */
export interface ApiWorld {
  readonly manager: FakeManager;
  readonly lines: LoggedLine[];
  readonly api: Api;
  readonly url: string;
  /** A request; the body is sent as JSON. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Completes reads only as JSON. */
class ReadingBackend extends LocalBackend {
  readonly reads: LocalReads = {
    has: isRead,
    json: (...call) => this.json(...call),
  };

  override complete(method: UnaryName, request: Uint8Array, call: CallInfo): Promise<Uint8Array> {
    // A wait reads its instance as a message.
    if (!isRead(method) || method === "lookupInstances") {
      return super.complete(method, request, call);
    }
    return Promise.reject(new Error("a read was encoded as a message"));
  }
}

function isRead(method: UnaryName): boolean {
  return METHOD_RULES[method]?.effect === "read";
}

/** Start a server on a free port; everybody has all rights, unless `auth` says otherwise. */
export async function apiWorld(
  { manager = new FakeManager(), auth = NO_AUTH, basePath, readsHere = false }: {
    readonly manager?: FakeManager;
    readonly auth?: AuthConfig;
    readonly basePath?: string;
    /** True if the thread of the server completes the reads itself, as it does on SQLite. */
    readonly readsHere?: boolean;
  } = {},
): Promise<ApiWorld> {
  const lines: LoggedLine[] = [];
  const calls = new Calls({
    backend: (readsHere ? new ReadingBackend(manager) : new LocalBackend(manager)) as never,
    clock: systemClock,
    tracker: new CallTracker(systemClock, new ThreadMemory(systemClock)),
    logger: keepingLogger(lines),
  });
  const api = new Api({ calls, ...(basePath === undefined ? {} : { basePath }) });
  const authenticator = new ConfiguredAuthenticator(auth, {
    ...{ ownToken: null, clock: systemClock, onToken: () => {} },
    logger: keepingLogger(lines),
  });
  const server = createServer((request, response) =>
    void serve(api, authenticator, request, response)
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    manager,
    lines,
    api,
    url,
    send: (method, path, body, headers = {}) =>
      fetch(url + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    async [Symbol.asyncDispose]() {
      authenticator.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(
  api: Api,
  authenticator: Authenticator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  const answer = await api.respond({
    method: request.method ?? "GET",
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    body: () => bodyOf(request),
    authorize: (call) => authenticator.check(call, request.headers.authorization, PEER),
    peer: PEER,
    signal: abort.signal,
  });
  response.writeHead(answer.status, answer.headers);
  await write(answer, response);
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const body = Buffer.concat(chunks);
  if (body.byteLength <= MESSAGE_BYTES_MAX) return body;
  throw new JobError("resource_exhausted", "Cannot read the body: it is too large");
}

async function write(answer: HttpResponse, response: ServerResponse): Promise<void> {
  if (!("events" in answer)) return void response.write(answer.body);
  for await (const { id, event, data } of answer.events) {
    const lines = [
      ...(id === undefined ? [] : [`id: ${id}`]),
      ...(event === undefined ? [] : [`event: ${event}`]),
    ];
    response.write(`${[...lines, `data: ${data}`].join("\n")}\n\n`);
  }
}
