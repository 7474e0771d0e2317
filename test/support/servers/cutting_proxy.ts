import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** What a proxy does to the traffic that passes it. */
export interface CuttingProxy {
  readonly port: number;
  /** Connections through it now. */
  readonly connections: number;
  /** How often it cut on request. */
  readonly cuts: number;
  /** Cut the connection of the `count`-th chunk of requests from now, before the server sees it. */
  cutBeforeRequest(count?: number): void;
  /**
   * Cut the connection of the `count`-th chunk of answers from now, which the server sent and
   * nobody gets.
   */
  cutBeforeAnswer(count?: number): void;
  /** Answers come this much later; 0 for at once. */
  delayAnswers(ms: number): void;
  /**
   * Half-open: pass nothing in either direction, close nothing, until {@link CuttingProxy.pass}.
   */
  hold(): void;
  /** Pass again what was held. */
  pass(): void;
  /** Refuse new connections and cut the present ones, until {@link CuttingProxy.open}. */
  shut(): void;
  open(): void;
  /** Cut the present connections. */
  cutAll(): void;
  close(): Promise<void>;
}

class Cutter {
  #left = 0;

  arm(count: number): void {
    this.#left = count;
  }

  /** Whether this chunk is the one. */
  isDue(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return this.#left === 0;
  }
}

/**
 * A TCP proxy before `targetPort` on the loopback device that cuts on request. A chunk is what one
 * read of a socket gave: clients that send the requests of one turn in one write get one chunk for
 * them.
 */
export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const requests = new Cutter();
  const answers = new Cutter();
  let delayMs = 0;
  let isHeld = false;
  let isShut = false;
  let cuts = 0;

  const cut = (pair: readonly [Socket, Socket]) => {
    pairs.delete(pair);
    // A reset, as a network that fails gives, not an orderly end.
    for (const socket of pair) socket.destroy();
  };
  const server = createServer({ noDelay: true }, (client) => {
    if (isShut) return client.destroy();
    const upstream = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const forward = (from: Socket, to: Socket, cutter: Cutter, delayed: () => number) => {
      from.on("data", (chunk) => {
        if (cutter.isDue()) {
          cuts += 1;
          return cut(pair);
        }
        const waitMs = delayed();
        if (waitMs === 0) to.write(chunk);
        else setTimeout(() => to.write(chunk), waitMs);
      });
      from.on("end", () => to.end());
      from.on("close", () => cut(pair));
      from.on("error", () => cut(pair));
      if (isHeld) from.pause();
    };
    forward(client, upstream, requests, () => 0);
    forward(upstream, client, answers, () => delayMs);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const sockets = () => [...pairs].flat();
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return pairs.size;
    },
    get cuts() {
      return cuts;
    },
    cutBeforeRequest: (count = 1) => requests.arm(count),
    cutBeforeAnswer: (count = 1) => answers.arm(count),
    delayAnswers: (ms) => delayMs = ms,
    hold() {
      isHeld = true;
      for (const socket of sockets()) socket.pause();
    },
    pass() {
      isHeld = false;
      for (const socket of sockets()) socket.resume();
    },
    shut() {
      isShut = true;
      for (const pair of [...pairs]) cut(pair);
    },
    open: () => isShut = false,
    cutAll() {
      for (const pair of [...pairs]) cut(pair);
    },
    async close() {
      for (const pair of [...pairs]) cut(pair);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
