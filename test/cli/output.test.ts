import assert from "node:assert/strict";
import test from "node:test";
import { formatCsvLine } from "../../src/cli/output/printer.ts";
import { makeJsonVisible, makeLinesVisible, makeVisible } from "../../src/core/text/safe_text.ts";
import { displayWidth, formatTable, truncate } from "../../src/cli/output/table.ts";
import { formatAbsolute } from "../../src/cli/output/when.ts";
import { formatYaml } from "../../src/cli/output/yaml.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { cli, type CliOptions } from "../support/worlds/cli_world.ts";
import { ID, instance } from "../support/worlds/cli_messages.ts";

test("makeVisible() writes out what would steer a terminal", () => {
  assert.equal(makeVisible("a\x1b[31mb\x07\x9b\x7f"), "a\\x1b[31mb\\x07\\x9b\\x7f");
  assert.equal(makeVisible("a\nb\tc\r"), "a\\nb\\tc\\r");
  assert.equal(makeVisible("\u202egnp.exe\u2066"), "\\u202egnp.exe\\u2066");
  assert.equal(makeVisible("grüße 日本 🎉"), "grüße 日本 🎉");
});

test("makeLinesVisible() keeps lines", () => {
  assert.equal(makeLinesVisible("a\r\nb\x00"), "a\nb\\x00");
});

test("makeJsonVisible() keeps the value", () => {
  const value = { text: "\x1b \x7f \x9b \u202e \u2028 \n" };
  const json = makeJsonVisible(JSON.stringify(value));
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
  assert.deepEqual(JSON.parse(json), value);
});

test("displayWidth() counts the cells of a terminal", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("日本"), 4);
  assert.equal(displayWidth("🎉"), 2);
  assert.equal(displayWidth("e\u0301"), 1);
});

test("truncate() cuts to the width, never in the middle of a wide character", () => {
  assert.equal(truncate("abcdef", 6), "abcdef");
  assert.equal(truncate("abcdef", 5), "abcd…");
  assert.equal(truncate("日本語", 5), "日本…");
  assert.equal(truncate("日本語", 4), "日…");
  assert.equal(truncate("abc", 1), "…");
  assert.equal(truncate("abc", 0), "");
});

const HEADINGS = [{ title: "ID" }, { title: "TEXT", least: 8, weight: 6 }, { title: "N" }];

test("formatTable() aligns columns without spaces at the end", () => {
  const rows = [
    [{ text: "1" }, { text: "日本" }, { text: "x" }],
    [{ text: "100" }, { text: "b" }, { text: "" }],
  ];
  assert.equal(
    formatTable(HEADINGS, rows, { columns: null, hasColor: false }),
    "ID   TEXT  N\n1    日本  x\n100  b     -\n",
  );
});

test("formatTable() shortens the column that may shrink on a narrow terminal", () => {
  const rows = [[{ text: "abcdef" }, { text: "0123456789abcdef" }, { text: "yes" }]];
  const table = formatTable(HEADINGS, rows, { columns: 24, hasColor: false });
  assert.equal(table.split("\n")[1], "abcdef  0123456789…  yes");
});

test("formatTable() leaves out the lightest columns when shrinking is not enough", () => {
  const headings = [{ title: "ID", weight: 9 }, { title: "A", weight: 3 }, { title: "B" }];
  const rows = [[{ text: "abcdef" }, { text: "0123" }, { text: "yes" }]];
  const shown = (columns: number) =>
    formatTable(headings, rows, { columns, hasColor: false }).split("\n")[1];
  assert.equal(shown(17), "abcdef  0123  yes");
  assert.equal(shown(16), "abcdef  yes");
  assert.equal(shown(10), "abcdef");
});

test("formatTable() shares the width: what needs little gets it, the others get the same", () => {
  const headings = [{ title: "A", least: 3 }, { title: "B", least: 3 }, { title: "C", least: 3 }];
  const rows = [[{ text: "1234" }, { text: "b".repeat(50) }, { text: "c".repeat(90) }]];
  const [, row] = formatTable(headings, rows, { columns: 30, hasColor: false }).split("\n");
  assert.equal(row, `1234  ${"b".repeat(10)}…  ${"c".repeat(10)}…`);
});

test("formatTable() ends numbers at the right edge of their column", () => {
  const headings = [{ title: "N", isNumber: true }, { title: "T" }];
  const rows = [[{ text: "7" }, { text: "a" }], [{ text: "100" }, { text: "b" }]];
  const table = formatTable(headings, rows, { columns: null, hasColor: false });
  assert.equal(table, "  N  T\n  7  a\n100  b\n");
});

test("formatTable() cuts lines when even that is not enough", () => {
  const rows = [[{ text: "abcdefghij" }, { text: "0123456789" }, { text: "yes" }]];
  const table = formatTable(HEADINGS, rows, { columns: 12, hasColor: false });
  for (const line of table.trimEnd().split("\n")) assert.ok(displayWidth(line) <= 12, line);
});

test("formatTable() colours cells without changing their width", () => {
  const rows = [[{ text: "a", style: "good" as const }, { text: "b" }, { text: "c" }]];
  const table = formatTable(HEADINGS, rows, { columns: null, hasColor: true });
  assert.equal(table.split("\n")[1], "\x1b[32ma\x1b[0m   b     c");
});

test("formatAbsolute() names the zone", () => {
  const text = formatAbsolute(Date.UTC(2026, 0, 2, 3, 4, 5));
  const [day, time, offset] = text.replace("Z", " +00:00").split(" ");
  assert.equal(Date.parse(`${day}T${time}${offset}`), Date.UTC(2026, 0, 2, 3, 4, 5));
});

test("formatCsvLine() quotes what needs it", () => {
  const values = ["a", "b,c", 'd"e', "f\ng", " h", null, undefined, 1, true, ["x", 1]];
  assert.equal(
    formatCsvLine(values),
    'a,"b,c","d""e","f\ng"," h",,,1,true,"[""x"",1]"\r\n',
  );
});

test("formatYaml() quotes text that would be read as something else", () => {
  const value = {
    plain: "abc/d.e-f",
    number: "1",
    word: "No",
    empty: "",
    spaced: "a: b #c",
    lines: "a\nb\x1b",
    count: 3,
    nothing: null,
    absent: undefined,
    list: ["a", { x: 1, y: [] }, [1, 2]],
    map: {},
    "odd key": true,
  };
  assert.equal(
    formatYaml(value),
    [
      "plain: abc/d.e-f",
      'number: "1"',
      'word: "No"',
      'empty: ""',
      'spaced: "a: b #c"',
      'lines: "a\\nb\\u001b"',
      "count: 3",
      "nothing: null",
      "list:",
      "  - a",
      "  - x: 1",
      '    "y": []',
      "  - - 1",
      "    - 2",
      "map: {}",
      '"odd key": true',
      "",
    ].join("\n"),
  );
});

const ANSWERS = {
  lookupInstances: { instances: [instance(), instance({ uuid: ID.replace(/1$/, "2") })] },
};

async function listed(...argv: string[]) {
  const run = await cli(["list", "instances", ...argv], { answers: ANSWERS });
  assert.equal(run.code, 0, run.stderr);
  return run.stdout;
}

test("JSON has real values, an error as an object, and lengths of time in milliseconds", async () => {
  const failed = instance({
    state: 64,
    error: "disk full",
    errorDetail: { name: "Error", message: "disk full", exitCode: 3 },
    argumentsJson: '["1",1,12345678901234567890,{"a":[true]}]',
    resultsJson: undefined,
    results: [],
    durationMs: 500n,
  });
  const run = await cli(["list", "instances"], {
    answers: { lookupInstances: { instances: [failed] } },
  });
  const [record] = JSON.parse(run.stdout);
  assert.deepEqual(record.error, { name: "Error", message: "disk full", exit_code: 3 });
  assert.deepEqual([record.id, record.uuid], [ID, ID]);
  assert.deepEqual([record.state, record.duration_ms, record.timeout_ms], [
    "terminated",
    500,
    3_600_000,
  ]);
  assert.match(run.stdout, /"1",\n\s+1,\n\s+12345678901234567890,\n\s+\{\n\s+"a"/);
  assert.equal(run.settings?.values, "json");
});

test("JSON has the texts of an older daemon, which sends no values", async () => {
  const older = instance({ argumentsJson: undefined, resultsJson: undefined });
  const run = await cli(["list", "instances"], {
    answers: { lookupInstances: { instances: [older] } },
  });
  const [record] = JSON.parse(run.stdout);
  assert.deepEqual([record.arguments, record.results], [["1", "2"], ["3"]]);
});

test("a column without a value in any row is left out, but not where tabs separate columns", async () => {
  const run = (options: CliOptions) => cli(["list", "instances"], { answers: ANSWERS, ...options });
  const table = await run({ isTerminal: true });
  assert.equal(table.stdout.split("\n")[0], "ID        KIND  STATE  WHEN    WHAT");
  const piped = await run({ env: { JOBCTL_OUTPUT: undefined } });
  assert.equal(piped.stdout.split("\n")[0], "ID\tKIND\tSTATE\tTOOK\tWHEN\tWHAT");
});

test("a terminal shows as much of the ids as tells them apart", async () => {
  const rowsOf = async (options: CliOptions) => {
    const run = await cli(["list", "instances", "--no-color"], { answers: ANSWERS, ...options });
    return run.stdout.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2}|\t/)[0]);
  };
  const whole = [ID, ID.replace(/1$/, "2")];
  assert.deepEqual(await rowsOf({ isTerminal: true }), ["00000001", "00000002"]);
  assert.deepEqual(await rowsOf({ env: { JOBCTL_OUTPUT: undefined } }), whole);
  assert.deepEqual(await rowsOf({ isTerminal: true, env: { JOBCTL_OUTPUT: "wide" } }), whole);
});

test("off a terminal, a list has the same text in full: tabs separate its columns", async () => {
  const env = { JOBCTL_OUTPUT: undefined };
  const run = await cli(["list", "instances"], { answers: ANSWERS, env, columns: 40 });
  const [head, first, second, ...rest] = run.stdout.split("\n");
  assert.deepEqual(rest, [""]);
  const titles = head!.split("\t");
  assert.equal(titles[0], "ID");
  for (const row of [first!, second!]) assert.equal(row.split("\t").length, titles.length);
  assert.ok(first!.startsWith(`${ID}\tsum\t`), first!);
  const aligned = await cli(["list", "instances", "-o", "table"], { answers: ANSWERS, env });
  assert.ok(!aligned.stdout.includes("\t"));
});

const COLORS:
  readonly (readonly [env: NonNullable<CliOptions["env"]>, isTerminal: boolean, has: boolean])[] = [
    [{}, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ CLICOLOR: "0" }, true, false],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{}, false, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ CLICOLOR_FORCE: "1", TERM: "dumb" }, false, true],
  ];

test("variables decide on colors where the terminal does not", async () => {
  for (const [env, isTerminal, has] of COLORS) {
    const run = await cli(["list", "instances", "-o", "table"], {
      answers: ANSWERS,
      isTerminal,
      columns: 200,
      env,
    });
    assert.equal(run.stdout.includes("\x1b["), has, JSON.stringify({ env, isTerminal }));
  }
});

test("-o jsonl writes one object a line", async () => {
  const lines = (await listed("-o", "jsonl")).trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.equal(JSON.parse(lines[0]!).uuid, ID);
});

test("-o json writes an array with an indent of two", async () => {
  const text = await listed("-o", "json");
  assert.equal(text, `${JSON.stringify(JSON.parse(text), null, 2)}\n`);
});

test("-o name writes an id a line", async () => {
  assert.equal(await listed("-o", "name"), `${ID}\n${ID.replace(/1$/, "2")}\n`);
});

test("-o csv writes a header and as many fields in each record", async () => {
  const [header, first] = (await listed("-o", "csv")).split("\r\n");
  assert.ok(header!.startsWith("kind,id,uuid,state,"));
  assert.ok(first!.startsWith(`sum,${ID},${ID},completed,`));
});

test("-o yaml writes a list", async () => {
  assert.match(await listed("-o", "yaml"), /^- kind: sum\n {2}id: "01938f2c-/);
});

test("-o wide writes times in full, off a terminal too", async () => {
  const text = await listed("-o", "wide");
  assert.match(text, /PRIORITY/);
  assert.match(text, /2026-11-24 \d\d:58:59/);
});

test("a table has colours on a terminal and none with NO_COLOR, --no-color or in a pipe", async () => {
  const argv = ["list", "instances"];
  const colored = await cli(argv, { answers: ANSWERS, isTerminal: true, columns: 200 });
  assert.ok(colored.stdout.includes("\x1b[32mdone\x1b[0m"));
  const plain = [
    await cli(argv, { answers: ANSWERS, isTerminal: true, env: { NO_COLOR: "1" } }),
    await cli([...argv, "--no-color"], { answers: ANSWERS, isTerminal: true }),
    await cli([...argv, "-o", "table"], { answers: ANSWERS }),
  ];
  for (const { stdout } of plain) assert.ok(!stdout.includes("\x1b"));
});

test("a table never lets an instance's text steer the terminal", async () => {
  const evil = instance({ kind: "\x1b]0;owned\x07\nfake row" });
  const run = await cli(["list", "instances", "--no-color"], {
    answers: { lookupInstances: { instances: [evil] } },
    isTerminal: true,
    columns: 300,
  });
  assert.equal(run.stdout.split("\n").length, 3);
  assert.ok(run.stdout.includes("\\x1b]0;owned\\x07\\nfake row"));
});

test("check and import crontab count one job, line and run in the singular", () =>
  withTempDir(
    {
      "config.toml": '[jobs.one]\nrun = "true"\n',
      "one": "0 0 29 2 * true\n",
      "refused": "MAILTO\n0 0 * * * true\n* * *\n",
      "nothing": "* * *\n",
    },
    async ({ path }) => {
      const cwd = path;
      const check = await cli(["check", "-c", "config.toml", "-o", "table"], { cwd });
      assert.match(check.stdout, /config\.toml is good: 1 job$/m);
      const start = Date.UTC(2027, 6, 1);
      const clock = new SimClock(start);
      const one = await cli(["import", "crontab", "one", "--verify"], { cwd, clock });
      assert.match(one.stderr, /: the same 1 run$/m);
      assert.match(one.stderr, /days: 1 of 1 line is the same, 1 run$/m);
      const nothing = await cli(["import", "crontab", "nothing", "--dialect", "debian"], { cwd });
      assert.match(nothing.stderr, /nothing: left out: /);
      const refused = await cli(["import", "crontab", "refused", "--dialect", "debian"], { cwd });
      assert.match(refused.stderr, /refused: left out with the 1 line that can be read: /);
    },
  ));
