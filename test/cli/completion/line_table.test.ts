import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { programPath, skipWithout } from "../../../scripts/programs/install.mjs";
import { lineTable } from "../../../src/cli/completion/line_table.ts";
import { shellScript } from "../../../src/cli/completion/shell_script.ts";
import { isGroup, optionsOf, type Verb, type VerbEntry } from "../../../src/cli/verb.ts";
import { loadVerbs } from "../../../src/cli/verbs.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const VERBS = await loadVerbs();

/** Words that a shell cannot know. */
const FREE_WORDS = ["next SCHEDULE", "scale COUNT", "new NAME"];

const leaves = (entry: VerbEntry): Verb[] => isGroup(entry) ? entry.verbs.flatMap(leaves) : [entry];
const LEAVES = VERBS.flatMap(leaves);

test("every word of a verb is completed, or cannot be known", () => {
  const bare = LEAVES.flatMap(({ name, words = [] }) =>
    words.filter(({ offers, suggests }) => offers === undefined && suggests === undefined)
      .map((word) => `${name} ${word.name}`)
  );
  assert.deepEqual(bare.filter((word) => !FREE_WORDS.includes(word)), ["revoke NAME"]);
});

test("every option for a kind, a file or a directory is completed", () => {
  const bare = LEAVES.flatMap((verb) =>
    Object.entries(verb.options ?? {}).filter(([, spec]) =>
      !spec.isFlag && !spec.choices && !spec.suggests && !spec.offers &&
      /\b(file|folder|directory|kind)\b/i.test(spec.describe)
    ).map(([name]) => `${verb.name} --${name}`)
  );
  // Parts of a value, patterns, and texts that mention one.
  assert.deepEqual(bare, [
    ...["simulate --duration", "crontab --prefix", "wrap --url", "instances --unique-key"],
    ...["dead --unique-key", "explain --at", "explain --limit", "cancel --unique-key"],
    ...["redrive --unique-key", "add --token"],
  ]);
});

test("an option takes a value everywhere or nowhere, so that shells can read a line", () => {
  const flags = new Map<string, boolean>();
  for (const verb of LEAVES) {
    for (const [name, { alias, isFlag = false }] of Object.entries(optionsOf(verb))) {
      for (const word of alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`]) {
        assert.equal(flags.get(word) ?? isFlag, isFlag, `${verb.name} ${word}`);
        flags.set(word, isFlag);
      }
    }
  }
});

test("lineTable() has only words that need no quotes in any shell", () => {
  const { places, answers, shared } = lineTable(VERBS);
  const words = [
    ...places.flatMap(({ verbs, options }) => [...verbs, ...options].map(({ text }) => text)),
    ...Object.values(shared).flatMap((choices) => choices.map(({ text }) => text)),
    ...[...places.flatMap((place) => place.words), ...answers].flatMap((answer) => answer.words),
  ];
  assert.ok(words.length > 200);
  assert.deepEqual(words.filter((word) => !/^[\w-]+$/.test(word)), []);
});

test("lineTable() has every verb and every option", () => {
  const { places, shared } = lineTable(VERBS);
  assert.equal(places.filter(({ verbs }) => verbs.length === 0).length, LEAVES.length);
  const list = places.find(({ path }) => path === "list instances")!;
  const names = [...list.options, ...list.shared.flatMap((name) => shared[name])];
  for (const word of ["--kind", "-k", "--all", "--host", "-o", "--help"]) {
    assert.ok(names.some(({ text }) => text === word), word);
  }
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`completion ${shell} prints a script that the shell can read`, async () => {
    const { code, stdout } = await cli(["completion", shell]);
    assert.equal(code, 0);
    assert.equal(stdout, shellScript(shell, VERBS));
  });

  test(`${shell} can read what completion ${shell} prints`, { skip: skipWithout(shell) }, () => {
    const stdout = shellScript(shell, VERBS);
    const run = spawnSync(programPath(shell), ["-n"], { input: stdout, encoding: "utf8" });
    assert.deepEqual([run.status, run.stderr], [0, ""]);
  });
}

test("shellcheck finds nothing in the script for bash", { skip: skipWithout("shellcheck") }, () => {
  const run = spawnSync(programPath("shellcheck"), ["-"], {
    input: shellScript("bash", VERBS),
    encoding: "utf8",
  });
  assert.deepEqual([run.status, run.stdout], [0, ""]);
});

test("completion refuses other shells", async () => {
  const { code, stderr } = await cli(["completion", "fisch"]);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /"fisch": not one of bash, zsh, fish, nushell, powershell\nhint: Did you mean "fish"\?/,
  );
});
