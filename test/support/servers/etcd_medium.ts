import { systemClock } from "../../../src/platform/clock.ts";
import type { Logger } from "../../../src/platform/logger.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { EtcdMedium, type EtcdMediumOptions } from "../../../src/store/etcd/medium.ts";
import type { MediumChange, MediumPair, ReplicaMedium } from "../../../src/store/replica/medium.ts";

/** A medium on plaintext ports, not open. */
export function createMedium(
  ports: readonly number[],
  given: Partial<EtcdMediumOptions> & {
    readonly timeoutMs?: number;
    readonly user?: string;
    readonly password?: string;
  } = {},
): EtcdMedium {
  const { timeoutMs = 4_500, user = null, password = null, ...options } = given;
  const endpoints = ports.map((port) => ({ host: "127.0.0.1", port }));
  return new EtcdMedium({
    connection: { endpoints, user, password, timeoutMs },
    tls: null,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    prefix: "jobctl",
    ...options,
  });
}

/** What a medium holds, by key, with its version. */
export async function readAll(medium: ReplicaMedium) {
  const { version, pairs } = await medium.load();
  const rows = new Map<string, string>();
  for await (const some of pairs) {
    for (const [key, value] of some) {
      if (rows.has(key)) throw new Error(`The key ${key} came twice`);
      rows.set(key, value);
    }
  }
  return { version, rows };
}

/** Commits by number: version `next` puts the pairs. */
export async function put(
  medium: ReplicaMedium,
  next: number,
  puts: readonly MediumPair[],
  deletes: readonly string[] = [],
): Promise<boolean> {
  return await medium.commit({ expected: next - 1, next, puts, deletes }, () => true);
}

/** What a watch tells, and a way to wait for it. */
export class Told {
  readonly changes: MediumChange[] = [];
  readonly lost: unknown[] = [];
  readonly #waiting = new Set<() => void>();

  readonly listener = {
    changed: (change: MediumChange) => {
      this.changes.push(change);
      this.#wake();
    },
    lost: (error: unknown) => {
      this.lost.push(error);
      this.#wake();
    },
  };

  get versions(): readonly number[] {
    return this.changes.map(({ version }) => version);
  }

  /** Resolves once `isTrue`. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A logger that keeps its messages. */
export function keepingLogger(): Logger & { readonly messages: string[] } {
  const messages: string[] = [];
  const keep = (message: string) => void messages.push(message);
  return { messages, debug: keep, info: keep, warn: keep, error: keep };
}
