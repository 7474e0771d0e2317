import type { CallSignal } from "./backend.ts";

/** Reads that run at once: one is prepared while another is sent. */
const RUNNING_MAX = 2;

interface WaitingRead {
  begin(isWanted: boolean): void;
}

/**
 * Lets few reads run at once. The connections that wait take turns, so that one that asks for much does not keep the others
 * waiting, and a read whose client has gone is never begun.
 */
export class ReadGate {
  /** Waiting reads by connection; the connection that is first in the map is next. */
  readonly #queues = new Map<string, Set<WaitingRead>>();
  readonly #hasRoom: (peer: string) => boolean;
  #runningCount = 0;

  /** @param hasRoom whether a connection has taken most of what it was answered: if not, its reads wait */
  constructor(hasRoom: (peer: string) => boolean = () => true) {
    this.#hasRoom = hasRoom;
  }

  /**
   * Wait for a turn.
   *
   * @returns whether the read may run, and must {@link leave} when it has; false when its client went away meanwhile
   */
  enter(peer: string, call: CallSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const read: WaitingRead = { begin: resolve };
      const queue = this.#queues.get(peer) ?? new Set();
      this.#queues.set(peer, queue.add(read));
      call.onCancel(() => {
        if (!queue.delete(read)) return;
        if (queue.size === 0 && this.#queues.get(peer) === queue) this.#queues.delete(peer);
        resolve(false);
      });
      this.poke();
    });
  }

  /** A read ended: the next one may begin. */
  leave(): void {
    this.#runningCount -= 1;
    this.poke();
  }

  /** Begin what may begin. */
  poke(): void {
    while (this.#runningCount < RUNNING_MAX) {
      const next = this.#next();
      if (!next) return;
      this.#runningCount += 1;
      next.begin(true);
    }
  }

  #next(): WaitingRead | null {
    for (const [peer, queue] of this.#queues) {
      if (!this.#hasRoom(peer)) continue;
      const [read] = queue;
      queue.delete(read!);
      this.#queues.delete(peer);
      // Behind the others.
      if (queue.size > 0) this.#queues.set(peer, queue);
      return read!;
    }
    return null;
  }
}
