import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { bareHost } from "../../../core/address.ts";
import { isPublicAddress } from "../../../core/public_address.ts";
import type { Clock, Timer } from "../../../platform/clock.ts";
import { connectionProblem } from "../../../platform/network/connection_problem.ts";
import { DeliveryError, type Network } from "../channel.ts";
import { type HttpResponse, ResponseReader } from "./http_response.ts";

/** A request of HTTP. */
export interface HttpRequest {
  readonly method: "POST" | "GET" | "HEAD";
  readonly url: URL;
  /** In addition to Host, Connection and Content-Length. Values are Latin-1 on one line. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Settings of a request. */
export interface HttpCallOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Trusted authorities; null: the system's. */
  readonly ca: Buffer | null;
  /** By default the system's. */
  readonly network?: Network;
  /** True to allow addresses that are not public. */
  readonly allowPrivate: boolean;
}

const SYSTEM_NETWORK: Network = {
  lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  isPublic: isPublicAddress,
};

/** Most addresses of one host that are tried. */
const ADDRESSES_MAX = 4;
/** Longest wait for a connection to one address while there are others, in milliseconds. */
const CONNECT_MS_MAX = 5_000;
/** Longest wait for the rest of a response once its status is known, in milliseconds. */
const REST_MS_MAX = 2_000;

/**
 * Send one request and read the response; redirects are not followed.
 *
 * The name is resolved once, and the connection goes to the checked address, even if the name's
 * address changes in between. The name stays in `Host` and in TLS.
 *
 * @throws DeliveryError; permanent only if no address of the host is allowed
 */
export async function httpCall(
  request: HttpRequest,
  options: HttpCallOptions,
): Promise<HttpResponse> {
  const { url } = request;
  const addresses = await addressesOf(url, options);
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    try {
      const isLast = index === addresses.length - 1;
      const socket = await openSocket(url, { address, isLast, ...options });
      return await exchange(socket, request, options);
    } catch (error) {
      // The receiver of a request may act on it.
      if (error instanceof DeliveryError) throw error;
      failure = error;
    }
    if (options.signal.aborted) break;
  }
  const reason = connectionProblem(failure);
  const isPlain = /WRONG_VERSION_NUMBER|wrong version number|InvalidContentType/i.test(reason);
  throw new DeliveryError(`cannot connect to ${url.host}: ${reason}`, {
    hint: isPlain ? "No TLS at this port: write http://" : undefined,
  });
}

/** The whole request as sent, in Latin-1 except for its body. */
export function requestHead({ method, url, headers, body }: HttpRequest): string {
  const lines = Object.entries({
    Host: url.host,
    Connection: "close",
    ...headers,
    ...(method === "POST" ? { "Content-Length": String(Buffer.byteLength(body)) } : {}),
  }).map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n\0]/g, " ")}\r\n`);
  return `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

async function addressesOf(
  { hostname }: URL,
  options: HttpCallOptions,
): Promise<readonly string[]> {
  const host = bareHost(hostname);
  let found: readonly string[];
  try {
    found = isIP(host) !== 0 ? [host] : await (options.network ?? SYSTEM_NETWORK).lookup(host);
  } catch (error) {
    throw new DeliveryError(`cannot resolve ${host}: ${connectionProblem(error)}`);
  }
  const allowed = found.filter((address) => isAllowed(address, options)).slice(0, ADDRESSES_MAX);
  if (allowed.length > 0) return allowed;
  throw new DeliveryError(`${host} has the address ${found.join(", ")}, which is not public`, {
    isPermanent: true,
    hint: "To allow it, set allow_private = true",
  });
}

function isAllowed(
  address: string,
  { network = SYSTEM_NETWORK, allowPrivate }: HttpCallOptions,
): boolean {
  return allowPrivate || network.isPublic(address);
}

/** A connected socket. @throws any error but a DeliveryError on failure */
function openSocket(
  url: URL,
  options: HttpCallOptions & { readonly address: string; readonly isLast: boolean },
): Promise<Socket> {
  const { address, isLast, ca, clock, signal } = options;
  const host = bareHost(url.hostname);
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  const socket = isTls
    ? connectTls({
      host: address,
      port,
      ALPNProtocols: ["http/1.1"],
      // A server name must not be an address.
      ...isIP(host) === 0 ? { servername: host } : {},
      ...ca === null ? {} : { ca },
    })
    : connectTcp({ host: address, port });
  return new Promise((resolve, reject) => {
    let timer: Timer | null = null;
    const finish = (error: unknown) => {
      timer?.cancel();
      signal.removeEventListener("abort", abort);
      if (error === null) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const abort = () => finish(new Error("aborted"));
    if (!isLast) {
      timer = clock.timer(CONNECT_MS_MAX, () => finish(new Error("no response")));
    }
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    socket.on("error", finish);
    socket.once("close", () => finish(new Error("the connection was closed")));
    socket.once(isTls ? "secureConnect" : "connect", () => {
      const peer = socket.remoteAddress;
      finish(peer === undefined || isAllowed(peer, options) ? null : new Error(`it is ${peer}`));
    });
  });
}

/** Send a request and read the answer. @throws DeliveryError */
function exchange(
  socket: Socket,
  request: HttpRequest,
  { clock, signal }: HttpCallOptions,
): Promise<HttpResponse> {
  const reader = new ResponseReader();
  const { host } = request.url;
  return new Promise((resolve, reject) => {
    let rest: Timer | null = null;
    const finish = (problem: string) => {
      rest?.cancel();
      signal.removeEventListener("abort", abort);
      socket.destroy();
      const response = reader.response;
      if (response !== null) return resolve(response);
      reject(new DeliveryError(`${host} ${reader.problem ?? problem}`));
    };
    const abort = () => finish("did not respond in time");
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", (error) => finish(`broke the connection: ${connectionProblem(error)}`));
    socket.once("close", () => finish("closed the connection without a response"));
    socket.once("end", () => finish("closed the connection without a response"));
    socket.on("data", (chunk: Buffer) => {
      reader.write(chunk);
      if (reader.isComplete) return finish("");
      if (reader.response === null) return;
      rest ??= clock.timer(REST_MS_MAX, () => finish(""));
    });
    socket.write(requestHead(request), "latin1");
    if (request.body !== "") socket.write(request.body);
  });
}
