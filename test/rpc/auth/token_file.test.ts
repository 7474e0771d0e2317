import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import {
  ensureTokenFile,
  readTokenFile,
  removeTokenFile,
  replaceTokenFile,
} from "../../../src/rpc/auth/token_file.ts";

function tempFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-token-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const make = (seed: number) => ({ random: seededRandom(seed), logger: silentLogger });

test("ensureTokenFile() makes a token of 32 bytes with mode 0600", async (context) => {
  const path = join(tempFolder(context), "new", "token");
  const token = await ensureTokenFile(path, make(1));
  assert.equal(Buffer.from(token, "base64url").length, 32);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(readTokenFile(path), token);
});

test("ensureTokenFile() keeps the token that is there and leaves no draft", async (context) => {
  const folder = tempFolder(context);
  const path = join(folder, "token");
  const first = await ensureTokenFile(path, make(1));
  assert.equal(await ensureTokenFile(path, make(2)), first);
  assert.deepEqual(readdirSync(folder), ["token"]);
});

test("ensureTokenFile() gives both daemons one token when they start at once", async (context) => {
  const path = join(tempFolder(context), "token");
  const tokens = await Promise.all([
    ensureTokenFile(path, make(1)),
    ensureTokenFile(path, make(2)),
  ]);
  assert.equal(tokens[0], tokens[1]);
});

for (
  const [what, mode, problem] of [
    ["every user can read", 0o644, /every user can read it \(mode 0644\)/],
    ["every user can write", 0o602, /every user can write to it/],
  ] as const
) {
  test(`ensureTokenFile() refuses a file that ${what}`, async (context) => {
    const path = join(tempFolder(context), "token");
    writeFileSync(path, "secret\n");
    chmodSync(path, mode);
    await assert.rejects(ensureTokenFile(path, make(1)), (error) => {
      assert.ok(isJobError(error, "permission_denied"), String(error));
      assert.match(error.message, problem);
      assert.ok(error.message.includes(path) && !error.message.includes("secret"));
      return true;
    });
  });
}

test("ensureTokenFile() makes no token in a folder that others may write to", async (context) => {
  const folder = tempFolder(context);
  chmodSync(folder, 0o1777);
  const path = join(folder, "token");
  await assert.rejects(
    ensureTokenFile(path, make(1)),
    (error) => isJobError(error, "permission_denied") && error.message.includes(folder),
  );
  assert.equal(existsSync(path), false);
});

test("ensureTokenFile() takes a file that its group can read, also by a link", async (context) => {
  const folder = tempFolder(context);
  const path = join(folder, "token");
  writeFileSync(join(folder, "mounted"), "secret\n");
  chmodSync(join(folder, "mounted"), 0o640);
  symlinkSync("mounted", path);
  assert.equal(await ensureTokenFile(path, make(1)), "secret");
});

test("replaceTokenFile() leaves the new token only, with mode 0600", async (context) => {
  const folder = tempFolder(context);
  const path = join(folder, "token");
  writeFileSync(path, "old\n", { mode: 0o644 });
  await replaceTokenFile(path, "new", make(1));
  assert.equal(readTokenFile(path), "new");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["token"]);
});

test("removeTokenFile() leaves the token of another daemon", async (context) => {
  const path = join(tempFolder(context), "token");
  writeFileSync(path, "other\n");
  await removeTokenFile(path, "mine");
  assert.ok(existsSync(path));
  await removeTokenFile(path, "other");
  assert.equal(existsSync(path), false);
});

test("ensureTokenFile() names the file when it cannot be written", async (context) => {
  const folder = tempFolder(context);
  const path = join(folder, "file", "token");
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(
    ensureTokenFile(path, make(1)),
    (error) => isJobError(error) && error.message.includes(path) && error.hint !== undefined,
  );
  assert.equal(existsSync(path), false);
});

test("readTokenFile() throws not_found when the file is missing", (context) => {
  const path = join(tempFolder(context), "token");
  assert.throws(() => readTokenFile(path), (error) => isJobError(error, "not_found"));
});

test("readTokenFile() throws unauthenticated when the file is empty", (context) => {
  const path = join(tempFolder(context), "token");
  writeFileSync(path, "\n");
  assert.throws(() => readTokenFile(path), (error) => isJobError(error, "unauthenticated"));
});
