import { hostPort } from "../../../core/address.ts";
import { JobError } from "../../../core/errors.ts";
import type { HostPort, ValkeyAddress } from "../../../core/settings/store_address.ts";
import { Connection, ConnectionLost, type ConnectionOptions } from "./connection.ts";
import { remedyOf } from "./reply_errors.ts";
import { type Reply, ReplyError } from "./resp.ts";

/** The server to find, and the connection settings. */
interface FindOptions extends ConnectionOptions {
  readonly address: ValkeyAddress;
  /** Its location for messages, without secrets. */
  readonly location: string;
  /** Any of the store's keys. In a cluster, one server has them all. */
  readonly key: string;
  /** Longest silence in each step before a connection can be used, in milliseconds. */
  readonly handshakeMs: number;
}

/** The name of our connections in the server's CLIENT LIST. */
const CLIENT_NAME = "jobctl";

/** Find the server that takes writes now, by the sentinels or the cluster if there are any. */
export async function findServer(options: FindOptions): Promise<HostPort> {
  const { address } = options;
  if (address.topology === "single") return address.hosts[0]!;
  const ask = address.topology === "sentinel" ? askSentinel : askCluster;
  let failure: Error | null = null;
  for (const host of address.hosts) {
    try {
      return await ask(host, options);
    } catch (error) {
      if (!(error instanceof ConnectionLost || error instanceof ReplyError)) throw error;
      failure = error;
    }
  }
  throw failure!;
}

/**
 * Connect to a server, authenticate, and select the database.
 *
 * @throws ConnectionLost; JobError `unauthenticated` for a wrong password, `invalid_config` for a
 * missing database
 */
export async function connectServer(at: HostPort, options: FindOptions): Promise<Connection> {
  const connection = await Connection.open(at, options);
  try {
    await withinTime(connection, options, () => introduce(connection, options));
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/**
 * Run `work`, but close the connection if nothing arrives on it for `handshakeMs`: a server may
 * accept connections and never respond.
 */
export async function withinTime<T>(
  connection: Connection,
  options: Pick<FindOptions, "clock" | "handshakeMs">,
  work: () => Promise<T>,
): Promise<T> {
  const { clock, handshakeMs } = options;
  let bytes = connection.bytesRead;
  const look = () => {
    if (connection.bytesRead === bytes) connection.destroy(`no response within ${handshakeMs} ms`);
    bytes = connection.bytesRead;
    timer = clock.timer(handshakeMs, look);
  };
  let timer = clock.timer(handshakeMs, look);
  try {
    return await work();
  } finally {
    timer.cancel();
  }
}

/** All commands go in one write, since the server may be slow. */
async function introduce(connection: Connection, options: FindOptions): Promise<void> {
  const { username, password, database } = options.address;
  const user = username === null ? [] : [username];
  const [access, name, selected] = await Promise.allSettled([
    password === null ? null : connection.command("AUTH", ...user, password),
    connection.command("CLIENT", "SETNAME", CLIENT_NAME),
    database === 0 ? null : connection.command("SELECT", String(database)),
  ]);
  replyOf(access, options, "unauthenticated", {
    path: "store.password",
    hint: "Check store.username and store.password",
  });
  // Without a required password this fails with NOAUTH. NOPERM only means that the user may not set
  // a name.
  const isUnnamed = name.status === "rejected" && name.reason instanceof ReplyError &&
    name.reason.kind === "NOPERM";
  if (!isUnnamed) {
    replyOf(name, options, "unauthenticated", {
      path: "store.password",
      hint: "Set store.password, and store.username",
    });
  }
  replyOf(selected, options, "invalid_config", {
    path: "store.url",
    hint: "Choose another database",
  });
}

/** The reply to a command. @throws a JobError if the server finally refused the command */
function replyOf<T>(
  reply: PromiseSettledResult<T>,
  { location }: FindOptions,
  code: "unauthenticated" | "invalid_config",
  about: { readonly path: string; readonly hint: string },
): T {
  if (reply.status === "fulfilled") return reply.value;
  const error: unknown = reply.reason;
  const isRefusal = error instanceof ReplyError &&
    (remedyOf(error) !== "reconnect" || error.kind === "NOAUTH");
  if (!isRefusal) throw error;
  throw new JobError(code, `Cannot use the store ${location}: ${error.message}`, {
    ...about,
    cause: error,
  });
}

/** Ask a sentinel for the master. Sentinels have their own users. */
async function askSentinel(host: HostPort, options: FindOptions): Promise<HostPort> {
  const connection = await Connection.open(host, options);
  const { sentinelUsername, sentinelPassword } = options.address;
  const master = options.address.master!;
  const user = sentinelUsername === undefined ? [] : [sentinelUsername];
  try {
    const ask = () =>
      Promise.allSettled([
        sentinelPassword === undefined
          ? null
          : connection.command("AUTH", ...user, sentinelPassword),
        connection.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master),
      ]);
    const [access, found] = await withinTime(connection, options, ask);
    const about = {
      path: "store.sentinel_password",
      hint: "Check store.sentinel_username and store.sentinel_password",
    };
    replyOf(access, options, "unauthenticated", about);
    const reply = replyOf(found, options, "unauthenticated", about);
    if (Array.isArray(reply) && reply.length === 2) {
      return { host: String(reply[0]), port: Number(reply[1]) };
    }
    throw new ConnectionLost(`${hostPort(host.host, host.port)} knows no master "${master}"`);
  } finally {
    connection.destroy();
  }
}

/** Ask a member of a cluster for the server that has the slot of our keys. */
async function askCluster(host: HostPort, options: FindOptions): Promise<HostPort> {
  const connection = await connectServer(host, options);
  try {
    const [slotReply, ranges] = await withinTime(connection, options, () =>
      Promise.all([
        connection.command("CLUSTER", "KEYSLOT", options.key),
        connection.command("CLUSTER", "SLOTS"),
      ]));
    const slot = Number(slotReply);
    for (const range of Array.isArray(ranges) ? ranges as readonly Reply[][] : []) {
      const [from, to, owner] = range;
      if (slot < Number(from) || slot > Number(to) || !Array.isArray(owner)) continue;
      // Without a name, the entry means the server that was queried.
      const name = owner[0] === null ? "" : String(owner[0]);
      return { host: name === "" ? host.host : name, port: Number(owner[1]) };
    }
    throw new ConnectionLost(`${hostPort(host.host, host.port)} knows no server for our keys`);
  } finally {
    connection.destroy();
  }
}

/** The location of an address, without user and password. */
export function locationOf({ topology, hosts, master, database, isTls }: ValkeyAddress): string {
  const scheme = `valkey${isTls ? "s" : ""}${topology === "single" ? "" : `-${topology}`}`;
  const places = hosts.map(({ host, port }) => hostPort(host, port)).join(",");
  const path = [...master === null ? [] : [master], ...database === 0 ? [] : [database]];
  return `${scheme}://${[places, ...path].join("/")}`;
}
