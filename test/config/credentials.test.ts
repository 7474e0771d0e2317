import assert from "node:assert/strict";
import test from "node:test";
import { loadConfig } from "../../src/config/load_config.ts";
import { ConfigError } from "../../src/config/values/problems.ts";
import { withTempDir } from "../support/temp_dir.ts";

const TOML = (name: string) =>
  `[store]\nurl = "valkey://127.0.0.1"\npassword = { credential = ${JSON.stringify(name)} }\n`;

/** A configuration whose password is a credential, and the folder of a service's credentials. */
async function load(name: string, files: Readonly<Record<string, string>>) {
  const config = { "config.toml": TOML(name), "credentials/.keep": "" };
  return await withTempDir({ ...config, ...files }, async ({ path }) => {
    const env = { CREDENTIALS_DIRECTORY: `${path}/credentials` };
    return await loadConfig(`${path}/config.toml`, { env });
  });
}

test("a credential is read from the folder of the service and is a secret", async () => {
  const { config, secrets } = await load("jobctl.valkey", {
    "credentials/jobctl.valkey": "the-password\n",
  });
  assert.ok(config.store.url.startsWith("valkey:"));
  assert.ok([...secrets].includes("the-password"));
});

test("a credential that is missing is a problem that says where it was looked for", async () => {
  await assert.rejects(load("jobctl.none", {}), (error: ConfigError) => {
    const [problem] = error.problems;
    assert.match(problem!.message, /no credential "jobctl\.none" in \S+\/credentials$/);
    assert.match(problem!.hint ?? "", /LoadCredential=jobctl\.none:PATH/);
    return true;
  });
});

test("a credential outside of a service is looked for where services get theirs from", async () => {
  await withTempDir({ "config.toml": TOML("jobctl.test.none") }, async ({ path }) => {
    await assert.rejects(loadConfig(`${path}/config.toml`, { env: {} }), (error: ConfigError) => {
      assert.match(error.problems[0]!.message, /in \/etc\/credstore, \/run\/credstore, /);
      return true;
    });
  });
});

for (const name of ["../secret", "a/b", "..", ".", "", "a b"]) {
  test(`a credential cannot have the name ${JSON.stringify(name)}`, async () => {
    await assert.rejects(load(name, { secret: "x" }), (error: ConfigError) => {
      assert.match(error.problems[0]!.message, /wanted the name of a credential/);
      return true;
    });
  });
}
