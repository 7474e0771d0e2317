/** From this size on, copying bytes takes longer than another reference to them. */
const LARGE_BYTES = 64 * 1024;

/**
 * The bytes of a message as grpc-js takes them. Small ones are copied: Bun takes longer to
 * reference the memory of a small array than to copy it.
 */
export function toBuffer(bytes: Uint8Array): Buffer {
  if (bytes.byteLength < LARGE_BYTES) return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The path of a generated method in HTTP/2. */
export function methodPath(
  { parent, name }: { readonly parent: { readonly typeName: string }; readonly name: string },
): string {
  return `/${parent.typeName}/${name}`;
}
