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
  #runningCount = 0;

  /**
   * Wait for a turn.
   *
   * @returns whether the read may run, and must {@link leave} when it has; false when its client went away meanwhile
   */
  enter(peer: string, call: CallSignal): Promise<boolean> {
    if (this.#runningCount < RUNNING_MAX) {
      this.#runningCount += 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const read: WaitingRead = { begin: resolve };
      const queue = this.#queues.get(peer) ?? new Set();
      this.#queues.set(peer, queue.add(read));
      call.onCancel(() => {
        if (!queue.delete(read)) return;
        if (queue.size === 0) this.#queues.delete(peer);
        resolve(false);
      });
    });
  }

  /** A read ended: the next one may begin. */
  leave(): void {
    for (const [peer, queue] of this.#queues) {
      const [read] = queue;
      this.#queues.delete(peer);
      queue.delete(read!);
      // Behind the others.
      if (queue.size > 0) this.#queues.set(peer, queue);
      return read!.begin(true);
    }
    this.#runningCount -= 1;
  }
}
