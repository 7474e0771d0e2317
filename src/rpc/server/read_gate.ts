import type { CallSignal } from "../backend.ts";
import type { Origin } from "../guard/call_tracker.ts";

/** Most concurrent reads: one is prepared while another is sent. */
const RUNNING_MAX = 2;

/** Ends the wait of a read; false if it is no longer wanted. */
type WaitingRead = (isWanted: boolean) => void;

/** Waiting reads of one caller by connection; the connection that is first in the map is next. */
type Queues = Map<string, Set<WaitingRead>>;

/**
 * Limits concurrent reads. Callers alternate, and so do the connections of each caller: one with
 * many requests does not delay the others. A read whose client has disconnected never starts.
 */
export class ReadGate {
  /** By caller; the first one in the map is next. */
  readonly #principals = new Map<string, Queues>();
  readonly #hasRoom: (peer: string) => boolean;
  #runningCount = 0;

  /** @param hasRoom true if a connection has read most responses; otherwise its reads wait */
  constructor(hasRoom: (peer: string) => boolean = () => true) {
    this.#hasRoom = hasRoom;
  }

  /**
   * Wait until the read may run.
   *
   * @returns true if the read may run, and must {@link leave} afterwards; false if its client has
   * disconnected
   */
  enter({ peer, principal }: Origin, call: CallSignal): Promise<boolean> {
    return new Promise((resolve) => {
      this.#add(principal, peer, resolve);
      call.onCancel(() => {
        if (this.#remove(principal, peer, resolve)) resolve(false);
      });
      this.poke();
    });
  }

  /** A read has ended: start the next one. */
  leave(): void {
    this.#runningCount -= 1;
    this.poke();
  }

  /** Start reads while there is room. */
  poke(): void {
    while (this.#runningCount < RUNNING_MAX) {
      const next = this.#next();
      if (!next) return;
      this.#runningCount += 1;
      next(true);
    }
  }

  #next(): WaitingRead | null {
    for (const [principal, queues] of this.#principals) {
      for (const [peer, queue] of queues) {
        if (!this.#hasRoom(peer)) continue;
        const [read] = queue;
        this.#remove(principal, peer, read!);
        // Queue it behind the others.
        if (queue.size > 0) moveToEnd(queues, peer);
        if (queues.size > 0) moveToEnd(this.#principals, principal);
        return read!;
      }
    }
    return null;
  }

  #add(principal: string, peer: string, read: WaitingRead): void {
    const queues: Queues = this.#principals.get(principal) ?? new Map();
    const queue = queues.get(peer) ?? new Set();
    this.#principals.set(principal, queues.set(peer, queue.add(read)));
  }

  /** Returns false if it was not waiting. */
  #remove(principal: string, peer: string, read: WaitingRead): boolean {
    const queues = this.#principals.get(principal);
    const queue = queues?.get(peer);
    if (!queue?.delete(read)) return false;
    if (queue.size === 0) queues!.delete(peer);
    if (queues!.size === 0) this.#principals.delete(principal);
    return true;
  }
}

function moveToEnd<K, V>(map: Map<K, V>, key: K): void {
  const value = map.get(key)!;
  map.delete(key);
  map.set(key, value);
}
