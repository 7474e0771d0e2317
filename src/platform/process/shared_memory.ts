import { Buffer } from "node:buffer";
import { closeSync } from "node:fs";
import { lateLibc, type NativeLibrary } from "./libc.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** No other seal, no size but this one. */
const SEAL_SHRINK_GROW = 7;

interface Symbols {
  memfd_create(name: Uint8Array, flags: number): number;
  ftruncate(descriptor: number, bytes: number): number;
  fcntl(descriptor: number, command: number, value: number): number;
  mmap(
    address: null,
    bytes: number,
    protection: number,
    flags: number,
    descriptor: number,
    offset: number,
  ): number;
  munmap(address: number, bytes: number): number;
}

/** Memory shared with a child process. */
export interface SharedMemory {
  /** Pass it to the child, which calls {@link openSharedMemory}, then close it. */
  readonly descriptor: number;
  readonly buffer: ArrayBuffer;
  /** Free the memory. Touching the buffer afterwards ends this process. */
  free(): void;
}

const openLibc = lateLibc<Symbols>({
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
});

/** True if processes can share memory here. */
export function canShareMemory(): boolean {
  return openLibc() !== null;
}

/**
 * Create zeroed memory that is shared with every holder of its descriptor; `Atomics` work across
 * processes. Its size is sealed: a reader of memory that was cut off would be killed.
 *
 * @returns null if the runtime does not support it
 */
export function createSharedMemory(bytes: number): SharedMemory | null {
  const libc = openLibc();
  if (libc === null) return null;
  const { memfd_create, munmap } = libc.symbols;
  const descriptor = memfd_create(Buffer.from("jobctl\0"), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return null;
  const memory = isSized(libc, descriptor, bytes) ? map(libc, descriptor, bytes) : null;
  if (memory === null) {
    closeSync(descriptor);
    return null;
  }
  const { address, buffer } = memory;
  return { descriptor, buffer, free: () => void munmap(address, bytes) };
}

function isSized(
  { symbols: { ftruncate, fcntl } }: NativeLibrary<Symbols>,
  descriptor: number,
  bytes: number,
): boolean {
  return ftruncate(descriptor, bytes) === 0 &&
    fcntl(descriptor, F_ADD_SEALS, SEAL_SHRINK_GROW) === 0;
}

/** The memory behind a descriptor of {@link createSharedMemory}; null when it cannot be had. */
export function openSharedMemory(descriptor: number, bytes: number): ArrayBuffer | null {
  const libc = openLibc();
  return libc === null ? null : map(libc, descriptor, bytes)?.buffer ?? null;
}

function map(
  { symbols, toArrayBuffer }: NativeLibrary<Symbols>,
  descriptor: number,
  bytes: number,
): { readonly address: number; readonly buffer: ArrayBuffer } | null {
  const address = symbols.mmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, descriptor, 0);
  // MAP_FAILED is −1, which as an address is a large number.
  const isMapped = address > 0 && address < 2 ** 52;
  return isMapped ? { address, buffer: toArrayBuffer(address, 0, bytes) } : null;
}
