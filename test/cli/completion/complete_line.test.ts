import assert from "node:assert/strict";
import test from "node:test";
import { completeLine } from "../../../src/cli/completion/complete_line.ts";
import { shellScript } from "../../../src/cli/completion/shell_script.ts";

/** What is offered at the end of a line, whose last word may be empty. */
async function at(line: string) {
  const { choices, ...rest } = await completeLine(line.split(" "));
  return { ...rest, words: choices.map(({ name }) => name) };
}

test("completeLine() offers verbs, and the verbs of a group", async () => {
  assert.ok((await at("jobctl ")).words.includes("status"));
  assert.ok((await at("jobctl help li")).words.includes("list"));
  const { words, prefix } = await at("jobctl --host x list in");
  assert.ok(words.includes("instances") && !words.includes("status"));
  assert.equal(prefix, "in");
  assert.deepEqual((await at("jobctl nonsense ")).words, []);
});

test("completeLine() offers the options of the verb after a dash", async () => {
  const { words } = await at("jobctl list instances -");
  assert.ok(words.includes("--output") && words.includes("--host") && words.includes("--limit"));
  assert.ok(!(await at("jobctl check -")).words.includes("--host"));
});

for (
  const [line, offer, prefix] of [
    ["jobctl get job ma", "kind", "ma"],
    ["jobctl check --config co", "file", "co"],
    ["jobctl check --config=co", "file", "co"],
    ["jobctl check -c co", "file", "co"],
    ["jobctl -x pr", "context", "pr"],
    ["jobctl docs tu", "page", "tu"],
    ["jobctl status --port 1", null, "1"],
  ] as const
) {
  test(`completeLine() offers ${offer} after ${line}`, async () => {
    const found = await at(line);
    assert.deepEqual([found.offer, found.prefix], [offer, prefix]);
  });
}

test("completeLine() offers the parameters of the job on the line, and their values", async () => {
  const options = await at("jobctl schedule report --re");
  assert.deepEqual([options.offer, options.kind], ["parameter", "report"]);
  for (const line of ["jobctl schedule report --region ", "jobctl schedule report --region="]) {
    const { offer, which, kind } = await at(line);
    assert.deepEqual([offer, which, kind], ["value", "region", "report"]);
  }
  const word = await at("jobctl schedule report --region eu ");
  assert.deepEqual([word.offer, word.which], ["argument", "0"]);
  assert.equal((await at("jobctl schedule report a b ")).which, "2");
  // Without a value it is a flag.
  assert.equal((await at("jobctl schedule report --full --wait ")).offer, "argument");
  assert.equal((await at("jobctl schedule report --full -")).offer, "parameter");
});

test("completeLine() hands on the options of the connection", async () => {
  const line = "jobctl --host web1 -x prod get job --port=1 --output json ";
  assert.deepEqual((await at(line)).connection, ["--host=web1", "-x=prod", "--port=1"]);
});

test("completeLine() asks no daemon that only the shell could name", async () => {
  const words = ["jobctl", "get", "--token", "$(cat token)", "job", "$x", ""];
  assert.equal((await completeLine(words, new Set([3, 5]))).connection, null);
  assert.deepEqual((await completeLine(words, new Set([5]))).connection, ["--token=$(cat token)"]);
});

test("completeLine() offers the verbs that begin like the word, or all if none does", async () => {
  assert.deepEqual((await at("jobctl up")).words, ["upgrade-daemon", "update"]);
  assert.ok((await at("jobctl service")).words.includes("install-service"));
});

test("completeLine() offers programs, then files for their arguments", async () => {
  assert.equal((await at("jobctl wrap mail -- gi")).offer, "command");
  for (const line of ["wrap mail -- ./gi", "wrap mail -- git st", "wrap mail gi"]) {
    assert.equal((await at(`jobctl ${line}`)).offer, "file", line);
  }
});

test("completeLine() reads an option of a verb before it", async () => {
  assert.ok((await at("jobctl --kind mail list in")).words.includes("instances"));
  assert.ok((await at("jobctl --help li")).words.includes("list"));
});

test("completeLine() offers no options after two dashes", async () => {
  assert.deepEqual((await at("jobctl schedule report -- -")).words, []);
});

test("the scripts of nushell and PowerShell leave the line to the program, and run nothing of it", () => {
  for (const shell of ["nushell", "powershell"]) {
    const script = shellScript(shell);
    assert.match(script, /__complete line/);
    assert.doesNotMatch(script, /Invoke-Expression|\beval\b|Invoke-Command|\bsource\b/);
    for (const [open, close] of ["{}", "[]"].map((pair) => [...pair])) {
      const count = (character: string | undefined) => script.split(character!).length;
      assert.equal(count(open), count(close), `${shell} ${open}${close}`);
    }
  }
});
