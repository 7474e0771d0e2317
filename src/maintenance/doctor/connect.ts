import type { Buffer } from "node:buffer";
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { bareHost } from "../../core/address.ts";
import { isPublicAddress } from "../../core/public_address.ts";
import { type Clock, inTime } from "../../platform/clock.ts";
import { connectionProblem } from "../../platform/network/connection_problem.ts";

/** A server to connect to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Null for plain TCP. */
  readonly tls: EndpointTls | null;
  /** True if only public addresses may be connected to. */
  readonly isPublic: boolean;
  /** Text to send, and the end of its answer; null to only connect. The server may speak first. */
  readonly dialog: Dialog | null;
}

/** TLS of an endpoint. */
export interface EndpointTls {
  /** Trusted authorities; null for the system's. */
  readonly ca: Buffer | null;
  readonly cert?: Buffer | null;
  readonly key?: Buffer | null;
  /** The name that the certificate must have, if different from the host. */
  readonly serverName?: string | null;
}

/** A short exchange. */
export interface Dialog {
  /** Sent at once; null to wait for the server. */
  readonly request: string | null;
  /** True when the answer so far is complete. */
  readonly isComplete: (answer: string) => boolean;
}

/** The result of a connection. */
export type Reached =
  | { readonly type: "connected"; readonly ms: number; readonly answer: string }
  /** No allowed address. */
  | { readonly type: "private"; readonly addresses: readonly string[] }
  | {
    readonly type: "failed";
    readonly why: string;
    /** The stage it reached. */
    readonly stage: "lookup" | "connect" | "tls" | "answer";
  };

/** Most addresses of one host, tried side by side. */
const ADDRESSES_MAX = 4;
const ANSWER_CHARS_MAX = 16_384;

/** Connect to an endpoint, and close the connection again. Never rejects. */
export async function reach(
  endpoint: Endpoint,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Reached> {
  const host = bareHost(endpoint.host);
  const startMs = clock.now().monotonicMs;
  const sockets = new Set<Socket>();
  const progress = { stage: "lookup" as "lookup" | "connect" | "tls" | "answer" };
  const late = (): Reached => {
    const { stage } = progress;
    return { type: "failed", stage, why: `${WAITED[stage]} within ${timeoutMs} ms` };
  };
  const attempt = async (): Promise<Reached> => {
    let found: readonly string[];
    try {
      found = isIP(host) === 0
        ? (await lookup(host, { all: true })).map(({ address }) => address)
        : [host];
    } catch (error) {
      return { type: "failed", stage: "lookup", why: connectionProblem(error) };
    }
    const allowed = found.filter((address) => !endpoint.isPublic || isPublicAddress(address))
      .slice(0, ADDRESSES_MAX);
    if (allowed.length === 0) return { type: "private", addresses: found };
    progress.stage = "connect";
    try {
      const answer = await Promise.any(
        allowed.map((address) => talk(endpoint, { host, address, sockets, progress })),
      );
      return { type: "connected", ms: clock.now().monotonicMs - startMs, answer };
    } catch (error) {
      const [first] = (error as AggregateError).errors as unknown[];
      return { type: "failed", stage: progress.stage, why: connectionProblem(first) };
    }
  };
  try {
    return await inTime(attempt(), timeoutMs, { clock, late });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

const WAITED = {
  lookup: "the name server does not respond",
  connect: "no connection",
  tls: "it accepts connections, but TLS does not answer",
  answer: "it accepts connections, but does not answer",
} as const;

/** One connection to one address. Resolves with the answer. */
function talk(
  { port, tls, dialog }: Endpoint,
  { host, address, sockets, progress }: {
    readonly host: string;
    readonly address: string;
    readonly sockets: Set<Socket>;
    readonly progress: { stage: "lookup" | "connect" | "tls" | "answer" };
  },
): Promise<string> {
  const socket = tls === null
    ? connectTcp({ host: address, port })
    : openTls(tls, host, address, port);
  sockets.add(socket);
  return new Promise((resolve, reject) => {
    let answer = "";
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("it closed the connection")));
    if (tls !== null) socket.once("connect", () => progress.stage = "tls");
    socket.once(tls === null ? "connect" : "secureConnect", () => {
      if (dialog === null) return resolve("");
      progress.stage = "answer";
      if (dialog.request !== null) socket.write(dialog.request, "latin1");
    });
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer = (answer + text).slice(0, ANSWER_CHARS_MAX);
      if (dialog?.isComplete(answer) || answer.length >= ANSWER_CHARS_MAX) resolve(answer);
    });
  });
}

function openTls(tls: EndpointTls, host: string, address: string, port: number): Socket {
  const name = tls.serverName ?? host;
  const { ca, cert, key } = tls;
  return connectTls({
    host: address,
    port,
    // A server name must not be an address.
    ...isIP(name) === 0 ? { servername: name } : {},
    ...ca === null ? {} : { ca },
    ...cert && key ? { cert, key } : {},
  });
}
