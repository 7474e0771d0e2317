import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";

/** Most unanswered calls of one run: waits for the end of an instance, and all others. */
const CALLS_AT_ONCE_MAX = { wait: 256, other: 256 } as const;
/** Most bytes of unanswered calls of one run; a single call may take more. */
const CALL_BYTES_AT_ONCE_MAX = 2 * PAYLOAD_BYTES_MAX;

/** This method may take as long as another job; its calls must not delay others. */
export const WAIT_METHOD = "waitInstance";

/** A call in flight, or about to be sent. */
export interface WindowCall {
  readonly method: string;
  readonly bytes: number;
}

/** Counts the unanswered calls of one run against its limits. */
export class CallWindow {
  #waits = 0;
  #others = 0;
  #bytes = 0;

  /** True if a call may be sent now. */
  has({ method, bytes }: WindowCall): boolean {
    if (method === WAIT_METHOD) return this.#waits < CALLS_AT_ONCE_MAX.wait;
    if (this.#others >= CALLS_AT_ONCE_MAX.other) return false;
    return this.#others === 0 || this.#bytes + bytes <= CALL_BYTES_AT_ONCE_MAX;
  }

  enter(call: WindowCall): void {
    this.#add(call, 1);
  }

  leave(call: WindowCall): void {
    this.#add(call, -1);
  }

  #add({ method, bytes }: WindowCall, sign: 1 | -1): void {
    if (method === WAIT_METHOD) {
      this.#waits += sign;
      return;
    }
    this.#others += sign;
    this.#bytes += sign * bytes;
  }
}
