/** See macho.mjs. */
export function signAdHoc(program: Uint8Array, identifier: string): Buffer;
