import type { Connection } from "./connection.ts";

type Listener = (message: Uint8Array) => void;

/** Listeners by channel. They survive a change of the connection. */
export class Channels {
  readonly #listeners = new Map<string, Set<Listener>>();
  #connection: Connection | null = null;

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Subscribe to all channels on a new connection. @throws ConnectionLost, ReplyError */
  async move(connection: Connection): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((name) => this.#listen(connection, name)));
    this.#connection = connection;
  }

  /** Call when the connection is lost. */
  lost(): void {
    this.#connection = null;
  }

  async add(channel: string, listener: Listener): Promise<void> {
    const known = this.#listeners.get(channel);
    if (known) return void known.add(listener);
    this.#listeners.set(channel, new Set([listener]));
    if (this.#connection) await this.#listen(this.#connection, channel);
  }

  async remove(channel: string, listener: Listener): Promise<void> {
    const known = this.#listeners.get(channel);
    known?.delete(listener);
    if (known?.size !== 0) return;
    this.#listeners.delete(channel);
    await this.#connection?.command("UNSUBSCRIBE", channel);
  }

  async #listen(connection: Connection, channel: string): Promise<void> {
    await connection.listen(channel, (name, message) => {
      for (const listener of this.#listeners.get(name) ?? []) listener(message);
    });
  }
}
