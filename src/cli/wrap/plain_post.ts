import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { bareHost } from "../../core/address.ts";
import { JobError } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { connectionProblem } from "../../platform/network/connection_problem.ts";
import { daemonUidOf, provePeer } from "../../rpc/client/peer_proof.ts";

/** Longest beginning of a response that is read for its status, in bytes. */
const STATUS_BYTES_MAX = 8_192;

/** A request without TLS. */
export interface PlainPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  /** The user whose listener is accepted beside root's and our own; by default the service's. */
  readonly daemonUser: string | undefined;
}

/**
 * Send a POST without TLS, whose URL is a secret. On this machine, the kernel must report an
 * accepted user at the other end of this very connection; nothing is sent before.
 *
 * @returns the status of the response
 * @throws JobError `unavailable`, naming the user who listens if not accepted
 */
export async function plainPost(url: URL, post: PlainPost): Promise<number> {
  const daemonUid = daemonUidOf(post.daemonUser);
  const socket = connect({ host: bareHost(url.hostname), port: Number(url.port || 80) });
  const timer = systemClock.timer(post.timeoutMs, () => {
    socket.destroy(Object.assign(new Error("no response"), { code: "ETIMEDOUT" }));
  }, { unref: true });
  try {
    await once(socket, "connect");
    await provePeer(socket, { socket: null, daemonUid, hasToken: false });
    const status = readStatus(socket);
    socket.write(requestText(url, post));
    return await status;
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw new JobError("unavailable", `Cannot reach ${url.host}: ${connectionProblem(cause)}`, {
      cause,
    });
  } finally {
    timer.cancel();
    socket.destroy();
  }
}

function requestText(url: URL, { headers, body }: PlainPost): string {
  const all = {
    host: url.host,
    connection: "close",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

async function readStatus(socket: Socket): Promise<number> {
  let text = "";
  for await (const bytes of socket) {
    text += (bytes as Buffer).toString("latin1");
    const status = /^HTTP\/1\.[01] (\d{3})\b/.exec(text)?.[1];
    if (status !== undefined) return Number(status);
    if (text.length > STATUS_BYTES_MAX) break;
  }
  throw new Error(text === "" ? "the connection was closed" : "the response is not HTTP");
}
