import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { helpOf } from "../../src/cli/help.ts";
import { VALUE_NAMES } from "../../src/cli/parsing/options.ts";
import { isGroup, optionsOf, type Verb, type VerbEntry } from "../../src/cli/verb/verb.ts";
import { FIRST_VERBS, helpGroups } from "../../src/cli/verb_groups.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { cli } from "../support/worlds/cli_world.ts";

const VERBS = await loadVerbs();

interface Leaf {
  readonly titles: readonly string[];
  readonly verb: Verb;
}

const leaves = (entry: VerbEntry, before: readonly string[]): Leaf[] => {
  const titles = [...before, entry.name];
  return isGroup(entry)
    ? entry.verbs.flatMap((verb) => leaves(verb, titles))
    : [{ titles, verb: entry }];
};
const LEAVES = VERBS.flatMap((entry) => leaves(entry, ["jobctl"]));

/** The lines of a help text that are wider than `columns`. */
function wideLines(text: string, columns: number): string[] {
  return text.split("\n").filter((line) => line.length > columns);
}

test("jobctl --help fits a terminal of 80 columns and 24 rows", async () => {
  const { stdout } = await cli(["--help"], { columns: 80, isTerminal: true });
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.length >= 18 && lines.length <= 23, `${lines.length} lines`);
  assert.deepEqual(wideLines(stdout, 80), []);
  for (const { name } of VERBS) assert.match(stdout, new RegExp(`[ (]${name}( |\n)`), name);
});

test("jobctl --help shows what it does, the first steps and every group", async () => {
  const { stdout } = await cli(["--help"]);
  assert.ok(stdout.startsWith("Usage: jobctl VERB [options]\n\nRun jobs: "));
  assert.match(stdout, /^ {2}status {3}Show what the daemon is doing, and what is wrong$/m);
  assert.match(stdout, /^ {2}Change {3}cancel pause resume/m);
  assert.match(stdout, /jobctl help TOPIC +One of connection, output, exit-codes, times/);
});

test("helpGroups() has every verb once, and a place for one that no group names", () => {
  const groups = helpGroups(VERBS);
  const names = groups.flatMap(({ verbs }) => verbs.map(({ name }) => name));
  assert.deepEqual(names.toSorted(), VERBS.map(({ name }) => name).toSorted());
  assert.ok(groups.every(({ title }) => title !== "More"), "give it a place in verb_groups.ts");
  const added = { ...VERBS[0]!, name: "unheard-of" };
  assert.deepEqual(helpGroups([...VERBS, added]).at(-1), { title: "More", verbs: [added] });
  for (const [name] of FIRST_VERBS) assert.ok(names.includes(name), name);
});

test("each verb is in the folder of its group in the help", () => {
  const source = readFileSync(new URL("../../src/cli/verbs.ts", import.meta.url), "utf8");
  const loads = source.matchAll(/^ {2}"?([a-z-]+)"?: async[^"]+"\.\/verbs\/(\w+)\//gm);
  const folders = Array.from(loads, ([, name, folder]) => `${name} in ${folder}`);
  const wanted = helpGroups(VERBS).flatMap(({ title, verbs }) =>
    verbs.map(({ name }) => `${name} in ${title.toLowerCase()}`)
  );
  assert.deepEqual(folders.toSorted(), wanted.toSorted());
});

for (const columns of [60, 80, 120]) {
  test(`the help of every verb fits ${columns} columns`, () => {
    const wide = LEAVES.flatMap(({ titles, verb }) => {
      const text = helpOf(titles, verb, columns);
      return wideLines(text, columns).map((line) => `${titles.join(" ")}: ${line}`);
    });
    // A command that cannot be broken is longer than a narrow terminal.
    assert.deepEqual(
      wide.filter((line) => columns > 60 || !/: {3,}jobctl |: {2}[a-z]/.test(line)),
      [],
    );
  });
}

test("every option with a value names it by one of the known names", () => {
  for (const { titles, verb } of LEAVES) {
    for (const [name, { isFlag, value }] of Object.entries(optionsOf(verb))) {
      if (isFlag) assert.equal(value, undefined, `${titles.join(" ")} --${name}`);
      else assert.ok(VALUE_NAMES.some((each) => each === value), `${titles.join(" ")} --${name}`);
    }
  }
});

test("every verb has an example that begins with it", () => {
  for (const { titles, verb } of LEAVES) {
    const title = titles.join(" ");
    assert.ok(verb.examples.length > 0, title);
    assert.ok(verb.examples.some(([line]) => line.includes("jobctl")), title);
  }
});

test("a verb's help shows its own options, and where the others are", async () => {
  const { stdout } = await cli(["pause", "--help"], { columns: 80, isTerminal: true });
  assert.equal(
    stdout.slice(stdout.indexOf("Options:")),
    [
      "Options:",
      "      --all          All jobs, without a question",
      "      --until TIME   Resume by itself at this time, in the job's zone: \"monday",
      '                     9:00", "+2h"',
      "      --reason TEXT  The reason, which jobctl list pauses shows",
      "      --freeze       Freeze the running command of the instance ID",
      "  -h, --help         Show this help",
      "",
      "Examples:",
      "  # One job, for a while",
      "  jobctl pause backup --until +2h --reason 'disk is being replaced'",
      "  # Everything, until jobctl resume",
      "  jobctl pause --all",
      "  # A running command, until jobctl resume last:backup",
      "  jobctl pause last:backup --freeze",
      "",
      "More options: jobctl help connection, jobctl help output",
      "",
    ].join("\n"),
  );
});

test("a command that is too long for the terminal goes on before an option", () => {
  const verb: Verb = {
    ...{ name: "x", summary: "Do" },
    examples: [["jobctl x --first 'a --b c' --second value --third 'more text' > out", "Long"]],
    run: async () => {},
  };
  assert.deepEqual(helpOf(["jobctl", "x"], verb, 44).split("\n").slice(4, 9), [
    "Examples:",
    "  # Long",
    "  jobctl x --first 'a --b c' \\",
    "    --second value --third 'more text' \\",
    "    > out",
  ]);
});

for (const topic of ["connection", "output", "exit-codes", "times"]) {
  test(`help ${topic} shows the topic in 80 columns`, async () => {
    const { code, stdout } = await cli(["help", topic]);
    assert.equal(code, 0);
    assert.deepEqual(wideLines(stdout, 80), []);
    const part = { connection: "--host HOST", output: "-o, --output FORMAT" }[topic] ??
      { "exit-codes": "124", times: "2h ago" }[topic]!;
    assert.ok(stdout.includes(part), stdout);
  });
}

test("help of a verb that does not exist names the nearest one", async () => {
  for (const argv of [["help", "stauts"], ["stauts", "--help"], ["stauts", "-h"]]) {
    const { code, stderr } = await cli(argv);
    assert.equal(code, 2);
    assert.match(stderr, /no such verb\nhint: Did you mean "jobctl status"\?/);
  }
  for (
    const [argv, meant] of [[["hlep"], "jobctl help"], [
      ["help", "conection"],
      "jobctl help connection",
    ]]
  ) {
    const { code, stderr } = await cli(argv as string[]);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`Did you mean "${meant}"?`), stderr);
  }
  const { stderr } = await cli(["status", "--hlep"]);
  assert.match(stderr, /hint: Did you mean "--help"\?/);
});

test("the help of a verb that can be watched has --watch with its optional value", async () => {
  for (const verb of [["status"], ["list", "instances"], ["describe", "job"]]) {
    const { stdout } = await cli([...verb, "--help"]);
    assert.match(stdout, /^ {2}-w, --watch\[=DURATION\] {2}Show it again/m, verb.join(" "));
  }
  assert.doesNotMatch((await cli(["retry", "--help"])).stdout, /--watch/);
});
