// Archives with the same bytes at any time and place. Runs on Bun, whose version fixes zstd's and
// zlib's, and with them every byte.
import { promisify } from "node:util";
import zlib from "node:zlib";

const TAR_BLOCK = 512;
/** Limit of `zstd -d` without an option: 128 MiB. */
const WINDOW_LOG = 27;

/**
 * A file of an archive: its path, with `/` between folders, its bytes, and the permission bits.
 *
 * @typedef {{ path: string, bytes: Uint8Array, mode: number }} Entry
 */

/**
 * A tar archive.
 *
 * @param {readonly Entry[]} entries in the order of the archive
 * @param {{ atMs: number }} options the time of every file
 * @returns {Uint8Array}
 */
export function tar(entries, { atMs }) {
  const blocks = entries.flatMap(({ path, bytes, mode }) => [
    tarHeader(path, bytes.length, mode, Math.floor(atMs / 1_000)),
    bytes,
    Buffer.alloc((TAR_BLOCK - bytes.length % TAR_BLOCK) % TAR_BLOCK),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * TAR_BLOCK)]);
}

/**
 * Compress with gzip, for systems without zstd. libdeflate takes a third of zlib's time.
 *
 * @param {Uint8Array} bytes
 * @param {{ level: number }} options zstd's level, which is cut to 9
 * @returns {Uint8Array}
 */
export function gzip(bytes, { level }) {
  return Bun.gzipSync(bytes, { library: "libdeflate", level: Math.min(level, 9) });
}

/**
 * Compress with zstd.
 *
 * @param {Uint8Array} bytes
 * @param {{ level: number }} options
 * @returns {Promise<Uint8Array>}
 */
export async function zstd(bytes, { level }) {
  return await promisify(zlib.zstdCompress)(bytes, {
    params: {
      [zlib.constants.ZSTD_c_compressionLevel]: level,
      [zlib.constants.ZSTD_c_windowLog]: WINDOW_LOG,
      [zlib.constants.ZSTD_c_enableLongDistanceMatching]: 1,
      [zlib.constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** A header of the format ustar, owned by root. */
function tarHeader(path, size, mode, seconds) {
  if (Buffer.byteLength(path) > 100) throw new Error(`The path "${path}" is too long for tar`);
  const header = Buffer.alloc(TAR_BLOCK);
  const octal = (value, at, length) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(path, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(seconds, 136, 12);
  header.write("        0", 148, "latin1");
  header.write("ustar\x0000root", 257, "latin1");
  header.write("root", 297, "latin1");
  octal(0, 329, 8);
  octal(0, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/**
 * A zip archive.
 *
 * @param {readonly Entry[]} entries in the order of the archive
 * @param {{ atMs: number }} options the time of every file
 * @returns {Promise<Uint8Array>}
 */
export async function zip(entries, { atMs }) {
  const [locals, directory] = [[], []];
  let offset = 0;
  for (const { path, bytes, mode } of entries) {
    const name = Buffer.from(path);
    const packed = await promisify(zlib.deflateRaw)(bytes, { level: 9 });
    // Version, flags (the name is UTF-8), deflate, time, CRC-32, sizes, length of the name.
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(0x800, 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(dosTime(atMs), 6);
    fields.writeUInt32LE(zlib.crc32(bytes), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    // No comment, first disk; the permission bits of a regular file, as made on Unix.
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((0o100000 | mode) * 0x10000, 6);
    rest.writeUInt32LE(offset, 10);
    locals.push(Buffer.from("PK\x03\x04", "latin1"), fields, name, packed);
    directory.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), fields, rest, name);
    offset += 30 + name.length + packed.length;
  }
  const directoryBytes = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directoryBytes, end]);
}

/** Date and time in DOS's form, in UTC. */
function dosTime(atMs) {
  const at = new Date(Math.max(atMs, Date.UTC(1980)));
  const date = (at.getUTCFullYear() - 1980) << 9 | (at.getUTCMonth() + 1) << 5 | at.getUTCDate();
  const time = at.getUTCHours() << 11 | at.getUTCMinutes() << 5 | at.getUTCSeconds() >> 1;
  return date * 0x10000 + time;
}
