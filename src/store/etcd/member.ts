import { checkServerIdentity } from "node:tls";
import type * as grpc from "@grpc/grpc-js";
import { hostPort } from "../../core/address.ts";
import type { HostPort } from "../../core/settings/store_address.ts";
import type { ClientTls } from "../../platform/network/tls.ts";

/** Largest response accepted: a page of rows, or the events of one commit. */
const RECEIVE_BYTES_MAX = 128 * 1024 * 1024;
/** Largest request sent; by default the server takes 1.5 MiB, and half a MiB around it. */
const SEND_BYTES_MAX = 16 * 1024 * 1024;
// The server ends connections that ping more often than every 5 s.
const PING_MS = 10_000;
const PING_TIMEOUT_MS = 10_000;

/** A connection to one member, made at the first call. */
export interface EtcdMember {
  /** `host:port`. */
  readonly address: string;
  readonly client: grpc.Client;
  /** Monotonic time when it last received anything, or was made. */
  heardMs: number;
  /** Functions that end its streams. */
  readonly streams: Set<() => void>;
}

function credentialsOf(
  library: typeof grpc,
  tls: ClientTls | null,
  { host }: HostPort,
): grpc.ChannelCredentials {
  if (tls === null) return library.credentials.createInsecure();
  const name = tls.serverName ?? host;
  return library.credentials.createSsl(tls.ca, tls.key, tls.cert, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(name, certificate),
  });
}

/**
 * TLS takes no IP address as a server's name, but grpc-js sends the host unchanged: send another
 * name, and check the address ourselves.
 */
function nameOptions(tls: ClientTls | null, { host, port }: HostPort): grpc.ChannelOptions {
  const isAddress = host.includes(":") || /^[\d.]+$/.test(host);
  if (tls === null || (tls.serverName === null && !isAddress)) return {};
  return {
    "grpc.ssl_target_name_override": tls.serverName ?? "address.invalid",
    "grpc.default_authority": hostPort(host, port),
  };
}

/** A member of the cluster, not yet connected. */
export function createMember(
  library: typeof grpc,
  endpoint: HostPort,
  { tls, nowMs }: { readonly tls: ClientTls | null; readonly nowMs: number },
): EtcdMember {
  const address = hostPort(endpoint.host, endpoint.port);
  const client = new library.Client(`dns:${address}`, credentialsOf(library, tls, endpoint), {
    "grpc.max_receive_message_length": RECEIVE_BYTES_MAX,
    "grpc.max_send_message_length": SEND_BYTES_MAX,
    "grpc.keepalive_time_ms": PING_MS,
    "grpc.keepalive_timeout_ms": PING_TIMEOUT_MS,
    "grpc.keepalive_permit_without_calls": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.enable_channelz": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    // We retry ourselves: grpc-js would keep every request in memory for it.
    "grpc.enable_retries": 0,
    // Another store of this process may have another user or CA.
    "grpc.use_local_subchannel_pool": 1,
    ...nameOptions(tls, endpoint),
  });
  return { address, client, heardMs: nowMs, streams: new Set() };
}
