import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { FieldViolation } from "../errors.ts";

/** Trailing metadata in which gRPC itself sends a google.rpc.Status. */
export const STATUS_DETAILS = "grpc-status-details-bin";

const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";
const LENGTH_DELIMITED = 2;

/**
 * A google.rpc.Status with a google.rpc.BadRequest of one violation, as bytes. Written by hand: the
 * two have six fields that never change.
 */
export function encodeBadRequest(
  code: number,
  message: string,
  violation: FieldViolation,
): Uint8Array {
  const { field, description } = violation;
  const fieldViolation = new BinaryWriter()
    .tag(1, LENGTH_DELIMITED).string(field)
    .tag(2, LENGTH_DELIMITED).string(description);
  const badRequest = new BinaryWriter().tag(1, LENGTH_DELIMITED).bytes(fieldViolation.finish());
  const any = new BinaryWriter()
    .tag(1, LENGTH_DELIMITED).string(BAD_REQUEST)
    .tag(2, LENGTH_DELIMITED).bytes(badRequest.finish());
  return new BinaryWriter()
    .tag(1, 0).int32(code)
    .tag(2, LENGTH_DELIMITED).string(message)
    .tag(3, LENGTH_DELIMITED).bytes(any.finish())
    .finish();
}
