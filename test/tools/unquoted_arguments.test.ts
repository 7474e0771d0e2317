import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_PROCESS } from "../../src/core/job/job.ts";
import { resolveCommand } from "../../src/jobs/loading/command_job.ts";
import { parseParams } from "../../src/jobs/types/read_signature.ts";
import { evaluatingProgram, unquotedArgument } from "../../src/tools/unquoted_arguments.ts";

function resolve(line: string, params: string, arg?: string | number) {
  return resolveCommand({
    argv: ["/bin/sh", "-c", line, "jobctl"],
    ...NO_PROCESS,
    stdin: arg === undefined ? null : { arg },
    successCodes: [0],
    parameters: [],
    hasRest: false,
    allowsDash: false,
  }, parseParams(params));
}

function unquoted(line: string, params: string, arg?: string | number): string | null {
  const { command, signature } = resolve(line, params, arg);
  return unquotedArgument(command, signature);
}

for (
  const [line, wanted, params = "what: string, n = 1"] of [
    ['ssh host "$1"', "ssh"],
    ["cd /; /usr/bin/ssh host \"echo '$JOB_ARG_what'\"", "ssh"],
    ['exec ssh host -- "$@"', "ssh"],
    ['eval "$1"', "eval"],
    ['ls | parallel "$1"', "parallel"],
    ['x=$(ssh host "${1}")', "ssh"],
    ["ssh host 'echo $1'", null],
    ["ssh host uptime", null],
    ['ssh host uptime; echo "$1"', null],
    ['echo ssh "$1"', null],
    ['ssh host restart "$1"', null, 'what: "web" | "db"'],
    ['ssh host "$2"', null],
  ] as readonly [string, string | null, string?][]
) {
  test(`evaluatingProgram() finds ${wanted ?? "nothing"} in: ${line}`, () => {
    const { command, signature } = resolve(line, params);
    assert.equal(evaluatingProgram(command, signature), wanted);
  });
}

for (
  const [line, wanted, params = "path: string, n = 1"] of [
    ['ls "$1"', null],
    ["ls $1", "$1"],
    ["ls ${1}", "${1}"],
    ["ls $JOB_ARG_path", "$JOB_ARG_path"],
    ['ls "${JOB_ARG_path}"', null],
    ["ls -$JOB_ARG_n $2", null],
    ["echo '$1' \\$1", null],
    ['echo "$(ls $1)"', "$1"],
    ['echo "$(ls "$1")" "$1"', null],
    ['x=$1; ls "$x"', null],
    ["ls $@", "$@", "...paths: string[]"],
    ['ls "$@"', null, "...paths: string[]"],
    ["exit $1", null, "code: number"],
    ["run $1", null, 'mode: "daily" | "weekly"'],
    ["run $1", "$1", 'mode: "daily" | "a b"'],
    ["run $1", "$1", "any: unknown"],
    ["echo it's $1", null],
  ] as readonly [string, string | null, string?][]
) {
  test(`unquotedArgument() finds ${wanted} in ${line} for (${params})`, () => {
    assert.equal(unquoted(line, params), wanted);
  });
}

test("unquotedArgument() counts positions without the argument of the standard input", () => {
  assert.equal(unquoted("run $1", "body: string, n: number", "body"), null);
  assert.equal(unquoted("run $1", "n: number, body: string", 1), "$1");
});
