import assert from "node:assert/strict";
import { test } from "node:test";
import { loadText } from "../support/worlds/config_world.ts";

/** The places of all problems, each with its key. */
async function placesOf(text: string, options = {}) {
  const { problems } = await loadText(text, options);
  return problems.map((problem) => /^\S*?:(\d+):\d+: (?:not TOML|(\S+):)?/.exec(problem)!)
    .map(([, line, key]) => `${line}${key === undefined ? "" : ` ${key}`}`);
}

test("a file with several mistakes of syntax reports each of them, and those of values", async () => {
  const text = [
    "timezone = ", // 1: the value is missing
    "[log]",
    'level = "loud"', // 3: no such level
    "[worker",
    "count = 3",
    "[server]",
    "prot = 1", // 7: unknown
    "what is this",
    'host = "0.0.0.0',
    'socket_role = "boss"', // 10
  ].join("\n");
  assert.deepEqual(await placesOf(text), [
    ...["1", "3 log.level", "4", "7 server.prot", "8", "9", "10 server.socket_role"],
  ]);
});

test("a table whose header cannot be read is left out as a whole", async () => {
  const text =
    '[log]\nlevel = "info"\n[jobs.a b]\nrun = "true"\n[jobs.c]\ntimeuot = 1\nrun = "true"\n';
  assert.deepEqual(await placesOf(text), ["3", "6 jobs.c.timeuot"]);
});

test("a value over several lines that does not end is one mistake", async () => {
  const text = "modules = [\n  'a',\n  oops\n[log]\nlevel = 1\n";
  assert.deepEqual(await placesOf(text), ["3", "5 log.level"]);
});

test("what a job lacks because of a mistake of syntax is not reported, too", async () => {
  const text = '[jobs.a]\nrun = "true\nparams = "x: string"\n[jobs.b]\nparams = "x: string"\n';
  assert.deepEqual(await placesOf(text), ["2", "5 jobs.b.params"]);
});

test("an included file with mistakes of syntax keeps its jobs as they are, and reports all", async () => {
  const files = { "more.toml": "[jobs.b]\nrun = \n[jobs.c]\nrun = 'true\n" };
  const text = 'include = ["more.toml"]\n[jobs.a]\nrun = "true"\n';
  const { loaded, problems } = await loadText(text, { files });
  assert.deepEqual(loaded?.config.jobs.map(({ kind }) => kind), ["a"]);
  assert.equal(problems.length, 2);
  assert.ok(loaded?.problems.every(({ unread }) => unread?.endsWith("more.toml")));
});

test("a key that is missing because it is misspelled is one mistake", async () => {
  const text = [
    ...["[server.auth]", 'tokens = [{ name = "a", token = "0123456789abcdef", rol = "admin" }]'],
    ...["[server.tls]", 'crt = "a.crt"', 'key = "a.key"'],
    ...["[server]", 'http = "0.0.0.0:80"'],
    ...["[notices.x]", 'too = "exec"', "[notices.y]", 'to = "exec"', 'comand = ["true"]'],
    ...["[jobs.a]", 'run = "true"', "[jobs.a.hook]", 'verfy = "github"', 'secret = { file = "x" }'],
  ].join("\n");
  const places = await placesOf(text);
  assert.deepEqual(places, [
    "2 server.auth.tokens[0].rol",
    "4 server.tls.crt",
    "9 notices.x.too",
    "12 notices.y.comand",
    "16 jobs.a.hook.verfy",
    "17 jobs.a.hook.secret.file",
  ]);
});
