import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { encodeSignature } from "../../../src/core/arguments/signature_json.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { ID, instance, waiting } from "../../support/worlds/cli_messages.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const SOURCE = "export default (day: string, dryRun = false) => {};";
const OTHER = ID.replace("0001", "0002");

function answers(more: Readonly<Record<string, unknown>> = {}) {
  const signatureJson = encodeSignature(readSignature(SOURCE));
  return {
    getInstance: { instance: instance({ kind: "report" }) },
    getJob: { job: { kind: "report", signatureJson, usage: "report" } },
    retryInstance: { instance: waiting(OTHER) },
    ...more,
  };
}

async function requestOf(...words: string[]) {
  const run = await cli(["retry", ID, ...words], { answers: answers() });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).id, OTHER);
  return run.calls.find(({ method }) => method === "retryInstance")!.request;
}

test("retry without arguments asks for the same ones", async () => {
  assert.deepEqual(await requestOf(), { uuid: ID });
});

test("retry with a kind names the command that is meant, with its arguments", async () => {
  const run = await cli(["retry", "report", "--day", "2026-01-31"], { answers: answers() });
  assert.equal(run.code, 4);
  const meant = "jobctl retry last:report --day 2026-01-31";
  assert.ok(run.stderr.endsWith(`hint: Did you mean: ${meant}\n`), run.stderr);
});

test("retry sends the arguments that are given by name, so that the others stay", async () => {
  for (const words of [["--day", "2026-01-31"], ["2026-01-31"], ["--arg", "day=2026-01-31"]]) {
    const { argumentsJson } = await requestOf(...words);
    assert.deepEqual(JSON.parse(String(argumentsJson)), { day: "2026-01-31" });
  }
  const { argumentsJson } = await requestOf("mon", "--dry-run");
  assert.deepEqual(JSON.parse(String(argumentsJson)), { day: "mon", dryRun: true });
  assert.deepEqual(await requestOf("--args-json", "[1]"), { uuid: ID, argumentsJson: "[1]" });
});

test("retry refuses a second id, and takes what is none for an argument", async () => {
  for (const word of [OTHER, "000000a2"]) {
    const run = await cli(["retry", ID, word], { answers: answers() });
    assert.equal(run.code, 2);
    assert.match(run.stderr, /it is the id of an instance\nhint: Retry one at a time/);
    assert.ok(run.calls.every(({ method }) => method === "getInstance"));
  }
  const getInstance = ({ uuid }: { readonly uuid: string }) => {
    if (uuid === ID) return { instance: instance({ kind: "report" }) };
    throw new JobError("not_found", "no such instance");
  };
  const run = await cli(["retry", ID, "deadbeef"], { answers: answers({ getInstance }) });
  assert.equal(run.code, 0, run.stderr);
});

test("retry last is the last run that has ended", async () => {
  const lookupInstances = ({ query }: { readonly query: { readonly states?: number[] } }) => {
    assert.deepEqual(query.states?.toSorted((a, b) => a - b), [8, 16, 32, 64]);
    return { instances: [instance({ kind: "report" })] };
  };
  const run = await cli(["retry", "last"], { answers: answers({ lookupInstances }) });
  assert.equal(run.code, 0, run.stderr);
  const none = await cli(["retry", "last"], { answers: answers({ lookupInstances: {} }) });
  assert.equal(none.code, 4);
  assert.match(none.stderr, /Cannot find the last run: none has ended\n/);
});
