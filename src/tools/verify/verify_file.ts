import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { fileErrorCode } from "../../core/file_errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { checkSignature, readSignature, SIGNATURE_BYTES_MAX, type SigningKey } from "./minisign.ts";

/** The file of a release that has the SHA-256 of all others. */
const SUMS_NAME = "SHA256SUMS";
const SIGNATURE_ENDING = ".minisig";

const SUMS_BYTES_MAX = 262_144;
/** One line of `sha256sum`. A name with a folder would lead out of the release. */
const SUMS_LINE = /^([0-9a-f]{64}) [ *]([^/\\\p{C}]{1,255})$/u;

/** A file that matches its signature by the key's owner. */
export interface VerifiedFile {
  /** The signature that proves it: its own, or the sums'. */
  readonly signature: string;
  readonly keyId: string;
  /** The signer's comment: the version, and the time. */
  readonly comment: string;
  readonly sha256: string;
  /** For SHA256SUMS: the files beside it with the right sum. */
  readonly matching: readonly string[];
  /** For SHA256SUMS: listed files that are missing. */
  readonly absent: readonly string[];
}

/**
 * Verify a downloaded file: by its own signature `FILE.minisig`, or by its sum in the signed
 * SHA256SUMS of the same folder. For SHA256SUMS itself, the existing listed files must have these
 * sums, too.
 *
 * @throws JobError `unauthenticated` if the signature does not match; `not_found` if a file is
 * missing
 */
export async function verifyFile(path: string, key: SigningKey): Promise<VerifiedFile> {
  const own = path + SIGNATURE_ENDING;
  const name = basename(path);
  const sums = join(dirname(path), SUMS_NAME);
  assertFile(path);
  if (name === SUMS_NAME) return await verifySums(path, key);
  if (existsSync(own)) {
    const { keyId, comment, sha256 } = await verifySigned(path, key);
    return { signature: own, keyId, comment, sha256, matching: [], absent: [] };
  }
  if (!existsSync(sums)) {
    throw new JobError(
      "not_found",
      `Cannot verify "${path}": neither ${name}${SIGNATURE_ENDING} nor ${SUMS_NAME} is beside it`,
      { hint: `Download ${SUMS_NAME} and ${SUMS_NAME}${SIGNATURE_ENDING} into its folder` },
    );
  }
  const { wanted, keyId, comment } = readSums(sums, key);
  const { sha256 } = await hashFile(path);
  const sum = wanted.get(name);
  if (sum === undefined) {
    throw new JobError(
      "unauthenticated",
      `Cannot trust "${path}": ${SUMS_NAME} does not list ${makeVisible(name)}`,
      { hint: `Use the ${SUMS_NAME} of the same release, and the file's original name` },
    );
  }
  assertSum(path, sha256, sum);
  return { signature: sums + SIGNATURE_ENDING, keyId, comment, sha256, matching: [], absent: [] };
}

async function verifySums(path: string, key: SigningKey): Promise<VerifiedFile> {
  const { wanted, keyId, comment, sha256 } = readSums(path, key);
  const [matching, absent]: [string[], string[]] = [[], []];
  for (const [name, sum] of wanted) {
    const listed = join(dirname(path), name);
    if (!existsSync(listed)) {
      absent.push(name);
      continue;
    }
    assertFile(listed);
    assertSum(listed, (await hashFile(listed)).sha256, sum);
    matching.push(name);
  }
  return { signature: path + SIGNATURE_ENDING, keyId, comment, sha256, matching, absent };
}

/** Check the file's own signature. */
async function verifySigned(path: string, key: SigningKey) {
  const signature = readSignature(
    readText(path + SIGNATURE_ENDING, SIGNATURE_BYTES_MAX),
    path + SIGNATURE_ENDING,
  );
  const { blake2b, sha256 } = await hashFile(path);
  checkSignature(key, signature, { hash: blake2b, path });
  return { keyId: signature.keyId, comment: signature.trustedComment, sha256 };
}

/** Read the sums once, so that the checked text is the one used. */
function readSums(path: string, key: SigningKey) {
  const signaturePath = path + SIGNATURE_ENDING;
  const text = readText(path, SUMS_BYTES_MAX);
  const signature = readSignature(readText(signaturePath, SIGNATURE_BYTES_MAX), signaturePath);
  const hash = createHash("blake2b512").update(text).digest();
  checkSignature(key, signature, { hash, path });
  const wanted = new Map<string, string>();
  for (const [index, line] of text.replace(/\n$/, "").split("\n").entries()) {
    const [, sum, name] = SUMS_LINE.exec(line) ?? [];
    if (sum === undefined || name === undefined || (wanted.get(name) ?? sum) !== sum) {
      throw new JobError(
        "invalid_argument",
        `Cannot read "${path}", line ${index + 1}: not the only sum of a file`,
        { hint: "Download it again" },
      );
    }
    wanted.set(name, sum);
  }
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { wanted, keyId: signature.keyId, comment: signature.trustedComment, sha256 };
}

function assertSum(path: string, found: string, wanted: string): void {
  if (found === wanted) return;
  throw new JobError(
    "unauthenticated",
    `Cannot trust "${path}": its SHA-256 is ${found}, but ${SUMS_NAME} has ${wanted}`,
    { hint: "Do not use it: it was changed or is incomplete. Download it again" },
  );
}

/** SHA-256 and BLAKE2b-512 of a file, read once. */
export async function hashFile(
  path: string,
): Promise<{ readonly sha256: string; readonly blake2b: Buffer }> {
  const [sha256, blake2b] = [createHash("sha256"), createHash("blake2b512")];
  try {
    for await (const block of createReadStream(path, { highWaterMark: 1_048_576 })) {
      sha256.update(block);
      blake2b.update(block);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return { sha256: sha256.digest("hex"), blake2b: blake2b.digest() };
}

/** @throws JobError unless it is a regular file: reading a pipe or a device may never end */
function assertFile(path: string): void {
  let isFile;
  try {
    isFile = statSync(path).isFile();
  } catch (error) {
    throw unreadable(path, error);
  }
  if (isFile) return;
  throw new JobError("invalid_argument", `Cannot read "${path}": it is not a regular file`, {
    hint: "Name the downloaded file",
  });
}

/**
 * The text of a small file.
 *
 * @throws JobError `invalid_argument` for a larger file; `not_found`; like {@link fileErrorCode}
 */
export function readText(path: string, bytesMax: number): string {
  let bytes;
  try {
    bytes = readRegularFile(path, bytesMax)?.bytes;
  } catch (error) {
    throw unreadable(path, error);
  }
  if (bytes !== undefined) return bytes.toString("utf8");
  throw new JobError(
    "invalid_argument",
    `Cannot read "${path}": larger than ${bytesMax} bytes, so it is another kind of file`,
    { hint: "Download it again" },
  );
}

function unreadable(path: string, error: unknown): JobError {
  const isMissing = errorCode(error) === "ENOENT";
  return new JobError(
    isMissing ? "not_found" : fileErrorCode(error),
    `Cannot read "${path}": ${isMissing ? "there is no such file" : messageOf(error)}`,
    { hint: "Name a file that is there and that you may read", cause: error },
  );
}
