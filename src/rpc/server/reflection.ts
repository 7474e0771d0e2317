import {
  create,
  createFileRegistry,
  createRegistry,
  type DescFile,
  fromBinary,
  fromJsonString,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  file_google_protobuf_descriptor,
  file_google_protobuf_timestamp,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import type * as grpc from "@grpc/grpc-js";
import { JobError, messageOf } from "../../core/errors.ts";
import { TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { GRPC_STATUS } from "../errors.ts";
import { file_health } from "../gen/health_pb.ts";
import { file_job } from "../gen/job_pb.ts";
import {
  file_reflection_v1,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/reflection_v1_pb.ts";
import { REFLECTION } from "../limits.ts";

/** A reflection call: one response to each request, in order. */
export type ReflectionStream = grpc.ServerDuplexStream<Uint8Array, Uint8Array>;

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"];

// The service under its earlier name, which many clients still use first.
const EARLIER_FILE = "reflection_v1alpha.proto";
const EARLIER = createFileRegistry(earlierOf(file_reflection_v1), () => undefined)
  .getFile(EARLIER_FILE)!;

const FILES: readonly DescFile[] = [
  file_job,
  file_health,
  file_reflection_v1,
  EARLIER,
  file_google_protobuf_timestamp,
  file_google_protobuf_descriptor,
];

// The same for every caller.
const FILE_BYTES = new Map(
  FILES.map((file) => [file, toBinary(FileDescriptorProtoSchema, file.proto)]),
);
const TYPES = createRegistry(...FILES);
const SERVICES = FILES.flatMap(({ services }) => services.map(({ typeName }) => typeName)).sort();

/** The description of reflection with the package of its earlier version. */
function earlierOf({ proto }: DescFile): FileDescriptorProto {
  const text = toJsonString(FileDescriptorProtoSchema, proto)
    .replaceAll(proto.package, `${proto.package}alpha`)
    .replace(proto.name, EARLIER_FILE);
  return fromJsonString(FileDescriptorProtoSchema, text);
}

function responseTo({ messageRequest }: ServerReflectionRequest): Response {
  const { case: what, value } = messageRequest;
  switch (what) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: SERVICES.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return fileResponse(FILES.find(({ proto }) => proto.name === value), "file", value);
    case "fileContainingSymbol":
      return fileResponse(fileOfSymbol(value), "symbol", value);
    case "allExtensionNumbersOfType":
      return extensionsOf(value);
    case "fileContainingExtension": {
      const extended = TYPES.getMessage(value.containingType);
      const found = extended && TYPES.getExtensionFor(extended, value.extensionNumber);
      const name = `${value.containingType}:${value.extensionNumber}`;
      return fileResponse(found?.file, "extension", name);
    }
    case undefined:
      return problem(GRPC_STATUS.invalid_argument, "Cannot reflect: the request is empty");
  }
}

/** The numbers of the fields that the contract adds to a message of protobuf's own. */
function extensionsOf(name: string): Response {
  if (!TYPES.getMessage(name)) return unknown("message type", name);
  const extensions = FILES.flatMap((file) => file.extensions);
  const extensionNumber = extensions.filter(({ extendee }) => extendee.typeName === name)
    .map(({ number }) => number);
  return {
    case: "allExtensionNumbersResponse",
    value: { baseTypeName: name, extensionNumber },
  };
}

/** The file that declares a type, or a field or method of one; undefined if none does. */
function fileOfSymbol(name: string): DescFile | undefined {
  const type = TYPES.get(name);
  if (type) return type.file;
  const dot = name.lastIndexOf(".");
  const parent = TYPES.get(name.slice(0, dot));
  const members = parent?.kind === "message"
    ? parent.fields
    : parent?.kind === "service"
    ? parent.methods
    : [];
  return members.some((member) => member.name === name.slice(dot + 1)) ? parent?.file : undefined;
}

/** A file and its imports, so that one request is enough. */
function fileResponse(file: DescFile | undefined, what: string, name: string): Response {
  if (!file) return unknown(what, name);
  const fileDescriptorProto = [file, ...file.dependencies].map((one) => FILE_BYTES.get(one)!);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function unknown(what: string, name: string): Response {
  return problem(GRPC_STATUS.not_found, `Cannot find ${what} "${name}"`);
}

function problem(errorCode: number, errorMessage: string): Response {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** The response to the bytes of one request. @throws JobError `invalid_argument` */
function respond(bytes: Uint8Array): Uint8Array {
  const originalRequest = readRequest(bytes);
  const response = create(ServerReflectionResponseSchema, {
    validHost: originalRequest.host,
    originalRequest,
    messageResponse: responseTo(originalRequest),
  });
  return toBinary(ServerReflectionResponseSchema, response);
}

function readRequest(bytes: Uint8Array): ServerReflectionRequest {
  let request: ServerReflectionRequest;
  try {
    request = fromBinary(ServerReflectionRequestSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw invalid(messageOf(error), "The bytes must be a protobuf message");
  }
  const { host, messageRequest: { value } } = request;
  const name = typeof value === "object" ? value.containingType : value ?? "";
  if (Math.max(host.length, name.length) <= TEXT_LENGTH_MAX.name) return request;
  throw invalid(`a text is longer than ${TEXT_LENGTH_MAX.name} characters`);
}

function invalid(problem: string, hint?: string): JobError {
  return new JobError("invalid_argument", `Cannot read ServerReflectionRequest: ${problem}`, {
    hint,
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
 * The responses of one reflection call. A stream without a request for some seconds ends; clients
 * open another one when they need it.
 */
export async function* reflect(
  stream: ReflectionStream,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  let count = 0;
  let bytesLeft: number = REFLECTION.requestBytesMax;
  for (;;) {
    const request = await nextRequest(stream, options);
    if (request === null) return;
    count += 1;
    bytesLeft -= request.byteLength;
    if (count > REFLECTION.requestsMax || bytesLeft < 0) throw tooMuch();
    yield respond(request);
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
