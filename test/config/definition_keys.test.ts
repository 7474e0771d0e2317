import assert from "node:assert/strict";
import { test } from "node:test";
import { JOB_SCHEMA } from "../../src/config/job_keys.ts";
import { checkJobInput } from "../../src/core/job/define.ts";

/**
 * What a definition has not: of commands alone, of jobs without code, or what surrounds the
 * process, which is the operator's.
 */
const TABLE_ONLY = new Set([
  ...["run", "command", "shell", "stdin.text", "stdin.arg", "success_codes", "allow_dash"],
  ...["leave_children", "ionice", "env_file"],
  ...["cwd", "user", "group", "umask", "env", "enabled", "external", "ping_key"],
  ...["verify", "secret", "arguments", "only", "replay_window", "header"].map((key) =>
    `hook.${key}`
  ),
]);

function camel(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

for (const path of Object.keys(JOB_SCHEMA.keys).filter((one) => !TABLE_ONLY.has(one))) {
  const [key, member] = path.split(".").map(camel);
  test(`checkJobInput() knows ${path} of a table as ${key}${member ? `.${member}` : ""}`, () => {
    // A value that no key takes, so that the error tells whether the key is known.
    const value = Symbol("no value");
    const input = { run() {}, [key!]: member === undefined ? value : { [member]: value } };
    assert.throws(() => checkJobInput(input), (error) => {
      assert.ok(error instanceof Error);
      assert.doesNotMatch(error.message, /unknown key/);
      return true;
    });
  });
}
