import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  changeTokensFile,
  hashToken,
  readTokensFile,
  type StoredToken,
} from "../../../src/platform/files/tokens_file.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const NOW = Date.UTC(2026, 10, 24);
const TOKEN: StoredToken = {
  name: "ci",
  role: "operator",
  hash: hashToken("secret"),
  jobs: ["shop-*"],
  expiresAt: NOW + 1_000,
  createdAt: NOW,
};

function add(path: string, token: StoredToken, nowMs = NOW): void {
  changeTokensFile(path, { nowMs, change: (tokens) => [...tokens, token] });
}

test("changeTokensFile() keeps what readTokensFile() gives, private, and leaves nothing else", async () => {
  await withTempDir({}, ({ path: folder }) => {
    const path = join(folder, "data", "tokens.json");
    const plain = { ...TOKEN, name: "plain", jobs: null, expiresAt: null };
    add(path, TOKEN);
    add(path, plain);
    assert.deepEqual(readTokensFile(path), [TOKEN, plain]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, "data")).mode & 0o777, 0o700);
    assert.equal(existsSync(`${path}.new`), false);
    assert.ok(!readFileSync(path, "utf8").includes('"secret"'));
  });
});

test("changeTokensFile() waits for nobody while another program writes, unless that was killed", async () => {
  await withTempDir({}, ({ path: folder }) => {
    const path = join(folder, "tokens.json");
    writeFileSync(`${path}.new`, "");
    utimesSync(`${path}.new`, NOW / 1_000, NOW / 1_000);
    assert.throws(() => add(path, TOKEN, NOW + 1_000), (error) => isJobError(error, "conflict"));
    add(path, TOKEN, NOW + 60_000);
    assert.equal(readTokensFile(path).length, 1);
  });
});

test("changeTokensFile() leaves the file as it was when the change is refused", async () => {
  await withTempDir({}, ({ path: folder }) => {
    const path = join(folder, "tokens.json");
    add(path, TOKEN);
    const refuse = () => {
      throw new Error("no");
    };
    assert.throws(() => changeTokensFile(path, { nowMs: NOW, change: refuse }));
    assert.deepEqual(readTokensFile(path), [TOKEN]);
    add(path, { ...TOKEN, name: "again" });
  });
});

test("readTokensFile() is empty without a file", async () => {
  await withTempDir({}, ({ path }) => assert.deepEqual(readTokensFile(join(path, "none")), []));
});

const WHOLE = '{"name":"a","role":"admin","created":"2026-01-01T00:00:00Z","hash":"HASH"}';
for (
  const [what, text] of [
    ["no JSON", "tokens"],
    ["no list", "{}"],
    ["of another version", '{"version":2,"tokens":[]}'],
    ["with a key that is not known", WHOLE.replace('"role"', '"scope":[],"role"')],
    ["with a role that there is not", WHOLE.replace('"admin"', '"root"')],
    ["with a token in place of its hash", WHOLE.replace("HASH", "secret")],
    ["with an end that is no time", WHOLE.replace('"role"', '"expires":"soon","role"')],
    ["for no jobs", WHOLE.replace('"role"', '"jobs":[],"role"')],
  ] as const
) {
  test(`readTokensFile() refuses a file ${what}`, async () => {
    await withTempDir({}, ({ path: folder }) => {
      const path = join(folder, "tokens.json");
      const entry = text.replace("HASH", hashToken("x"));
      const isEntry = text.startsWith('{"name"');
      writeFileSync(path, isEntry ? `{"version":1,"tokens":[${entry}]}` : text, { mode: 0o600 });
      assert.throws(
        () => readTokensFile(path),
        (error) => isJobError(error, "invalid_config") && error.message.includes(path),
      );
    });
  });
}

test("readTokensFile() refuses a file that others may read", async () => {
  await withTempDir({}, ({ path: folder }) => {
    const path = join(folder, "tokens.json");
    add(path, TOKEN);
    chmodSync(path, 0o640);
    assert.throws(() => readTokensFile(path), (error) => isJobError(error, "permission_denied"));
  });
});
