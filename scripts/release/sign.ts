// Signs the sums of a release in the format of minisign. Runs on Bun, for its BLAKE2b-256.
import { createHash, createPrivateKey, type KeyObject, scryptSync, sign } from "node:crypto";
import { readSigningKey } from "../../src/tools/verify/minisign.ts";

/** A secret key of minisign, decrypted. */
export interface SecretKey {
  /** As in the signature. */
  readonly id: Uint8Array;
  readonly key: KeyObject;
  /** The line that `jobctl verify --key` takes. */
  readonly publicKey: string;
}

const KEY_BYTES = 158;
/** What is encrypted: the id, the key with its public part, a checksum. */
const SECRET_BYTES = 8 + 64 + 32;
/** minisign's own keys need 1 GiB. */
const MEMORY_BYTES_MAX = 2 ** 31;

/**
 * Read a secret key of minisign.
 *
 * @param text of the `.key` file
 * @param password empty for a key without one
 * @throws Error if it is not such a key, or if the password is wrong; never with the password
 */
export function readSecretKey(text: string, password: string): SecretKey {
  const line = text.trim().split(/\r?\n/).at(-1) ?? "";
  const bytes = Buffer.from(line, "base64");
  const derivation = bytes.toString("latin1", 2, 4);
  if (
    bytes.length !== KEY_BYTES || bytes.toString("latin1", 0, 2) !== "Ed" ||
    bytes.toString("latin1", 4, 6) !== "B2" || !["Sc", "\0\0"].includes(derivation)
  ) throw new Error("JOBCTL_SIGNING_KEY_FILE is not a secret key of minisign");
  const secret = Buffer.from(bytes.subarray(54));
  if (derivation === "Sc") {
    const stream = deriveStream(password, bytes);
    for (let at = 0; at < SECRET_BYTES; at++) secret[at]! ^= stream[at]!;
  }
  const [id, key, checksum] = [
    secret.subarray(0, 8),
    secret.subarray(8, 72),
    secret.subarray(72),
  ];
  // A key without a password has no checksum either.
  const wanted = createHash("blake2b256").update("Ed").update(id).update(key).digest();
  if (derivation === "Sc" && !wanted.equals(checksum)) {
    throw new Error("JOBCTL_SIGNING_PASSWORD is not the password of JOBCTL_SIGNING_KEY_FILE");
  }
  const [seed, publicPart] = [key.subarray(0, 32), key.subarray(32)];
  const jwk = {
    ...{ kty: "OKP", crv: "Ed25519" },
    ...{ d: seed.toString("base64url"), x: publicPart.toString("base64url") },
  };
  return {
    id,
    key: createPrivateKey({ key: jwk, format: "jwk" }),
    publicKey: Buffer.concat([Buffer.from("Ed"), id, publicPart]).toString("base64"),
  };
}

/** The bytes that the secret is combined with, from the password and the limits in the file. */
function deriveStream(password: string, file: Buffer): Buffer {
  const salt = file.subarray(6, 38);
  const operations = Math.max(32_768, Number(file.readBigUInt64LE(38)));
  const memory = Number(file.readBigUInt64LE(46));
  const r = 8;
  const isByOperations = operations < memory / 32;
  const maxN = isByOperations ? operations / (r * 4) : memory / (r * 128);
  let N = 2;
  while (N <= maxN / 2) N *= 2;
  const p = isByOperations ? 1 : Math.floor(Math.min(operations / 4 / N, 0x3fffffff) / r);
  if (128 * N * r > MEMORY_BYTES_MAX || p < 1 || p > 64) {
    throw new Error("JOBCTL_SIGNING_KEY_FILE needs more memory or time than minisign's own keys");
  }
  return scryptSync(password, salt, SECRET_BYTES, { N, r, p, maxmem: 2 * MEMORY_BYTES_MAX });
}

/** The text of minisign's file `.pub` for a public key, as its one line. */
export function publicKeyFile(publicKey: string): string {
  const { id } = readSigningKey(publicKey, "the public key");
  return `untrusted comment: minisign public key ${id.toUpperCase()}\n${publicKey}\n`;
}

/**
 * The text of a `.minisig` file.
 *
 * @param comment what the signer says about the file, which is signed too; one line
 */
export function signBytes(bytes: Uint8Array, key: SecretKey, comment: string): string {
  const hash = createHash("blake2b512").update(bytes).digest();
  const signature = sign(null, hash, key.key);
  const global = sign(null, Buffer.concat([signature, Buffer.from(comment)]), key.key);
  const line = Buffer.concat([Buffer.from("ED"), key.id, signature]).toString("base64");
  return [
    "untrusted comment: signature of a jobctl release",
    line,
    `trusted comment: ${comment}`,
    `${global.toString("base64")}\n`,
  ].join("\n");
}
