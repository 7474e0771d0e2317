import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { JobError } from "../../core/errors.ts";
import { makeVisible } from "../../core/text/safe_text.ts";

// The format of minisign, https://jedisct1.github.io/minisign/#signature-format: Ed25519 over the
// BLAKE2b-512 hash of the file, and once more over that signature and a comment.

/** Most bytes of a signature or a public key: minisign's own are under 1 KiB. */
export const SIGNATURE_BYTES_MAX = 8_192;

const COMMENT = "untrusted comment: ";
const TRUSTED_COMMENT = "trusted comment: ";

/** Two letters, the id of the key, the key. */
const PUBLIC_KEY_BYTES = 2 + 8 + 32;
/** Two letters, the id of the key, the signature. */
const SIGNATURE_BYTES = 2 + 8 + 64;

/** A public key of minisign. */
export interface SigningKey {
  /** 16 hexadecimal digits, as in minisign's output. */
  readonly id: string;
  readonly key: KeyObject;
}

/** A signature of minisign, read but not yet checked. */
export interface Signature {
  /** Id of the claimed signing key. */
  readonly keyId: string;
  readonly signature: Uint8Array;
  readonly trustedComment: string;
  /** Covers the signature and the trusted comment. */
  readonly globalSignature: Uint8Array;
}

/**
 * Read a public key: the text of a `.pub` file, or only its last line.
 *
 * @param what its name in errors, such as `the key "RW…"`
 * @throws JobError `invalid_argument`
 */
export function readSigningKey(text: string, what: string): SigningKey {
  const lines = linesOf(text);
  const line = lines[0]?.startsWith(COMMENT) ? lines[1] : lines[0];
  const isAlone = lines.length === (lines[0]?.startsWith(COMMENT) ? 2 : 1);
  const bytes = isAlone ? decode(line, PUBLIC_KEY_BYTES) : null;
  if (bytes === null || bytes.toString("latin1", 0, 2) !== "Ed") {
    throw new JobError("invalid_argument", `Cannot read ${what}: not a public key of minisign`, {
      hint: "Give the line that begins with RW, or the .pub file that holds it",
    });
  }
  const x = bytes.subarray(10).toString("base64url");
  return {
    id: idOf(bytes.subarray(2, 10)),
    key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }),
  };
}

/**
 * Read a `.minisig` file.
 *
 * @param path names it in errors
 * @throws JobError `invalid_argument`
 */
export function readSignature(text: string, path: string): Signature {
  const lines = linesOf(text);
  const [comment = "", line, trusted = "", globalLine] = lines;
  const bytes = decode(line, SIGNATURE_BYTES);
  const globalSignature = decode(globalLine, 64);
  const letters = bytes?.toString("latin1", 0, 2);
  if (
    lines.length !== 4 || bytes === null || globalSignature === null ||
    !comment.startsWith(COMMENT) || !trusted.startsWith(TRUSTED_COMMENT) ||
    (letters !== "ED" && letters !== "Ed")
  ) {
    throw new JobError(
      "invalid_argument",
      `Cannot read the signature "${path}": not a complete signature of minisign`,
      { hint: "Download it again" },
    );
  }
  if (letters === "Ed") {
    throw new JobError(
      "invalid_argument",
      `Cannot use the signature "${path}": it is of the old form, over the file instead of its hash`,
      { hint: "Sign with minisign 0.8 or newer, without -l" },
    );
  }
  return {
    keyId: idOf(bytes.subarray(2, 10)),
    signature: bytes.subarray(10),
    trustedComment: trusted.slice(TRUSTED_COMMENT.length),
    globalSignature,
  };
}

/**
 * Check a signature of a file.
 *
 * @param hash BLAKE2b-512 of the file
 * @param path of the file, for errors
 * @throws JobError `unauthenticated` if the key did not sign this file with this comment
 */
export function checkSignature(
  key: SigningKey,
  signature: Signature,
  { hash, path }: { readonly hash: Uint8Array; readonly path: string },
): void {
  if (signature.keyId !== key.id) {
    throw new JobError(
      "unauthenticated",
      `Cannot trust "${path}": signed with the key ${signature.keyId}, not with ${key.id}`,
      { hint: "Do not use this file, unless you trust that key too: give it with --key" },
    );
  }
  if (!verify(null, hash, key.key, signature.signature)) {
    throw new JobError(
      "unauthenticated",
      `Cannot trust "${path}": its signature is wrong, so the file was changed or is incomplete`,
      { hint: "Do not use it; download it and its signature again" },
    );
  }
  const covered = Buffer.concat([signature.signature, Buffer.from(signature.trustedComment)]);
  if (!verify(null, covered, key.key, signature.globalSignature)) {
    const comment = makeVisible(signature.trustedComment);
    throw new JobError(
      "unauthenticated",
      `Cannot trust "${path}": the comment "${comment}" of its signature was changed`,
      { hint: "Do not use it; download it and its signature again" },
    );
  }
}

/** Lines of a short text file; the last one may lack its end. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The bytes of base64 in its only form; null for another text or length. */
function decode(text: string | undefined, length: number): Buffer | null {
  if (text === undefined) return null;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : null;
}

/** The id in minisign's form: a number with its lowest byte first. */
function idOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString("hex").toUpperCase();
}
