import type { Notice } from "../../../src/core/notices/notice.ts";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { readFileSync } from "node:fs";
import { CHANNEL_TYPES } from "../../../src/config/notices/notice_keys.ts";
import {
  type ChannelTarget,
  NOTICE_LIMIT,
  type NoticeRules,
} from "../../../src/core/notices/settings.ts";
import { SecretMask } from "../../../src/core/text/secret_mask.ts";
import {
  type Channel,
  createChannel,
  type DeliveryError,
  type Network,
} from "../../../src/notices/channels/channel.ts";
import type { WebhookTarget } from "../../../src/notices/channels/webhook/webhook_channel.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { tlsFile } from "../tls_files.ts";
import { sampleNotice } from "./sample_notices.ts";

/** Rules of a channel that is told everything at once. */
export const RULES: NoticeRules = {
  on: ["failed", "recovered"],
  jobs: ["*"],
  after: 1,
  rate: null,
  repeatMs: null,
  digestMs: null,
  quiet: [],
  limit: NOTICE_LIMIT,
};

/** What makes a deliverer, by the type of its channel. */
const CREATES = Object.fromEntries(
  await Promise.all(
    Object.entries(CHANNEL_TYPES).map(async ([to, type]) => [to, await type.load()] as const),
  ),
);

/** A channel called "ops". */
export function channelFor<T extends ChannelTarget>(
  target: T,
  { secrets = [], timeoutMs = 20_000, network }: {
    readonly secrets?: readonly string[];
    readonly timeoutMs?: number;
    readonly network?: Network;
  } = {},
): Channel {
  const mask = new SecretMask(secrets);
  const deps = {
    clock: systemClock,
    mask,
    timezone: "Europe/Berlin",
    ...(network ? { network } : {}),
  };
  const settings = { name: "ops", rules: RULES, target, timeoutMs };
  return createChannel(settings, CREATES[target.to]!, deps);
}

/** Deliver a notice once. */
export async function deliver(
  channel: Channel,
  notice: Notice = sampleNotice(),
): Promise<string[]> {
  const lines: string[] = [];
  const log = (_: string, line: string) => void lines.push(line);
  await channel.deliver(notice, { attempt: 1, signal: new AbortController().signal, log });
  return lines;
}

/** The error of a delivery that has to fail. */
export async function failureOf(
  channel: Channel,
  notice: Notice = sampleNotice(),
): Promise<DeliveryError> {
  try {
    await deliver(channel, notice);
  } catch (error) {
    return error as DeliveryError;
  }
  throw new Error("the delivery did not fail");
}

/** A webhook of a server of this host. */
export function hookTo(url: string, changes: Partial<WebhookTarget> = {}): WebhookTarget {
  return {
    to: "webhook",
    url,
    isUrlSecret: false,
    preset: null,
    token: null,
    chat: null,
    secret: null,
    headers: {},
    body: null,
    allowHosts: [],
    allowPrivate: true,
    caFile: null,
    ...changes,
  };
}

/** A request that a server has received. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Run `body` with an HTTP server that answers with `answer`. */
export async function withHttpServer<T>(
  answer: (request: ReceivedRequest, response: ServerResponse, count: number) => void,
  body: (url: string, received: readonly ReceivedRequest[]) => Promise<T>,
  { isTls = false }: { readonly isTls?: boolean } = {},
): Promise<T> {
  const received: ReceivedRequest[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      received.push(one);
      answer(one, response, received.length);
    });
  };
  const files = {
    cert: readFileSync(tlsFile("server.crt")),
    key: readFileSync(tlsFile("server.key")),
  };
  const server = isTls ? createTlsServer(files, listener) : createServer(listener);
  const port = await listen(server);
  try {
    return await body(`${isTls ? "https" : "http"}://localhost:${port}`, received);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Run `body` with a TCP server. */
export async function withTcpServer<T>(
  connected: (socket: Socket) => void,
  body: (port: number) => Promise<T>,
): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    connected(socket);
  });
  const port = await listen(server);
  try {
    return await body(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
