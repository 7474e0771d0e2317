import assert from "node:assert/strict";
import test from "node:test";
import { WATCH_OPTIONS } from "../../src/cli/parsing/options.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { loadVerbs, verbsFor } from "../../src/cli/verbs.ts";
import { readPlainLine } from "../../src/cli/plain_line.ts";
import { readOptions } from "../../src/cli/parsing/read_options.ts";
import { cli } from "../support/worlds/cli_world.ts";
import { waiting } from "../support/worlds/cli_messages.ts";

const answers = { scheduleJob: () => ({ instance: waiting() }) };

async function scheduledArguments(...words: string[]): Promise<unknown> {
  const run = await cli(["schedule", "echo", ...words], { answers });
  assert.equal(run.code, 0, run.stderr);
  return run.calls[0]!.request.arguments;
}

const KEPT = [
  ["007"],
  ["1e3"],
  ["0x10"],
  ["-5"],
  ["-5.25"],
  ["-1e3"],
  ["-2h"],
  ["-.5"],
  ["1", "2", "3"],
  ["true"],
  ["null"],
  [""],
  ['"quoted"'],
  ["'quoted'"],
  ['{"x":1}'],
  ["a b"],
  ["a=b"],
  ["a.b.c"],
  ["help"],
  ["version"],
  ["schedule"],
  ["list", "jobs"],
  ["9007199254740993"],
  ["__proto__"],
  ["constructor"],
  ["日本語"],
];

for (const words of KEPT) {
  test(`schedule passes ${JSON.stringify(words)} on as it was typed`, async () => {
    assert.deepEqual(await scheduledArguments(...words), words);
  });
}

/** Lines that are read without the full parser, and some that only that one reads. */
const LINES: readonly (readonly [plain: boolean, ...line: string[]])[] = [
  [true, "serve"],
  [true, "serve", "--config", "config.toml"],
  [true, "serve", "-c", "./a b.toml", "--port=0", "--http", "127.0.0.1:0", "--log-level", "debug"],
  [true, "serve", "--store=sqlite:a=b.db", "--quiet"],
  [true, "serve", "--port", "-1"],
  [true, "list", "instances", "--limit", "20", "-o", "json"],
  [true, "list", "instances", "--since", "-2h", "-q", "--all"],
  [true, "status", "--since=24h"],
  [true, "get", "instance", "01938f2c"],
  [true, "get", "instance", "-o", "json", "last"],
  [true, "logs", "-n", "5", "--follow", "a.b"],
  [true, "schedule", "echo", "1e3", "a=b", "help"],
  [true, "schedule", "--wait", "--priority", "1", "echo", "007"],
  [true, "pause"],
  [true, "next"],
  [false],
  [false, "serve", "--config", "a", "--config", "b"],
  [false, "serve", "-c=a"],
  [false, "serve", "-ca"],
  [false, "serve", "--http", ""],
  [false, "serve", "--http="],
  [false, "serve", "--config", "'a'"],
  [false, "serve", "--quiet", "true"],
  [false, "serve", "--quiet=false"],
  [false, "serve", "--config"],
  [false, "serve", "--confg", "a"],
  [false, "serve", "word"],
  [false, "serve", "--help"],
  [false, "serve", "--", "--config", "a"],
  [true, "list"],
  [true, "list", "-n", "5"],
  [false, "list", "-n", "5", "jobs"],
  [false, "list", "instance"],
  [false, "list", "--all", "instances"],
  [false, "status", "--watch"],
  [false, "get", "last"],
  [false, "get", "instance"],
  [false, "get", "instance", "a", "b"],
  [false, "schedule", "echo", "--region", "eu"],
  [false, "schedule", "echo", "-5"],
  [false, "schedule", "echo", "'a'"],
  [true, "schedule", "echo", "-x", "a"],
  [false, "schedule", "echo", "-y", "a"],
  [false, "serve", "--__proto__", "1"],
  [false, "logs", "-n5"],
  [false, "--host", "a", "status"],
  [false, "no-such-verb"],
  [false, "constructor"],
];

for (const [isPlain, ...line] of LINES) {
  test(`jobctl ${line.join(" ")} is read as the full parser reads it`, async () => {
    const plain = await readPlainLine(line);
    assert.equal(plain !== null, isPlain);
    if (plain !== null) assert.deepEqual(plain, await parseCommandLine(line, 80));
  });
}

test("schedule takes arguments that begin with a dash when they come after --", async () => {
  assert.deepEqual(await scheduledArguments("a", "--", "--help", "-x", "--", "-1e3"), [
    "a",
    "--help",
    "-x",
    "--",
    "-1e3",
  ]);
});

test("schedule reads options between and after the arguments", async () => {
  const run = await cli(["schedule", "--priority", "1", "echo", "a", "--unique-key=k", "b"], {
    answers,
  });
  const { request } = run.calls[0]!;
  assert.deepEqual(request.arguments, ["a", "b"]);
  assert.equal(request.priority, 1);
  assert.equal(request.uniqueKey, "k");
});

test("runCli() reads the options of the connection before the verb too", async () => {
  const run = await cli(["--host", "h.example", "--port", "7", "-q", "list", "jobs"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.settings?.host, "h.example");
  assert.equal(run.settings?.port, 7);
});

test("runCli() finds the second word behind an option", async () => {
  const run = await cli(["list", "--all", "instances", "--since", "-2h"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.calls[0]!.method, "lookupInstances");
});

test("runCli() leaves the quotes of an option's value alone", async () => {
  const run = await cli(["schedule", "x", "--unique-key", '"k"'], { answers });
  assert.equal(run.calls[0]!.request.uniqueKey, '"k"');
});

test("runCli() takes the last of an option that is given twice", async () => {
  const run = await cli(["list", "jobs", "--port", "7", "--port=8"]);
  assert.equal(run.settings?.port, 8);
});

interface Refusal {
  readonly argv: readonly string[];
  readonly message: RegExp;
  readonly hint: RegExp;
}

const REFUSED: readonly Refusal[] = [
  { argv: ["lst"], message: /"jobctl lst": no such verb/, hint: /Did you mean "jobctl list"/ },
  {
    argv: ["xyzzy"],
    message: /"jobctl xyzzy": no such verb/,
    hint: /jobctl --help lists the verbs/,
  },
  {
    argv: ["list", "instanse"],
    message: /"jobctl list instanse": no such verb/,
    hint: /"jobctl list instances"/,
  },
  {
    argv: ["describe"],
    message: /needs one of job, instance, flow, schedule, node/,
    hint: /--help/,
  },
  {
    argv: ["check", "../a b.toml"],
    message: /word "\.\.\/a b\.toml": it takes no more words/,
    hint: /"jobctl check --config '\.\.\/a b\.toml'"/,
  },
  { argv: ["pause", ""], message: /KIND is empty/, hint: /Omit it/ },
  { argv: ["delete", "schedule", "", "--yes"], message: /ID is empty/, hint: /Usage/ },
  { argv: ["schedule", "", "1"], message: /KIND is empty/, hint: /Usage/ },
  { argv: ["schedule"], message: /KIND is missing/, hint: /schedule KIND \[ARGS…\]/ },
  { argv: ["history"], message: /RUN is missing/, hint: /Usage: jobctl history RUN/ },
  { argv: ["history", "a", "b"], message: /word "b"/, hint: /Usage: jobctl history RUN/ },
  { argv: ["list", "jobs", "--prot", "1"], message: /"--prot": no such/, hint: /"--port"/ },
  { argv: ["--prot", "1"], message: /"--prot": no such option/, hint: /"--port"/ },
  { argv: ["schedule", "x", "-foo"], message: /"-foo": no such option/, hint: /after "--"/ },
  { argv: ["-5"], message: /"jobctl -5": no such verb/, hint: /lists the verbs/ },
  { argv: ["check", "--host", "h"], message: /"--host": no such option/, hint: /./ },
  { argv: ["list", "jobs", "--__proto__", "1"], message: /no such option/, hint: /./ },
  {
    argv: ["list", "jobs", "--port"],
    message: /option --port: it needs a value/,
    hint: /Write --port PORT$/,
  },
  { argv: ["list", "jobs", "--port="], message: /--port: it needs a value/, hint: /=VALUE/ },
  { argv: ["list", "jobs", "--host", "a\n"], message: /--host "a\\n": not a name/, hint: /--port/ },
  { argv: ["list", "jobs", "--port", "x"], message: /--port "x"/, hint: /digits/ },
  { argv: ["list", "jobs", "--port", "65536"], message: /--port "65536".* 1 to 65535/, hint: /./ },
  { argv: ["list", "jobs", "--port", "1.5"], message: /--port "1.5"/, hint: /./ },
  { argv: ["list", "jobs", "-o", "jsn"], message: /--output "jsn"/, hint: /"json"/ },
  { argv: ["list", "jobs", "--call-timeout", "soon"], message: /"soon"/, hint: /10s/ },
  { argv: ["list", "jobs", "--call-timeout", "0"], message: /"0".*more than zero/, hint: /10s/ },
  { argv: ["list", "jobs", "--tls-key", "k"], message: /without --tls-cert/, hint: /--tls-cert/ },
  {
    argv: ["list", "jobs", "--token", "a", "--token-file", "b"],
    message: /--token with --token-file/,
    hint: /one/,
  },
  { argv: ["list", "instances", "--state", "bad"], message: /--state "bad"/, hint: /States:/ },
  {
    argv: ["list", "instances", "--state", "complete"],
    message: /--state "complete"/,
    hint: /"Completed"/,
  },
  { argv: ["list", "instances", "--limit", "0"], message: /--limit "0"/, hint: /./ },
  { argv: ["list", "instances", "--since", "x"], message: /--since "x"/, hint: /tomorrow/ },
  {
    argv: ["list", "instances", "--since", "-1h", "--until", "-2h"],
    message: /not after/,
    hint: /later/,
  },
  { argv: ["schedule", "x", "--at", "soon"], message: /--at "soon"/, hint: /tomorrow/ },
  { argv: ["schedule", "x", "--in", "soon"], message: /--in "soon"/, hint: /10s/ },
  { argv: ["schedule", "x", "--at", "now", "--in", "1s"], message: /--at with --in/, hint: /one/ },
  {
    argv: ["schedule", "x", "--cron", "@daily", "--wait"],
    message: /--cron with --wait/,
    hint: /./,
  },
  { argv: ["schedule", "x", "--timezone", "UTC"], message: /without --cron/, hint: /--cron/ },
  { argv: ["schedule", "x", "--wait-timeout", "1s"], message: /without --wait/, hint: /--wait/ },
  { argv: ["schedule", "x", "--wait", "--wait-timeout", "x"], message: /"x"/, hint: /10s/ },
  { argv: ["schedule", "x", "--uuid", "1"], message: /--uuid "1"/, hint: /01938f2c/ },
  { argv: ["schedule", "x", "--retries", "-2"], message: /--retries "-2"/, hint: /./ },
  {
    argv: ["schedule", "x", "--args-json", "{"],
    message: /--args-json "{": not JSON/,
    hint: /\[1/,
  },
  { argv: ["schedule", "x", "--args-json", "1"], message: /neither an array/, hint: /\[1/ },
  { argv: ["schedule", "x", "1", "--args-json", "[]"], message: /argument "1"/, hint: /./ },
  {
    argv: ["schedule", "x", "--overlap", "skp", "--cron", "@daily"],
    message: /"skp"/,
    hint: /"skip"/,
  },
  { argv: ["logs", "x", "--level", "warning"], message: /--level "warning"/, hint: /./ },
  { argv: ["workers", "scale", "many"], message: /COUNT "many"/, hint: /./ },
  { argv: ["workers", "scale", "1001"], message: /COUNT "1001"/, hint: /./ },
  {
    argv: ["cancel", "--kind", "a b", "-y", "--token", "secret"],
    message: /TARGET is missing/,
    hint: /: Did you mean "jobctl cancel instances --kind 'a b' --yes"\?$/m,
  },
  { argv: ["cancel"], message: /TARGET is missing/, hint: /Usage: jobctl cancel TARGET/ },
  { argv: ["cancel", "instances"], message: /none are selected/, hint: /--all/ },
  { argv: ["cancel", "instances", "--all", "-k", "x"], message: /--all with --kind/, hint: /./ },
  { argv: ["cancel", "abcd", "-k", "x"], message: /--kind with the id "abcd"/, hint: /./ },
  {
    argv: ["cancel", "instances", "--state", "completed"],
    message: /"completed": a finished instance/,
    hint: /Created, Scheduled, Processing/,
  },
  {
    argv: ["cancel", "instances", "--state", "scheduled,completed"],
    message: /"completed": a finished instance/,
    hint: /./,
  },
  {
    argv: ["update", "schedule", "x", "--clear", "run-max"],
    message: /--clear/,
    hint: /"runs-max"/,
  },
];

for (const { argv, message, hint } of REFUSED) {
  test(`runCli() refuses jobctl ${argv.join(" ")} before anything is sent`, async () => {
    const run = await cli(argv);
    assert.equal(run.code, 2, run.stderr);
    assert.equal(run.stdout, "");
    const [first, second, ...rest] = run.stderr.split("\n");
    assert.match(first!, /^jobctl: /);
    assert.match(first!, message);
    assert.match(second!, /^hint: /);
    assert.match(second!, hint);
    assert.deepEqual(rest, [""]);
    assert.deepEqual(run.calls, []);
  });
}

for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
  test(`runCli() refuses --${name}, which every object of JavaScript has`, async () => {
    for (const argv of [["list", "jobs", `--${name}`], ["schedule", "x", `--${name}=1`]]) {
      const run = await cli(argv);
      assert.equal(run.code, 2);
      assert.ok(run.stderr.startsWith(`jobctl: Cannot run "jobctl" with "--${name}": no such`));
      assert.deepEqual(run.calls, []);
    }
    const given = await cli(["schedule", "x", "--", `--${name}`], { answers });
    assert.deepEqual(given.calls[0]!.request.arguments, [`--${name}`]);
  });
}

test("runCli() prints its help on stderr and exits 2 when it is told nothing", async () => {
  const run = await cli([]);
  assert.equal(run.code, 2);
  assert.equal(run.stdout, "");
  assert.match(run.stderr, /Usage: jobctl VERB/);
});

for (const argv of [["--help"], ["-h"], ["schedule", "--help"], ["list", "jobs", "-h"]]) {
  test(`runCli() prints help on stdout when asked by ${argv.join(" ")}`, async () => {
    const run = await cli(argv);
    assert.equal(run.code, 0);
    assert.equal(run.stderr, "");
    assert.match(run.stdout, /^Usage: jobctl/);
  });
}

for (const words of [[], ["schedule"], ["list"], ["list", "jobs"]]) {
  test(`runCli() takes help ${words.join(" ")} for a wish for help`, async () => {
    const run = await cli(["help", ...words]);
    assert.deepEqual(run, await cli([...words, "--help"]));
    assert.equal(run.code, 0);
    assert.ok(run.stdout.startsWith(`Usage: ${["jobctl", ...words].join(" ")}`), run.stdout);
  });
}

test("runCli() refuses the wish for help on a verb that does not exist", async () => {
  for (const [words, meant] of [[["lst"], "jobctl list"], [["list", "jbos"], "jobctl list jobs"]]) {
    const run = await cli(["help", ...words as string[]]);
    assert.deepEqual([run.code, run.stdout], [2, ""]);
    assert.ok(run.stderr.includes(`no such verb\nhint: Did you mean "${meant}"?`), run.stderr);
  }
});

for (const option of ["--version", "-V"]) {
  test(`runCli() prints the version alone when asked by ${option}`, async () => {
    const run = await cli([option]);
    assert.equal(run.code, 0);
    assert.match(run.stdout, /^\d+\.\d+\.\d+\S*\n$/);
  });
}

test("runCli() reads a value that is joined to a short option", async () => {
  const runs = [["next", "@daily", "-n2", "-ojson"], ["next", "@daily", "-n", "2", "-o", "json"]];
  const [joined, apart] = await Promise.all(runs.map((argv) => cli(argv)));
  assert.equal(joined!.code, 0);
  assert.equal(JSON.parse(joined!.stdout).length, 2);
  assert.deepEqual(joined, apart);
});

test("runCli() reads short flags that are joined", async () => {
  const joined = await cli(["cancel", "instances", "--all", "-yq"]);
  assert.equal(joined.code, 0);
  assert.deepEqual(joined, await cli(["cancel", "instances", "--all", "-y", "-q"]));
  assert.match((await cli(["status", "-qz"])).stderr, /"-qz": no such option/);
});

test("readOptions() joins a value to a short flag that can have one", () => {
  const specs = { ...WATCH_OPTIONS, quiet: { alias: "q", describe: "x", isFlag: true } };
  assert.equal(readOptions(["-w5s"], specs).values.watch, "5s");
  assert.deepEqual(readOptions(["-wq"], specs).values, readOptions(["-w", "-q"], specs).values);
});

test("runCli() reads a long option with one dash as before", async () => {
  const { code, stdout } = await cli(["next", "@daily", "-output", "name"]);
  assert.deepEqual([code, stdout.includes("{")], [0, false]);
});

test("runCli() leaves joined letters alone after --", async () => {
  const run = await cli(["schedule", "x", "--", "-ojson", "-qf"], { answers });
  assert.deepEqual(run.calls[0]!.request.arguments, ["-ojson", "-qf"]);
});

test("runCli() reads the connection from the environment", async () => {
  const env = { JOBCTL_HOST: "h", JOBCTL_PORT: "7", JOBCTL_TOKEN: "t", JOBCTL_SOCKET: "/s" };
  const { settings } = await cli(["list", "jobs"], { env });
  assert.equal(settings?.host, "h");
  assert.equal(settings?.port, 7);
  assert.equal(settings?.token, "t");
  assert.equal(settings?.socket, "/s");
});

test("runCli() puts flags above the environment, also across options", async () => {
  const env = { JOBCTL_HOST: "h", JOBCTL_SOCKET: "/s", JOBCTL_TOKEN: "t" };
  const { settings } = await cli(["list", "jobs", "--host", "f", "--token-file", "/f"], { env });
  assert.equal(settings?.host, "f");
  assert.equal(settings?.socket, undefined);
  assert.equal(settings?.token, undefined);
  assert.equal(settings?.tokenFile, "/f");
});

test("runCli() takes --socket none with a host and a port, and excludes a path from them", async () => {
  for (const port of [["--port", "7"], ["--host", "localhost", "--port", "7"]]) {
    const flag = await cli(["list", "jobs", "--socket", "none", ...port]);
    const variable = await cli(["list", "jobs", ...port], { env: { JOBCTL_SOCKET: "none" } });
    for (const run of [flag, variable]) {
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual([run.settings?.socket, run.settings?.port], [null, 7]);
    }
  }
  const path = await cli(["list", "jobs", "--socket", "/s", "--port", "7"]);
  assert.equal(path.code, 2);
  assert.match(path.stderr, /--socket with --port/);
});

test("runCli() uses a token of the command line rather than a socket of the environment", async () => {
  const run = await cli(["list", "jobs", "--token-file", "/f"], { env: { JOBCTL_SOCKET: "/s" } });
  assert.deepEqual([run.settings?.socket, run.settings?.tokenFile], [undefined, "/f"]);
  for (const option of ["--token", "--token-file"]) {
    const both = await cli(["list", "jobs", "--socket", "/s", option, "t"]);
    assert.equal(both.code, 2);
    assert.ok(both.stderr.includes(`Cannot use ${option} with --socket`), both.stderr);
    assert.deepEqual(both.calls, []);
  }
  const env = { JOBCTL_TOKEN: "t" };
  assert.equal((await cli(["list", "jobs", "--socket", "/s"], { env })).settings?.socket, "/s");
});

test("runCli() names the variable when its value is bad", async () => {
  const run = await cli(["list", "jobs"], { env: { JOBCTL_OUTPUT: "xml" } });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /JOBCTL_OUTPUT "xml"/);
});

test("runCli() connects to localhost:59051 without options", async () => {
  const { settings } = await cli(["list", "jobs"]);
  assert.equal(settings?.host, "localhost");
  assert.equal(settings?.port, 59051);
  assert.equal(settings?.timeoutMs, 10_000);
  assert.equal(settings?.tls, null);
});

test("runCli() asks for no socket with --socket none", async () => {
  const { settings } = await cli(["list", "jobs", "--socket", "none"]);
  assert.equal(settings?.socket, null);
});

test("verbsFor() loads the verb of a word under its own name, and all for any other", async () => {
  const all = await loadVerbs();
  assert.ok(all.length > 40);
  for (const { name } of all) {
    const found = await verbsFor(name);
    assert.deepEqual(found.map((verb) => verb.name), [name]);
  }
  for (const word of [undefined, "no-such-verb", "constructor"]) {
    assert.equal((await verbsFor(word)).length, all.length);
  }
});

test("the words after an option without its dashes are refused with the right form", async () => {
  const { code, stderr } = await cli(["docs", "search", "a b"]);
  assert.equal(code, 2);
  assert.match(stderr, /takes no more words\nhint: Did you mean "jobctl docs --search 'a b'"\?\n$/);
});

test("--watch with a value in a word of its own is refused with the right form", async () => {
  const { code, stderr } = await cli(["status", "--watch", "5s"]);
  assert.equal(code, 2);
  assert.match(stderr, /the word "5s": it takes no more words\nhint: Did you mean --watch=5s\?/);
});

test("--watch takes a value only in the same word", async () => {
  const watched = async (...argv: string[]) => {
    const line = await parseCommandLine(argv, 80);
    assert.equal(line.type, "run");
    return line.type === "run" ? [line.values.watch, line.words.KIND?.[0]] : [];
  };
  for (const option of ["--watch", "-w", "--watch="]) {
    assert.deepEqual(await watched("describe", "job", option, "report"), ["", "report"]);
  }
  for (const option of ["--watch=5s", "-w=5s"]) {
    assert.deepEqual(await watched("describe", "job", option, "report"), ["5s", "report"]);
  }
  assert.deepEqual(await watched("-w", "describe", "job", "report"), ["", "report"]);
  assert.deepEqual(await watched("describe", "--watch", "job", "report"), ["", "report"]);
  assert.deepEqual(await watched("describe", "job", "report"), [undefined, "report"]);
  assert.deepEqual(await watched("describe", "job", "--", "-w"), [undefined, "-w"]);
});
