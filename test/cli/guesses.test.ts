import assert from "node:assert/strict";
import test from "node:test";
import { GUESSED, guessVerb, optionHint } from "../../src/cli/parsing/guesses.ts";
import { optionsOf } from "../../src/cli/verb/verb.ts";
import { loadVerbs } from "../../src/cli/verbs.ts";
import { isGroup } from "../../src/cli/verb/verb.ts";
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
  ["rm schedule 1f", "jobctl delete schedule 1f"],
  ["update 2637b66b --cron @daily", "jobctl update schedule 2637b66b --cron @daily"],
  ["list failed --since 22:00", "jobctl list instances --state failed --since 22:00"],
  ["rerun report --day 2026-01-31", "jobctl retry last:report --day 2026-01-31"],
  ["rerun 01938f2c", "jobctl retry 01938f2c"],
  ["kill backup", "jobctl cancel last:backup"],
  ["at +20m backup --priority 0", "jobctl schedule backup --at +20m --priority 0"],
  ["at backup 18:00", "jobctl schedule backup --at 18:00"],
  ["shedule backup --in 5m", "jobctl schedule backup --in 5m"],
  ["restart --token secret", "jobctl upgrade-daemon"],
  ["health", "jobctl healthcheck"],
  ["limits", "jobctl status"],
  ["output backup -n 5", "jobctl logs backup -n 5"],
  ["workers set 8", "jobctl workers scale 8"],
  ["context rm prod", "jobctl context remove prod"],
  ["token create anna --role viewer", "jobctl token new anna --role viewer"],
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

test("a word too many leads to the option that is meant, or to quotes", async () => {
  for (
    const [line, hint] of [
      ["pause backup --until monday 8:00", "Put the time in quotes: --until 'monday 8:00'"],
      [
        "pause backup until monday 8:00",
        `Did you mean "jobctl pause backup --until 'monday 8:00'"?`,
      ],
      [
        "explain backup yesterday at 2:00",
        `Did you mean "jobctl explain backup --at 'yesterday at 2:00'"?`,
      ],
      ["explain tomorrow 03:00", "Put the time in quotes: 'tomorrow 03:00'"],
      ["logs backup yesterday", `Did you mean "jobctl logs backup --since yesterday"?`],
      ["list dead backup", `Did you mean "jobctl list dead --kind backup"?`],
      [
        "stop backup",
        "This stops the daemon. To end a run: jobctl cancel last:backup. To start no more runs: jobctl pause backup",
      ],
      ["retry --kind import", `Did you mean "jobctl redrive --kind import"?`],
      ["completion", "Give one of bash, zsh, fish, nushell, powershell"],
      ["history backup twice", "Usage: jobctl history RUN [options]"],
    ] as const
  ) {
    const run = await cli(line.split(" "));
    assert.equal(run.code, 2, line);
    assert.ok(run.stderr.endsWith(`hint: ${hint}\n`), `${line}: ${run.stderr}`);
  }
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
  ["next --at 3:00", "--after TIME"],
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
      ["renice last 0", /hint: An instance cannot be changed/],
      ["dismiss --kind mail", /hint: Finished instances are deleted automatically/],
      [
        "cancel --all mail",
        /hint: To cancel all of one kind, write "jobctl cancel instances --kind mail"/,
      ],
      ["metrics", /hint: The daemon serves them at \/metrics of server\.http/],
      ["notices add ops", /hint: Add \[notices\.NAME\] to the configuration/],
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
