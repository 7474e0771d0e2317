import type * as grpc from "@grpc/grpc-js";
import { JobError, toJobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { encodeMessage } from "../model/message_codec.ts";
import { toStatus } from "./calls.ts";
import type {
  HealthCheckRequest,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/health_pb.ts";
import { SERVICE } from "../model/methods.ts";

const REQUEST = "grpc.health.v1.HealthCheckRequest";
const RESPONSE = "grpc.health.v1.HealthCheckResponse";
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
/** Interval between checks of the status while anyone watches it. */
const WATCH_MS = 5_000;
/** Most concurrent watches. */
const WATCHES_MAX = 100;

type Unary = grpc.handleUnaryCall<Uint8Array, Uint8Array>;
type Stream = grpc.ServerWritableStream<Uint8Array, Uint8Array>;

/** The standard health service. */
export class HealthService {
  readonly #isServing: () => Promise<boolean>;
  readonly #checking: LazyTimer;
  readonly #watches = new Map<Stream, ServingStatus | null>();
  #isStopping = false;

  constructor(isServing: () => Promise<boolean>, clock: Clock) {
    this.#isServing = isServing;
    this.#checking = new LazyTimer(clock, () => void this.#sendChanges());
  }

  readonly handlers: grpc.UntypedServiceImplementation = {
    check: ((call, callback) => {
      this.#check(call.request).then(
        (bytes) => callback(null, bytes),
        (error) => callback(toStatus(toJobError(error, "Cannot check health"))),
      );
    }) satisfies Unary,
    watch: (call: Stream) => this.#watch(call),
  };

  /** Report to every watch that the service is stopping, and end it. */
  stop(): void {
    this.#isStopping = true;
    this.#checking.cancel();
    for (const [stream, last] of this.#watches) {
      if (last !== SERVICE_UNKNOWN) this.#send(stream, NOT_SERVING);
      stream.end();
    }
    this.#watches.clear();
  }

  async #check(bytes: Uint8Array): Promise<Uint8Array> {
    const { service } = decodeRequest<HealthCheckRequest>(REQUEST, bytes);
    if (!isKnown(service)) {
      throw new JobError("not_found", `Cannot check service "${service}": no such service`, {
        hint: `Known: "" and "${SERVICE}"`,
      });
    }
    return encodeMessage(RESPONSE, { status: await this.#status() });
  }

  async #status(): Promise<ServingStatus> {
    const isServing = !this.#isStopping && await this.#isServing().catch(() => false);
    return isServing ? SERVING : NOT_SERVING;
  }

  #watch(stream: Stream): void {
    let service: string;
    try {
      service = decodeRequest<HealthCheckRequest>(REQUEST, stream.request).service;
      if (this.#watches.size >= WATCHES_MAX) {
        throw new JobError(
          "resource_exhausted",
          `Cannot watch health: ${WATCHES_MAX} watches are open`,
        );
      }
    } catch (error) {
      stream.emit("error", toStatus(toJobError(error, "Cannot watch health")));
      return;
    }
    this.#watches.set(stream, null);
    stream.on("cancelled", () => void this.#watches.delete(stream));
    if (!isKnown(service)) return this.#send(stream, SERVICE_UNKNOWN);
    void this.#status().then((status) => this.#send(stream, status));
    this.#checking.setWithin(WATCH_MS);
  }

  async #sendChanges(): Promise<void> {
    if (this.#watches.size === 0) return;
    const status = await this.#status();
    if (this.#isStopping) return;
    for (const [stream, last] of this.#watches) {
      if (last !== null && last !== status && last !== SERVICE_UNKNOWN) {
        this.#send(stream, status);
      }
    }
    this.#checking.setWithin(WATCH_MS);
  }

  #send(stream: Stream, status: ServingStatus): void {
    if (!this.#watches.has(stream)) return;
    this.#watches.set(stream, status);
    stream.write(encodeMessage(RESPONSE, { status }));
  }
}

function isKnown(service: string): boolean {
  return service === "" || service === SERVICE;
}
