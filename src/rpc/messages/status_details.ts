import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** Trailing metadata of gRPC itself that carries a google.rpc.Status. */
export const STATUS_DETAILS = "grpc-status-details-bin";

const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";
const LENGTH_DELIMITED = 2;

/** One field of a request that is wrong. */
export interface FieldViolation {
  /** Path of the field or the parameter, such as `order.lines[2].price`. */
  readonly field: string;
  readonly description: string;
}

/**
 * A google.rpc.Status with a google.rpc.BadRequest of one violation, as bytes.
 *
 * Both are written by hand: they are six fields that never change.
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
