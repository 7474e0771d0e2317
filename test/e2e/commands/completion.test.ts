import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { programPath, skipWithout } from "../../../scripts/programs/install.mjs";
import { nushellProgram } from "../../../scripts/programs/npm_programs.mjs";
import { type Daemon, JOBCTL, runJobctl, startDaemon } from "../../support/processes/daemon.ts";

/** Kinds that are commands, options or patterns for a shell that does not quote them. */
const HOSTILE = [
  "$(touch pwned)",
  "`touch pwned`",
  "semi; touch pwned",
  "pipe|touch pwned",
  "quote'and\"double",
  "back\\slash",
  "*glob?",
  "~tilde",
  "bang!x",
  "with blank",
  "node:x",
  "{a,b}",
  "#hash",
] as const;
const TOML = [
  ...[...HOSTILE, "mail", "-rf"].map((kind) =>
    `[jobs.${JSON.stringify(kind)}]\ncommand = ["true"]\n`
  ),
  '[notices.ops]\nto = "exec"\ncommand = ["true"]\n',
  "[jobs.report]\ncommand = [\"true\"]\nparams = \"region: 'eu' | 'us east', isFull?: boolean\"\n",
].join("").replace(
  '[jobs."mail"]\n',
  '[jobs."mail"]\nschedule = "@daily"\ndescription = "Sends"\n',
);

let daemon: Daemon;
let dir: string;

before(async () => {
  daemon = await startDaemon({ toml: TOML });
  dir = mkdtempSync(join(tmpdir(), "completion-"));
  writeFileSync(join(dir, "config.toml"), "");
  for (const shell of ["bash", "zsh", "fish", "nushell"]) {
    writeFileSync(join(dir, `jobctl.${shell}`), (await runJobctl(["completion", shell])).stdout);
  }
});

after(async () => {
  rmSync(dir, { recursive: true, force: true });
  await daemon.stop();
});

const WITHOUT_SHELLS = { skip: skipWithout("bash", "zsh", "fish") };

function shell(name: string, args: readonly string[]): string {
  return run(programPath(name), args);
}

function run(program: string, args: readonly string[]): string {
  const env: Record<string, string | undefined> = {
    ...process.env,
    PATH: `${dirname(JOBCTL)}:${process.env.PATH}`,
    ...{ HOME: dir, TERM: "dumb", PS1: "> ", LC_ALL: "C.UTF-8", JOBCTL_PORT: String(daemon.port) },
    ...{ JOBCTL_SOCKET: join(daemon.dir, "jobctl.sock"), JOBCTL_CALL_TIMEOUT: "20s" },
  };
  const ended = spawnSync(program, args, { cwd: dir, env, encoding: "utf8", timeout: 60_000 });
  assert.equal(ended.error, undefined);
  return ended.stdout + ended.stderr;
}

/** What bash would put in place of the last word of a line, split as bash does. */
function bash(...words: readonly string[]): string[] {
  const line = words.map((word, index) =>
    index === 0 || /^[:=]$/.test(word) || /^[:=]$/.test(words[index - 1]!) ? word : ` ${word}`
  ).join("");
  const script = [
    `source ${dir}/jobctl.bash`,
    'COMP_LINE=$1 COMP_POINT=${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))',
    '_jobctl; for each in "${COMPREPLY[@]}"; do printf \'%s\\n\' "$each"; done',
  ].join("\n");
  return shell("bash", ["--norc", "-c", script, "bash", line, ...words]).split("\n")
    .slice(0, -1);
}

/** What fish offers for a line, as it would insert it. */
function fish(line: string): string[] {
  const script = `source ${dir}/jobctl.fish; complete --escape -C $argv[1]`;
  return shell("fish", ["--no-config", "-c", script, line]).split("\n").slice(0, -1);
}

/** What nushell offers in place of the last word, as it would insert it. */
function nushell(...words: readonly string[]): string[] | null {
  const script = join(dir, "complete.nu");
  writeFileSync(
    script,
    [
      `source ${dir}/jobctl.nushell`,
      `let words = (${JSON.stringify(JSON.stringify(words))} | from json)`,
      "do $env.config.completions.external.completer $words | to json --raw",
    ].join("\n"),
  );
  const found = JSON.parse(run(nushellProgram()!, ["-n", script])) as { value: string }[] | null;
  return found?.map(({ value }) => value) ?? null;
}

/**
 * What runs when lines are typed in a shell, each with a tab at its end: the words of each, in
 * JSON.
 */
function typed(program: "bash" | "zsh", lines: readonly string[]): string[][] {
  const start = program === "zsh"
    ? "autoload -Uz compinit; compinit -u -D; setopt interactivecomments"
    : "set +H";
  writeFileSync(
    join(dir, "setup"),
    [
      start,
      `source ${dir}/jobctl.${program}`,
      "jobctl() {",
      '  if [[ $1 == __complete ]]; then command jobctl "$@"; return; fi',
      `  local each; printf 'RAN'; for each; do printf '\\001%s' "$each"; done; printf '\\002\\n'`,
      "}",
    ].join("\n"),
  );
  const driver = [
    "zmodload zsh/zpty",
    `zpty p '${program === "zsh" ? "zsh -f -i" : "bash --norc -i"}'`,
    `zpty -w p 'source ${dir}/setup'`,
    `for line; do zpty -w -n p "$line"$'\\t'; zpty -w -n p $'\\n'; done`,
    "zpty -w p exit",
    'while zpty -r p out; do print -rn -- "$out"; done',
  ].join("\n");
  const text = shell("zsh", ["-f", "-c", driver, "zsh", ...lines]);
  // deno-lint-ignore no-control-regex
  const runs = [...text.matchAll(/RAN((?:\x01[^\x01\x02]*)*)\x02/g)];
  assert.equal(runs.length, lines.length, text);
  return runs.map(([, words]) => words!.split("\x01").slice(1));
}

test("bash completes verbs, options, choices and names of the daemon", WITHOUT_SHELLS, async () => {
  const { stdout } = await daemon.jobctl(["schedule", "mail", "-o", "name", "--wait"]);
  const uuid = stdout.trim();
  assert.deepEqual(bash("jobctl", "li"), ["list"]);
  assert.deepEqual(bash("jobctl", "help", "li"), ["list"]);
  assert.deepEqual(bash("jobctl", "--host", "x", "list", "inst"), ["instances"]);
  assert.deepEqual(bash("jobctl", "list", "instances", "--st"), ["--state"]);
  assert.deepEqual(bash("jobctl", "list", "instances", "--state", "=", "Co"), ["Completed"]);
  assert.deepEqual(bash("jobctl", "get", "job", "-o", "jsons"), ["jsonschema"]);
  assert.deepEqual(bash("jobctl", "get", "job", "mai"), ["mail"]);
  assert.deepEqual(bash("jobctl", "get", "job", "node", ":"), ["x"]);
  assert.deepEqual(bash("jobctl", "describe", "mai"), ["mail"]);
  assert.deepEqual(bash("jobctl", "describe", "inst"), ["instance"]);
  const runs = bash("jobctl", "logs", "");
  assert.deepEqual([runs.includes("mail"), runs.at(-1)], [true, uuid]);
  assert.deepEqual(bash("jobctl", "logs", "--kind", "mai"), ["mail"]);
  assert.deepEqual(bash("jobctl", "run", "mail", "--schedule", ""), ["config:mail:0"]);
  assert.deepEqual(bash("jobctl", "cancel", "insta"), ["instances"]);
  assert.deepEqual(bash("jobctl", "notices", "test", ""), ["ops"]);
  assert.equal(bash("jobctl", "workers", "scale", "1", "--node", "").length, 1);
  assert.deepEqual(bash("jobctl", "list", "jobs", ""), []);
  assert.deepEqual(bash("jobctl", "unknown", ""), []);
});

test(
  "bash asks the program of the line, or of PATH if only the shell could say which it is",
  WITHOUT_SHELLS,
  () => {
    assert.deepEqual(bash(`~/nowhere/jobctl`, "li"), []);
    assert.deepEqual(bash(JOBCTL.replace("jobctl", "job\\ctl"), "li"), ["list"]);
    assert.deepEqual(bash("$NOWHERE/jobctl", "li"), ["list"]);
    assert.deepEqual(bash("$(touch pwned)/jobctl", "li"), []);
    assert.equal(existsSync(join(dir, "pwned")), false);
  },
);

test("bash asks the daemon that the line names", WITHOUT_SHELLS, () => {
  assert.deepEqual(bash("jobctl", "--socket", "/nowhere", "get", "job", "mai"), []);
  assert.deepEqual(bash("jobctl", "get", "job", "--port", "=", "1", "mai"), []);
  const { port } = daemon;
  const token = join(daemon.dir, "token");
  const at = ["jobctl", "--port", `${port}`, "--token-file", token, "get", "job", "mai"];
  assert.deepEqual(bash(...at), ["mail"]);
  // What only the shell could expand is not tried.
  assert.deepEqual(bash("jobctl", "--token", "$(touch pwned)", "get", "job", "mai"), []);
  assert.equal(existsSync(join(dir, "pwned")), false);
});

test("fish completes verbs, options, files and names of the daemon", WITHOUT_SHELLS, () => {
  const first = (line: string) => fish(line).map((each) => each.split("\t", 1)[0]);
  assert.ok(fish("jobctl li")[0]!.startsWith("list\tList jobs"));
  assert.deepEqual(first("jobctl list instances --state=Co"), ["--state=Completed"]);
  assert.deepEqual(fish("jobctl get job mai"), ["mail\tSends"]);
  assert.deepEqual(first("jobctl get job --outp"), ["--output"]);
  assert.deepEqual(fish("jobctl run mail --schedule "), ["config:mail:0\tmail, @daily"]);
  assert.deepEqual(first("jobctl check --config conf"), ["config.toml"]);
  assert.deepEqual(first("jobctl check --config=conf"), ["--config=config.toml"]);
  assert.deepEqual(fish("jobctl --socket=/nowhere get job mai"), []);
  assert.ok(first("jobctl get job 'quo").some((kind) => kind!.includes("and")));
  assert.deepEqual(fish("jobctl --token '$(x)' get job mai"), []);
  const kinds = first("jobctl get job ");
  assert.ok(kinds.includes("\\$\\(touch\\ pwned\\)"), kinds.join("\n"));
  assert.ok(!kinds.includes("-rf"));
  assert.equal(existsSync(join(dir, "pwned")), false);
});

test("bash and fish complete the parameters of a job, and their values", WITHOUT_SHELLS, () => {
  assert.deepEqual(bash("jobctl", "schedule", "report", "--reg"), ["--region"]);
  assert.deepEqual(bash("jobctl", "schedule", "report", "--is"), ["--is-full"]);
  assert.deepEqual(bash("jobctl", "schedule", "report", "--region", "e"), ["eu"]);
  assert.deepEqual(bash("jobctl", "schedule", "report", "--region", "=", "u"), ["us\\ east"]);
  assert.deepEqual(bash("jobctl", "schedule", "report", "--region", "eu", "t"), []);
  assert.deepEqual(bash("jobctl", "schedule", "report", "u"), ["us\\ east"]);
  assert.deepEqual(bash("jobctl", "schedule", "report", "eu", "t"), ["true"]);
  assert.deepEqual(bash("jobctl", "docs", "howto/ba"), ["howto/backup"]);
  const first = (line: string) => fish(line).map((each) => each.split("\t", 1)[0]);
  assert.deepEqual(first("jobctl schedule report --reg"), ["--region"]);
  assert.deepEqual(first("jobctl schedule report --region u"), ["us\\ east"]);
  assert.deepEqual(first("jobctl schedule report --region=e"), ["--region=eu"]);
  assert.deepEqual(first("jobctl schedule report eu f"), ["false"]);
});

test("nushell completes verbs, options, values and names of the daemon", (context) => {
  if (nushellProgram() === null) return context.skip("npm has no nushell for this machine");
  assert.deepEqual(nushell("jobctl", "li"), ["list"]);
  assert.deepEqual(nushell("jobctl", "list", "instances", "--st"), ["--state"]);
  assert.deepEqual(nushell("jobctl", "logs", "--level=w"), ["--level=warn"]);
  assert.deepEqual(nushell("jobctl", "get", "job", "mai"), ["mail"]);
  assert.deepEqual(nushell("jobctl", "schedule", "report", "--reg"), ["--region"]);
  assert.deepEqual(nushell("jobctl", "schedule", "report", "--region", ""), ["eu", '"us east"']);
  assert.deepEqual(nushell("jobctl", "--socket", "/nowhere", "get", "job", ""), []);
  // Null leaves files to the shell, and what only the shell could expand is not tried.
  assert.equal(nushell("jobctl", "check", "--config", ""), null);
  assert.equal(nushell("jobctl", "--token", "$(touch pwned)", "get", "job", "mai"), null);
  assert.deepEqual(nushell("jobctl", "get", "job", '"$(tou'), ['"$(touch pwned)"']);
  const kinds = nushell("jobctl", "get", "job", "")!;
  for (const kind of HOSTILE) {
    assert.ok(kinds.some((each) => JSON.stringify(kind) === each || kind === each), kind);
  }
  assert.ok(!kinds.includes("-rf"));
  assert.equal(existsSync(join(dir, "pwned")), false);
});

for (const program of ["bash", "zsh"] as const) {
  test(`${program} inserts a kind as one word that runs nothing`, WITHOUT_SHELLS, () => {
    // As much of each as tells it from others, quoted by hand.
    const begun: Readonly<Record<typeof HOSTILE[number], string>> = {
      "$(touch pwned)": "\\$",
      "`touch pwned`": "\\`",
      "semi; touch pwned": "semi",
      "pipe|touch pwned": "'pipe",
      "quote'and\"double": '"quo',
      "back\\slash": "back",
      "*glob?": "\\*",
      "~tilde": "\\~",
      "bang!x": "bang",
      "with blank": "with\\ b",
      "node:x": "node:",
      "{a,b}": "\\{",
      "#hash": "\\#",
    };
    const lines = HOSTILE.map((kind) => `jobctl get job ${begun[kind]}`);
    assert.deepEqual(typed(program, lines), HOSTILE.map((kind) => ["get", "job", kind]));
    assert.equal(existsSync(join(dir, "pwned")), false);
  });

  test(`${program} completes verbs, options, values and files as they are typed`, () => {
    const lines = [
      "jobctl ge",
      "jobctl logs --lev",
      "jobctl list instances --state=Co",
      "jobctl run mail --schedule ",
      "jobctl run mail --schedule=config:",
      "jobctl check --config conf",
      "jobctl check --config=conf",
      "jobctl --socket /nowhere get job mai",
      "jobctl schedule report --reg",
      "jobctl schedule report --region e",
      "jobctl schedule report --region=u",
      "jobctl schedule report eu t",
    ];
    assert.deepEqual(typed(program, lines), [
      ["get"],
      ["logs", "--level"],
      ["list", "instances", "--state=Completed"],
      ["run", "mail", "--schedule", "config:mail:0"],
      ["run", "mail", "--schedule=config:mail:0"],
      ["check", "--config", "config.toml"],
      ["check", "--config=config.toml"],
      ["--socket", "/nowhere", "get", "job", "mai"],
      ["schedule", "report", "--region"],
      ["schedule", "report", "--region", "eu"],
      ["schedule", "report", "--region=us east"],
      ["schedule", "report", "eu", "true"],
    ]);
  });
}

test("__complete is silent when the daemon is away or refuses", async () => {
  const silent = { code: 0, stdout: "", stderr: "" };
  const ask = (input: string, offer = "kind") => runJobctl(["__complete", offer, ""], { input });
  assert.deepEqual(await ask("--socket=/nowhere\n"), silent);
  assert.deepEqual(await ask("--port=1\n"), silent);
  assert.deepEqual(await ask(`--port=${daemon.port}\n--token=wrong-token-0123456789\n`), silent);
  assert.deepEqual(await ask("--port=x\n"), silent);
  assert.deepEqual(await ask("", "nothing"), silent);
  assert.deepEqual(await ask("jobctl\0--socket\0/nowhere\0get\0job\0\0", "zsh"), silent);
  for (const shell of ["bash", "zsh", "fish", "line"]) {
    assert.deepEqual(await ask("x".repeat(100_000), shell), silent);
    assert.deepEqual(await ask("", shell), silent);
  }
});
