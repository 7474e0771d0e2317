import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execFile } from "node:child_process";
import type { ServerProcess } from "./server_process.ts";
import { freePort, parentFolder, startServerProcess } from "./server_process.ts";
import { tlsFile } from "../tls_files.ts";

/** How an etcd of a test is set up. */
export interface EtcdOptions {
  /** Keep its data in memory, for a test whose time limits a busy disk would exceed. */
  readonly isInMemory?: boolean;
  /** Further flags by name: `{ "quota-backend-bytes": 16_000_000 }`. */
  readonly flags?: Readonly<Record<string, string | number>>;
  /**
   * Serve TLS alone with the certificate of {@link tlsFile}; "mutual": clients must show one too.
   */
  readonly tls?: boolean | "mutual";
  /** Members of the cluster; 1 when absent. */
  readonly members?: number;
}

/** One member of a real etcd. */
export interface EtcdMember {
  readonly name: string;
  readonly port: number;
  /** The running process; throws when it is stopped. */
  readonly process: ServerProcess;
  /** Start it again on the same ports and data. */
  start(): Promise<void>;
  /** Stop it as its operator would; ports and data stay. */
  stop(): Promise<void>;
  /** kill -9; ports and data stay. */
  kill(): Promise<void>;
}

/** A real etcd on loopback ports with a folder of its own. */
export interface EtcdServer {
  /** `etcd://127.0.0.1:PORT,…`, or `etcds://localhost:PORT,…` with TLS; without user and password. */
  readonly url: string;
  readonly dir: string;
  readonly members: readonly EtcdMember[];
  /** What `etcdctl` prints for a command. */
  ctl(...command: readonly string[]): Promise<string>;
  /** End all and remove the folder. */
  close(): Promise<void>;
}

interface MemberPorts {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
}

const START_TRIES_MAX = 3;

function flagsOf(
  member: MemberPorts,
  all: readonly MemberPorts[],
  dir: string,
  { tls = false, flags = {} }: EtcdOptions,
): string[] {
  const clientUrl = `${tls ? "https" : "http"}://127.0.0.1:${member.client}`;
  const peerUrl = `http://127.0.0.1:${member.peer}`;
  const merged: Record<string, string | number> = {
    "name": member.name,
    "data-dir": join(dir, member.name),
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": all.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(","),
    // Elections that wait for no network but the loopback device.
    "heartbeat-interval": 20,
    "election-timeout": 200,
    // The machine does not crash, and what a killed process has written is in the system's cache.
    "unsafe-no-fsync": "true",
    ...tls ? { "cert-file": tlsFile("server.crt"), "key-file": tlsFile("server.key") } : {},
    ...tls === "mutual"
      ? { "client-cert-auth": "true", "trusted-ca-file": tlsFile("server.crt") }
      : {},
    ...flags,
  };
  return Object.entries(merged).map(([name, value]) => `--${name}=${value}`);
}

function createMember(
  ports: MemberPorts,
  launch: () => Promise<ServerProcess>,
): EtcdMember {
  let running: ServerProcess | null = null;
  const end = async (how: "stop" | "kill") => {
    await running?.[how]();
    running = null;
  };
  return {
    name: ports.name,
    port: ports.client,
    get process() {
      if (running === null) throw new Error(`The etcd member ${ports.name} is stopped`);
      return running;
    },
    async start() {
      running = await launch();
    },
    stop: () => end("stop"),
    kill: () => end("kill"),
  };
}

async function startMembers(dir: string, options: EtcdOptions): Promise<readonly EtcdMember[]> {
  const ports: MemberPorts[] = [];
  for (let index = 0; index < (options.members ?? 1); index += 1) {
    ports.push({ name: `m${index}`, client: await freePort(), peer: await freePort() });
  }
  const members = ports.map((member) =>
    createMember(member, () =>
      startServerProcess({
        program: "etcd",
        args: flagsOf(member, ports, dir, options),
        ready: "ready to serve client requests",
        cwd: dir,
      }))
  );
  try {
    // None is ready before most of them are there.
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await Promise.all(members.map((member) => member.kill()));
    throw error;
  }
  return members;
}

function runCtl(
  members: readonly EtcdMember[],
  options: EtcdOptions,
  command: readonly string[],
): Promise<string> {
  const scheme = options.tls ? "https" : "http";
  const args = ["--endpoints", members.map(({ port }) => `${scheme}://localhost:${port}`).join()];
  if (options.tls) {
    args.push("--cacert", tlsFile("server.crt"));
    args.push("--cert", tlsFile("server.crt"), "--key", tlsFile("server.key"));
  }
  return new Promise((resolve, reject) => {
    execFile("etcdctl", [...args, ...command], (error, stdout, stderr) => {
      if (error) reject(new Error(`etcdctl ${command.join(" ")}: ${stderr || error.message}`));
      else resolve(stdout.replace(/\n$/, ""));
    });
  });
}

/** Start an etcd on free ports; fails when it is not installed. */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const dir = mkdtempSync(join(parentFolder(options.isInMemory), "jobctl-etcd-"));
  let members: readonly EtcdMember[] | null = null;
  try {
    // A port may be taken by another between the look and the start.
    for (let attempt = 1; members === null; attempt += 1) {
      try {
        members = await startMembers(dir, options);
      } catch (error) {
        const isTaken = /address already in use/.test(String(error));
        if (attempt === START_TRIES_MAX || !isTaken) throw error;
      }
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  const all = members;
  const hosts = all.map(({ port }) => `${options.tls ? "localhost" : "127.0.0.1"}:${port}`);
  return {
    url: `${options.tls ? "etcds" : "etcd"}://${hosts.join(",")}`,
    dir,
    members: all,
    ctl: (...command) => runCtl(all, options, command),
    async close() {
      await Promise.all(all.map((member) => member.kill()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Run `body` with an etcd that is ended afterwards. */
export async function withEtcd<T>(
  options: EtcdOptions,
  body: (server: EtcdServer) => Promise<T>,
): Promise<T> {
  const server = await startEtcd(options);
  try {
    return await body(server);
  } finally {
    await server.close();
  }
}
