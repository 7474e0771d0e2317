import assert from "node:assert/strict";
import test from "node:test";
import { GUESSED, guessVerb, optionHint } from "../../src/cli/parsing/guesses.ts";
import { optionsOf } from "../../src/cli/verb.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { isGroup } from "../../src/cli/verb.ts";
import { cli } from "../support/worlds/cli_world.ts";

test("every verb that a hint names exists, and so do its options", async () => {
  for (const command of new Set(GUESSED.verbs)) {
    const words = command.split(" ").filter((word) => !/^[A-Z]/.test(word));
    const run = await cli(words[0] === "help" ? words : [...words, "--help"]);
    assert.equal(run.code, 0, `${command}: ${run.stderr}`);
    for (const option of words.filter((word) => word.startsWith("--"))) {
      assert.ok(run.stdout.includes(option), `${command}: ${option}`);
    }
  }
  const verbs = (await loadVerbs()).flatMap((verb) => isGroup(verb) ? verb.verbs : [verb]);
  const options = new Set(
    verbs.flatMap((verb) => isGroup(verb) ? [] : Object.keys(optionsOf(verb))),
  );
  for (const guess of GUESSED.options.filter((one) => one.startsWith("--"))) {
    assert.ok(options.has(/^--([\w-]+)/.exec(guess)![1]!), guess);
  }
});

const VERB_HINTS: readonly (readonly [argv: string, meant: string])[] = [
  ["ls", "jobctl list instances"],
  ["ps", "jobctl list instances --state running"],
  ["failed", "jobctl list instances --state failed"],
  ["list failed", "jobctl list instances --state failed"],
  ["list runs", "jobctl list instances"],
  ["list --failed", "--state failed"],
  ["tail backup", "jobctl logs backup --follow"],
  ["tail", "jobctl logs KIND --follow"],
  ["kill last", "jobctl cancel last"],
  ["freeze last:backup", "jobctl pause last:backup --freeze"],
  ["thaw last:backup", "jobctl resume last:backup"],
  ["rm schedule 1f", "jobctl delete schedule ID"],
  ["update 2637b66b --cron @daily", "jobctl update schedule 2637b66b"],
  ["workers 8", "jobctl workers scale 8"],
  ["import /etc/crontab", "jobctl import crontab /etc/crontab"],
  ["upgrade", "jobctl upgrade-daemon"],
  ["install", "jobctl install-service"],
  ["list logs", "jobctl logs"],
  ["help tail", "jobctl logs KIND --follow"],
  ["start a\u001bb", "jobctl run 'a\\x1bb'"],
];

test("a word of another program leads to the verb that is meant", async () => {
  for (const [line, meant] of VERB_HINTS) {
    const run = await cli(line.split(" "));
    assert.equal(run.code, 2, line);
    assert.ok(run.stderr.endsWith(`hint: Did you mean "${meant}"?\n`), `${line}: ${run.stderr}`);
  }
  assert.equal(guessVerb({ group: "", names: ["a", "b"], word: "constructor" }), undefined);
  assert.equal(guessVerb({ group: "toString", names: ["a", "b"], word: "x" }), undefined);
});

const OPTION_HINTS: readonly (readonly [argv: string, meant: string])[] = [
  ["list instances --failed", "--state failed"],
  ["list instances --job backup", "--kind KIND"],
  ["list instances --json", "-o json"],
  ["logs backup --errors", "--level error"],
  ["next @daily --limit 5", "--count N"],
  ["silence import --for 2h", "--until +2h"],
  ["cancel last --force", "--yes"],
  ["stop --force", "--now"],
  ["next --from 2:00", "--after TIME"],
  ["skip backup --undo", "--none"],
];

test("an option of another program leads to the option that is meant", async () => {
  for (const [line, meant] of OPTION_HINTS) {
    const run = await cli(line.split(" "));
    assert.equal(run.code, 2, line);
    assert.ok(run.stderr.endsWith(`hint: Did you mean "${meant}"?\n`), `${line}: ${run.stderr}`);
  }
  assert.equal(optionHint("failed", ["level"], []), undefined);
});

test("what no verb can change has advice in place of a verb that does not fit", async () => {
  for (
    const [line, advice] of [
      [
        "update last:report",
        /hint: An instance cannot be changed: cancel it with jobctl cancel ID/,
      ],
      ["delete dead", /hint: Finished instances are deleted automatically, after keep\.success/],
      ["delete instances", /To end one that waits or runs: jobctl cancel ID$/m],
      ["delete job backup", /hint: Change the job in the configuration, then run jobctl reload$/m],
    ] as const
  ) {
    const run = await cli(line.split(" "));
    assert.equal(run.code, 2, line);
    assert.match(run.stderr, advice);
  }
});

test("a file in place of a form of output leads to the option for files", async () => {
  const named = await cli(["import", "crontab", "cron.txt", "-o", "jobs.toml"]);
  assert.match(named.stderr, /hint: This sets the format; name the file with --out FILE$/m);
  const redirected = await cli(["list", "jobs", "-o", "jobs.csv"]);
  assert.match(redirected.stderr, /hint: This sets the format; to write a file, use > FILE$/m);
});
