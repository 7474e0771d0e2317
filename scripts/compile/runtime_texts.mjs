// Texts in Bun's program that only its command line reads, which the compiled file lacks. They are
// replaced by empty lines, which shrink in an archive. Plain Node 20.
import { createHash } from "node:crypto";

const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const BLOCK_BYTES_MAX = 128 * 1_024;
const BLOCK_HEADER_BYTES = 3;
/** A block of one repeated byte, and an invalid block. */
const [REPEATED, RESERVED] = [1, 3];

/**
 * Compressed size of each text, the start of its SHA-256, and its name. They are the same in the
 * programs for all systems. For another version of Bun, look at the frames that {@link framesOf}
 * finds (`zstd -d`).
 */
const TEXTS = [
  [289_972, "2c5711c5c9ac4f8d", "documentation of the rules of `bun lint`"],
  [267_417, "d5964e7c0b3e6cad", "TypeScript's libraries, for `bun check`"],
  [26_945, "dd520e6d4a4e56a8", "options of the rules"],
  [22_799, "6482340568777401", "plugins of the rules"],
  [19_428, "33f0c68037a9cad8", "messages of the rules"],
  [15_979, "1e89d3a0c23b485e", "how a configuration of the rules is read"],
  [15_576, "b57a900cbec32741", "more of TypeScript's libraries"],
];

/**
 * Replace the texts in a program of Bun.
 *
 * Warns if one is missing: another version of Bun only makes the compiled file larger.
 *
 * @param program its bytes, which are changed
 */
export function blankTexts(program) {
  const missing = new Map(TEXTS.map(([length, hash, what]) => [`${length} ${hash}`, what]));
  const lengths = new Set(TEXTS.map(([length]) => length));
  for (const frame of framesOf(program)) {
    if (!lengths.has(frame.bytes.length)) continue;
    const hash = createHash("sha256").update(frame.bytes).digest("hex").slice(0, 16);
    if (missing.delete(`${frame.bytes.length} ${hash}`)) blank(frame);
  }
  if (missing.size === 0) return;
  console.error(`The runtime lacks ${[...missing.values()].join("; ")}: see ${NAME}`);
}

/**
 * Replace a frame's content by line breaks, keeping both lengths: Bun exits on an invalid frame.
 */
function blank({ bytes, headerBytes, contentBytes }) {
  const blocks = [];
  for (let left = contentBytes; left > 0; left -= BLOCK_BYTES_MAX) {
    blocks.push(Math.min(left, BLOCK_BYTES_MAX));
  }
  // Blocks without content, of three zeros, follow: so that they fill it, blocks of four are split.
  const spare = () => bytes.length - headerBytes - blocks.length * (BLOCK_HEADER_BYTES + 1);
  while (spare() % BLOCK_HEADER_BYTES !== 0) blocks.push(1, blocks.pop() - 1);
  bytes.fill(0, headerBytes);
  // No checksum.
  bytes[MAGIC.length] &= ~4;
  let at = headerBytes;
  for (const count of blocks) {
    bytes.writeUIntLE(count << 3 | REPEATED << 1, at, BLOCK_HEADER_BYTES);
    bytes.write("\n", at + BLOCK_HEADER_BYTES);
    at += BLOCK_HEADER_BYTES + 1;
  }
  // The last block.
  bytes[bytes.length - BLOCK_HEADER_BYTES] = 1;
}

/** Each zstd frame that contains its size (RFC 8878). */
function* framesOf(program) {
  for (let at = program.indexOf(MAGIC); at >= 0; at = program.indexOf(MAGIC, at + 1)) {
    const frame = frameAt(program, at);
    if (frame !== null) yield frame;
  }
}

function frameAt(program, start) {
  const descriptor = program[start + MAGIC.length];
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const sizeAt = start + MAGIC.length + 1 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  if (sizeBytes === 0 || sizeAt + sizeBytes > program.length) return null;
  let at = sizeAt + sizeBytes;
  for (let isLast = false; !isLast;) {
    if (at + BLOCK_HEADER_BYTES > program.length) return null;
    const header = program.readUIntLE(at, BLOCK_HEADER_BYTES);
    const [type, size] = [header >> 1 & 3, header >> 3];
    if (type === RESERVED || size > BLOCK_BYTES_MAX) return null;
    at += BLOCK_HEADER_BYTES + (type === REPEATED ? 1 : size);
    isLast = (header & 1) === 1;
  }
  const end = at + ((descriptor & 4) === 0 ? 0 : 4);
  if (end > program.length) return null;
  return {
    bytes: program.subarray(start, end),
    headerBytes: sizeAt + sizeBytes - start,
    // A size of two bytes begins at 256; the texts are smaller than sizes of eight bytes.
    contentBytes: program.readUIntLE(sizeAt, Math.min(sizeBytes, 4)) + (sizeBytes === 2 ? 256 : 0),
  };
}

const NAME = "scripts/compile/runtime_texts.mjs";
