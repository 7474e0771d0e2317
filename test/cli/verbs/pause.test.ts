import assert from "node:assert/strict";
import test from "node:test";
import { cli } from "../../support/worlds/cli_world.ts";

const ANSWERS = { pause: { pause: { reason: "" } } };

async function pause(line: string, input?: string) {
  const argv = line === "" ? ["pause"] : ["pause", ...line.split(" ")];
  const terminal = input === undefined ? {} : { input, isTerminal: true };
  const { code, stderr, calls } = await cli(argv, { answers: ANSWERS, ...terminal });
  return { code, stderr, isPaused: calls.some(({ method }) => method === "pause") };
}

test("pause without a kind asks on a terminal, and does as it is told", async () => {
  const no = await pause("", "n\n");
  assert.deepEqual([no.code, no.isPaused], [130, false]);
  assert.match(no.stderr, /About to pause all jobs\. Continue\? \[y\/N\]/);
  const yes = await pause("", "y\n");
  assert.deepEqual([yes.code, yes.isPaused], [0, true]);
});

test("pause without a kind pauses nothing where there is no terminal", async () => {
  const given = await pause("");
  assert.deepEqual([given.code, given.isPaused], [2, false]);
  assert.match(given.stderr, /Cannot pause all jobs without confirmation.*\nhint: Add --all/);
});

test("pause asks nothing with --all or for a kind", async () => {
  const lines = [["--all", ""], ["mail", ""], ["--all"], ["mail"]] as const;
  for (const [line, input] of lines) {
    const given = await pause(line, input);
    assert.deepEqual([given.code, given.isPaused], [0, true], given.stderr);
  }
  const both = await pause("mail --all");
  assert.deepEqual([both.code, both.isPaused], [2, false]);
  assert.match(both.stderr, /Cannot use --all with "mail"/);
});

test("resume --all is resume without a kind, and takes none", async () => {
  const answers = { resume: { wasPaused: true } };
  const { stdout, calls } = await cli(["resume", "--all"], { answers });
  assert.deepEqual(JSON.parse(stdout), { kind: null, was_paused: true });
  assert.equal(calls[0]!.request.kind, undefined);
  assert.equal((await cli(["resume", "mail", "--all"], { answers })).code, 2);
});
