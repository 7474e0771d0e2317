import type { Socket } from "node:net";
import type * as grpc from "@grpc/grpc-js";
import { bareHost, hostPort, isLoopback } from "../../core/address.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { userId } from "../../platform/system/accounts.ts";
import { silentLogger } from "../../platform/logger.ts";
import { systemClock } from "../../platform/clock.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { gathering } from "../server/gathering_socket.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";
import type { CalledPeer } from "./call_error.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import { findSocket, type Target } from "./find_socket.ts";
import { type ProofOptions, provePeer } from "./peer_proof.ts";
import { probeSocket, tokenPath } from "../socket_path.ts";
import { JSON_VALUES, VALUES_HEADER } from "../call_headers.ts";
import { loadCa, loadTls } from "../../platform/network/tls.ts";
import { findDistrust } from "../../platform/files/trusted_path.ts";
import { readTokenFile } from "../auth/token_file.ts";

/** A connection to a daemon, reopened when it breaks. */
export interface Channel extends CalledPeer, ConnectionInfo {
  readonly client: grpc.Client;
  readonly metadata: () => grpc.Metadata;
  /**
   * Read the token again after a call with `sent` was refused: a daemon may create a new token at
   * each start.
   *
   * @returns true if it has changed
   */
  readonly renewToken: (sent: grpc.Metadata) => boolean;
  readonly close: () => void;
}

type Tls = NonNullable<ConnectOptions["tls"]>;

/** The token for this target; undefined without one. */
function findToken(target: Target): string | undefined {
  if (target.token !== undefined) return target.token;
  if (target.tokenFile !== undefined) return readTokenFile(target.tokenFile);
  // The token of this machine's daemon is sent to no other machine.
  if (!isLoopback(target.host)) return undefined;
  const path = tokenPath(target.port);
  // Another user's token is useless, and so is a token that others can change.
  if (findDistrust(path) !== null) return undefined;
  try {
    return readTokenFile(path);
  } catch {
    return undefined;
  }
}

async function tlsCredentials(library: typeof grpc, tls: Tls, host: string) {
  const nowMs = systemClock.now().wallMs;
  const pair = tls.cert !== undefined && tls.key !== undefined
    ? await loadTls({ cert: tls.cert, key: tls.key, clientCa: null }, {
      nowMs,
      logger: silentLogger,
    })
    : null;
  const ca = tls.ca === undefined ? null : await loadCa(tls.ca, nowMs);
  const { checkServerIdentity } = await import("node:tls");
  const name = tls.serverName ?? bareHost(host);
  return library.credentials.createSsl(ca, pair?.key ?? null, pair?.cert ?? null, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(name, certificate),
  });
}

/** Credentials for connections without TLS: nothing is sent until `prove` has passed. */
function plainCredentials(
  library: typeof grpc,
  prove: (socket: Socket) => Promise<void>,
): grpc.ChannelCredentials {
  const credentials = library.credentials.createInsecure();
  const createConnector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...given) => {
    const connector = createConnector(...given);
    const connect = connector.connect.bind(connector);
    connector.connect = async (socket) => {
      // It has no other listener yet, and an error without one would end the process.
      socket.on("error", () => {});
      await prove(socket);
      const connected = await connect(socket);
      return { ...connected, socket: gathering(connected.socket) };
    };
    return connector;
  };
  return credentials;
}

/**
 * TLS forbids an IP address as a server name, but grpc-js sends the host unchanged. So send a
 * different name; our own check compares the certificate with the address.
 */
function nameOptions(tls: Tls, host: string, port: number): grpc.ChannelOptions {
  const isAddress = host.includes(":") || /^[\d.]+$/.test(host);
  if (tls.serverName === undefined && !isAddress) return {};
  return {
    "grpc.ssl_target_name_override": tls.serverName ?? "address.invalid",
    "grpc.default_authority": hostPort(host, port),
  };
}

function checkToken(target: Target, token: string | undefined): void {
  if (token === undefined) return;
  // The library's own error would show the token.
  if (!/^[\x20-\x7e]*$/.test(token)) {
    throw new JobError(
      "invalid_argument",
      "Cannot use the token: it contains characters that a token cannot have, such as non-ASCII letters",
      { hint: "Check JOBCTL_TOKEN, --token or the token file" },
    );
  }
  if (target.tls || isLoopback(target.host)) return;
  throw new JobError(
    "invalid_argument",
    `Cannot send a token to "${target.host}": the connection is not encrypted`,
    { hint: "Use TLS (--tls), or an SSH tunnel to the daemon's loopback port" },
  );
}

/**
 * Open a channel: to the Unix socket of this machine's daemon if it has one and no token is given;
 * otherwise over TCP, with the token if one is known.
 *
 * @throws JobError `unavailable` if no process accepts connections at a socket given by path; the
 * errors of reading the files of TLS and of the token
 */
export async function openChannel(target: Target): Promise<Channel> {
  const daemonUid = target.daemonUser === undefined ? null : userId(target.daemonUser);
  const triedSockets: string[] = [];
  const found = await findSocket({ ...target, daemonUid, tried: triedSockets }, probeSocket);
  const socket = found?.path ?? null;
  let token = socket === null ? findToken(target) : undefined;
  if (socket === null) checkToken(target, token);
  // Loaded only now: programs that never call do not pay for it.
  const library = await import("@grpc/grpc-js");
  const proof = createProof({
    socket,
    daemonUid: found === null ? daemonUid : found.daemonUid,
    hasToken: token !== undefined,
  });
  const credentials = socket === null && target.tls
    ? await tlsCredentials(library, target.tls, target.host)
    : plainCredentials(library, proof.prove);
  const address = socket ?? hostPort(target.host, target.port);
  const client = new library.Client(
    socket === null ? `dns:${address}` : `unix:${socket}`,
    credentials,
    {
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
      "grpc.enable_channelz": 0,
      // A follower of a log waits for a daemon that restarts.
      "grpc.initial_reconnect_backoff_ms": 250,
      "grpc.max_reconnect_backoff_ms": 2_000,
      "grpc.enable_http_proxy": isLoopback(target.host) ? 0 : 1,
      // Another client's subchannel in this process may have another token.
      "grpc.use_local_subchannel_pool": 1,
      ...(target.tls ? nameOptions(target.tls, target.host, target.port) : {}),
    },
  );
  return {
    client,
    address,
    triedSockets,
    isTls: socket === null && Boolean(target.tls),
    renewToken: (sent) => {
      if (socket !== null) return false;
      const found = findToken(target);
      if (found === undefined) return false;
      checkToken(target, found);
      token = found;
      return sent.get("authorization")[0] !== `Bearer ${token}`;
    },
    metadata: () => {
      const metadata = new library.Metadata();
      if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
      if (target.values === "json") metadata.set(VALUES_HEADER, JSON_VALUES);
      return metadata;
    },
    isReady: () =>
      client.getChannel().getConnectivityState(false) === library.connectivityState.READY,
    refusal: proof.refusal,
    close: () => {
      proof.close();
      client.close();
    },
  };
}

/** Proves each connection of a channel, and remembers why the last one was rejected. */
function createProof(options: ProofOptions): Pick<Channel, "refusal" | "close"> & {
  readonly prove: (socket: Socket) => Promise<void>;
} {
  let refusal: JobError | null = null;
  const unproven = new Set<Socket>();
  const prove = async (socket: Socket) => {
    refusal = null;
    unproven.add(socket);
    try {
      await provePeer(socket, options);
    } catch (error) {
      if (isJobError(error)) refusal = error;
      throw error;
    } finally {
      unproven.delete(socket);
    }
  };
  return {
    prove,
    refusal: () => refusal,
    // The library does not know the connection yet, and it would keep the process alive.
    close: () => unproven.forEach((socket) => void socket.destroy()),
  };
}
