/** Where a client's daemon is, and the sockets at which there was none. */
export interface ConnectionInfo {
  /** For messages: `host:port` or the path of the socket. */
  readonly address: string;
  /** The sockets of the daemon's port that were tried first, at which nobody listens. */
  readonly triedSockets: readonly string[];
  /** True if a connection is open. */
  readonly isReady: () => boolean;
}

type Look = () => Promise<ConnectionInfo> | null;

/** By client; null until it connects. */
const LOOKS = new WeakMap<object, Look>();

/** The same client, with an answer for {@link connectionInfo}. */
export function withConnectionInfo<Client extends object>(client: Client, look: Look): Client {
  LOOKS.set(client, look);
  return client;
}

/** Where a client's daemon is; null if the client has not connected. */
export async function connectionInfo(client: object): Promise<ConnectionInfo | null> {
  return await LOOKS.get(client)?.()?.catch(() => null) ?? null;
}
