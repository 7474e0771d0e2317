// Signs a program for macOS on x64 ad hoc, without Apple's tools: Bun does so for arm64 only, and
// leaves its original signature, which no longer fits. macOS may then refuse to run it.
import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const SEGMENT_64 = 0x19;
const CODE_SIGNATURE = 0x1d;
const PAGE = 4_096;
const HEADER_BYTES = 32;
/** Signed ad hoc, by a linker. */
const FLAGS = 0x20002;
/** The main program. */
const EXECUTABLE_MAIN = 1;
const SUPER_BLOB_BYTES = 20;
const DIRECTORY_BYTES = 88;
const HASH_BYTES = 32;

/**
 * The program with a new signature: the SHA-256 of each page.
 *
 * @param {Buffer} program a thin 64-bit Mach-O file that has a signature at its end
 * @param {string} identifier name of the program in the signature
 * @returns {Buffer}
 */
export function signAdHoc(program, identifier) {
  const { signature, linkedit, text } = commandsOf(program);
  const codeBytes = program.readUInt32LE(signature + 8);
  const name = Buffer.from(`${identifier}\0`);
  const pages = Math.ceil(codeBytes / PAGE);
  const hashesAt = DIRECTORY_BYTES + name.length;
  const directoryBytes = hashesAt + pages * HASH_BYTES;
  const size = Math.ceil((SUPER_BLOB_BYTES + directoryBytes) / 16) * 16;
  const signed = Buffer.concat([program.subarray(0, codeBytes), Buffer.alloc(size)]);
  // The commands are on pages that are hashed.
  signed.writeUInt32LE(size, signature + 12);
  const start = Number(signed.readBigUInt64LE(linkedit + 40));
  const bytes = codeBytes + size - start;
  signed.writeBigUInt64LE(BigInt(Math.ceil(bytes / PAGE) * PAGE), linkedit + 32);
  signed.writeBigUInt64LE(BigInt(bytes), linkedit + 48);

  const directory = signed.subarray(codeBytes + SUPER_BLOB_BYTES);
  const blob = [0xfade0cc0, SUPER_BLOB_BYTES + directoryBytes, 1, 0, SUPER_BLOB_BYTES];
  blob.forEach((value, index) => signed.writeUInt32BE(value, codeBytes + 4 * index));
  const fields = [
    ...[0xfade0c02, directoryBytes, 0x20400, FLAGS, hashesAt, DIRECTORY_BYTES],
    ...[0, pages, codeBytes],
  ];
  fields.forEach((value, index) => directory.writeUInt32BE(value, 4 * index));
  // Size and kind of the hashes (SHA-256), platform, size of a page as a power of two.
  directory.set([HASH_BYTES, 2, 0, Math.log2(PAGE)], 36);
  directory.writeBigUInt64BE(signed.readBigUInt64LE(text + 40), 64);
  directory.writeBigUInt64BE(signed.readBigUInt64LE(text + 48), 72);
  directory.writeBigUInt64BE(BigInt(EXECUTABLE_MAIN), 80);
  name.copy(directory, DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++) {
    const end = Math.min((page + 1) * PAGE, codeBytes);
    const hash = createHash("sha256").update(signed.subarray(page * PAGE, end)).digest();
    hash.copy(directory, hashesAt + page * HASH_BYTES);
  }
  return signed;
}

/** Location of the commands that a signature concerns. */
function commandsOf(program) {
  if (program.readUInt32LE(0) !== MAGIC_64) throw new Error("It is not a 64-bit Mach-O file");
  const found = {};
  let at = HEADER_BYTES;
  for (let left = program.readUInt32LE(16); left > 0; left--) {
    const command = program.readUInt32LE(at);
    if (command === CODE_SIGNATURE) found.signature = at;
    if (command === SEGMENT_64) {
      const name = program.toString("latin1", at + 8, at + 24).replace(/\0+$/, "");
      if (name === "__LINKEDIT") found.linkedit = at;
      if (name === "__TEXT") found.text = at;
    }
    at += program.readUInt32LE(at + 4);
  }
  if (found.signature && found.linkedit && found.text) return found;
  throw new Error("The Mach-O file has no signature, or lacks a segment");
}
