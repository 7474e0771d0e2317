import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ServerProcess } from "./server_process.ts";
import { freePort, parentFolder, startServerProcess } from "./server_process.ts";
import { tlsFile } from "../tls_files.ts";

/** How a Valkey of a test is set up. */
export interface ValkeyOptions {
  /** Keep its data in memory, for a test whose time limits a busy disk would exceed. */
  readonly isInMemory?: boolean;
  /**
   * Directives of valkey.conf by name, over what is below: `{ "maxmemory-policy": "allkeys-lru" }`.
   */
  readonly config?: Readonly<Record<string, string | number | readonly string[]>>;
  /** Whether it keeps an append-only file. */
  readonly appendonly?: boolean;
  /**
   * Serve TLS alone with the certificate of {@link tlsFile}; "mutual": clients must show one too.
   */
  readonly tls?: boolean | "mutual";
  /** Password of the default user. */
  readonly password?: string;
  /** ACL rules of further users, such as `app on >secret ~jobctl* +@all`. */
  readonly users?: readonly string[];
  /** Replica of the server at this port. */
  readonly replicaOf?: number;
}

/** A real Valkey on a loopback port with a folder of its own. */
export interface ValkeyServer {
  readonly port: number;
  /** `valkey://127.0.0.1:PORT`, or `valkeys://localhost:PORT` with TLS; without user and password. */
  readonly url: string;
  readonly dir: string;
  /** The running process; throws when it is stopped. */
  readonly process: ServerProcess;
  /** What `valkey-cli` prints for a command, as the default user. */
  cli(...command: readonly (string | number)[]): Promise<string>;
  /** Start it again on the same port and data, with other directives if given. */
  start(config?: ValkeyOptions["config"]): Promise<void>;
  /** Stop it as its operator would; port and data stay. */
  stop(): Promise<void>;
  /** kill -9; port and data stay. */
  kill(): Promise<void>;
  /** End it and remove its folder. */
  close(): Promise<void>;
}

const START_TRIES_MAX = 3;

/** What a server or a sentinel is told of TLS. */
export function tlsConfig(port: number, mode: true | "mutual"): Record<string, string | number> {
  return {
    "port": 0,
    "tls-port": port,
    "tls-cert-file": tlsFile("server.crt"),
    "tls-key-file": tlsFile("server.key"),
    "tls-ca-cert-file": tlsFile("server.crt"),
    "tls-auth-clients": mode === "mutual" ? "yes" : "no",
    "tls-replication": "yes",
  };
}

function directives(port: number, dir: string, options: ValkeyOptions): string[] {
  const { tls = false, password, replicaOf } = options;
  const config: Record<string, string | number | readonly string[]> = {
    "bind": "127.0.0.1",
    "port": port,
    "dir": dir,
    "save": "",
    "appendonly": options.appendonly ? "yes" : "no",
    // Test machines lack nothing but time.
    "repl-diskless-sync-delay": 0,
    ...password === undefined ? {} : { requirepass: password, primaryauth: password },
    ...replicaOf === undefined ? {} : { replicaof: ["127.0.0.1", String(replicaOf)] },
    ...tls === false ? {} : tlsConfig(port, tls),
    ...options.config,
  };
  const args = Object.entries(config).flatMap(([key, value]) => [
    `--${key}`,
    ...typeof value === "object" ? value : [String(value)],
  ]);
  return [...args, ...(options.users ?? []).flatMap((rule) => ["--user", ...rule.split(" ")])];
}

function runCli(
  port: number,
  options: ValkeyOptions,
  command: readonly (string | number)[],
): Promise<string> {
  const args = ["-p", String(port)];
  if (options.tls) {
    args.push("-h", "localhost", "--tls", "--cacert", tlsFile("server.crt"));
    args.push("--cert", tlsFile("server.crt"), "--key", tlsFile("server.key"));
  }
  const env = options.password === undefined
    ? process.env
    : { ...process.env, REDISCLI_AUTH: options.password };
  return new Promise((resolve, reject) => {
    execFile("valkey-cli", [...args, "-e", ...command.map(String)], { env }, (error, stdout) => {
      if (error) reject(new Error(`valkey-cli ${command.join(" ")}: ${stdout || error.message}`));
      else resolve(stdout.replace(/\n$/, ""));
    });
  });
}

/** A server around its first process; `launch` starts the next ones. */
export function manageValkey(
  parts: {
    readonly port: number;
    readonly dir: string;
    readonly options: ValkeyOptions;
    readonly first: ServerProcess;
    readonly launch: (config: ValkeyOptions["config"]) => Promise<ServerProcess>;
  },
): ValkeyServer {
  const { port, dir, options } = parts;
  let running: ServerProcess | null = parts.first;
  const end = async (how: "stop" | "kill") => {
    await running?.[how]();
    running = null;
  };
  return {
    port,
    url: options.tls ? `valkeys://localhost:${port}` : `valkey://127.0.0.1:${port}`,
    dir,
    get process() {
      if (running === null) throw new Error(`The Valkey at port ${port} is stopped`);
      return running;
    },
    cli: (...command) => runCli(port, options, command),
    async start(config = {}) {
      running = await parts.launch(config);
    },
    stop: () => end("stop"),
    kill: () => end("kill"),
    async close() {
      await end("kill");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Start a Valkey on a free port; fails when it is not installed. */
export async function startValkey(options: ValkeyOptions = {}): Promise<ValkeyServer> {
  const dir = mkdtempSync(join(parentFolder(options.isInMemory), "jobctl-valkey-"));
  const launch = (port: number, config: ValkeyOptions["config"] = {}) =>
    startServerProcess({
      program: "valkey-server",
      args: directives(port, dir, { ...options, config: { ...options.config, ...config } }),
      ready: "Ready to accept connections",
      cwd: dir,
    });
  try {
    // The port may be taken by another between the look and the start.
    for (let attempt = 1;; attempt += 1) {
      const port = await freePort();
      try {
        const first = await launch(port);
        return manageValkey({
          port,
          dir,
          options,
          first,
          launch: (config) => launch(port, config),
        });
      } catch (error) {
        if (attempt === START_TRIES_MAX || !/Failed listening/.test(String(error))) throw error;
      }
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Run `body` with a Valkey that is ended afterwards. */
export async function withValkey<T>(
  options: ValkeyOptions,
  body: (server: ValkeyServer) => Promise<T>,
): Promise<T> {
  const server = await startValkey(options);
  try {
    return await body(server);
  } finally {
    await server.close();
  }
}
