import { Buffer } from "node:buffer";
import { JobError } from "../../core/errors.ts";
import type { CancelSignal } from "../../rpc/server/call_policy.ts";
import { type BodyLimits, BodyReader } from "./body_reader.ts";
import { requestError, type RequestHead, type RequestProblem } from "./request_head.ts";

const NOTHING = Buffer.alloc(0);

/** Source of a request's body. */
export interface BodySource {
  /** Take a complete body; null if it is incomplete, or longer. */
  takeWhole(bytesMax: number): Buffer | null;
  /** Pass on the received part of the body, and let more come. */
  readBody(): void;
}

/** True if a reader waits for the body. */
interface Waiter {
  readonly isCut: boolean;
  readonly onBytes: ((count: number) => void) | undefined;
  readonly reader: BodyReader;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: JobError) => void;
}

/**
 * One request of a connection, with its body. It signals a disconnect of its client like an
 * AbortSignal, which would cost more than the rest of a short request.
 */
export class WireRequest implements RequestHead, CancelSignal {
  readonly method: string;
  readonly target: string;
  readonly headers: RequestHead["headers"];
  readonly framing: RequestHead["framing"];
  readonly isOld: boolean;
  readonly isPersistent: boolean;
  readonly awaitsContinue: boolean;
  /** True once its response is a stream. */
  isStream = false;
  readonly #source: BodySource;
  #waiter: Waiter | null = null;
  #hasUnreadBody: boolean;
  #problem: RequestProblem | null = null;
  #abort: AbortController | null = null;
  #isAborted = false;
  readonly #listeners: (() => void)[] = [];

  /** @param source of the body, which has not passed anything on yet */
  constructor(head: RequestHead, source: BodySource) {
    this.method = head.method;
    this.target = head.target;
    this.headers = head.headers;
    this.framing = head.framing;
    this.isOld = head.isOld;
    this.isPersistent = head.isPersistent;
    this.awaitsContinue = head.awaitsContinue;
    this.#hasUnreadBody = head.framing !== 0;
    this.#source = source;
  }

  /** Aborts when the client has disconnected. */
  get signal(): AbortSignal {
    // Most requests need none.
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#isAborted) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  get aborted(): boolean {
    return this.#isAborted;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Why the body could not be read; null otherwise. */
  get problem(): RequestProblem | null {
    return this.#problem;
  }

  /** True until the whole body has been read. */
  get hasUnreadBody(): boolean {
    return this.#hasUnreadBody;
  }

  /** True once the body was requested. */
  get isRead(): boolean {
    return this.#waiter !== null;
  }

  /**
   * The body; call it once.
   *
   * @param onBytes called with the number of bytes that have arrived
   * @throws JobError `invalid_argument` if unreadable, `resource_exhausted` if it is too long, see
   * {@link problem}; `canceled` if the client disconnects
   */
  body({ bytesMax, isCut }: BodyLimits, onBytes?: (count: number) => void): Promise<Buffer> {
    if (this.framing === 0) return Promise.resolve(NOTHING);
    if (this.#isAborted) return Promise.reject(disconnected());
    const whole = this.#source.takeWhole(bytesMax);
    if (whole !== null) {
      this.#hasUnreadBody = false;
      onBytes?.(whole.byteLength);
      return Promise.resolve(whole);
    }
    return new Promise((resolve, reject) => {
      const reader = new BodyReader({ framing: this.framing, bytesMax, isCut });
      this.#waiter = { isCut, onBytes, reader, resolve, reject };
      if (reader.problem === null) this.#source.readBody();
      this.#settle(this.#waiter);
    });
  }

  /** Take bytes that belong to the body. Returns their number. */
  readBytes(bytes: Uint8Array): number {
    const waiter = this.#waiter!;
    const used = waiter.reader.push(bytes);
    waiter.onBytes?.(used);
    this.#settle(waiter);
    return used;
  }

  #settle({ isCut, reader, resolve, reject }: Waiter): void {
    const { problem } = reader;
    if (problem !== null) {
      if (isCut) return resolve(reader.take());
      this.#problem = problem;
      return reject(requestError(problem));
    }
    if (!reader.isDone) return;
    this.#hasUnreadBody = reader.isShortened;
    resolve(reader.take());
  }

  /** The client sends no more: the rest of the body will not come. */
  endBody(): void {
    const waiter = this.#waiter;
    if (waiter === null || !this.#hasUnreadBody) return;
    if (waiter.isCut) waiter.resolve(waiter.reader.take());
    else waiter.reject(disconnected());
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#abort?.abort();
    for (const listener of this.#listeners) listener();
  }
}

function disconnected(): JobError {
  return new JobError("canceled", "Cannot read the request: the client has disconnected");
}
