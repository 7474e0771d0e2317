import type { MethodName, StreamName } from "./handlers.ts";

/** A method with a single response message. */
export type UnaryName = Exclude<MethodName, StreamName>;

/** What a backend knows about a call. */
export interface CallSignal {
  /** Whether the client disconnected or its deadline passed. */
  isCanceled(): boolean;
  /** Calls `listener` once when that happens. */
  onCancel(listener: () => void): void;
  /** Kinds, or patterns of kinds, that the call is limited to; null for all. */
  readonly jobs: readonly string[] | null;
}

/** What a backend knows about a streaming call. */
export interface StreamSignal {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** As of {@link CallSignal}. */
  readonly jobs: readonly string[] | null;
}

/**
 * Answers accepted calls, bytes in and bytes out: the manager in this thread, or another thread
 * that has it. Callers are already authenticated and authorized for the method; the backend
 * enforces their list of jobs.
 */
export interface Backend {
  /** @throws JobError */
  answer(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array>;
  /**
   * The messages of a streaming call, each produced once the previous one was consumed. @throws
   * JobError
   */
  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array>;
  /** Whether the store responds and the manager is not draining. */
  isServing(): Promise<boolean>;
}
