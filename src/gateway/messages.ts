import type { SiteConfig } from "../core/address.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { HttpAddress } from "../http/server/server.ts";
import type { StatusSource } from "../http/monitoring/status_source.ts";
import type { LiveFacts } from "../manager/api.ts";
import type { SessionFacts } from "../manager/sessions/session.ts";
import type { CallerInfo, StreamName, UnaryName } from "../rpc/backend.ts";
import type { ListenerName } from "../platform/network/held_sockets.ts";
import type { AuthConfig, ServerConfig } from "../platform/network/server_config.ts";
import type { ConnectionLimits } from "./connection_limits.ts";
import type { RpcAddresses } from "../rpc/server/server.ts";
import type { LogFields, LoggerLevel } from "../platform/logger.ts";

// Messages between the listeners' thread and the manager's thread. Several frames of one event loop
// turn travel in one message. Frequent frames and all payloads are in one buffer, which is
// transferred; other frames are objects beside it.

/** Addresses of the listeners, and their allowed callers. */
export interface GatewayConfig {
  readonly rpc: ServerConfig;
  /** Null turns HTTP off. */
  readonly http:
    | {
      readonly host: string;
      readonly port: number;
      /** Host names that clients may use, in addition to its address and the machine's name. */
      readonly hosts: readonly string[];
      /** Origins of other sites whose pages may use the API. */
      readonly origins: readonly string[];
      /** Public location of the site. */
      readonly site: SiteConfig;
    }
    | null;
  readonly connectionsMax: ConnectionLimits;
  /** The store's SQLite file, for reads by the listeners' thread; null for other stores. */
  readonly database: string | null;
}

/** Addresses of a started gateway. */
export interface GatewayAddresses {
  readonly rpc: RpcAddresses;
  /** Null if HTTP is off, or its address cannot be opened at the moment. */
  readonly http: HttpAddress | null;
  /** Why listeners cannot be opened at the moment; they are tried again. */
  readonly problems: readonly string[];
  /** The descriptors of open TCP listeners, where the runtime shows them. */
  readonly descriptors: Descriptors;
}

/** Descriptors of listeners; null for none. */
export type Descriptors = Readonly<Record<ListenerName, number | null>>;

/** A JobError as data, to pass between threads. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly path: string | undefined;
  readonly options: readonly string[];
}

/** Facts that the listeners request from the manager in addition to API calls. */
export type Facts = LiveFacts & StatusSource & SessionFacts;

/** A call of one method of {@link Facts}. */
export interface Question<Name extends keyof Facts = keyof Facts> {
  readonly name: Name;
  readonly args: Parameters<Facts[Name]>;
}

/** An instance that a commit has changed. */
export interface Change {
  readonly id: string;
  readonly kind: string;
  /** True if its state or progress has changed, and not only its log. */
  readonly isState: boolean;
}

/** From the listeners to the manager. */
export type Request =
  /** Complete a call; the payload is its message. */
  | {
    readonly type: "call";
    readonly id: number;
    readonly method: UnaryName;
    /** The jobs it is limited to; null for all. */
    readonly jobs: readonly string[] | null;
    /** The caller, for methods that depend on it. */
    readonly caller?: CallerInfo | undefined;
    /** True if arguments and results are to be returned as JSON text. */
    readonly isJson?: boolean | undefined;
  }
  /** Start a stream; the payload is its request. */
  | {
    readonly type: "stream";
    readonly id: number;
    readonly method: StreamName;
    readonly jobs: readonly string[] | null;
    readonly isJson?: boolean | undefined;
  }
  /** The previous message was consumed: send the next one. */
  | { readonly type: "next"; readonly id: number }
  /** The response is no longer needed. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "ask"; readonly id: number; readonly question: Question }
  /** Start or stop sending changes. */
  | { readonly type: "watch"; readonly isOn: boolean };

/** From the manager to the listeners. */
export type Answer =
  /** The response of a call, or a message of a stream: the payload. */
  | { readonly type: "message"; readonly id: number }
  | { readonly type: "end"; readonly id: number }
  | { readonly type: "fail"; readonly id: number; readonly error: PlainError }
  | { readonly type: "fact"; readonly id: number; readonly value: unknown }
  /** Changes since the previous ones, each instance once; null if there are too many to list. */
  | { readonly type: "changes"; readonly changes: readonly Change[] | null };

/** Frames of one event loop turn: the bare buffer if no frame is an object. */
export type Batch<Frame> = ArrayBuffer | {
  readonly type: "batch";
  readonly buffer: ArrayBuffer;
  readonly objects: readonly Frame[];
};

/** Sends a batch to the other thread. */
export type PostBatch<Frame> = (
  batch: Batch<Frame>,
  transfer: readonly ArrayBuffer[],
) => void;

/** Messages of the manager's thread. */
export type ToGateway =
  | {
    readonly type: "start";
    readonly config: GatewayConfig;
    /** Sockets that listen already. */
    readonly descriptors: Descriptors;
    /** True if the daemon has worked before: then no address ends it. */
    readonly hasWorked: boolean;
  }
  /** Close the database: its owner is about to close it. */
  | { readonly type: "closeDatabase" }
  | { readonly type: "adopt"; readonly auth: AuthConfig }
  | { readonly type: "stop" }
  | Batch<Answer>;

/** Messages of the listeners' thread. */
export type FromGateway =
  | { readonly type: "started"; readonly addresses: GatewayAddresses }
  /** A listener was opened after the start, or cannot be opened for another reason than before. */
  | { readonly type: "listening"; readonly addresses: GatewayAddresses }
  | { readonly type: "refused"; readonly error: PlainError }
  | { readonly type: "databaseClosed" }
  | { readonly type: "stopped" }
  /** A token that must be masked from now on. */
  | { readonly type: "token"; readonly token: string }
  | {
    readonly type: "log";
    readonly level: LoggerLevel;
    readonly message: string;
    readonly fields: LogFields;
  }
  | Batch<Request>;
