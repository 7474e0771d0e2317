import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { cli } from "../../support/worlds/cli_world.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const NEW = ["token", "new", "ci", "--role", "viewer", "-o", "name"];

test("token makes no file where nothing says that a daemon reads it", () =>
  withTempDir({}, async ({ path: cwd }) => {
    for (const argv of [NEW, ["token", "list"], ["token", "revoke", "ci", "--yes"]]) {
      const run = await cli(argv, { cwd });
      assert.equal(run.code, 2, run.stdout);
      assert.match(run.stderr, /there is no config\.toml in ".*"\nhint: .*--config.*--tokens-file/);
    }
    assert.equal(existsSync(`${cwd}/data`), false);
    const env = { JOBCTL_SERVER_AUTH_TOKENS_FILE: `${cwd}/named.json` };
    assert.equal((await cli(NEW, { cwd, env })).code, 0);
    assert.equal((await cli([...NEW, "--tokens-file", "given.json"], { cwd })).code, 0);
    assert.ok(existsSync(`${cwd}/named.json`) && existsSync(`${cwd}/given.json`));
  }));

test("token works on the file of the config.toml of the folder, and on one that is there", () =>
  withTempDir({ "config.toml": "" }, async ({ path: cwd }) => {
    assert.equal((await cli(NEW, { cwd })).code, 0);
    assert.match((await cli(["token", "list"], { cwd })).stdout, /"ci"/);
    const env = { JOBCTL_CONFIG: `${cwd}/config.toml` };
    assert.match((await cli(["token", "list"], { env })).stdout, /"ci"/);
  }));
