import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import test from "node:test";
import { generatedFiles } from "../../scripts/release/generated.ts";
import { programPath, skipWithout } from "../../scripts/programs/install.mjs";
import { escapeText, literal, markdownText, page } from "../../scripts/release/manual/roff.ts";
import { isGroup } from "../../src/cli/verb/verb.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { JOB_SCHEMA } from "../../src/config/job_keys.ts";
import { SCHEMA } from "../../src/config/keys.ts";
import { NOTICE_SCHEMA } from "../../src/config/notices/notice_keys.ts";

const VERBS = await loadVerbs();

const WITHOUT_MANDOC = { skip: skipWithout("mandoc") };
const WITHOUT_GROFF = { skip: skipWithout("groff") };

const FILES = generatedFiles({ version: "1.2.3", atMs: Date.UTC(2026, 10, 24) });
const PAGES = [...FILES].filter(([path]) => path.startsWith("man/"));

function mandoc(args: readonly string[], input: string): string {
  const { stdout, stderr } = spawnSync(programPath("mandoc"), args, { input, encoding: "utf8" });
  return stdout + stderr;
}

/** A page as a terminal shows it, without its bold and italic letters. */
function shown(text: string): string {
  // deno-lint-ignore no-control-regex
  return mandoc(["-T", "utf8", "-O", "width=300"], text).replace(/.\x08/gu, "");
}

/** A page with one part. */
function sample(lines: readonly string[]): string {
  return page({ name: "x", section: 1, version: "1", date: "2026-11-24" }, [["NAME", lines]]);
}

const ODD = [
  ".SH not a heading",
  "'br not a macro",
  "\\fBnot bold\\fR \\n[year] \\*(lq",
  "-x --long -- - ",
  "'single' \"double\" `back`",
  "a^b~c\\",
  "…dots ä 😀 €",
  ".",
  "'",
  "\\",
  "...",
  "\\&",
  "-",
].map((text) => text.trimEnd());

for (const text of ODD) {
  test(`escapeText() shows ${JSON.stringify(text)} as it is`, WITHOUT_MANDOC, () => {
    const plain = sample([escapeText(text)]);
    assert.equal(
      shown(plain).split("\n").filter((line) => line.trim() !== "")[2],
      `       ${text}`,
    );
    const block = shown(sample(literal([text])));
    assert.ok(block.split("\n").includes(`${" ".repeat(11)}${text}`), block);
    assert.equal(mandoc(["-T", "lint", "-W", "error"], plain), "");
  });
}

test("markdownText() writes code bold, and the text of links", () => {
  assert.equal(markdownText("see `a\\|b` in [x](y.md#z)"), "see \\fBa|b\\fR in x");
  assert.equal(markdownText(".a `.b` .c"), "\\&.a \\fB\\&.b\\fR .c");
});

for (const [path, text] of PAGES) {
  test(`${path} has no mistake that mandoc knows`, WITHOUT_MANDOC, () => {
    assert.equal(mandoc(["-T", "lint", "-W", "warning"], text), "");
  });

  test(`${path} has no mistake that groff knows`, WITHOUT_GROFF, () => {
    const { stderr } = spawnSync(programPath("groff"), ["-man", "-ww", "-Tutf8", "-z"], {
      input: text,
    });
    assert.equal(String(stderr), "");
  });
}

test("every verb has a page with its summary, options and examples", () => {
  for (const verb of VERBS) {
    const text = FILES.get(`man/jobctl-${verb.name}.1`);
    assert.ok(text !== undefined, verb.name);
    const lines = shown(text).replace(/\s+/g, " ");
    for (const leaf of isGroup(verb) ? verb.verbs : [verb]) {
      if (isGroup(leaf)) assert.fail(`${leaf.name} is a group in a group`);
      assert.ok(lines.includes(leaf.summary.slice(1)), leaf.summary);
      for (const [name, { describe }] of Object.entries(leaf.options ?? {})) {
        assert.ok(lines.includes(`--${name} `), `${verb.name} --${name}`);
        assert.ok(lines.includes(describe.replace(/\s+/g, " ")), describe);
      }
      for (const [line] of leaf.examples) assert.ok(lines.includes(line), line);
    }
  }
  assert.equal(PAGES.length, VERBS.length + 2);
});

test("jobctl.1 has every verb, the exit codes and the variables", () => {
  const lines = shown(FILES.get("man/jobctl.1")!);
  for (const { name } of VERBS) assert.ok(lines.includes(`jobctl-${name}(1)`), name);
  for (
    const word of ["124 ", "130 ", "JOBCTL_TOKEN_FILE", "--call-timeout DURATION", "--version"]
  ) {
    assert.ok(lines.includes(word), word);
  }
});

test("jobctl.toml.5 has every key of the configuration", () => {
  const lines = shown(FILES.get("man/jobctl.toml.5")!);
  const keys = [SCHEMA, NOTICE_SCHEMA, JOB_SCHEMA].flatMap((schema) => Object.keys(schema.keys));
  assert.ok(keys.length > 100);
  for (const key of keys) assert.match(lines, new RegExp(`^ +${key}(\n| )`, "m"));
  assert.match(lines, /Variable: JOBCTL_SERVER_PORT\./);
});

test("generatedFiles() gives the same files each time, with nothing of this machine", () => {
  const again = generatedFiles({ version: "1.2.3", atMs: Date.UTC(2026, 10, 24) });
  assert.deepEqual([...again], [...FILES]);
  for (const name of ["jobctl.bash", "_jobctl", "jobctl.fish", "jobctl.nu", "jobctl.ps1"]) {
    assert.match(FILES.get(`completions/${name}`)!, /__complete/);
  }
  assert.match(FILES.get("man/jobctl.1")!, /^\.TH "JOBCTL" 1 "2026-11-24" "jobctl 1\.2\.3"/);
  assert.doesNotMatch([...FILES.values()].join("\n"), new RegExp(process.cwd()));
});
