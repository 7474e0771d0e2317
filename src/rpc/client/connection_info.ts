/** Location of a client's daemon, and the sockets that were tried in vain. */
export interface ConnectionInfo {
  /** For messages: `host:port` or the path of the socket. */
  readonly address: string;
  /** The sockets of the daemon's port that were tried first, without a listener. */
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

/** Location of a client's daemon; null if the client has not connected. */
export async function connectionInfo(client: object): Promise<ConnectionInfo | null> {
  return await LOOKS.get(client)?.()?.catch(() => null) ?? null;
}
