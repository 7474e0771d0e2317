import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { JobError, messageOf, toJobError } from "../../core/errors.ts";
import { type CallState, type Handlers, newCall } from "../handlers/handlers.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";
import { checkTexts } from "../messages/text_fields.ts";

/** From this size on, copying bytes takes longer than another reference to them. */
const LARGE_BYTES = 64 * 1024;

/**
 * The bytes as a Buffer. Small ones are copied: Bun takes longer to reference the memory of a small
 * array than to copy it.
 */
export function toBuffer(bytes: Uint8Array): Buffer {
  if (bytes.byteLength < LARGE_BYTES) return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The path of a method in HTTP/2. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * A service for grpc-js from generated descriptors. Messages are passed as bytes and decoded by the
 * handlers: an invalid one then gets the right status, and only after the call was authenticated.
 */
export function serviceDefinition(service: DescService): grpc.ServiceDefinition {
  const definition: Record<string, grpc.MethodDefinition<Uint8Array, Uint8Array>> = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      ...streamDefinition(methodPath(method)),
      requestStream: method.methodKind === "client_streaming" ||
        method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" ||
        method.methodKind === "bidi_streaming",
    };
  }
  return definition;
}

/** A method for grpc-js, by its path, with streams of bytes in both directions. */
export function streamDefinition(path: string): grpc.MethodDefinition<Uint8Array, Uint8Array> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: toBuffer,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: toBuffer,
    responseDeserialize: (bytes) => bytes,
  };
}

/**
 * Decode a request.
 *
 * @throws JobError `invalid_argument` for bytes that are not a valid message, invalid UTF-8
 * included, and for a text that is too long
 */
export function decodeRequest<T extends DescMessage>(
  schema: T,
  bytes: Uint8Array,
): MessageShape<T> {
  const message = readMessage(schema, bytes);
  checkTexts(schema, message);
  return message;
}

function readMessage<T extends DescMessage>(schema: T, bytes: Uint8Array): MessageShape<T> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new JobError("invalid_argument", `Cannot read ${schema.name}: ${messageOf(error)}`, {
      hint: "The bytes must be a protobuf message, and its strings valid UTF-8",
      cause: error,
    });
  }
}

/** Encode an answer. */
export function encodeAnswer<T extends DescMessage>(schema: T, init: MessageInitShape<T>) {
  return toBinary(schema, create(schema, init));
}

/**
 * Answer one unary call from bytes to bytes. If the response exceeds one message, the request is
 * repeated with a smaller page, or in brief.
 *
 * @throws JobError
 */
export async function answerCall(
  method: DescMethod,
  handlers: Partial<Handlers>,
  bytes: Uint8Array,
  isCanceled: () => boolean,
): Promise<Uint8Array> {
  const request = decodeRequest(method.input, bytes);
  const handle = handlers[method.localName as keyof Handlers] as unknown as (
    request: unknown,
    call: CallState,
  ) => Promise<MessageInitShape<DescMessage>>;
  const call = newCall(isCanceled);
  try {
    for (;;) {
      const answer = encodeAnswer(method.output, await handle(request, call));
      if (answer.byteLength <= MESSAGE_BYTES_MAX) return answer;
      if (call.pageItems <= 1 && call.canBeBrief && !call.isBrief) {
        call.isBrief = true;
        continue;
      }
      if (call.pageItems <= 1) throw tooLarge(method, answer.byteLength);
      const share = MESSAGE_BYTES_MAX / answer.byteLength * 0.8;
      call.pageLimit = Math.max(1, Math.floor(call.pageItems * share));
    }
  } catch (error) {
    throw toJobError(error, `Cannot complete ${method.name}`);
  }
}

function tooLarge(method: DescMethod, bytes: number): JobError {
  return new JobError(
    "resource_exhausted",
    `Cannot complete ${method.name}: the response has ${bytes} bytes, at most ${MESSAGE_BYTES_MAX} fit into one message`,
    { hint: "Keep large data in a file or a database and pass its name" },
  );
}
