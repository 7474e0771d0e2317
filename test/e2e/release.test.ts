import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { withTempDir } from "../support/temp_dir.ts";
import { cli } from "../support/worlds/cli_world.ts";

/** A release of one system, compressed quickly. `npm run release -- --check` is the long form. */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: ROOT, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync(command, args, options);
  assert.equal(status, 0, stderr);
  return stdout;
}

function sumOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** A secret key of minisign without a password, and its public key. */
function newKey(): { readonly text: string; readonly publicKey: string } {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [id, d, x] = [
    Buffer.from("01234567"),
    Buffer.from(jwk.d!, "base64url"),
    Buffer.from(jwk.x!, "base64url"),
  ];
  const head = Buffer.alloc(54);
  head.write("Ed\0\0B2", "latin1");
  const bytes = Buffer.concat([head, id, d, x, Buffer.alloc(32)]);
  return {
    text: `untrusted comment: key of a test\n${bytes.toString("base64")}\n`,
    publicKey: Buffer.concat([Buffer.from("Ed"), id, x]).toString("base64"),
  };
}

test("release makes a signed archive with a program that knows its commit", () =>
  withTempDir({}, async ({ path, write }) => {
    const key = newKey();
    const out = join(path, "out");
    const args = ["--target", "linux-x64", "--level", "1", "--only", "archive", "--out", out];
    const release = ["scripts/release.mjs", ...args];
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const name = `jobctl-${version}-linux-x64`;
    run("node", release, {
      JOBCTL_SIGNING_KEY_FILE: write("secret.key", key.text),
      SOURCE_DATE_EPOCH: "1795780800",
    });
    assert.deepEqual(readdirSync(out).sort(), [
      "SHA256SUMS",
      "SHA256SUMS.minisig",
      "install.sh",
      `${name}.tar.gz`,
      `${name}.tar.zst`,
      `jobctl-${version}-provenance.json`,
      `jobctl-${version}-sbom.cdx.json`,
      "minisign.pub",
    ]);
    const verified = await cli(["verify", "SHA256SUMS", "--key", key.publicKey], { cwd: out });
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(JSON.parse(verified.stdout).matching.length, 6);

    const byFile = await cli(["verify", "SHA256SUMS", "--key", "minisign.pub"], { cwd: out });
    assert.equal(byFile.code, 0, byFile.stderr);
    if (spawnSync("minisign", ["-v"]).error === undefined) {
      const sums = join(out, "SHA256SUMS");
      run("minisign", ["-V", "-q", "-m", sums, "-p", join(out, "minisign.pub")]);
    }

    mkdirSync(join(path, "unpacked"));
    run("tar", ["--zstd", "-xf", join(out, `${name}.tar.zst`), "-C", join(path, "unpacked")]);
    const folder = join(path, "unpacked", name);
    const program = join(folder, "jobctl");
    const described = JSON.parse(run(program, ["version", "--verbose", "-o", "json"]));
    assert.equal(described.target, "linux-x64");
    assert.equal(described.committed_at, "2026-11-27T12:00:00.000Z");
    assert.equal(described.file_sha256, sumOf(program));
    assert.equal(described.signing_key, "3736353433323130");
    run(program, ["verify", join(out, `${name}.tar.zst`)]);
    const ofArchive = readFileSync(join(folder, "minisign.pub"), "utf8");
    assert.equal(ofArchive, readFileSync(join(out, "minisign.pub"), "utf8"));
    assert.match(
      readFileSync(join(folder, "man", "jobctl.1"), "utf8"),
      /^\.TH "JOBCTL" 1 "2026-11-27" /,
    );
    const completion = readFileSync(join(folder, "completions", "_jobctl"), "utf8");
    assert.equal(completion, run(program, ["completion", "zsh"]));
    assert.ok(!readFileSync(program).includes(ROOT), "the program has the folder of the build");

    const prefix = join(path, "prefix");
    const installed = run("sh", [join(out, "install.sh"), "--from", out, "--prefix", prefix]);
    assert.match(installed, /^Installed .*\/bin\/jobctl \d\S+$/m);
    assert.equal(sumOf(join(prefix, "bin/jobctl")), sumOf(program));
    run("sh", [join(out, "install.sh"), "--uninstall", "--prefix", prefix]);
    assert.deepEqual(readdirSync(prefix), []);

    const notices = readFileSync(join(folder, "THIRD-PARTY-NOTICES"), "utf8");
    const bill = JSON.parse(
      readFileSync(join(out, `jobctl-${version}-sbom.cdx.json`), "utf8"),
    );
    const refs = bill.components.map((one: { readonly "bom-ref": string }) => one["bom-ref"]);
    assert.equal(new Set(refs).size, refs.length);
    for (const { group, name: bare, version, licenses, hashes } of bill.components) {
      if (bare === "bun") continue;
      assert.ok(notices.includes(`${group ? `${group}/` : ""}${bare} ${version}`), bare);
      assert.ok(licenses.length > 0 && hashes[0].content.length === 128, bare);
    }
    const made = JSON.parse(
      readFileSync(join(out, `jobctl-${version}-provenance.json`), "utf8"),
    );
    const { digest } = made.subject.find((one: { name: string }) => one.name === `${name}/jobctl`);
    assert.equal(digest.sha256, sumOf(program));
  }));
