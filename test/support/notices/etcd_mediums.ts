import type {
  MediumImage,
  MediumListener,
  MediumPair,
  ReplicaMedium,
} from "../../../src/store/replica/medium.ts";
import { createMedium } from "../servers/etcd_medium.ts";

/** A watch of a medium, and the version that it has been told of. */
interface Watch {
  told: number;
  /** Called with each change. */
  wake: () => void;
}

/** Connections to one prefix of a real etcd, which know whether they have heard of everything. */
export class EtcdMediums {
  readonly #ports: readonly number[];
  readonly #prefix: string;
  readonly #pending = new Set<Promise<void>>();
  readonly #watches = new Set<Watch>();
  /** The version of the last commit of all. */
  #committed = 0;

  constructor(ports: readonly number[], prefix: string) {
    this.#ports = ports;
    this.#prefix = prefix;
  }

  /** False after a wait for an answer, or for a watch that is behind a commit. */
  async areResting(): Promise<boolean> {
    if (this.#pending.size > 0) {
      await Promise.race(this.#pending);
      return false;
    }
    const behind = [...this.#watches].find(({ told }) => told < this.#committed);
    if (!behind) return true;
    await new Promise<void>((resolve) => behind.wake = resolve);
    return false;
  }

  connect(): ReplicaMedium {
    const medium = createMedium(this.#ports, { prefix: this.#prefix });
    return {
      ...{ type: medium.type, location: medium.location, isDurable: medium.isDurable },
      ...{ changesMax: medium.changesMax, charactersMax: medium.charactersMax },
      open: () => this.#counted(medium.open()),
      load: () => this.#counted(this.#load(medium)),
      version: () => this.#counted(medium.version()),
      commit: (commit, isWanted) =>
        this.#counted(
          medium.commit(commit, isWanted).then((isDone) => {
            if (isDone) this.#committed = Math.max(this.#committed, commit.next);
            return isDone;
          }),
        ),
      watch: (from, listener) => this.#watch(medium, from, listener),
      close: () => this.#counted(medium.close()),
    };
  }

  #counted<T>(answer: Promise<T>): Promise<T> {
    const ended: Promise<void> = answer.then(() => {}, () => {})
      .then(() => void this.#pending.delete(ended));
    this.#pending.add(ended);
    return answer;
  }

  /** Everything is read at once, so that no part of it is under way later. */
  async #load(medium: ReplicaMedium): Promise<MediumImage> {
    const { version, pairs } = await medium.load();
    const parts: (readonly MediumPair[])[] = [];
    for await (const part of pairs) parts.push(part);
    return { version, pairs: eachOf(parts) };
  }

  #watch(medium: ReplicaMedium, from: number, listener: MediumListener): () => void {
    const watch: Watch = { told: from, wake: () => {} };
    const end = () => {
      this.#watches.delete(watch);
      watch.wake();
    };
    this.#watches.add(watch);
    const stop = medium.watch(from, {
      changed: (change) => {
        watch.told = change.version;
        listener.changed(change);
        watch.wake();
      },
      lost: (error) => {
        end();
        listener.lost(error);
      },
    });
    return () => {
      end();
      stop();
    };
  }
}

async function* eachOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
