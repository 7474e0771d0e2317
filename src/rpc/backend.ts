import type { SessionHolder } from "../manager/sessions/session.ts";
import type { METHODS } from "./gen/messages.ts";

/** Name of a method of JobService, as generated. */
export type MethodName = keyof typeof METHODS;

/** A method that returns a stream. */
export type StreamName = "follow" | "watch" | "workOnStore";

/** A method that returns a single message. */
export type UnaryName = Exclude<MethodName, StreamName>;

/** The caller of a method that depends on it. */
export interface CallerInfo {
  /** Its name in the log and the store. */
  readonly name: string;
  /** True for an admin of the whole daemon, and not of some jobs. */
  readonly isAdmin: boolean;
  /** Only for the methods about sessions: the holder of the caller's own ones. */
  readonly holder?: SessionHolder | null;
  /** The session that it calls with, and when that expires, in epoch ms; absent without one. */
  readonly session?: { readonly id: string; readonly expiresAt: number } | undefined;
}

/** A call as the manager's thread knows it. */
export interface CallInfo {
  /** True if the client disconnected or its deadline passed. */
  isCanceled(): boolean;
  /** Kinds, or patterns of kinds, that the call is limited to; null for all. */
  readonly jobs: readonly string[] | null;
  /** The caller, for methods that depend on it; absent for all others. */
  readonly caller?: CallerInfo | undefined;
  /** True to return arguments and results as JSON text, not as texts. */
  readonly isJson?: boolean | undefined;
}

/** A call as the listeners' thread knows it. */
export interface CallSignal extends CallInfo {
  /** Calls `listener` once when the call is canceled. */
  onCancel(listener: () => void): void;
}

/** A streaming call. */
export interface StreamSignal extends Pick<CallInfo, "jobs" | "isJson"> {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

/** The reads that a thread completes itself. */
export interface LocalReads {
  has(method: UnaryName): boolean;
  /** The response to a whole message, as JSON text. @throws JobError */
  json(method: UnaryName, request: object, call: CallInfo): Promise<string>;
}

/**
 * Completes accepted calls, bytes in and bytes out: with the manager in this thread, or through the
 * thread that has it. Callers are already authenticated and may call the method; the backend
 * enforces their list of jobs.
 */
export interface Backend<Call extends CallInfo = CallSignal> {
  /** Absent if it forwards all calls. */
  readonly reads?: LocalReads;
  /** @throws JobError */
  complete(method: UnaryName, request: Uint8Array, call: Call): Promise<Uint8Array>;
  /** Messages of a stream, each produced once the previous one was consumed. @throws JobError */
  stream(method: StreamName, request: Uint8Array, call: StreamSignal): AsyncIterable<Uint8Array>;
}
