import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { IncomingMessage, Server as HttpListener, ServerResponse } from "node:http";
import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { REPORT_BYTES_MAX } from "../core/job/external.ts";
import { bareHost, hostPort, isLoopback } from "../core/address.ts";
import { errorCode, isJobError, messageOf } from "../core/errors.ts";
import { makeVisible } from "../core/text/safe_text.ts";
import type { Clock } from "../platform/clock.ts";
import { Late } from "../platform/late.ts";
import { afterStart, listenOn } from "../platform/network/listening.ts";
import type { Logger } from "../platform/logger.ts";
import { FirstRequest } from "./first_request.ts";
import { PingQuota } from "./ping_quota.ts";
import { isForeign, keyOfPing, PING_PATH, readPing } from "./ping_request.ts";
import type { Readiness, StatusSource } from "./status_source.ts";

/** Options of the HTTP server. */
export interface HttpServerOptions {
  readonly source: StatusSource;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Host names that clients may use, in addition to its address and the machine's name. */
  readonly hosts: readonly string[];
  /** Most concurrent connections. */
  readonly connectionsMax: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Longest header of a request, in bytes. */
const HEADER_BYTES_MAX = 8_192;
/** How long caches may keep the contract before they ask again, in seconds. */
const KEPT_S = 300;
/** Characters of the hash in the contract's tag. */
const TAG_LENGTH = 32;
/** Longest life of a connection: each carries one request, whose body is never read. */
const CONNECTION_MS = 15_000;
/** Shortest time between two computations of the metrics or the readiness. */
const PACE_MS = 100;
/**
 * Most bytes of unread bodies, in total. Beyond that, the connection whose body is the oldest is
 * closed: a client that reads needs milliseconds.
 */
const UNREAD_BYTES_MAX = 32 * 1_048_576;

const HEADERS_TOO_LARGE =
  "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** How long a client whose ping was refused for now should wait, in seconds. */
const RETRY_AFTER_S = 10;

/** Media types of responses. */
const CONTENT_TYPE = {
  html: "text/html; charset=utf-8",
  // The type that Prometheus expects.
  text: "text/plain; version=0.0.4; charset=utf-8",
  // A .proto file has none that is registered.
  proto: "text/plain; charset=utf-8",
} as const;

interface Page {
  readonly status: number;
  readonly type: keyof typeof CONTENT_TYPE;
  /** A large body is bytes, which all connections share. */
  readonly body: string | Buffer;
  /** For caches; absent for a response that must not be cached. */
  readonly etag?: string;
  /** Headers that only this page has. */
  readonly headers?: Readonly<Record<string, string>>;
}

const LANDING_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>jobctl</title></head>
<body>
<h1>jobctl</h1>
<ul>
<li><a href="/healthz">/healthz</a>: 200 while the process responds</li>
<li><a href="/readyz">/readyz</a>: 200 while the store responds and the daemon is not stopping</li>
<li><a href="/metrics">/metrics</a>: metrics for Prometheus</li>
<li><a href="/job.proto">/job.proto</a>: the gRPC contract, for clients in any language</li>
</ul>
</body>
</html>
`;

function text(status: number, body: string): Page {
  return { status, type: "text", body: `${body}\n` };
}

/** The response to a ping: its headers say how much of a body is kept. */
function pong(status: number, body: string): Page {
  const headers = {
    "ping-body-limit": String(REPORT_BYTES_MAX),
    ...(status === 429 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
    ...(status === 405 ? { allow: "GET, HEAD, POST" } : {}),
  };
  return { status, type: "proto", body, headers };
}

/** The HTTP server: health, readiness, metrics and the gRPC contract. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  /** All connections, oldest first. */
  readonly #open = new Set<Duplex>();
  /** Those without a request yet. */
  readonly #silent = new Set<Duplex>();
  /** Sizes of unread bodies, oldest first. */
  readonly #unread = new Map<Duplex, number>();
  #unreadBytes = 0;
  #server: Server | null = null;
  /** Loaded with the first connection: many daemons never get one. */
  readonly #parser = new Late(() => this.#createParser());
  readonly #known: KnownHosts;
  readonly #readiness: Paced<Readiness>;
  readonly #metrics: Paced<Buffer>;
  readonly #contract = new Late(readContract);
  readonly #pings: PingQuota;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { source, clock, host, hosts } = options;
    this.#pings = new PingQuota(clock);
    this.#known = { bound: host, machine: hostname(), others: hosts };
    this.#readiness = new Paced(clock, () => source.readiness());
    this.#metrics = new Paced(clock, async () => Buffer.from(await source.metrics()));
  }

  /** The address it listens on. @throws JobError `unavailable` before `start` */
  get address(): { readonly host: string; readonly port: number } {
    const bound = (this.#server?.address() ?? null) as AddressInfo | null;
    const { port } = afterStart(bound, "address", "the HTTP server");
    return { host: this.#options.host, port };
  }

  async start(): Promise<void> {
    const { host, port, logger } = this.#options;
    // Connections are accepted here and only parsed by node:http. Under Bun, its own connections
    // cannot be closed before they have sent a request.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    await listenOn(this.#server, { host, port }, 'server.http ("" turns it off)');
    logger.info("HTTP listens", { address: `http://${hostPort(host, this.address.port)}/` });
  }

  stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return Promise.resolve();
    for (const connection of this.#open) connection.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  }

  /** A connection closes when its time is over, however silent, slow or greedy its client is. */
  #accept(socket: Socket): void {
    if (this.#open.size >= this.#options.connectionsMax) this.#closeOldest();
    socket.on("error", () => socket.destroy());
    const connection = new FirstRequest(socket);
    this.#open.add(connection);
    this.#silent.add(connection);
    const timer = this.#options.clock.timer(CONNECTION_MS, () => connection.destroy(), {
      unref: true,
    });
    connection.once("close", () => {
      timer.cancel();
      this.#forget(connection);
    });
    this.#parser.get().then((http) => {
      if (!connection.destroyed) http.emit("connection", connection);
    }, () => connection.destroy());
  }

  /** The oldest has had its chance: a request and its response take milliseconds. */
  #closeOldest(): void {
    const [oldest] = this.#silent.size > 0 ? this.#silent : this.#open;
    this.#forget(oldest!);
    oldest!.destroy();
  }

  #forget(connection: Duplex): void {
    this.#open.delete(connection);
    this.#silent.delete(connection);
    this.#unreadBytes -= this.#unread.get(connection) ?? 0;
    this.#unread.delete(connection);
  }

  /** Count a body that is sent until its connection closes. */
  #count(connection: Duplex, bytes: number): void {
    if (!this.#open.has(connection)) return;
    this.#unread.set(connection, bytes);
    this.#unreadBytes += bytes;
    for (const oldest of this.#unread.keys()) {
      if (this.#unreadBytes <= UNREAD_BYTES_MAX || oldest === connection) return;
      this.#forget(oldest);
      oldest.destroy();
    }
  }

  /** The server that reads requests and writes responses. */
  async #createParser(): Promise<HttpListener> {
    const { createServer: createHttp } = await import("node:http");
    const respond = (request: IncomingMessage, response: ServerResponse) => {
      // Only the first: another one can follow the body of a ping.
      if (!this.#silent.delete(request.socket)) return;
      void this.#respond(request, response);
    };
    const http = createHttp({ maxHeaderSize: HEADER_BYTES_MAX }, respond);
    // An unknown expectation may be ignored, RFC 9110 10.1.1.
    http.on("checkExpectation", respond);
    http.on("clientError", (error, socket) => {
      if (errorCode(error) !== "HPE_HEADER_OVERFLOW") return void socket.destroy();
      socket.end(HEADERS_TOO_LARGE);
    });
    return http;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let page: Page;
    try {
      page = isKnownHost(request.headers.host, this.#known) ? await this.#route(request) : text(
        421,
        "this daemon does not serve that host name; see server.http_hosts in its configuration",
      );
    } catch (error) {
      this.#options.logger.warn("Cannot serve an HTTP request", {
        // What follows is a secret.
        path: isPing(request) ? `${PING_PATH}…` : request.url?.slice(0, 200),
        error: messageOf(error),
      });
      const reason = isJobError(error) && error.code !== "internal" ? `: ${error.message}` : "";
      page = text(503, `the store does not respond${reason}`);
    }
    this.#send(page, request, response);
  }

  #send(page: Page, request: IncomingMessage, response: ServerResponse): void {
    const { etag, type, body } = page;
    const isKept = etag !== undefined && hasTag(request.headers["if-none-match"], etag);
    response.writeHead(isKept ? 304 : page.status, {
      ...(isKept
        ? {}
        : { "content-type": CONTENT_TYPE[type], "content-length": Buffer.byteLength(body) }),
      ...(etag === undefined
        ? { "cache-control": "no-store" }
        : { "cache-control": `public, max-age=${KEPT_S}`, etag }),
      "x-content-type-options": "nosniff",
      "connection": "close",
      ...(page.status === 405 ? { allow: "GET, HEAD" } : {}),
      ...page.headers,
    });
    if (isKept || request.method === "HEAD") return void response.end();
    this.#count(request.socket, Buffer.byteLength(body));
    response.end(body);
  }

  /** The pages by path, each made from the query of its URL. */
  readonly #pages = new Map<string, (query: string) => Page | Promise<Page>>([
    ["/", () => ({ status: 200, type: "html", body: LANDING_PAGE })],
    ["/healthz", () => text(200, "ok")],
    ["/readyz", (query) => this.#ready(query === "verbose")],
    ["/metrics", async () => ({ status: 200, type: "text", body: await this.#metrics.get() })],
    ["/job.proto", () => this.#contract.get()],
  ]);

  async #route(request: IncomingMessage): Promise<Page> {
    if (isPing(request)) return await this.#ping(request);
    const { method, url = "" } = request;
    const [path = "", query = ""] = url.split("?", 2);
    const page = this.#pages.get(path);
    if (!page) return text(404, "not found; see /");
    if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD");
    return await page(query);
  }

  async #ping(request: IncomingMessage): Promise<Page> {
    const { method, url = "", headers } = request;
    if (!["GET", "HEAD", "POST"].includes(method ?? "")) {
      return pong(405, "only GET, HEAD and POST");
    }
    if (isForeign(headers)) return pong(403, "a page of another site must not ping");
    const host = request.socket instanceof FirstRequest ? request.socket.clientAddress : "";
    const key = keyOfPing(url);
    if (!this.#pings.takes(host, key)) return pong(429, "too many pings");
    const body = method === "POST" ? await bodyOf(request) : "";
    const read = readPing(url, { body, host: host || "unknown" });
    if ("status" in read) return pong(read.status, read.text);
    try {
      for (const ping of read.candidates) {
        if (!await this.#options.source.ping(ping)) continue;
        this.#pings.learn(key, true);
        return pong(200, "OK");
      }
    } catch (error) {
      if (isJobError(error, "invalid_argument")) return pong(400, error.message);
      if (isJobError(error, "resource_exhausted")) return pong(429, error.message);
      throw error;
    }
    this.#pings.learn(key, false);
    return pong(404, "not found");
  }

  async #ready(isVerbose: boolean): Promise<Page> {
    const { reason, checks } = await this.#readiness.get();
    const status = reason === null ? 200 : 503;
    const line = reason ?? "ready";
    if (!isVerbose) return text(status, line);
    const lines = checks.map(({ name, problem }) =>
      problem === null ? `[+] ${name}: ok` : `[-] ${name}: ${makeVisible(problem)}`
    );
    return text(status, [...lines, line].join("\n"));
  }
}

function isPing({ url }: IncomingMessage): boolean {
  return url?.startsWith(PING_PATH) === true;
}

/** The beginning of a request's body, as text; what is beyond the limit is not waited for. */
function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let left = REPORT_BYTES_MAX;
  return new Promise((resolve) => {
    const end = () => resolve(Buffer.concat(chunks).toString("utf8"));
    request.on("data", (chunk: Buffer) => {
      chunks.push(chunk.subarray(0, left));
      left = Math.max(0, left - chunk.length);
      // Destroying it would take the connection with it, and the response.
      if (left === 0) end();
    });
    request.once("end", end);
    request.once("error", end);
    request.once("close", end);
  });
}

/** The host names that clients may use for this daemon. */
interface KnownHosts {
  /** The host it listens on. */
  readonly bound: string;
  /** Name of this machine. */
  readonly machine: string;
  /** More names, from the configuration. */
  readonly others: readonly string[];
}

/**
 * True if the Host header of a request names this daemon. If not, a page of another site may have
 * led a browser here under its own name (DNS rebinding) to read the response.
 *
 * Addresses and a missing name are fine: no site can use those as its name.
 */
export function isKnownHost(header: string | undefined, known: KnownHosts): boolean {
  if (header === undefined || header === "") return true;
  const name = bareHost(header.replace(/:\d*$/, "")).toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost")) return true;
  const machine = known.machine.toLowerCase();
  if (name === machine) return true;
  // On loopback the machine's name with a domain is refused: a browser of this machine may show a
  // page of "web.evil.example".
  if (!isLoopback(known.bound) && name.startsWith(`${machine}.`)) return true;
  return [known.bound, ...known.others].some((other) => bareHost(other).toLowerCase() === name);
}

/**
 * Computes a value at most ten times a second, however often it is requested. Every request gets
 * a result that was computed after the request.
 */
class Paced<T> {
  readonly #clock: Clock;
  readonly #compute: () => Promise<T>;
  #next: Promise<T> | null = null;
  #begunMs = -Infinity;

  constructor(clock: Clock, compute: () => Promise<T>) {
    this.#clock = clock;
    this.#compute = compute;
  }

  /** @throws whatever the computation throws */
  get(): Promise<T> {
    return this.#next ??= this.#pause().then(() => {
      this.#next = null;
      this.#begunMs = this.#clock.now().monotonicMs;
      return this.#compute();
    });
  }

  async #pause(): Promise<void> {
    const leftMs = this.#begunMs + PACE_MS - this.#clock.now().monotonicMs;
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => this.#clock.timer(leftMs, resolve, { unref: true }));
  }
}

/** The text of job.proto, loaded with the first request; it is the same for every caller. */
async function readContract(): Promise<Page> {
  const { JOB_PROTO } = await import("../rpc/gen/job_proto.ts");
  const hash = createHash("sha256").update(JOB_PROTO).digest("hex").slice(0, TAG_LENGTH);
  return { status: 200, type: "proto", body: JOB_PROTO, etag: `"${hash}"` };
}

/** True if an If-None-Match header, RFC 9110 13.1.2, names a tag. */
function hasTag(header: string | undefined, etag: string): boolean {
  return header !== undefined &&
    header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}
