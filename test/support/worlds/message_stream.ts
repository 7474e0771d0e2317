import { JobError } from "../../../src/core/errors.ts";
import type { StreamAnswer } from "./cli_world.ts";

/** Messages of a stream of the fake daemon, sent when a test wants it. */
export class MessageStream {
  readonly #waiting: (object | JobError)[] = [];
  #wake: (() => void) | null = null;
  /** How often the stream was begun. */
  opened = 0;
  /** True once its reader has given it up. */
  isAborted = false;
  /** Resolves once it is read for the first time. */
  readonly begun: Promise<void>;
  #begin = () => {};

  constructor() {
    this.begun = new Promise((resolve) => this.#begin = resolve);
  }

  send(message: object): void {
    this.#waiting.push(message);
    this.#wake?.();
  }

  /** End it with an error. */
  fail(error: JobError): void {
    this.#waiting.push(error);
    this.#wake?.();
  }

  /** End it as a daemon that stops. */
  break(): void {
    this.fail(new JobError("unavailable", "Cannot reach the daemon: as asked"));
  }

  /** What the fake daemon answers with. */
  get answer(): StreamAnswer {
    return (_request, signal) => this.#read(signal);
  }

  async *#read(signal: AbortSignal | undefined): AsyncGenerator<object> {
    this.opened += 1;
    this.#begin();
    signal?.addEventListener("abort", () => {
      this.isAborted = true;
      this.#wake?.();
    });
    while (!signal?.aborted) {
      const message = this.#waiting.shift();
      if (message instanceof JobError) throw message;
      if (message !== undefined) yield message;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
