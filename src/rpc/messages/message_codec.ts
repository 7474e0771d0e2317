import { fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { JobError, messageOf } from "../../core/errors.ts";
import { checkTexts } from "./text_fields.ts";
import type { WireRecord } from "./wire_record.ts";
import { writeRecord } from "./write_record.ts";

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

/**
 * Encode a response.
 *
 * @param isJson arguments and results as JSON text, and not as texts
 */
export function encodeResponse<T extends DescMessage>(
  schema: T,
  response: MessageInitShape<T> | WireRecord<T>,
  isJson = false,
): Uint8Array {
  if (isMessage(response, schema)) return toBinary(schema, response);
  return writeRecord(schema, response as WireRecord<T>, isJson);
}
