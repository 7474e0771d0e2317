import { parentPort } from "node:worker_threads";
import type { SessionSource } from "../http/server/access.ts";
import type { HttpApp } from "../http/server/app_handler.ts";
import { HttpServer } from "../http/server/server.ts";
import { systemClock } from "../platform/clock.ts";
import type { Logger, LoggerLevel } from "../platform/logger.ts";
import { Lazy } from "../platform/lazy.ts";
import { systemRandom } from "../platform/random.ts";
import { RpcServer } from "../rpc/server/server.ts";
import { ThreadMemory } from "../rpc/guard/thread_memory.ts";
import { toPlainError } from "./batches.ts";
import type { FromGateway, GatewayAddresses, GatewayConfig, ToGateway } from "./messages.ts";
import type { DatabaseBackend } from "./database_backend.ts";
import { RemoteBackend } from "./remote_backend.ts";
import type { Backend } from "../rpc/backend.ts";

// The thread of the listeners. Everything from strangers is read, checked and refused here: the
// manager's clock, claims and renewals never wait for it.

const port = parentPort!;
const post = (message: FromGateway, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, [...transfer]);

const memory = new ThreadMemory(systemClock);
const remote = new RemoteBackend(systemClock, post);
let database: DatabaseBackend | null = null;
let isDatabaseClosed = false;
let listeners: { readonly rpc: RpcServer; readonly http: HttpServer | null } | null = null;

const log = (level: LoggerLevel): Logger["info"] => (message, fields = {}) =>
  post({ type: "log", level, message, fields });
const logger: Logger = {
  debug: log("debug"),
  info: log("info"),
  warn: log("warn"),
  error: log("error"),
};

/** Reads a database in this thread; other stores are read by the thread that opened them. */
async function loadBackend(config: GatewayConfig): Promise<Backend> {
  if (config.database === null) return remote;
  const { DatabaseBackend } = await import("./database_backend.ts");
  database = new DatabaseBackend({ path: config.database, remote, memory, clock: systemClock });
  if (isDatabaseClosed) database.close();
  return database;
}

function closeDatabase(): void {
  isDatabaseClosed = true;
  database?.close();
}

/**
 * The API, the hooks and the dashboard, which share calls and callers with gRPC. Each is loaded
 * with its first request.
 */
function appOf(
  { rpc: server }: GatewayConfig,
  { origins, site: config }: NonNullable<GatewayConfig["http"]>,
  rpc: RpcServer,
): HttpApp {
  const { basePath } = config;
  const api = new Lazy(async () => {
    const [{ Api }, calls] = await Promise.all([import("../http/api/api.ts"), rpc.calls.get()]);
    return new Api({ calls, basePath: basePath.replace(/\/$/, "") });
  });
  const site = new Lazy(async () => {
    const { openSite } = await import("../http/site/open_site.ts");
    const { access: { authenticator } } = rpc;
    const { mode: authMode } = server.auth;
    const port = listeners!.http!.address.port;
    const parts = { clock: systemClock, logger, sessions: remote, authenticator, authMode };
    return openSite({ ...parts, config, port });
  });
  const hooks = new Lazy(async () => {
    const { Hooks } = await import("../http/hooks/hooks.ts");
    return new Hooks({ source: remote, clock: systemClock, logger });
  });
  const sessions: SessionSource = {
    find: async (request) => (await site.get()).find(request),
    watch: (caller, ended) => site.value?.watch(caller, ended) ?? (() => {}),
  };
  return { server, origins, api, hooks, site, sessions, access: () => rpc.access };
}

function addressesOf({ rpc, http }: NonNullable<typeof listeners>): GatewayAddresses {
  const tcp = { grpc: rpc.tcp, http: http?.tcp };
  return {
    rpc: rpc.addresses,
    http: http?.tcp?.listener ? http.address : null,
    problems: Object.values(tcp).flatMap((one) => one?.problem?.message ?? []),
    descriptors: {
      grpc: tcp.grpc?.listener?.descriptor ?? null,
      http: tcp.http?.listener?.descriptor ?? null,
    },
  };
}

let isStarted = false;
const onListening = () => {
  if (isStarted && listeners) post({ type: "listening", addresses: addressesOf(listeners) });
};

async function start(
  { config, descriptors, hasWorked }: Extract<ToGateway, { readonly type: "start" }>,
): Promise<void> {
  const rpc = new RpcServer({
    loadBackend: () => loadBackend(config),
    isServing: async () => (await remote.readiness()).reason === null,
    server: config.rpc,
    connectionsMax: config.connectionsMax,
    logger,
    clock: systemClock,
    random: systemRandom,
    memory,
    onToken: (token) => post({ type: "token", token }),
    onListening,
  });
  const http = config.http &&
    new HttpServer({
      source: remote,
      logger,
      clock: systemClock,
      connectionsMax: config.connectionsMax.http,
      ...config.http,
      app: appOf(config, config.http, rpc),
      onListening,
    });
  listeners = { rpc, http };
  try {
    await rpc.start({ descriptor: descriptors.grpc, hasWorked });
    await http?.start({ descriptor: descriptors.http, hasWorked });
    isStarted = true;
    post({ type: "started", addresses: addressesOf(listeners) });
    memory.noteStart();
  } catch (error) {
    await stop();
    post({ type: "refused", error: toPlainError(error, "Cannot listen") });
  }
}

async function stop(): Promise<void> {
  const { rpc, http } = listeners ?? {};
  listeners = null;
  rpc?.beginStop();
  await http?.stop();
  await rpc?.stop();
  closeDatabase();
  remote.stop();
}

port.on("message", (message: ToGateway) => {
  if (message instanceof ArrayBuffer) return remote.receive(message);
  switch (message.type) {
    case "start":
      return void start(message);
    case "closeDatabase":
      closeDatabase();
      return post({ type: "databaseClosed" });
    case "stop":
      return void stop().finally(() => post({ type: "stopped" }));
    case "adopt":
      return listeners?.rpc.adopt(message.auth);
    case "batch":
      return remote.receive(message);
  }
});
