import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What a command of a release has in its environment. */
function environmentOf(options: string): string {
  const script = `import { run, signingEnvironment } from "./scripts/tasks.mjs";
    run("env", [], ${options});`;
  const { status, stdout, stderr } = spawnSync("node", ["--input-type=module", "-e", script], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, JOBCTL_SIGNING_KEY_FILE: "/key", JOBCTL_SIGNING_PASSWORD: "hunter2" },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test("run() keeps the key of a release from npm, bun and the packages they install", () => {
  assert.doesNotMatch(environmentOf("{}"), /hunter2|JOBCTL_SIGNING/);
  const signs = environmentOf("{ env: signingEnvironment() }");
  assert.match(signs, /^JOBCTL_SIGNING_KEY_FILE=\/key$/m);
  assert.match(signs, /^JOBCTL_SIGNING_PASSWORD=hunter2$/m);
});
