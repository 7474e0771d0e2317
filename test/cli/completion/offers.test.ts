import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { programPath, skipWithout } from "../../../scripts/programs/install.mjs";
import { completeLine } from "../../../src/cli/completion/complete_line.ts";
import { shellScript } from "../../../src/cli/completion/shell_script.ts";
import { isGroup, optionsOf, type Verb, type VerbEntry } from "../../../src/cli/verb/verb.ts";
import { loadVerbs } from "../../../src/cli/verbs.ts";
import { cli } from "../../support/worlds/cli_world.ts";

const VERBS = await loadVerbs();

/** Words that a shell cannot know. */
const FREE_WORDS = [
  "next SCHEDULE",
  "scale COUNT",
  "new NAME",
  ...["signal NAME", "signal JSON", "approve NAME", "reject NAME"],
];

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

test("fixed words need no quotes in any shell", () => {
  const words = LEAVES.flatMap((verb) => {
    const specs = [...verb.words ?? [], ...Object.values(optionsOf(verb))];
    const fixed = specs.flatMap(({ suggests = [], ...spec }) =>
      "choices" in spec && spec.choices ? spec.choices : suggests
    );
    return [verb.name, ...Object.keys(optionsOf(verb)), ...fixed];
  });
  assert.ok(words.length > 200);
  assert.deepEqual(words.filter((word) => !/^[\w-]+$/.test(word)), []);
});

test("completeLine() offers every verb and every option", async () => {
  const check = async (entry: VerbEntry, path: readonly string[]) => {
    const offered = async (last: string) => {
      const { choices } = await completeLine(["jobctl", ...path, last]);
      return choices.map(({ name }) => name);
    };
    const options = isGroup(entry) ? [] : Object.entries(optionsOf(entry))
      .flatMap(([name, { alias }]) =>
        alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`]
      );
    const found = await offered("-");
    for (const word of ["--help", "--output", "-o", ...options]) {
      assert.ok(found.includes(word), `${path.join(" ")} ${word}`);
    }
    if (!isGroup(entry)) return;
    assert.deepEqual(await offered(""), entry.verbs.map(({ name }) => name));
    for (const verb of entry.verbs) await check(verb, [...path, verb.name]);
  };
  await check({ name: "", summary: "", verbs: VERBS }, []);
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`completion ${shell} prints a script that the shell can read`, async () => {
    const { code, stdout } = await cli(["completion", shell]);
    assert.equal(code, 0);
    assert.equal(stdout, shellScript(shell));
  });

  test(`${shell} can read what completion ${shell} prints`, { skip: skipWithout(shell) }, () => {
    const stdout = shellScript(shell);
    const run = spawnSync(programPath(shell), ["-n"], { input: stdout, encoding: "utf8" });
    assert.deepEqual([run.status, run.stderr], [0, ""]);
  });
}

test("shellcheck finds nothing in the script for bash", { skip: skipWithout("shellcheck") }, () => {
  const run = spawnSync(programPath("shellcheck"), ["-"], {
    input: shellScript("bash"),
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
