import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readSecretKey, type SecretKey, signBytes } from "../../scripts/release/sign.ts";
import { type TempDir, withTempDir } from "../support/temp_dir.ts";
import { cli } from "../support/worlds/cli_world.ts";

const COMMENT = "jobctl 0.1.0, 2026-11-27T00:00:00.000Z";
const ARCHIVE = "jobctl-0.1.0-linux-x64.tar.zst";
const CONTENT = Buffer.from("the archive");

function newKey(): SecretKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const jwk = privateKey.export({ format: "jwk" });
  const id = Buffer.from("0123456789abcdef", "hex");
  const x = Buffer.from(jwk.x!, "base64url");
  return {
    ...{ id, key: privateKey },
    publicKey: Buffer.concat([Buffer.from("Ed"), id, x]).toString("base64"),
  };
}

function sumOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface Release extends TempDir {
  readonly key: SecretKey;
  /** Write SHA256SUMS with this text, and sign it. */
  sign(sums: string): void;
  /** `jobctl verify` of a file of the folder. */
  verify(name: string, key?: string): ReturnType<typeof cli>;
}

function withRelease(body: (release: Release) => Promise<void>): Promise<void> {
  return withTempDir({ [ARCHIVE]: CONTENT }, async (dir) => {
    const key = newKey();
    const release: Release = {
      ...dir,
      key,
      sign(sums) {
        dir.write("SHA256SUMS", sums);
        dir.write("SHA256SUMS.minisig", signBytes(Buffer.from(sums), key, COMMENT));
      },
      verify: (name, given = key.publicKey) =>
        cli(["verify", name, "--key", given, "-o", "json"], { cwd: dir.path }),
    };
    release.sign(`${sumOf(CONTENT)}  ${ARCHIVE}\n`);
    await body(release);
  });
}

/** Assert that `verify` refuses, with this exit code, a matching message and a hint. */
function assertRefused(run: Awaited<ReturnType<typeof cli>>, code: number, message: RegExp): void {
  assert.equal(run.code, code, run.stderr);
  assert.match(run.stderr, message);
  assert.match(run.stderr, /\nhint: \S/);
  assert.equal(run.stdout, "");
}

test("verify accepts a file whose sum is signed, and shows what was signed", () =>
  withRelease(async ({ path, verify }) => {
    const run = await verify(ARCHIVE);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout), {
      file: join(path, ARCHIVE),
      signature: join(path, "SHA256SUMS.minisig"),
      key: "EFCDAB8967452301",
      comment: COMMENT,
      sha256: sumOf(CONTENT),
      matching: [],
      absent: [],
    });
  }));

test("verify of SHA256SUMS checks every listed file that is there", () =>
  withRelease(async ({ sign, verify, write }) => {
    sign(`${sumOf(CONTENT)}  ${ARCHIVE}\n${sumOf(CONTENT)} *other.zip\n`);
    const run = await verify("SHA256SUMS");
    assert.equal(run.code, 0, run.stderr);
    const { matching, absent } = JSON.parse(run.stdout);
    assert.deepEqual([matching, absent], [[ARCHIVE], ["other.zip"]]);
    write("other.zip", "changed");
    assertRefused(await verify("SHA256SUMS"), 5, /other\.zip": its SHA-256 is [0-9a-f]{64}, but/);
  }));

test("verify refuses a file that was changed, cut or renamed", () =>
  withRelease(async ({ verify, write }) => {
    write(ARCHIVE, "The archive");
    assertRefused(await verify(ARCHIVE), 5, /its SHA-256 is [0-9a-f]{64}, but SHA256SUMS has/);
    write(ARCHIVE, CONTENT.subarray(0, 5));
    assertRefused(await verify(ARCHIVE), 5, /its SHA-256 is/);
    write("jobctl-0.2.0-linux-x64.tar.zst", CONTENT);
    assertRefused(
      await verify("jobctl-0.2.0-linux-x64.tar.zst"),
      5,
      /SHA256SUMS does not list jobctl-0\.2\.0/,
    );
  }));

test("verify refuses sums, comments and signatures that were changed", () =>
  withRelease(async ({ path, key, sign, verify, write }) => {
    write("SHA256SUMS", `${sumOf(Buffer.from("mine"))}  ${ARCHIVE}\n`);
    assertRefused(await verify(ARCHIVE), 5, /its signature is wrong/);
    sign(`${sumOf(CONTENT)}  ${ARCHIVE}\n`);
    const signature = readFileSync(join(path, "SHA256SUMS.minisig"), "utf8");
    write("SHA256SUMS.minisig", signature.replace("0.1.0", "9.9.9"));
    assertRefused(await verify(ARCHIVE), 5, /the comment "jobctl 9\.9\.9, .*" .* was changed/);
    const [first, line, ...rest] = signature.split("\n");
    const bytes = Buffer.from(line!, "base64");
    bytes[40]! ^= 1;
    write("SHA256SUMS.minisig", [first, bytes.toString("base64"), ...rest].join("\n"));
    assertRefused(await verify(ARCHIVE), 5, /its signature is wrong/);
    assertRefused(
      await verify(ARCHIVE, newKey().publicKey),
      5,
      /its signature is wrong/,
    );
    const other = Buffer.from(key.publicKey, "base64");
    other[3]! ^= 1;
    assertRefused(await verify(ARCHIVE, other.toString("base64")), 5, /signed with the key EFCD/);
  }));

test("verify refuses what is missing, cut, too large or of another form", () =>
  withRelease(async ({ path, sign, verify, write }) => {
    const signature = readFileSync(join(path, "SHA256SUMS.minisig"), "utf8");
    const lines = signature.split("\n");
    const old = Buffer.from(lines[1]!, "base64");
    old[1] = "d".charCodeAt(0);
    const wrong: readonly (readonly [text: string, message: RegExp])[] = [
      ["", /not a complete signature/],
      [lines.slice(0, 3).join("\n"), /not a complete signature/],
      [signature.slice(0, -10), /not a complete signature/],
      [`${signature}more\n`, /not a complete signature/],
      [signature.replace("trusted comment: ", "comment: "), /not a complete signature/],
      [signature.replace(lines[1]!, `${lines[1]!} `), /not a complete signature/],
      [[lines[0], old.toString("base64"), ...lines.slice(2)].join("\n"), /of the old form/],
      ["x".repeat(10_000), /larger than 8192 bytes/],
    ];
    for (const [text, message] of wrong) {
      write("SHA256SUMS.minisig", text);
      assertRefused(await verify(ARCHIVE), 2, message);
    }
    assertRefused(await verify(ARCHIVE, "RWabc"), 2, /the key "RWabc": not a public key/);
    assertRefused(await verify(ARCHIVE, "no.pub"), 2, /neither a public key of minisign nor a f/);
    assertRefused(await verify("absent.zip"), 4, /absent\.zip": there is no such file/);
    assertRefused(await verify("."), 2, /it is not a regular file/);
    for (const sums of [`${sumOf(CONTENT)}  ../${ARCHIVE}\n`, "\n", `x  ${ARCHIVE}\n`]) {
      sign(sums);
      assertRefused(await verify(ARCHIVE), 2, /SHA256SUMS", line 1: not the only sum/);
    }
    sign(`${sumOf(CONTENT)}  ${ARCHIVE}\n${sumOf(Buffer.from("2"))}  ${ARCHIVE}\n`);
    assertRefused(await verify(ARCHIVE), 2, /line 2: not the only sum/);
  }));

test("verify says which files and which key it needs", () =>
  withTempDir({ [ARCHIVE]: CONTENT }, async ({ path: cwd }) => {
    const { publicKey } = newKey();
    const run = await cli(["verify", ARCHIVE], { cwd, env: { JOBCTL_PUBLIC_KEY: publicKey } });
    assertRefused(run, 4, /neither jobctl-.*\.minisig nor SHA256SUMS is beside it/);
    assertRefused(await cli(["verify", ARCHIVE], { cwd }), 2, /without a public key/);
  }));

/** Run Debian's minisign in a folder. */
function minisign(cwd: string, args: readonly string[], input = "") {
  const { status, stderr, stdout } = spawnSync("minisign", args, { cwd, input, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/**
 * Encrypt a secret key that has no password. minisign's own limits would need 1 GiB and seconds;
 * these are the least that it accepts.
 */
function encryptKey(text: string, password: string): string {
  const [comment, line = ""] = text.split("\n");
  const bytes = Buffer.from(line, "base64");
  bytes.write("Sc", 2, "latin1");
  const salt = randomBytes(32);
  salt.copy(bytes, 6);
  bytes.writeBigUInt64LE(32_768n, 38);
  bytes.writeBigUInt64LE(16_777_216n, 46);
  const secret = bytes.subarray(54);
  createHash("blake2b256").update("Ed").update(secret.subarray(0, 72)).digest().copy(secret, 72);
  const stream = scryptSync(password, salt, secret.length, { N: 1_024, r: 8, p: 1 });
  for (const [at, byte] of stream.entries()) secret[at]! ^= byte;
  return `${comment}\n${bytes.toString("base64")}\n`;
}

test("verify accepts the signatures of minisign, and minisign accepts ours", () =>
  withRelease(async ({ path, verify, write }) => {
    const made = minisign(path, ["-G", "-f", "-p", "key.pub", "-s", "plain.key", "-W"]);
    assert.equal(made.status, 0, made.output);
    const plain = readFileSync(join(path, "plain.key"), "utf8");
    write("encrypted.key", encryptKey(plain, "pässword"));
    for (const [name, password] of [["plain.key", ""], ["encrypted.key", "pässword"]] as const) {
      const signed = minisign(
        path,
        ["-S", "-m", ARCHIVE, "-s", name, "-t", COMMENT],
        `${password}\n`,
      );
      assert.equal(signed.status, 0, signed.output);
      const run = await verify(ARCHIVE, "key.pub");
      assert.equal(run.code, 0, run.stderr);
      assert.equal(JSON.parse(run.stdout).comment, COMMENT);
      const key = readSecretKey(readFileSync(join(path, name), "utf8"), password);
      write(`${ARCHIVE}.minisig`, signBytes(CONTENT, key, COMMENT));
      const checked = minisign(path, ["-V", "-m", ARCHIVE, "-P", key.publicKey]);
      assert.equal(checked.status, 0, checked.output);
      assert.ok(checked.output.includes(COMMENT));
      write(ARCHIVE, "changed");
      assertRefused(await verify(ARCHIVE, "key.pub"), 5, /its signature is wrong/);
      assert.notEqual(minisign(path, ["-V", "-m", ARCHIVE, "-P", key.publicKey]).status, 0);
      write(ARCHIVE, CONTENT);
    }
    const encrypted = readFileSync(join(path, "encrypted.key"), "utf8");
    assert.throws(() => readSecretKey(encrypted, "wrong"), /JOBCTL_SIGNING_PASSWORD is not/);
    assert.throws(() => readSecretKey(plain.slice(0, -30), ""), /not a secret key of minisign/);
  }));
