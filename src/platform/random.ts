/** A source of chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `count` bytes. */
  bytes(count: number): Uint8Array;
}

/** The machine's chance. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: takeBytes,
};

/** Bytes drawn at once: drawing for each id would cost more than everything else about an id. */
const POOL_BYTES = 4_096;
/** Most bytes that one call draws. */
const DRAWN_MAX = 65_536;
let pool = new Uint8Array(0);
let taken = 0;

/** Random bytes that are used only once. */
function takeBytes(count: number): Uint8Array {
  if (count > POOL_BYTES) return drawBytes(count);
  if (taken + count > pool.length) {
    pool = drawBytes(POOL_BYTES);
    taken = 0;
  }
  taken += count;
  return pool.subarray(taken - count, taken);
}

/** The module node:crypto has the same, but takes 3 ms to load: a tenth of a short command. */
function drawBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += DRAWN_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + DRAWN_MAX));
  }
  return bytes;
}
