import { status } from "@grpc/grpc-js";

/** The part of grpc-js's call that reads the frame of a message. */
interface MessageReader {
  decompressMessage?(message: Uint8Array, encoding: string): Uint8Array | Promise<Uint8Array>;
}

/**
 * Refuse messages of this call with an unknown flag, or flagged as compressed without a header that
 * names the compression, as gRPC requires. grpc-js reads them as if they were not compressed.
 */
export function checkCompressedFlag(call: object): void {
  const reader = call as MessageReader;
  if (reader.decompressMessage !== undefined) reader.decompressMessage = decompressChecked;
}

function decompressChecked(
  this: MessageReader,
  message: Uint8Array,
  encoding: string,
): Uint8Array | Promise<Uint8Array> {
  const flag = message[0]!;
  if (flag > 1 || (flag === 1 && encoding === "identity")) {
    const details = flag > 1
      ? `Cannot read the message: its flag is ${flag}, wanted 0 or 1`
      : "Cannot read the message: it is compressed, and the header grpc-encoding does not say how";
    return Promise.reject({ code: status.INTERNAL, details });
  }
  const { decompressMessage } = Object.getPrototypeOf(this) as Required<MessageReader>;
  return decompressMessage.call(this, message, encoding);
}
