import {
  type DescFile,
  type DescMessage,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { file_google_protobuf_timestamp, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type * as grpc from "@grpc/grpc-js";
import { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { decodeRequest, encodeResponse } from "../messages/message_codec.ts";
import type { CallTracker } from "../guard/call_tracker.ts";
import { GRPC_STATUS } from "../errors.ts";
import { file_health } from "../gen/health_pb.ts";
import { file_job } from "../gen/job_pb.ts";
import {
  file_reflection_v1,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/reflection_v1_pb.ts";
import { file_reflection_v1alpha } from "../gen/reflection_v1alpha_pb.ts";
import { REFLECTION } from "../limits.ts";
import { writeMessage } from "./write_message.ts";

/** A reflection call: one response to each request, in order. */
export type ReflectionStream = grpc.ServerDuplexStream<Uint8Array, Uint8Array>;

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"];

const FILES: readonly DescFile[] = [
  file_job,
  file_health,
  file_reflection_v1,
  file_reflection_v1alpha,
  file_google_protobuf_timestamp,
];

/** The descriptors of this program; the same for every caller. */
class Descriptors {
  readonly #bytes = new Map<DescFile, Uint8Array>();
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();
  readonly #services: string[] = [];

  constructor(files: readonly DescFile[]) {
    for (const file of files) {
      this.#files.set(file.proto.name, file);
      this.#bytes.set(file, toBinary(FileDescriptorProtoSchema, file.proto));
      for (const type of nestedTypes(file)) {
        this.#symbols.set(type.typeName, file);
        if (type.kind === "message") this.#addMessage(type, file);
      }
      for (const service of file.services) {
        this.#services.push(service.typeName);
        this.#symbols.set(service.typeName, file);
        for (const { name } of service.methods) {
          this.#symbols.set(`${service.typeName}.${name}`, file);
        }
      }
    }
  }

  /** The response to one request. */
  respond({ messageRequest }: ServerReflectionRequest): Response {
    const { case: what, value } = messageRequest;
    switch (what) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: this.#services.toSorted().map((name) => ({ name })) },
        };
      case "fileByFilename":
        return this.#fileResponse(this.#files.get(value), "file", value);
      case "fileContainingSymbol":
        return this.#fileResponse(this.#symbols.get(value), "symbol", value);
      case "allExtensionNumbersOfType":
        // A contract in proto3 has no extensions.
        return this.#messages.has(value)
          ? { case: "allExtensionNumbersResponse", value: { baseTypeName: value } }
          : unknown("message type", value);
      case "fileContainingExtension":
        return unknown("extension", `${value.containingType}:${value.extensionNumber}`);
      case undefined:
        return problem(
          GRPC_STATUS.invalid_argument,
          "Cannot reflect: the request is empty",
        );
    }
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#messages.add(message.typeName);
    for (const { name } of message.fields) this.#symbols.set(`${message.typeName}.${name}`, file);
  }

  /** A file and its imports, so that one request is enough. */
  #fileResponse(file: DescFile | undefined, what: string, name: string): Response {
    if (!file) return unknown(what, name);
    const fileDescriptorProto = [file, ...file.dependencies].map((one) => this.#bytes.get(one)!);
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }
}

function unknown(what: string, name: string): Response {
  return problem(GRPC_STATUS.not_found, `Cannot find ${what} "${name}"`);
}

function problem(errorCode: number, errorMessage: string): Response {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

let descriptors: Descriptors | null = null;

/** The response to the bytes of one request. @throws JobError `invalid_argument` */
function respond(bytes: Uint8Array): Uint8Array {
  descriptors ??= new Descriptors(FILES);
  const originalRequest = decodeRequest(ServerReflectionRequestSchema, bytes);
  return encodeResponse(ServerReflectionResponseSchema, {
    validHost: originalRequest.host,
    originalRequest,
    messageResponse: descriptors.respond(originalRequest),
  });
}

/**
 * The next request; null when the client has sent its last, disconnected, or sent nothing for a
 * while. An iterator of the stream would destroy the stream before its status was sent.
 */
async function nextRequest(
  stream: ReflectionStream,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Uint8Array | null> {
  let isOver = false;
  let wake = () => {};
  const end = () => {
    isOver = true;
    wake();
  };
  const onReadable = () => wake();
  const timer = clock.timer(REFLECTION.idleMs, end, { unref: true });
  stream.on("readable", onReadable).on("end", end);
  signal.addEventListener("abort", end);
  try {
    for (;;) {
      const request: Uint8Array | null = stream.read();
      if (request !== null) return request;
      if (isOver || signal.aborted || stream.readableEnded) return null;
      await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    timer.cancel();
    stream.off("readable", onReadable).off("end", end);
    signal.removeEventListener("abort", end);
  }
}

/**
 * Serve one reflection call. Each response waits until the client has read the previous one. A
 * stream without a request for some seconds ends; clients open another one when they need it.
 */
export async function reflect(
  stream: ReflectionStream,
  { clock, tracker, signal }: {
    readonly clock: Clock;
    readonly tracker: CallTracker;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  let count = 0;
  let bytesLeft: number = REFLECTION.requestBytesMax;
  for (;;) {
    const request = await nextRequest(stream, { clock, signal });
    if (request === null) return;
    count += 1;
    bytesLeft -= request.byteLength;
    if (count > REFLECTION.requestsMax || bytesLeft < 0) throw tooMuch();
    const bytes = respond(request);
    const taken = tracker.sendMessage(stream.getPeer(), bytes.byteLength);
    await writeMessage(stream, bytes, { clock, signal }).finally(taken);
  }
}

function tooMuch(): JobError {
  const { requestsMax, requestBytesMax } = REFLECTION;
  return new JobError(
    "resource_exhausted",
    `Cannot reflect any longer: a stream has at most ${requestsMax} requests of ` +
      `${requestBytesMax} bytes in total`,
    { hint: "Open another stream" },
  );
}
