import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { signAdHoc } from "../../scripts/release/macho.mjs";

const PAGE = 4_096;
const SIGNATURE_AT = 3 * PAGE + 100;

/** A program for macOS with two segments and an old signature at its end. */
function program(): Buffer {
  const file = Buffer.alloc(SIGNATURE_AT + 64, 7);
  file.fill(0, 0, 32 + 72 + 72 + 16);
  file.writeUInt32LE(0xfeedfacf, 0);
  file.writeUInt32LE(3, 16);
  const segment = (at: number, name: string, from: number, bytes: number) => {
    file.writeUInt32LE(0x19, at);
    file.writeUInt32LE(72, at + 4);
    file.write(name, at + 8);
    file.writeBigUInt64LE(BigInt(from), at + 40);
    file.writeBigUInt64LE(BigInt(bytes), at + 48);
  };
  segment(32, "__TEXT", 0, 2 * PAGE);
  segment(104, "__LINKEDIT", 2 * PAGE, file.length - 2 * PAGE);
  file.writeUInt32LE(0x1d, 176);
  file.writeUInt32LE(16, 180);
  file.writeUInt32LE(SIGNATURE_AT, 184);
  file.writeUInt32LE(64, 188);
  return file;
}

test("signAdHoc() hashes every page, with the sizes that the signature changed", () => {
  const signed = signAdHoc(program(), "jobctl");
  const size = signed.readUInt32LE(188);
  assert.equal(signed.length, SIGNATURE_AT + size);
  assert.equal(Number(signed.readBigUInt64LE(104 + 48)), signed.length - 2 * PAGE);
  assert.equal(signed.readUInt32BE(SIGNATURE_AT), 0xfade0cc0);
  const directory = signed.subarray(SIGNATURE_AT + signed.readUInt32BE(SIGNATURE_AT + 16));
  assert.equal(directory.readUInt32BE(0), 0xfade0c02);
  const [hashesAt, pages] = [directory.readUInt32BE(16), directory.readUInt32BE(28)];
  assert.deepEqual([pages, directory.readUInt32BE(32)], [4, SIGNATURE_AT]);
  for (let page = 0; page < pages; page++) {
    const bytes = signed.subarray(page * PAGE, Math.min((page + 1) * PAGE, SIGNATURE_AT));
    const found = directory.subarray(hashesAt + 32 * page, hashesAt + 32 * (page + 1));
    assert.deepEqual(found, createHash("sha256").update(bytes).digest());
  }
  assert.equal(directory.toString("latin1", directory.readUInt32BE(20), hashesAt), "jobctl\0");
});

test("signAdHoc() refuses what is not a program for macOS", () => {
  assert.throws(() => signAdHoc(Buffer.from("MZ and more"), "jobctl"), /not a 64-bit Mach-O/);
});
