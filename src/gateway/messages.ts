import type { ErrorCode } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { UnaryName } from "../rpc/backend.ts";
import type { AuthConfig } from "../rpc/credentials.ts";
import type { StreamName } from "../rpc/handlers.ts";
import type { ConnectionLimits } from "./connection_limits.ts";
import type { RpcAddresses, RpcServerConfig } from "../rpc/server.ts";
import type { LogFields, LoggerLevel } from "../platform/logger.ts";

// What the listeners' thread and the manager's thread say to each other. Each turn of an event loop sends one message with
// all its frames; their payloads lie one after the other in one buffer, which changes hands.

/** Where and for whom to listen. */
export interface GatewayConfig {
  readonly rpc: RpcServerConfig;
  /** Null turns HTTP off. */
  readonly http:
    | { readonly host: string; readonly port: number; readonly hosts: readonly string[] }
    | null;
  readonly connectionsMax: ConnectionLimits;
  /** The SQLite file that the manager's store owns, to read from in the listeners' thread; null for any other store. */
  readonly database: string | null;
}

/** Where a started gateway listens. */
export interface GatewayAddresses {
  readonly rpc: RpcAddresses;
  readonly http: { readonly host: string; readonly port: number } | null;
}

/** A JobError as it changes threads. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly path: string | undefined;
}

/** What the listeners ask the manager for that is no call of its API. */
export type Question =
  | { readonly name: "isServing" | "unreadiness" | "metrics" | "listPauses" | "kinds" }
  | { readonly name: "blockOf"; readonly instance: Instance }
  | { readonly name: "unservedKinds"; readonly kinds: readonly string[] }
  | { readonly name: "isKnown" | "assertKnown" | "disabledBecause"; readonly kind: string };

/** Of which instance something was committed. */
export interface Change {
  readonly id: string;
  readonly kind: string;
}

/** From the listeners to the manager. */
export type Request =
  /** Answer a call; the payload is its message. */
  | {
    readonly type: "call";
    readonly id: number;
    readonly method: UnaryName;
    readonly bytes: number;
    /** Which jobs it may be about; null for all. */
    readonly jobs: readonly string[] | null;
  }
  /** Begin a stream; the payload is its request. */
  | {
    readonly type: "stream";
    readonly id: number;
    readonly method: StreamName;
    readonly bytes: number;
    readonly jobs: readonly string[] | null;
  }
  /** The message before was taken: send the next one. */
  | { readonly type: "next"; readonly id: number }
  /** Nobody waits for the answer any longer. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "ask"; readonly id: number; readonly question: Question }
  /** Begin, or cease, to send changes. */
  | { readonly type: "watch"; readonly isOn: boolean };

/** From the manager to the listeners. */
export type Answer =
  /** The message of a call; the payload. */
  | { readonly type: "message"; readonly id: number; readonly bytes: number }
  /** The end of a stream. */
  | { readonly type: "end"; readonly id: number }
  | { readonly type: "fail"; readonly id: number; readonly error: PlainError }
  | { readonly type: "told"; readonly id: number; readonly value: unknown }
  /** Changes of this turn, each instance once; null for more than can be listed. */
  | { readonly type: "changes"; readonly changes: readonly Change[] | null };

/** All frames of a turn. */
export interface Batch<Frame> {
  readonly type: "batch";
  readonly frames: readonly Frame[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What the manager's thread sends. */
export type ToGateway =
  | { readonly type: "start"; readonly config: GatewayConfig }
  /** Close the database: its owner is about to. */
  | { readonly type: "closeDatabase" }
  /** Who may call has changed. */
  | { readonly type: "adopt"; readonly auth: AuthConfig }
  | { readonly type: "stop" }
  | Batch<Answer>;

/** What the listeners' thread sends. */
export type FromGateway =
  | { readonly type: "started"; readonly addresses: GatewayAddresses }
  | { readonly type: "refused"; readonly error: PlainError }
  | { readonly type: "databaseClosed" }
  | { readonly type: "stopped" }
  | {
    readonly type: "log";
    readonly level: LoggerLevel;
    readonly message: string;
    readonly fields: LogFields;
  }
  | Batch<Request>;
