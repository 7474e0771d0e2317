import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startServerProcess } from "./server_process.ts";
import type { ValkeyOptions, ValkeyServer } from "./valkey_server.ts";
import { manageValkey, startValkey, tlsConfig } from "./valkey_server.ts";
import { until } from "../wait.ts";

/**
 * A Valkey, its replica and a sentinel that promotes the replica within about a second of the
 * master's end.
 */
export interface SentinelGroup {
  /** Name of the master that the sentinel watches. */
  readonly name: string;
  readonly master: ValkeyServer;
  readonly replica: ValkeyServer;
  readonly sentinel: ValkeyServer;
  close(): Promise<void>;
}

/**
 * Start a master with a replica in step with it, watched by one sentinel, which may want a password
 * of its own.
 */
export async function startSentinel(
  { sentinelPassword, ...options }: ValkeyOptions & { readonly sentinelPassword?: string } = {},
): Promise<SentinelGroup> {
  const started: ValkeyServer[] = [];
  const close = async () => {
    for (const server of started.splice(0).reverse()) await server.close();
  };
  try {
    const master = await startValkey(options);
    started.push(master);
    const replica = await startValkey({ ...options, replicaOf: master.port });
    started.push(replica);
    const sentinel = await startSentinelProcess(master.port, options, sentinelPassword);
    started.push(sentinel);
    await until("the replica is in step and known to the sentinel", async () => {
      const role = await replica.cli("info", "replication");
      const known = await sentinel.cli("sentinel", "replicas", "jobs");
      return role.includes("master_link_status:up") && known.includes(String(replica.port));
    });
    return { name: "jobs", master, replica, sentinel, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A sentinel is the same program; it wants a file that it can write its state to. */
async function startSentinelProcess(
  masterPort: number,
  { password, tls = false }: ValkeyOptions,
  ownPassword: string | undefined,
): Promise<ValkeyServer> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-sentinel-"));
  const port = await freePort();
  const file = join(dir, "sentinel.conf");
  const config = tls === false ? { port } : tlsConfig(port, tls);
  const lines = [
    ...Object.entries(config).map(([key, value]) => `${key} ${value}`),
    "bind 127.0.0.1",
    `dir ${dir}`,
    `sentinel monitor jobs 127.0.0.1 ${masterPort} 1`,
    "sentinel down-after-milliseconds jobs 300",
    "sentinel failover-timeout jobs 2000",
    ...password === undefined ? [] : [`sentinel auth-pass jobs ${password}`],
    ...ownPassword === undefined ? [] : [`requirepass ${ownPassword}`],
  ];
  writeFileSync(file, lines.join("\n") + "\n");
  const launch = () =>
    startServerProcess({
      program: "valkey-server",
      args: [file, "--sentinel"],
      ready: "+monitor master jobs",
      cwd: dir,
    });
  try {
    const options = { tls, ...ownPassword === undefined ? {} : { password: ownPassword } };
    return manageValkey({ port, dir, options, first: await launch(), launch });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Three masters that share the slots of a cluster. */
export interface ValkeyCluster {
  readonly nodes: readonly ValkeyServer[];
  close(): Promise<void>;
}

/** Start a cluster of three masters without replicas, ready for every slot. */
export async function startCluster(options: ValkeyOptions = {}): Promise<ValkeyCluster> {
  const nodes: ValkeyServer[] = [];
  const close = async () => {
    for (const node of nodes.splice(0)) await node.close();
  };
  try {
    while (nodes.length < 3) {
      const busPort = await freePort();
      nodes.push(
        await startValkey({
          ...options,
          config: {
            "cluster-enabled": "yes",
            "cluster-port": busPort,
            "cluster-node-timeout": 1_000,
            ...options.config,
          },
        }),
      );
    }
    const ranges = [[0, 5_460], [5_461, 10_922], [10_923, 16_383]] as const;
    for (const [index, node] of nodes.entries()) {
      await node.cli("cluster", "addslotsrange", ...ranges[index]!);
      await node.cli("cluster", "set-config-epoch", index + 1);
    }
    const [first, ...others] = nodes;
    for (const node of others) {
      const busPort = (await node.cli("config", "get", "cluster-port")).split("\n")[1]!;
      await first!.cli("cluster", "meet", "127.0.0.1", node.port, busPort);
    }
    for (const node of nodes) {
      await until(
        "the cluster knows every slot",
        async () =>
          /cluster_state:ok[^]*cluster_known_nodes:3/.test(await node.cli("cluster", "info")),
      );
    }
    return { nodes, close };
  } catch (error) {
    await close();
    throw error;
  }
}
