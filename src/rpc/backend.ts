import type { MethodName, StreamName } from "./handlers.ts";

/** A method that is answered with one message. */
export type UnaryName = Exclude<MethodName, StreamName>;

/** What answering a call may know of it. */
export interface CallSignal {
  /** Whether the client went away or its deadline passed. */
  isCanceled(): boolean;
  /** Calls `listener` once when that happens. */
  onCancel(listener: () => void): void;
  /** Kinds, or patterns of kinds, that the call may be about; null for all. */
  readonly jobs: readonly string[] | null;
}

/** What answering a streaming call may know of it. */
export interface StreamSignal {
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
  /** As of {@link CallSignal}. */
  readonly jobs: readonly string[] | null;
}

/**
 * What answers the calls that a listener accepted, from bytes to bytes: the manager in this thread, or another thread
 * that has it. Callers are authenticated, and may call what they call; about which jobs, it keeps to.
 */
export interface Backend {
  /** @throws JobError */
  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array>;
  /** The messages of a streaming call, each made when the one before was taken. @throws JobError */
  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array>;
  /** Whether the store answers and the manager is not draining. */
  isServing(): Promise<boolean>;
}
