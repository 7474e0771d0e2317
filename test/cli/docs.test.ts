import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import {
  CONNECTION_OPTIONS,
  optionText,
  OUTPUT_OPTIONS,
  WATCH_OPTIONS,
} from "../../src/cli/parsing/options.ts";
import { OUTPUT_FORMATS } from "../../src/cli/output/format.ts";
import { EXIT_CODES } from "../../src/cli/io/exit_codes.ts";
import { usageOf } from "../../src/cli/verb/verb.ts";
import { isGroup } from "../../src/cli/verb/verb.ts";
import type { OptionSpecs } from "../../src/cli/parsing/options.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { VERSION } from "../../src/platform/version.ts";
import { cli } from "../support/worlds/cli_world.ts";

const VERBS = await loadVerbs();

const DOC = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
const LEAVES = VERBS.flatMap((entry) =>
  isGroup(entry)
    ? entry.verbs.map((verb) => ({ titles: ["jobctl", entry.name, verb.name], verb }))
    : [{ titles: ["jobctl", entry.name], verb: entry }]
);

/** The text under a heading, up to the next one. */
function section(heading: string): string {
  const start = DOC.indexOf(`\n${heading}\n`);
  assert.notEqual(start, -1, `docs/cli.md has no "${heading}"`);
  const rest = DOC.slice(start + heading.length + 2);
  return rest.split(/^##/m, 1)[0]!;
}

function assertOptions(text: string, specs: OptionSpecs): void {
  for (const [name, spec] of Object.entries(specs)) {
    const alias = spec.alias ? `\`-${spec.alias}\`, ` : "";
    const row = `| ${alias}\`${optionText(name, spec)}\` |`;
    assert.ok(text.includes(row), `${row} is missing`);
    if (spec.env) assert.ok(text.includes(`\`${spec.env}\``), `${spec.env} is missing`);
    for (const choice of spec.choices ?? []) {
      assert.ok(text.includes(choice), `${choice} is missing`);
    }
  }
  const known = Object.keys(specs);
  for (const [, name] of text.matchAll(/^\| .*?`--([a-z-]+)/gm)) {
    assert.ok(known.includes(name!), `--${name} is documented, but does not exist`);
  }
}

for (const { titles, verb } of LEAVES) {
  test(`docs/cli.md explains ${titles.join(" ")} with every option and its examples`, () => {
    const text = section(`### ${titles.join(" ")}`);
    assert.ok(text.includes(usageOf(titles, verb)));
    assertOptions(text, verb.options ?? {});
    for (const [line] of verb.examples) assert.ok(text.includes(line), `"${line}" is missing`);
  });

  test(`${titles.join(" ")} --help tells its usage, options and examples`, async () => {
    const run = await cli([...titles.slice(1), "--help"], { columns: 400 });
    assert.equal(run.code, 0);
    assert.ok(run.stdout.startsWith(`Usage: ${usageOf(titles, verb)}\n`));
    for (const [name, spec] of Object.entries(verb.options ?? {})) {
      assert.ok(run.stdout.includes(`${optionText(name, spec)}`));
    }
    assert.ok(verb.examples.length > 0);
    for (const [, meaning] of verb.examples) {
      assert.ok(run.stdout.includes(`# ${meaning}`), meaning);
    }
    assert.equal(run.stdout.includes("jobctl help connection"), !verb.isOffline);
  });
}

test("docs/cli.md explains every verb once and no other", () => {
  const headings = [...DOC.matchAll(/^### (jobctl .*)$/gm)].map(([, title]) => title);
  assert.deepEqual(headings, LEAVES.map(({ titles }) => titles.join(" ")));
});

test("docs/cli.md lists every verb once by what it is for", () => {
  const listed = [...section("## Verbs").matchAll(/\[`([a-z -]+)`\]\(#jobctl-([a-z-]+)\)/g)];
  for (const [, verb, anchor] of listed) assert.equal(anchor, verb!.replaceAll(" ", "-"));
  const names = LEAVES.map(({ titles }) => titles.slice(1).join(" "));
  assert.deepEqual(listed.map(([, verb]) => verb!).toSorted(), names.toSorted());
});

test("docs/cli.md explains the options of the connection and of the output", () => {
  assertOptions(section("## Connection"), CONNECTION_OPTIONS);
  assertOptions(section("## Output"), OUTPUT_OPTIONS);
  assertOptions(section("## Watching"), WATCH_OPTIONS);
});

test("docs/cli.md names every verb that can be watched, and no other", () => {
  const watched = new Set(
    LEAVES.filter(({ verb }) => verb.watches !== undefined).map(({ titles }) => titles[1]),
  );
  const [named] = section("## Watching").split("have this option");
  assert.deepEqual(
    [...named!.matchAll(/`([a-z]+)`/g)].map(([, name]) => name).toSorted(),
    [...watched].toSorted(),
  );
});

test("docs/cli.md explains every form of output and every exit code", () => {
  const forms = section("## What goes where");
  for (const format of OUTPUT_FORMATS) assert.ok(forms.includes(`| \`${format}\` |`), format);
  const codes = section("## Exit codes");
  for (const code of Object.values(EXIT_CODES)) assert.ok(codes.includes(`| ${code} |`), `${code}`);
});

test("--version is that of package.json", async () => {
  const manifest = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  assert.equal(VERSION, manifest.version);
  assert.equal((await cli(["--version"])).stdout, `${manifest.version}\n`);
});
