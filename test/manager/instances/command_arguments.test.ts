import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  type CommandSpec,
  type JobDefinition,
  NO_HANDLERS,
  NO_PROCESS,
} from "../../../src/core/job/job.ts";
import { resolveCommand } from "../../../src/jobs/loading/command_job.ts";
import { parseParams } from "../../../src/jobs/types/read_signature.ts";
import { argumentsFor } from "../../../src/manager/instances/new_instance.ts";

function commandJob(
  params: string | null,
  stdin: CommandSpec["stdin"],
  allowsDash = false,
): JobDefinition {
  const spec: CommandSpec = {
    argv: ["/usr/bin/printf", "%s"],
    ...NO_PROCESS,
    stdin,
    successCodes: [0],
    parameters: [],
    hasRest: false,
    allowsDash,
  };
  const { command, signature } = resolveCommand(spec, params === null ? null : parseParams(params));
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
  for (const [params, path] of [["...a: string[]", "2"], ["a: string, b: string", "b"]] as const) {
    const refused = (error: unknown) =>
      isJobError(error, "invalid_argument") && error.path === path &&
      /contains a NUL/.test(error.message);
    assert.throws(() => argumentsFor(commandJob(params, null), ["x", "a\0b"]), refused);
    const arg = path === "2" ? 2 : "b";
    const taken = argumentsFor(commandJob(params, { arg }), ["x", "a\0b"]);
    assert.equal(taken, '["x","a\\u0000b"]');
  }
  // As JSON text it has no NUL of its own.
  const object = commandJob("o: { a: string }", null);
  assert.equal(argumentsFor(object, [{ a: "\0" }]), '[{"a":"\\u0000"}]');
});

test("argumentsFor() refuses arguments that no params declare", () => {
  for (const input of [["x"], { LD_PRELOAD: "/tmp/x.so" }, { arguments: ["x"] }]) {
    assert.throws(
      () => argumentsFor(commandJob(null, null), input),
      (error) => isJobError(error, "invalid_argument"),
    );
  }
  assert.equal(argumentsFor(commandJob(null, null), []), "[]");
});

for (
  const [params, input, path] of [
    ["a: string", ["--checkpoint-action=exec=id"], "a"],
    ["a: string", { a: "-" }, "a"],
    ["a: string, b?: string", ["x", "-exec"], "b"],
    ["...a: string[]", ["x", "-oProxyCommand=id"], "2"],
    ["a: number", [-1], "a"],
    ["a: number", ["-1"], "a"],
    ["a: bigint", ["-99999999999999999999"], "a"],
    ["a: unknown", ["-x"], "a"],
    ["a: Int | string", ["-1"], "a"],
  ] as const
) {
  const text = JSON.stringify(input);
  test(`argumentsFor() refuses ${text} for (${params}), unless its table allows it`, () => {
    assert.throws(
      () => argumentsFor(commandJob(params, null), input),
      (error) => isJobError(error, "invalid_argument") && error.path === path && !!error.hint,
    );
    argumentsFor(commandJob(params, null, true), input);
    // An argument for the standard input is not an option.
    const arg = path === "2" ? 2 : path;
    argumentsFor(commandJob(params, { arg }), input);
  });
}
