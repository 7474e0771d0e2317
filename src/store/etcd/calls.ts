import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { backoffMs } from "../../core/backoff.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import type { HostPort } from "../../core/settings/store_address.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import { methodPath, toBuffer } from "../../platform/network/grpc_bytes.ts";
import type { ClientTls } from "../../platform/network/tls.ts";
import { type EtcdFailure, explainFailure } from "./error.ts";
import { createMember, type EtcdMember } from "./member.ts";
import { Auth } from "./gen/etcd_pb.ts";

/** Waits before a call is sent again. */
const BACKOFF = { firstMs: 25, longestMs: 500 };
/** Shortest time for the first try of a call; each further try has twice that. */
const TRY_MS_MIN = 1_500;
/** Factor from recent call times to a try's limit: giving up too early makes its work useless. */
const TRY_SHARE = 3;
/** Share of the longest call's time that is remembered with each further call. */
const SLOW_DECAY = 0.95;
/** A connection that has received nothing for this long may be dead. */
const SILENT_MS_MAX = 10_000;

/** Connection settings of a cluster. */
export interface EtcdConnection {
  readonly endpoints: readonly HostPort[];
  readonly user: string | null;
  readonly password: string | null;
  /** Null for plaintext. */
  readonly tls: ClientTls | null;
  /** Limit of one call with all its tries, in milliseconds. */
  readonly timeoutMs: number;
}

/** Options of one call. */
export interface EtcdCallOptions {
  /** Its action, for messages: "read rows". */
  readonly action: string;
  /** A limit shorter than the connection's. */
  readonly timeoutMs?: number;
  /**
   * True for a write, which a try without a response may have made. Every failure is then
   * `unavailable`: the outcome is unknown.
   */
  readonly isWrite?: boolean;
  /** False once the response is unwanted; it is not retried then. */
  readonly isWanted?: () => boolean;
}

/** A response. */
export interface EtcdResponse<T> {
  readonly message: T;
  /** True if an earlier try of the request had no response: it may have been executed twice. */
  readonly isRepeated: boolean;
}

/** A bidirectional stream. */
export interface EtcdStream<M extends DescMethod> {
  send(message: MessageInitShape<M["input"]>): void;
  cancel(): void;
}

const asIs = (bytes: Buffer): Uint8Array => bytes;

/**
 * Calls to any responsive member of the cluster, with a token for a user. Every call has a deadline
 * and is retried at the next member after passing failures, so requests must be repeatable.
 */
export class EtcdCalls {
  readonly #connection: EtcdConnection;
  readonly #clock: Clock;
  #library: typeof grpc | null = null;
  #members: EtcdMember[] = [];
  #current = 0;
  #token: string | null = null;
  #slowMs = 0;
  #authenticating: Promise<void> | null = null;
  readonly #closing = new AbortController();

  constructor(connection: EtcdConnection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  get endpoint(): string {
    return this.#members[this.#current]?.address ?? "";
  }

  /** Recent duration of calls, in milliseconds. */
  get slowMs(): number {
    return this.#slowMs;
  }

  /** Load what calls need. Calls make the connections. */
  async open(): Promise<void> {
    this.#library ??= await import("@grpc/grpc-js");
    this.#members = this.#connection.endpoints.map((_, index) => this.#createMember(index));
  }

  close(): void {
    this.#closing.abort();
    for (const member of this.#members) member.client.close();
  }

  /** @throws JobError `unavailable` if no member responds in time, others as the server refuses */
  async call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    options: EtcdCallOptions,
  ): Promise<EtcdResponse<MessageShape<M["output"]>>> {
    const bytes = toBinary(method.input, create(method.input, request));
    const timeoutMs = Math.min(options.timeoutMs ?? Infinity, this.#connection.timeoutMs);
    const endMs = this.#now() + timeoutMs;
    let isRepeated = false;
    let hasNewToken = false;
    let lateTries = 0;
    for (let tries = 0;; tries += 1) {
      const index = this.#current;
      try {
        await this.#authenticate();
        const leftMs = Math.max(1, endMs - this.#now());
        const patientMs = Math.max(TRY_MS_MIN, TRY_SHARE * this.#slowMs) * 2 ** lateTries;
        const tryMs = Math.min(leftMs, patientMs);
        const response = await this.#send(index, method, bytes, { action: options.action, tryMs });
        return { message: decode(method, response), isRepeated };
      } catch (thrown) {
        if (thrown instanceof JobError) throw thrown;
        const failure = thrown as EtcdFailure;
        isRepeated ||= failure.isUnsure;
        if (failure.isLate) lateTries += 1;
        if (failure.isTokenOld && this.#connection.user !== null && !hasNewToken) {
          hasNewToken = true;
          this.#token = null;
          continue;
        }
        const isUnsure = isRepeated && options.isWrite === true;
        const isOver = this.#closing.signal.aborted || options.isWanted?.() === false;
        if (!failure.isPassing || isOver) throw errorOf(failure, isUnsure);
        this.#turnFrom(index);
        const waitMs = backoffMs(BACKOFF, tries);
        if (this.#now() + waitMs >= endMs) throw errorOf(failure, isUnsure);
        await sleep(this.#clock, waitMs, this.#closing.signal);
        if (options.isWanted?.() === false) throw errorOf(failure, isUnsure);
      }
    }
  }

  /**
   * Open a stream at the current member. `ended` is called once, with the reason; the next call
   * then uses another member.
   *
   * @throws JobError if there is no token
   */
  async stream<M extends DescMethod>(
    method: M,
    options: {
      readonly action: string;
      readonly received: (message: MessageShape<M["output"]>) => void;
      readonly ended: (error: JobError) => void;
    },
  ): Promise<EtcdStream<M>> {
    await this.#authenticate().catch((thrown) => {
      throw thrown instanceof JobError ? thrown : (thrown as EtcdFailure).error;
    });
    const index = this.#current;
    const member = this.#memberAt(index, options.action);
    const call = member.client.makeBidiStreamRequest(
      methodPath(method),
      toBuffer,
      asIs,
      this.#metadata(),
    );
    let hasEnded = false;
    const end = (thrown: grpc.ServiceError) => {
      if (hasEnded) return;
      hasEnded = true;
      member.streams.delete(abandon);
      const about = { action: options.action, endpoint: member.address, timeoutMs: 0 };
      const failure = explainFailure(thrown, about);
      if (failure.isTokenOld) this.#token = null;
      if (failure.isPassing) this.#turnFrom(index);
      options.ended(failure.error);
    };
    const abandon = () => {
      call.cancel();
      end({ code: 14, details: "the member does not respond" } as grpc.ServiceError);
    };
    member.streams.add(abandon);
    call.on("data", (bytes: Uint8Array) => {
      if (hasEnded) return;
      member.heardMs = this.#now();
      try {
        options.received(decode(method, bytes));
      } catch (thrown) {
        hasEnded = true;
        member.streams.delete(abandon);
        call.cancel();
        options.ended(toJobError(thrown, `Cannot ${options.action}`));
      }
    });
    call.on("error", end);
    call.on(
      "end",
      () => end({ code: 14, details: "the server ended the stream" } as grpc.ServiceError),
    );
    return {
      send: (message) => void call.write(toBinary(method.input, create(method.input, message))),
      cancel() {
        hasEnded = true;
        member.streams.delete(abandon);
        call.cancel();
      },
    };
  }

  #send(
    index: number,
    method: DescMethod,
    bytes: Uint8Array,
    { action, tryMs }: { readonly action: string; readonly tryMs: number },
  ): Promise<Uint8Array> {
    const member = this.#memberAt(index, action);
    const sentMs = this.#now();
    return new Promise((resolve, reject) => {
      member.client.makeUnaryRequest(
        methodPath(method),
        toBuffer,
        asIs,
        bytes,
        this.#metadata(),
        { deadline: this.#clock.now().wallMs + tryMs },
        (error, response) => {
          if (!error && response) {
            member.heardMs = this.#now();
            this.#slowMs = Math.max(member.heardMs - sentMs, SLOW_DECAY * this.#slowMs);
            return resolve(response);
          }
          const thrown = error ??
            { code: 13, details: "the response is empty" } as grpc.ServiceError;
          const timeoutMs = Math.round(tryMs);
          if (thrown.code === this.#library!.status.DEADLINE_EXCEEDED) this.#renew(index, member);
          else member.heardMs = this.#now();
          reject(explainFailure(thrown, { action, endpoint: member.address, timeoutMs }));
        },
      );
    });
  }

  /** A token for all calls, requested once at a time. */
  async #authenticate(): Promise<void> {
    const { user, password } = this.#connection;
    if (user === null || this.#token !== null) return;
    this.#authenticating ??= this.#askToken(user, password ?? "").finally(() => {
      this.#authenticating = null;
    });
    await this.#authenticating;
  }

  async #askToken(name: string, password: string): Promise<void> {
    const { authenticate } = Auth.method;
    const bytes = toBinary(authenticate.input, create(authenticate.input, { name, password }));
    const tryMs = Math.max(TRY_MS_MIN, this.#connection.timeoutMs / 2);
    const action = `authenticate as "${name}"`;
    const response = await this.#send(this.#current, authenticate, bytes, { action, tryMs });
    this.#token = fromBinary(authenticate.output, response).token;
  }

  #metadata(): grpc.Metadata {
    const metadata = new this.#library!.Metadata();
    // A member without a leader then refuses at once instead of waiting.
    metadata.set("hasleader", "true");
    if (this.#token !== null) metadata.set("token", this.#token);
    return metadata;
  }

  #memberAt(index: number, action: string): EtcdMember {
    const member = this.#members[index];
    if (member && !this.#closing.signal.aborted) return member;
    throw new JobError("unavailable", `Cannot ${action}: the connection to etcd is closed`);
  }

  #createMember(index: number): EtcdMember {
    const { endpoints, tls } = this.#connection;
    return createMember(this.#library!, endpoints[index]!, { tls, nowMs: this.#now() });
  }

  /** Replace a connection that has been silent for long. */
  #renew(index: number, member: EtcdMember): void {
    if (this.#now() - member.heardMs < SILENT_MS_MAX) return;
    if (this.#closing.signal.aborted || this.#members[index] !== member) return;
    this.#members[index] = this.#createMember(index);
    for (const abandon of [...member.streams]) abandon();
    member.client.close();
  }

  /** Switch to the next member, unless another call already has. */
  #turnFrom(index: number): void {
    if (this.#current === index) this.#current = (index + 1) % this.#members.length;
  }

  #now(): number {
    return this.#clock.now().monotonicMs;
  }
}

function errorOf({ error }: EtcdFailure, isUnsure: boolean): JobError {
  if (!isUnsure || error.code === "unavailable") return error;
  const { message, hint, cause } = error;
  return new JobError("unavailable", message, { hint, cause });
}

function decode<M extends DescMethod>(method: M, bytes: Uint8Array): MessageShape<M["output"]> {
  return fromBinary(method.output, bytes) as MessageShape<M["output"]>;
}
