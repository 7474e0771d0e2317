import { parentPort } from "node:worker_threads";
import { createHttpServer, type HttpServer } from "../http/server.ts";
import { systemClock } from "../platform/clock.ts";
import type { Logger, LoggerLevel } from "../platform/logger.ts";
import { systemRandom } from "../platform/random.ts";
import { createRpcServer, type RpcServer } from "../rpc/server.ts";
import { toPlainError } from "./batches.ts";
import type { FromGateway, GatewayConfig, ToGateway } from "./messages.ts";
import { RemoteBackend } from "./remote_backend.ts";

// The thread of the listeners. Whatever strangers send is read, checked and refused here: the clock, the claims and the renewals
// of the manager's thread do not wait for it.

const port = parentPort!;
const post = (message: FromGateway, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, [...transfer]);

const backend = new RemoteBackend(systemClock, post);
let listeners: { readonly rpc: RpcServer; readonly http: HttpServer | null } | null = null;

const log = (level: LoggerLevel): Logger["info"] => (message, fields = {}) =>
  post({ type: "log", level, message, fields });
const logger: Logger = {
  debug: log("debug"),
  info: log("info"),
  warn: log("warn"),
  error: log("error"),
};

async function start(config: GatewayConfig): Promise<void> {
  const rpc = createRpcServer({
    backend,
    server: config.rpc,
    logger,
    clock: systemClock,
    random: systemRandom,
  });
  const http = config.http &&
    createHttpServer({ source: backend, logger, clock: systemClock, ...config.http });
  listeners = { rpc, http };
  try {
    await rpc.start();
    await http?.start();
    const addresses = { rpc: rpc.addresses, http: http?.address ?? null };
    post({ type: "started", addresses });
  } catch (error) {
    await stop();
    post({ type: "refused", error: toPlainError(error, "Cannot listen") });
  }
}

async function stop(): Promise<void> {
  const { rpc, http } = listeners ?? {};
  listeners = null;
  await http?.stop();
  await rpc?.stop();
  backend.stop();
}

port.on("message", (message: ToGateway) => {
  switch (message.type) {
    case "start":
      return void start(message.config);
    case "stop":
      return void stop().finally(() => post({ type: "stopped" }));
    case "batch":
      return backend.receive(message);
  }
});
