import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { REPORT_BYTES_MAX } from "../../core/job/external.ts";
import { isJobError, messageOf } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { Clock } from "../../platform/clock.ts";
import { Lazy } from "../../platform/lazy.ts";
import type { Logger } from "../../platform/logger.ts";
import type { PlainResponse } from "../request/http_types.ts";
import { Paced } from "../../rpc/guard/paced.ts";
import { PingQuota } from "./ping_quota.ts";
import { isForeign, keyOfPing, PING_PATH, readPing } from "./ping_request.ts";
import type { Readiness, StatusSource } from "./status_source.ts";
import type { WireRequest } from "../wire/wire_request.ts";

/** Time for which caches may keep the contract before they ask again, in seconds. */
const KEPT_S = 300;
/** Characters of the hash in the contract's tag. */
const TAG_LENGTH = 32;
/** Wait for a client whose ping was refused for now, in seconds. */
const RETRY_AFTER_S = 10;

/** Media types of responses. */
const CONTENT_TYPE = {
  html: "text/html; charset=utf-8",
  // The type that Prometheus expects.
  text: "text/plain; version=0.0.4; charset=utf-8",
  // The type of .proto files is not registered.
  proto: "text/plain; charset=utf-8",
} as const;

interface Page {
  readonly status: number;
  readonly type: keyof typeof CONTENT_TYPE;
  /** Large bodies are bytes, which all connections share. */
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

/** The response to a ping: its headers show the kept size of a body. */
function pong(status: number, body: string): Page {
  const headers = {
    "ping-body-limit": String(REPORT_BYTES_MAX),
    ...(status === 429 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
    ...(status === 405 ? { allow: "GET, HEAD, POST" } : {}),
  };
  return { status, type: "proto", body, headers };
}

/** The response to a request for the name of another site. */
export function unknownHost(): PlainResponse {
  return responseOf(
    text(
      421,
      "this daemon does not serve that host name; see server.http_hosts in its configuration",
    ),
  );
}

/** The pages without a caller: health, readiness, metrics, the gRPC contract and pings. */
export class Monitoring {
  readonly #source: StatusSource;
  readonly #logger: Logger;
  readonly #readiness: Paced<Readiness>;
  readonly #metrics: Paced<Buffer>;
  readonly #contract = new Lazy(readContract);
  readonly #pings: PingQuota;

  constructor(
    { source, clock, logger }: {
      readonly source: StatusSource;
      readonly clock: Clock;
      readonly logger: Logger;
    },
  ) {
    this.#source = source;
    this.#logger = logger;
    this.#pings = new PingQuota(clock, () => source.pingKeys());
    this.#readiness = new Paced(clock, () => source.readiness());
    this.#metrics = new Paced(clock, async () => Buffer.from(await source.metrics()));
  }

  /** True if a path is one of these; the landing page's is not. */
  has(path: string): boolean {
    return path.startsWith(PING_PATH) || this.#pages.has(path) && path !== "/";
  }

  /**
   * Answer a request; never throws.
   *
   * @param place its path and query, without the base path, and the address of the client
   */
  async respond(
    request: WireRequest,
    place: { readonly target: string; readonly address: string },
  ): Promise<PlainResponse> {
    const { target } = place;
    let page: Page;
    try {
      page =
        await (isPing(target) ? this.#ping(request, place) : this.#route(request.method, target));
    } catch (error) {
      this.#logger.warn("Cannot serve an HTTP request", {
        // The rest is a secret.
        path: isPing(target) ? `${PING_PATH}…` : target.slice(0, 200),
        error: messageOf(error),
      });
      const reason = isJobError(error) && error.code !== "internal" ? `: ${error.message}` : "";
      page = text(503, `the store does not respond${reason}`);
    }
    return responseOf(page, request.headers["if-none-match"]);
  }

  /** The pages by path, each made from the query of its URL. */
  readonly #pages = new Map<string, (query: string) => Page | Promise<Page>>([
    ["/", () => ({ status: 200, type: "html", body: LANDING_PAGE })],
    ["/healthz", () => text(200, "ok")],
    ["/readyz", (query) => this.#ready(query === "verbose")],
    ["/metrics", async () => ({ status: 200, type: "text", body: await this.#metrics.get() })],
    ["/job.proto", () => this.#contract.get()],
  ]);

  async #route(method: string, target: string): Promise<Page> {
    const [path = "", query = ""] = target.split("?", 2);
    const page = this.#pages.get(path);
    if (!page) return text(404, "not found; see /");
    if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD");
    return await page(query);
  }

  async #ping(
    request: WireRequest,
    { target, address }: { readonly target: string; readonly address: string },
  ): Promise<Page> {
    const { method, headers } = request;
    if (!["GET", "HEAD", "POST"].includes(method)) return pong(405, "only GET, HEAD and POST");
    if (isForeign(headers)) return pong(403, "a page of another site must not ping");
    const read = readPing(target, { host: address || "unknown" });
    if ("status" in read) return pong(read.status, read.text);
    const verdict = await this.#pings.judge(address, keyOfPing(target));
    if (verdict === "too many") return pong(429, "too many pings");
    if (verdict === "wrong") return pong(404, "not found");
    const bytes = method === "POST"
      ? await request.body({ bytesMax: REPORT_BYTES_MAX, isCut: true })
      : Buffer.alloc(0);
    const output = bytes.toString("utf8");
    try {
      for (const ping of read.candidates) {
        if (await this.#source.ping({ ...ping, run: { ...ping.run, output } })) {
          return pong(200, "OK");
        }
      }
    } catch (error) {
      if (isJobError(error, "invalid_argument")) return pong(400, error.message);
      if (isJobError(error, "resource_exhausted")) return pong(429, error.message);
      throw error;
    }
    this.#pings.forget();
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

function responseOf(page: Page, wantedTags?: string): PlainResponse {
  const { etag, type, body } = page;
  const isKept = etag !== undefined && hasTag(wantedTags, etag);
  return {
    status: isKept ? 304 : page.status,
    headers: {
      ...(isKept ? {} : { "content-type": CONTENT_TYPE[type] }),
      ...(etag === undefined
        ? { "cache-control": "no-store" }
        : { "cache-control": `public, max-age=${KEPT_S}`, etag }),
      "x-content-type-options": "nosniff",
      ...(page.status === 405 ? { allow: "GET, HEAD" } : {}),
      ...page.headers,
    },
    body: isKept ? "" : body,
  };
}

function isPing(target: string): boolean {
  return target.startsWith(PING_PATH);
}

/** The text of job.proto, loaded with the first request; it is the same for every caller. */
async function readContract(): Promise<Page> {
  const { JOB_PROTO } = await import("../../rpc/gen/job_proto.ts");
  const hash = createHash("sha256").update(JOB_PROTO).digest("hex").slice(0, TAG_LENGTH);
  return { status: 200, type: "proto", body: JOB_PROTO, etag: `"${hash}"` };
}

/** True if an If-None-Match header, RFC 9110 13.1.2, names a tag. */
function hasTag(header: string | undefined, etag: string): boolean {
  return header !== undefined &&
    header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}
