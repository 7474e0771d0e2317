import { connect, type Socket } from "node:net";
import { Api } from "../../../src/http/api/api.ts";
import type { SessionSource } from "../../../src/http/server/access.ts";
import type { Responder } from "../../../src/http/request/http_types.ts";
import { Hooks } from "../../../src/http/hooks/hooks.ts";
import { HttpServer } from "../../../src/http/server/server.ts";
import { ManagerStatusSource } from "../../../src/http/monitoring/status_source.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { Lazy } from "../../../src/platform/lazy.ts";
import { keepingLogger, type RpcWorld, rpcWorld, type RpcWorldOptions } from "./rpc_world.ts";

/** The HTTP server with the API, beside a gRPC server, over a fake manager. */
export interface HttpWorld extends RpcWorld {
  readonly http: HttpServer;
  readonly httpPort: number;
  /** A request over a connection of its own. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** A connection on which bytes are sent as they are. */
  raw(): RawClient;
}

/** Options of a world. */
export interface HttpWorldOptions extends RpcWorldOptions {
  readonly host?: string;
  readonly origins?: readonly string[];
  readonly httpConnectionsMax?: number;
  /** Answers instead of the API. */
  readonly api?: Responder;
  readonly site?: Responder;
  readonly sessions?: SessionSource;
  readonly basePath?: string;
  readonly trustedProxies?: readonly string[];
}

/** Start both servers on free ports. */
export async function httpWorld(options: HttpWorldOptions = {}): Promise<HttpWorld> {
  const world = await rpcWorld(options);
  const { server, manager, lines, serverConfig } = world;
  const clock = options.clock ?? systemClock;
  const { site, basePath = "/", trustedProxies = [] } = options;
  const source = new ManagerStatusSource(manager, { clock });
  const logger = keepingLogger(lines);
  const http = new HttpServer({
    ...{ source, clock, logger },
    host: options.host ?? "127.0.0.1",
    port: 0,
    hosts: ["jobs.example"],
    site: { basePath, publicUrl: null, trustedProxies },
    connectionsMax: options.httpConnectionsMax ?? 256,
    app: {
      api: new Lazy(async () => options.api ?? new Api({ calls: await server.calls.get() })),
      hooks: new Lazy(async () => new Hooks({ source, clock, logger })),
      site: site === undefined ? null : new Lazy(() => Promise.resolve(site)),
      access: () => server.access,
      sessions: options.sessions ?? null,
      origins: options.origins ?? [],
      server: serverConfig,
    },
  });
  try {
    await http.start();
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
  const { port } = http.address;
  const sockets: Socket[] = [];
  return {
    ...world,
    http,
    get port() {
      return world.port;
    },
    httpPort: port,
    send: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    raw() {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      return new RawClient(socket);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.beginStop();
      await http.stop();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** A response, read byte by byte. */
export interface RawResponse {
  readonly status: number;
  /** The lines of the head, in lower case. */
  readonly head: string;
  readonly body: string;
}

/** A client of HTTP/1.1 that sends what it is told to. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the connection has closed. */
  readonly closed: Promise<void>;
  #text = "";
  #isEnded = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString("latin1");
      this.#wake();
    });
    const end = () => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.once("end", end);
    this.closed = new Promise((resolve) =>
      socket.once("close", () => {
        end();
        resolve();
      })
    );
  }

  /** Everything received that was not read yet. */
  get text(): string {
    return this.#text;
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Send a request, with a body of JSON if there is one. */
  send(method: string, path: string, options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  } = {}): void {
    const { headers = {}, body } = options;
    const text = body === undefined ? "" : JSON.stringify(body);
    const all = {
      host: "localhost",
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": String(text.length) }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${text}`);
  }

  /** The next response; null if the connection ends before it. */
  async response(): Promise<RawResponse | null> {
    const head = await this.until("\r\n\r\n");
    if (head === null) return null;
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    while (this.#text.length < length && !this.#isEnded) await this.#more();
    const body = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return { status: Number(head.slice(9, 12)), head: head.toLowerCase(), body };
  }

  /** What comes up to the end of `mark`; null if the connection ends before it. */
  async until(mark: string): Promise<string | null> {
    for (;;) {
      const at = this.#text.indexOf(mark);
      if (at !== -1) {
        const found = this.#text.slice(0, at + mark.length);
        this.#text = this.#text.slice(at + mark.length);
        return found;
      }
      if (this.#isEnded) return null;
      await this.#more();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}
