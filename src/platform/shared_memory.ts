import { Buffer } from "node:buffer";
import { closeSync } from "node:fs";
import { type NativeLibrary, openLibc } from "./libc.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MFD_CLOEXEC = 1;

interface Symbols {
  memfd_create(name: Uint8Array, flags: number): number;
  ftruncate(descriptor: number, bytes: number): number;
  mmap(
    address: null,
    bytes: number,
    protection: number,
    flags: number,
    descriptor: number,
    offset: number,
  ): number;
}

/** Memory that a child process can have too. */
export interface SharedMemory {
  /** To be given to the child, which opens it with {@link openSharedMemory}. */
  readonly descriptor: number;
  readonly buffer: ArrayBuffer;
}

let library: NativeLibrary<Symbols> | null | undefined;

/**
 * Make zeroed memory that is shared with whoever has its descriptor; `Atomics` work across processes on it. It is never given back to
 * the system, so that no view of it can outlive it: who needs it again and again keeps it.
 *
 * @returns null where the runtime has none
 */
export function createSharedMemory(bytes: number): SharedMemory | null {
  const libc = open();
  if (libc === null) return null;
  const descriptor = libc.symbols.memfd_create(Buffer.from("jobctl\0"), MFD_CLOEXEC);
  if (descriptor < 0) return null;
  const buffer = libc.symbols.ftruncate(descriptor, bytes) === 0
    ? map(libc, descriptor, bytes)
    : null;
  if (buffer !== null) return { descriptor, buffer };
  closeSync(descriptor);
  return null;
}

/** The memory behind a descriptor of {@link createSharedMemory}; null when it cannot be had. */
export function openSharedMemory(descriptor: number, bytes: number): ArrayBuffer | null {
  const libc = open();
  return libc === null ? null : map(libc, descriptor, bytes);
}

function open(): NativeLibrary<Symbols> | null {
  return library ??= openLibc<Symbols>({
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
    ftruncate: { args: ["i32", "i64"], returns: "i32" },
    mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
  });
}

function map(
  { symbols, toArrayBuffer }: NativeLibrary<Symbols>,
  descriptor: number,
  bytes: number,
): ArrayBuffer | null {
  const address = symbols.mmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, descriptor, 0);
  // MAP_FAILED is −1, which as an address is no small number.
  return address > 0 && address < 2 ** 52 ? toArrayBuffer(address, 0, bytes) : null;
}
