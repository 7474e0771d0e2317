import type { ManagerApi } from "../manager/api.ts";
import { Metrics } from "./metrics.ts";

/** Why a daemon is not ready for work; null when it is. */
export type Unreadiness = string | null;

/** The data that the HTTP server shows. */
export interface StatusSource {
  /** @throws JobError when the status cannot be read */
  unreadiness(): Promise<Unreadiness>;
  /** The page for a scrape. @throws JobError when the status cannot be read */
  metrics(): Promise<string>;
  stop(): void;
}

/** Status of a manager in this thread. */
export class ManagerStatusSource implements StatusSource {
  readonly #manager: ManagerApi;
  readonly #metrics: Metrics;

  constructor(manager: ManagerApi) {
    this.#manager = manager;
    this.#metrics = new Metrics(manager);
  }

  async unreadiness(): Promise<Unreadiness> {
    const { storeProblem, isDraining } = await this.#manager.status();
    if (storeProblem !== null) return `the store cannot be used: ${storeProblem}`;
    return isDraining ? "draining" : null;
  }

  metrics(): Promise<string> {
    return this.#metrics.page();
  }

  stop(): void {
    this.#metrics.stop();
  }
}
