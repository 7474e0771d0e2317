import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import {
  type CommandSpec,
  JOB_DEFAULTS,
  type JobDefinition,
  NO_HANDLERS,
  NO_PROCESS,
} from "../../src/core/job.ts";
import { resolveCommand } from "../../src/jobs/command_job.ts";
import { argumentsFor } from "../../src/manager/new_instance.ts";

function commandJob(params: string | null, stdin: CommandSpec["stdin"]): JobDefinition {
  const spec: CommandSpec = {
    argv: ["/usr/bin/printf", "%s"],
    ...NO_PROCESS,
    stdin,
    successCodes: [0],
    parameters: [],
  };
  const { command, signature } = resolveCommand(spec, params);
  return {
    kind: "print",
    description: "",
    source: { type: "command", command },
    signature,
    options: { ...JOB_DEFAULTS, isolation: "process" },
    schedules: [],
    hasHandler: NO_HANDLERS,
    registeredAt: 0,
  };
}

test("argumentsFor() refuses a NUL on the command line, and takes it for the standard input", () => {
  for (const [params, path] of [[null, "2"], ["a: string, b: string", "b"]] as const) {
    const refused = (error: unknown) =>
      isJobError(error, "invalid_argument") && error.path === path &&
      /has a NUL/.test(error.message);
    assert.throws(() => argumentsFor(commandJob(params, null), ["x", "a\0b"]), refused);
    const arg = params === null ? 2 : "b";
    const taken = argumentsFor(commandJob(params, { arg }), ["x", "a\0b"]);
    assert.equal(taken, '["x","a\\u0000b"]');
  }
  // As JSON text it has no NUL of its own.
  const object = commandJob("o: { a: string }", null);
  assert.equal(argumentsFor(object, [{ a: "\0" }]), '[{"a":"\\u0000"}]');
});
