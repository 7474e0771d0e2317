import type { Connection } from "./connection.ts";

type Listener = (message: Uint8Array) => void;

/** Who listens to which channel, over one connection after another. */
export class Channels {
  readonly #listeners = new Map<string, Set<Listener>>();
  #connection: Connection | null = null;

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Listen on a new connection to all that is wanted. @throws ConnectionLost, ReplyError */
  async move(connection: Connection): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((name) => this.#listen(connection, name)));
    this.#connection = connection;
  }

  /** The connection is gone. */
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
