import { Buffer } from "node:buffer";
import { closeSync } from "node:fs";
import { lazyLibc } from "../system/libc.ts";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** No other seal, no size but this one. */
const SEAL_SHRINK_GROW = 7;

/** Size of the memory. */
export const MEMORY_BYTES = 65_536;

/** Memory shared with a child process. */
export interface SharedMemory {
  /** Pass it to the child, which calls {@link openSharedMemory}, then close it. */
  readonly descriptor: number;
  readonly buffer: ArrayBuffer;
  /** Free the memory. Touching the buffer afterwards ends this process. */
  free(): void;
}

const openLibc = lazyLibc("memfd_create", "ftruncate", "fcntl", "munmap", "mmap");

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
export function createSharedMemory(): SharedMemory | null {
  const libc = openLibc();
  if (libc === null) return null;
  const { memfd_create, ftruncate, fcntl, munmap } = libc.symbols;
  const descriptor = memfd_create(Buffer.from("jobctl\0"), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return null;
  const isSized = ftruncate(descriptor, MEMORY_BYTES) === 0 &&
    fcntl(descriptor, F_ADD_SEALS, SEAL_SHRINK_GROW) === 0;
  const memory = isSized ? map(libc, descriptor) : null;
  if (memory === null) {
    closeSync(descriptor);
    return null;
  }
  const { address, buffer } = memory;
  return { descriptor, buffer, free: () => void munmap(address, MEMORY_BYTES) };
}

/** The memory behind a descriptor of {@link createSharedMemory}; null if unavailable. */
export function openSharedMemory(descriptor: number): ArrayBuffer | null {
  const libc = openLibc();
  return libc === null ? null : map(libc, descriptor)?.buffer ?? null;
}

function map(
  { symbols, toArrayBuffer }: NonNullable<ReturnType<typeof openLibc>>,
  descriptor: number,
): { readonly address: number; readonly buffer: ArrayBuffer } | null {
  const address = symbols.mmap(null, MEMORY_BYTES, PROT_READ_WRITE, MAP_SHARED, descriptor, 0);
  // MAP_FAILED is −1, which as an address is a large number.
  const isMapped = address > 0 && address < 2 ** 52;
  return isMapped ? { address, buffer: toArrayBuffer(address, 0, MEMORY_BYTES) } : null;
}
