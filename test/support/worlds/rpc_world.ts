import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogFields, Logger } from "../../../src/platform/logger.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { connect } from "../../../src/rpc/client/client.ts";
import type { ConnectOptions, JobClient } from "../../../src/rpc/client/client.ts";
import { LocalBackend } from "../../../src/rpc/handlers/local_backend.ts";
import { hashToken, type Role, type TokenEntry } from "../../../src/platform/files/tokens_file.ts";
import { RpcServer } from "../../../src/rpc/server/server.ts";
import type { AuthConfig, ServerConfig } from "../../../src/platform/network/server_config.ts";
import { ThreadMemory } from "../../../src/rpc/guard/thread_memory.ts";
import { FakeManager } from "./fake_manager.ts";

/** One line of the log. */
export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** No authentication. */
export const NO_AUTH: AuthConfig = {
  mode: "none",
  tokens: [],
  tokenFile: null,
  tokensFile: null,
  clients: [],
  revokedFile: null,
};

/** A token of the configuration. */
export function tokenEntry(
  name: string,
  token: string,
  role: Role,
  rest: Partial<TokenEntry> = {},
): TokenEntry {
  return { name, role, hash: hashToken(token), jobs: null, expiresAt: null, ...rest };
}

/** A logger that keeps its lines. */
export function keepingLogger(lines: LoggedLine[]): Logger {
  const keep = (level: string) => (message: string, fields: LogFields = {}) =>
    void lines.push({ level, message, fields });
  return { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}

/** A started server over a fake manager, with a folder of its own. */
export interface RpcWorld {
  readonly manager: FakeManager;
  readonly server: RpcServer;
  readonly serverConfig: ServerConfig;
  readonly folder: string;
  readonly port: number;
  readonly lines: LoggedLine[];
  /** A client that is closed at the end; by default over TCP without a token. */
  client(options?: ConnectOptions): JobClient;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of a world; by default TCP on loopback without authentication. */
export interface RpcWorldOptions {
  readonly server?: Partial<ServerConfig>;
  readonly clock?: Clock;
  readonly isStarted?: boolean;
  readonly manager?: FakeManager;
  readonly connectionsMax?: { readonly tcp: number; readonly unix: number };
}

/** Start a server on a free port. */
export async function rpcWorld(options: RpcWorldOptions = {}): Promise<RpcWorld> {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-rpc-"));
  const manager = options.manager ?? new FakeManager();
  const lines: LoggedLine[] = [];
  const clock = options.clock ?? systemClock;
  const clients: JobClient[] = [];
  const serverConfig: ServerConfig = {
    host: "127.0.0.1",
    port: 0,
    socket: null,
    socketGroup: null,
    socketRole: "operator",
    allowInsecure: false,
    tls: null,
    auth: NO_AUTH,
    ...options.server,
  };
  const server = new RpcServer({
    loadBackend: () => Promise.resolve(new LocalBackend(manager)),
    isServing: async () => {
      const { isDraining, storeProblem } = await manager.status();
      return !isDraining && storeProblem === null;
    },
    connectionsMax: options.connectionsMax ?? { tcp: 1_000, unix: 256 },
    clock,
    random: systemRandom,
    memory: new ThreadMemory(clock),
    onToken: () => {},
    logger: keepingLogger(lines),
    server: serverConfig,
  });
  if (options.isStarted !== false) await server.start();
  return {
    manager,
    server,
    serverConfig,
    folder,
    lines,
    get port() {
      return server.addresses.tcp!.port;
    },
    client(connectOptions = {}) {
      const client = connect({
        host: "127.0.0.1",
        port: server.addresses.tcp?.port,
        socket: null,
        timeoutMs: 5_000,
        ...connectOptions,
      });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
