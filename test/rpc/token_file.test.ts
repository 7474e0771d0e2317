import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { seededRandom } from "../../src/platform/random.ts";
import { ensureTokenFile, readTokenFile } from "../../src/rpc/token_file.ts";
import { keepingLogger } from "../support/rpc_world.ts";
import type { LoggedLine } from "../support/rpc_world.ts";

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
  assert.equal(await readTokenFile(path), token);
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

test("ensureTokenFile() warns when others can read the file", async (context) => {
  const path = join(tempFolder(context), "token");
  writeFileSync(path, "secret\n");
  chmodSync(path, 0o644);
  const lines: LoggedLine[] = [];
  await ensureTokenFile(path, { random: seededRandom(1), logger: keepingLogger(lines) });
  assert.equal(lines[0]?.level, "warn");
  assert.ok(!JSON.stringify(lines).includes("secret"));
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

test("readTokenFile() says not_found when there is no file", async (context) => {
  const path = join(tempFolder(context), "token");
  await assert.rejects(readTokenFile(path), (error) => isJobError(error, "not_found"));
});

test("readTokenFile() says unauthenticated when the file is empty", async (context) => {
  const path = join(tempFolder(context), "token");
  writeFileSync(path, "\n");
  await assert.rejects(readTokenFile(path), (error) => isJobError(error, "unauthenticated"));
});
