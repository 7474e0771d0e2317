import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

/** What a contender's workers are given. */
export interface WorkHandlers {
  /** The job's code; `sentAt` is what the job was sent with. */
  readonly run: (sentAt: number) => void;
  /** So many jobs have ended, recorded by the product's own way. */
  readonly ended: (count: number) => void;
}

/** One product with one setting, behind what all of them can do. Its queue is empty at first. */
export interface Contender {
  /** Enqueue one job; resolves when it is accepted. */
  addOne(sentAt: number): Promise<unknown>;
  /** Enqueue `count` jobs by the product's way for many. */
  addMany(count: number): Promise<unknown>;
  /** Enqueue a job that is due at `dueAt`, epoch ms, which it is sent with. */
  addAt(dueAt: number): Promise<unknown>;
  startWorkers(handlers: WorkHandlers): Promise<void>;
  stopWorkers(): Promise<void>;
  close(): Promise<void>;
}

/** What a contender is started with. */
export interface ContenderOptions {
  /** Of its server, or of the store. */
  readonly url: string;
  /** Attempts at once. */
  readonly concurrency: number;
}

/** Load a package of the peers, from the folder that they were installed into. */
// deno-lint-ignore no-explicit-any
export function loadPeer(name: string): any {
  return createRequire(join(process.env.BENCH_PEERS_DIR!, "package.json"))(name);
}
