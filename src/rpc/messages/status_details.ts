import type { FieldViolation } from "../errors.ts";
import { encodeMessage } from "../model/message_codec.ts";

/** Trailing metadata in which gRPC itself sends a google.rpc.Status. */
export const STATUS_DETAILS = "grpc-status-details-bin";

const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";

/** A google.rpc.Status with a google.rpc.BadRequest of one violation, as bytes. */
export function encodeBadRequest(
  code: number,
  message: string,
  violation: FieldViolation,
): Uint8Array {
  const value = encodeMessage("google.rpc.BadRequest", { fieldViolations: [violation] });
  const details = [{ typeUrl: BAD_REQUEST, value }];
  return encodeMessage("google.rpc.Status", { code, message, details });
}
