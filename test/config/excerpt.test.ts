import assert from "node:assert/strict";
import { test } from "node:test";
import { Excerpts } from "../../src/config/excerpt.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** The line of a place, with a mark below what is wrong. */
function shown(text: string, line: number, column: number, path = "") {
  return withTempDir({ "config.toml": text }, ({ path: cwd }) => {
    const place = { file: "config.toml", line, column };
    const found = new Excerpts(cwd).of({ place, path });
    return found && `${found.text}\n${" ".repeat(found.start)}${"^".repeat(found.length)}`;
  });
}

test("Excerpts show the line of a problem, and mark the key or value", async () => {
  const text = '[jobs.a]\nschedule = "0 6 * *"\ntimeuot = 5\n';
  assert.equal(await shown(text, 2, 12), 'schedule = "0 6 * *"\n           ^^^^^^^^^');
  assert.equal(await shown(text, 3, 1), "timeuot = 5\n^^^^^^^");
  assert.equal(await shown(text, 1, 2), "[jobs.a]\n ^^^^^^");
  assert.equal(await shown(text, 9, 1), null);
});

test("Excerpts show the part of a long line that is wrong", async () => {
  const text = `run = "${"x".repeat(500)}" , y = 1`;
  const found = await shown(text, 1, text.indexOf("y") + 1);
  assert.match(found!, /^…x+" , y = 1\n +\^$/);
  assert.ok(found!.split("\n")[0]!.length < 170);
});

test("Excerpts hide what may be a secret", async () => {
  const cases: readonly (readonly [text: string, line: number, wanted: RegExp])[] = [
    ['token = "hunter2"', 1, /^token = "\*{7}"/],
    ['[jobs.a.env]\nPLAIN = "hunter2"', 2, /^PLAIN = "\*{7}"/],
    ['env = { A = "hunter2" }', 1, /^env = \{ A = "\*{7}" \}/],
    ['[server.auth]\ntokens = [\n  { name = "x", token = "hunter2" },\n]', 3, /token = "\*{7}"/],
    ['ping_key = "hunter2', 1, /^ping_key = "\*+/],
    ['hook = { secret = "hunter2", x = 1 }', 1, /secret = "\*{7}"/],
    ["password: hunter2", 1, /^password: \*{7}\n/],
    ['env PASS = "hunter2"', 1, /^env PASS = "\*{7}"\n/],
    ["token = hunter2==", 1, /^token = \*{7}==\n/],
    [
      "[server.auth]\ntokens = [\n  { name = x, token = hunter2 },\n]",
      3,
      /name = \*, token = \*{7} \}/,
    ],
    ["hook = { x = 1, secret = hunter2 }", 1, /^hook = \{ x = 1, secret = \*{7} \}/],
    ["[jobs.a.env]\nPLAIN = hunter2", 2, /^PLAIN = \*{7}\n/],
    ['password = """\n[x]\nmy hunter2 \\q\n"""', 3, /^\*\* \*{7} \*\*\n/],
    ["url = valkey://user:hunter2@db:6379", 1, /^url = valkey:\/\/user:\*\*\*@db:6379\n/],
    ['run = "curl http://user:hunter2@host/"', 1, /^run = "curl http:\/\/user:\*\*\*@host\/"\n/],
    [
      '[heartbeat]\nurl = "http://me:hunter2@ping.example.com/hunter2 x?key=hunter2"',
      2,
      /^url = "http:\/\/me:\*\*\*@ping\.example\.com\/\*{7} \*+\n/,
    ],
    [
      '[notices]\nops = { to = "webhook", url = "https://hooks.example.com/hunter2", x = 1 }',
      2,
      /url = "https:\/\/hooks\.example\.com\/\*+, x = 1 \}\n/,
    ],
    [
      '[jobs.a]\nrun = "curl https://example.com/x?key=hunter2"',
      2,
      /^run = "curl https:\/\/example.com\/x\?\*\*\*"\n/,
    ],
    ['url = "valkey://user:hunter2@db:6379"', 1, /^url = "valkey:\/\/[^h]*@?db|\*\*\*/],
  ];
  for (const [text, line, wanted] of cases) {
    const found = await shown(text, line, 1);
    assert.match(found!, wanted, text);
    assert.ok(!found!.includes("hunter2"), found!);
  }
});
