import { JobError } from "../../../core/errors.ts";
import type { Clock, Timer } from "../../../platform/clock.ts";
import type { ScriptCall } from "./link.ts";

/** A call that has no answer yet. */
export interface WaitingCall extends ScriptCall {
  /** Monotonic ms at which it was asked. */
  readonly askedAt: number;
  /** How often it went out. */
  sent: number;
  resolve(value: Uint8Array): void;
  reject(error: Error): void;
}

/** What the queue works with. */
export interface CallQueueOptions {
  readonly clock: Clock;
  /** Most calls that wait. */
  readonly callsMax: number;
  /** Most bytes of their arguments. */
  readonly bytesMax: number;
  /** Until when a call waits that was asked at that time, monotonic ms; never earlier for one asked later. */
  readonly deadlineOf: (askedAt: number) => number;
  /** The error of a call that waited in vain. */
  readonly late: (call: WaitingCall) => JobError;
}

/** What is refused at once, as too much waits for the server already. */
export function tooManyError(): JobError {
  return new JobError("resource_exhausted", "Cannot ask the store: too many requests wait", {
    hint: "It answers slowly or not at all; try again later",
  });
}

/** Calls in the order in which they were asked, each until its answer or its time is over. */
export class CallQueue {
  readonly #options: CallQueueOptions;
  readonly #calls = new Set<WaitingCall>();
  #bytes = 0;
  #timer: Timer | null = null;

  constructor(options: CallQueueOptions) {
    this.#options = options;
  }

  /** All that have no answer, oldest first. */
  get calls(): Iterable<WaitingCall> {
    return this.#calls;
  }

  /** Take a call in; `promise` settles with it. @throws JobError `resource_exhausted` when too many wait, `invalid_argument` when it is too large */
  add(call: ScriptCall): { readonly waiting: WaitingCall; readonly promise: Promise<Uint8Array> } {
    const { clock, callsMax, bytesMax } = this.#options;
    const bytes = call.args.reduce((sum, arg) => sum + arg.length, 0);
    if (bytes > bytesMax) {
      throw new JobError(
        "invalid_argument",
        `Cannot ask the store: the request has ${bytes} bytes, at most ${bytesMax} are taken`,
        { hint: "Split the request" },
      );
    }
    if (this.#calls.size >= callsMax || this.#bytes + bytes > bytesMax) {
      throw tooManyError();
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const finish = () => {
      if (this.#calls.delete(waiting)) this.#bytes -= bytes;
    };
    const waiting: WaitingCall = {
      ...call,
      askedAt: clock.now().monotonicMs,
      sent: 0,
      resolve: (value) => {
        finish();
        resolve(value);
      },
      reject: (error) => {
        finish();
        reject(error);
      },
    };
    this.#calls.add(waiting);
    this.#bytes += bytes;
    this.#arm();
    return { waiting, promise };
  }

  /** Whether nobody has answered this call. */
  has(call: WaitingCall): boolean {
    return this.#calls.has(call);
  }

  /** Refuse all. */
  rejectAll(error: Error): void {
    for (const call of [...this.#calls]) call.reject(error);
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Look at the deadlines anew, as they are earlier than before. */
  hurry(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#arm();
  }

  // One timer for the oldest: one for each call would cost more than the call.
  #arm(): void {
    if (this.#timer !== null) return;
    const [oldest] = this.#calls;
    if (!oldest) return;
    const { clock, deadlineOf } = this.#options;
    const leftMs = deadlineOf(oldest.askedAt) - clock.now().monotonicMs;
    this.#timer = clock.timer(Math.max(leftMs, 1), () => this.#sweep(), { unref: true });
  }

  #sweep(): void {
    this.#timer = null;
    const { clock, deadlineOf, late } = this.#options;
    const now = clock.now().monotonicMs;
    for (const call of this.#calls) {
      if (deadlineOf(call.askedAt) > now) break;
      call.reject(late(call));
    }
    this.#arm();
  }
}
