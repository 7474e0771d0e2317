import type { MethodName, StreamName } from "./handlers.ts";

/** A method with a single response message. */
export type UnaryName = Exclude<MethodName, StreamName>;

/** What a backend in the manager's thread knows about a call. */
export interface CallInfo {
  /** True if the client disconnected or its deadline passed. */
  isCanceled(): boolean;
  /** Kinds, or patterns of kinds, that the call is limited to; null for all. */
  readonly jobs: readonly string[] | null;
}

/** What a backend beside the listeners knows about a call. */
export interface CallSignal extends CallInfo {
  /** Calls `listener` once when the call is canceled. */
  onCancel(listener: () => void): void;
}

/** What a backend knows about a streaming call. */
export interface StreamSignal {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** As of {@link CallInfo}. */
  readonly jobs: readonly string[] | null;
}

/**
 * Answers accepted calls, bytes in and bytes out: the manager in this thread, or another thread
 * that has it. Callers are already authenticated and authorized for the method; the backend
 * enforces their list of jobs.
 */
export interface Backend<Call extends CallInfo = CallSignal> {
  /** @throws JobError */
  answer(method: UnaryName, request: Uint8Array, call: Call): Promise<Uint8Array>;
  /**
   * The messages of a streaming call, each produced once the previous one was consumed. @throws
   * JobError
   */
  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array>;
  /** True if the store responds and the manager is not draining. */
  isServing(): Promise<boolean>;
}
