import { JobError } from "../../../core/errors.ts";
import type { Connection } from "./connection.ts";
import { type Reply, ReplyError } from "./resp.ts";

/** Facts about the connected server. */
export interface ServerFacts {
  /** Id of the server process; a new one after each restart. */
  readonly runId: string;
  /** True if acknowledged writes survive a crash of the server and a power failure. */
  readonly isDurable: boolean;
  /** True if they survive at least a crash of the server. */
  readonly survivesCrash: boolean;
  /** Warnings for the operator, one sentence each. */
  readonly warnings: readonly string[];
}

/** Oldest versions with all features of the scripts. */
const VERSION_MIN = { valkey: "7.2", redis: "7.0" } as const;

type Fields = ReadonlyMap<string, string>;

/**
 * Read a server's settings and check that it can hold the store.
 *
 * @throws JobError `invalid_config` with the remedy if it evicts keys, is too old, or is part of a
 * cluster that was not configured as one
 */
export async function checkServer(
  connection: Connection,
  options: { readonly location: string; readonly isCluster: boolean },
): Promise<ServerFacts> {
  const [info, appendfsync, save] = await Promise.all([
    connection.command("INFO").then(infoFields),
    configOf(connection, "appendfsync"),
    configOf(connection, "save"),
  ]);
  const refuse = (found: string, hint: string) =>
    new JobError("invalid_config", `Cannot use the store ${options.location}: ${found}`, {
      path: "store.url",
      hint,
    });
  const name = info.has("valkey_version") ? "valkey" : "redis";
  const version = info.get(`${name}_version`) ?? "0";
  const least = VERSION_MIN[name];
  if (version.localeCompare(least, "en", { numeric: true }) < 0) {
    throw refuse(`found ${name} ${version}, wanted ${least} or newer`, "Update the server");
  }
  if (info.get("cluster_enabled") === "1" && !options.isCluster) {
    throw refuse(
      "the server is part of a cluster",
      'Write store.url = "valkey-cluster://HOST:PORT"',
    );
  }
  if (info.get("role") === "slave") {
    const master = `${info.get("master_host")}:${info.get("master_port")}`;
    throw new JobError(
      "unavailable",
      `Cannot use the store ${options.location}: the server is a replica of ${master}, which takes no writes`,
      { path: "store.url", hint: `Name ${master}, or sentinels, which know the current master` },
    );
  }
  const policy = info.get("maxmemory_policy") ?? "";
  const memoryMax = info.get("maxmemory") ?? "";
  if (memoryMax !== "0" && policy !== "" && policy !== "noeviction") {
    throw refuse(
      `it deletes keys when its memory is full (maxmemory-policy ${policy}), so jobs would be lost`,
      "Set maxmemory-policy noeviction, or use a separate server",
    );
  }
  const loss = lossOf(info, { appendfsync, save });
  const blind = policy === ""
    ? "Cannot tell whether the store's server deletes keys when full"
    : null;
  return {
    runId: info.get("run_id") ?? "",
    isDurable: loss === null && appendfsync === "always",
    survivesCrash: info.get("aof_enabled") === "1",
    warnings: [loss, blind].filter((warning) => warning !== null),
  };
}

function infoFields(reply: Reply): Fields {
  const lines = String(reply).split(/\r?\n/);
  return new Map(
    lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}

/** A configuration directive; null if a managed server hides it. */
async function configOf(connection: Connection, name: string): Promise<string | null> {
  try {
    const reply = await connection.command("CONFIG", "GET", name);
    return Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : null;
  } catch (error) {
    if (error instanceof ReplyError) return null;
    throw error;
  }
}

/** The server's possible loss, for the operator; null if nothing, or at most the last second. */
function lossOf(
  info: Fields,
  config: { readonly appendfsync: string | null; readonly save: string | null },
): string | null {
  const aof = info.get("aof_enabled");
  if (aof === undefined) {
    return "Cannot tell whether the store's server has an append-only file: ask its operator";
  }
  if (aof === "0") {
    const lost = config.save === ""
      ? "all data, including jobs and schedules"
      : "the writes since its last snapshot, which may be minutes ago: accepted jobs, and outcomes of jobs, which then run again";
    return `The store's server has no append-only file: if it stops or the power fails, it loses ${lost}. Set appendonly yes`;
  }
  if (info.get("aof_last_write_status") === "err") {
    return "The store's server cannot write its append-only file: see its log";
  }
  switch (config.appendfsync) {
    case "no":
      return "The store's server lets the system decide when its append-only file reaches the disk (appendfsync no): a power failure can lose half a minute of acknowledged writes. Set appendfsync everysec or always";
    case null:
      return "Cannot tell how often the store's server writes its append-only file to the disk (appendfsync): with everysec, a power failure loses the last second";
    default:
      // With everysec, a crash of the server loses nothing, and a power failure at most the last
      // second. This is the usual setting and not worth a warning.
      return null;
  }
}
