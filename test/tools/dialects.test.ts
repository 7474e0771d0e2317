import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCrontab } from "../../src/tools/import/crontab_reader.ts";
import { formatOf } from "../../src/tools/import/crontab_shape.ts";
import { type Dialect, DIALECT_RULES, guessDialect } from "../../src/tools/import/dialect.ts";
import { importCrontabs } from "../../src/tools/import/import_crontab.ts";
import { openCrontabs } from "../../src/tools/import/open_crontabs.ts";
import { verifyCrontab } from "../../src/tools/verify_crontab.ts";
import { loginShell } from "../../src/platform/system/accounts.ts";
import { withTempDir } from "../support/temp_dir.ts";

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);

function read(text: string, dialect: Dialect, options: { readonly isSystem?: boolean } = {}) {
  const { isSystem = false } = options;
  return readCrontab(text, { file: "cron", isSystem, owner: null, dialect });
}

/** `schedule command` of what is imported, and the texts of what is a loss. */
function outcome(text: string, dialect: Dialect, isSystem = false) {
  const { lines, notes } = read(text, dialect, { isSystem });
  return {
    lines: lines.map(({ schedule, command }) => `${schedule} ${command}`),
    losses: notes.filter(({ isLoss }) => isLoss).map(({ text }) => text),
  };
}

const GOOD = "5 4 * * * good\n";

// What Debian's cron and cronie do was seen on the daemons themselves: see
// test/e2e/cron_daemons.test.ts.
for (
  const [name, text, loss] of [
    ["six fields", "0 0 3 * * * true\n", /it has 6 fields and cron has five/],
    ["seven fields", "0 0 3 * * * * true\n", /it has 7 fields and cron has five/],
    ["a last line without a newline", "0 3 * * * true", /does not end with a newline/],
    ["an assignment at the end without one", "A=b", /does not end with a newline/],
    ["a byte order mark", null, /byte order mark/],
    ["a blank line with CR", "\r\n", /blank line that ends with CR LF/],
    ["an unknown nickname", "@every_minute true\n", /bad time specifier/],
    ["a step without a range", "5/15 * * * * true\n", /bad minute \(.*"5-59\/15"\)/],
    ["a step of 0", "*/0 * * * * true\n", /bad minute/],
    ["a value out of range", "60 3 * * * true\n", /bad minute/],
    ["no command", "@daily\n", /five fields and a command/],
    ["no crontab at all", "hello world\n", /five fields and a command/],
  ] as const
) {
  test(`readCrontab() says that cron refuses ${name}, and that Debian's ignores the file`, () => {
    const whole = text === null ? `\uFEFF# x\n${GOOD}` : GOOD + text;
    const cronie = outcome(whole, "cronie");
    assert.deepEqual(cronie.lines, ["5 4 * * * good"]);
    assert.equal(cronie.losses.length, 1);
    assert.match(cronie.losses[0]!, loss);
    const debian = outcome(whole, "debian");
    assert.deepEqual(debian.lines, []);
    assert.equal(debian.losses.length, 2);
    assert.match(debian.losses[0]!, loss);
    assert.match(debian.losses[1]!, /^left out with the 1 line .*ignores a whole file/);
  });
}

test("readCrontab() takes what cron takes at the end of a file: a comment, blanks", () => {
  for (const dialect of ["debian", "cronie"] as const) {
    for (const end of ["", "# comment", "  \t"]) {
      assert.deepEqual(outcome(GOOD + end, dialect), { lines: ["5 4 * * * good"], losses: [] });
    }
  }
});

test("readCrontab() knows -n and a leading - only where cronie does", () => {
  const options = "0 3 * * * -n good\n";
  assert.deepEqual(outcome(options, "cronie").lines, ["0 3 * * * good"]);
  assert.match(outcome(options, "debian").losses[0]!, /runs a program named "-n"/);
  assert.match(outcome("0 3 * * * -nq good\n", "cronie").losses[0]!, /bad option "-nq"/);
  assert.match(outcome("0 3 * * * -x good\n", "cronie").losses[0]!, /bad option "-x"/);
  const quiet = "-0 3 * * * good\n";
  assert.deepEqual(outcome(quiet, "cronie").lines, ["0 3 * * * good"]);
  assert.match(outcome(quiet, "debian").losses[0]!, /bad minute/);
  const { notes } = readCrontab(quiet, {
    file: "x",
    isSystem: false,
    owner: "www-data",
    dialect: "cronie",
  });
  assert.match(notes[0]!.text, /only for root/);
});

test("readCrontab() leaves out what would run a program or a user named like a field", () => {
  for (const dialect of ["debian", "cronie", "busybox"] as const) {
    assert.match(
      outcome("0 0 3 * * 1 /bin/x\n", dialect).losses[0]!,
      /cron takes "1" for the program/,
    );
  }
  assert.match(
    outcome("0 0 3 * * 1 root /bin/x\n", "debian", true).losses[0]!,
    /cron takes "1" for the user/,
  );
  assert.deepEqual(outcome("0 3 * * * 7z a /x\n", "debian").lines, ["0 3 * * * 7z a /x"]);
});

test("readCrontab() reads the fields of Debian's cron as far as that does", () => {
  const rows = [
    ["0~5 3 * * *", "0 3 * * *"],
    ["0 3 1~5 * *", "0 3 1 * *"],
    ["*5 3 * * *", "* 3 * * *"],
    ["0 3 * * fri#2", "0 3 * * fri"],
    ["*/5/2 3 * * *", "*/5 3 * * *"],
    ["0 3 * * 1,fri-mon", "0 3 * * 1"],
    ["*/90 * * * *", "*/90 * * * *"],
  ] as const;
  for (const [fields, schedule] of rows) {
    const { lines, notes } = read(`${fields} x\n`, "debian");
    assert.equal(lines[0]?.schedule, schedule, fields);
    assert.ok(notes.every(({ isLoss }) => !isLoss));
    assert.equal(notes.length, fields === schedule ? 0 : 1, fields);
  }
  for (const fields of ["~ 3 * * *", "0,,5 3 * * *", "-5 3 * * *", "0 3 ? * *", "0 3 5L * *"]) {
    assert.deepEqual(outcome(`${fields} x\n`, "debian").lines, [], fields);
  }
  assert.match(outcome("0 0 * * fri-sun x\n", "debian").losses[0]!, /never runs it: .*backwards/);
});

test("readCrontab() reads CRON_TZ and RANDOM_DELAY only where cron does", () => {
  const text = `CRON_TZ=Asia/Tokyo\nRANDOM_DELAY=5\n${GOOD}`;
  for (const dialect of ["debian", "cronie", "busybox", "supercronic"] as const) {
    const crontab = { file: "cron", text, isSystem: false, owner: null };
    const { imported, notes } = importCrontabs([crontab], { timezone: "Europe/Berlin", dialect });
    const isZone = dialect === "cronie" || dialect === "supercronic";
    assert.equal(imported[0]!.job.timezone, isZone ? "Asia/Tokyo" : "Europe/Berlin", dialect);
    assert.equal(imported[0]!.job.jitter === "5m", dialect === "cronie", dialect);
    assert.ok(notes.every(({ isLoss }) => !isLoss));
  }
});

test("readCrontab() takes backslashes and blanks of values as each cron does", () => {
  const text = `A=" b "\n0 3 * * * x \\\\a \\\\\\% \\y\n`;
  const debian = read(text, "debian").lines[0]!;
  assert.deepEqual([debian.command, debian.env.A], ["x \\a \\% \\y", " b"]);
  const cronie = read(text, "cronie").lines[0]!;
  assert.deepEqual([cronie.command, cronie.env.A], ["x \\\\a \\\\% \\y", " b "]);
});

test("readCrontab() reads busybox's fields, # and % as busybox does", () => {
  const rows = [
    ["5/2 * * * * x", "5 * * * * x"],
    ["50-10 * * * * x", "0-10,50-59 * * * * x"],
    ["0 3 */2 * * x", "0 3 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 * * x"],
    ["0 3 * * fri-mon x", "0 3 * * 0-1,5-6 x"],
    ["0 3 */3 * mon x", "0 3 3,6,9,12,15,18,21,24,27,30 * 1 x"],
    ["0 3 * * monday x", "0 3 * * 1 x"],
    ["0 3 * * * date +%F \\%", "0 3 * * * date +%F \\%"],
    ["0 3 * * * echo a # b", "0 3 * * * echo a"],
    ["0 3 * * 7 x", "0 3 * * * x"],
    ["30 2 * * 1-5 x", "30 2 * * 1-5 x"],
  ] as const;
  for (const [line, wanted] of rows) {
    const { lines, losses } = outcome(line, "busybox");
    assert.deepEqual({ lines, losses }, { lines: [wanted], losses: [] }, line);
  }
  const { lines } = read("FOO=a\nSHELL=/bin/bash\nHOME=/x\n* * * * * x\n", "busybox");
  assert.deepEqual(lines[0]!.env, { SHELL: "/bin/bash" });
});

test("readCrontab() reads supercronic's fields and takes variables for the whole file", () => {
  const rows = [
    ["*/5 * * * * x", "0-59/5 * * * * x"],
    ["5/15 * * * * x", "5-59/15 * * * * x"],
    ["0 3 * * * * x", "0 3 * * * x"],
    ["*/10 * * * * * * x", "0-59/10 * * * * * x"],
    ["0 3 L * monday x", "0 3 L * 1 x"],
    ["0 3 * * 5#2 x", "0 3 * * 5#2 x"],
    ["0 3 * january-march 7 x", "0 3 * 1-3 7 x"],
    ["@daily x %y", "@daily x %y"],
  ] as const;
  for (const [line, wanted] of rows) {
    const { lines, losses } = outcome(line, "supercronic");
    assert.deepEqual({ lines, losses }, { lines: [wanted], losses: [] }, line);
  }
  const { lines } = read("A=1\n* * * * * x\nA=2\n", "supercronic");
  assert.deepEqual(lines[0]!.env, { A: "2" });
  assert.match(outcome(`${GOOD}@midnight x\n`, "supercronic").losses[1]!, /does not start/);
  assert.match(outcome("0 3 * * * 2027 x\n", "supercronic").losses[0]!, /no years/);
});

test("importCrontabs() runs busybox's jobs by root's login shell, others by /bin/sh", () => {
  const shellOf = (dialect: Dialect) => {
    const crontab = { file: "a", text: "0 1 * * * x\n", isSystem: false, owner: null };
    const options = { timezone: "UTC", dialect };
    return importCrontabs([crontab], options).imported[0]!.job.shell;
  };
  const own = loginShell("root");
  const wanted = own === null || own === "/bin/sh" ? undefined : [own, "-c"];
  assert.deepEqual(shellOf("busybox"), wanted);
  for (const dialect of ["debian", "cronie", "supercronic"] as const) {
    assert.equal(shellOf(dialect), undefined);
  }
});

test("importCrontabs() lets runs of busybox and supercronic not overlap", () => {
  const crontab = { file: "cron", text: GOOD, isSystem: false, owner: null };
  const overlap = (dialect: Dialect) =>
    importCrontabs([crontab], { timezone: "UTC", dialect }).imported[0]!.job.overlap;
  assert.deepEqual(
    [overlap("debian"), overlap("cronie"), overlap("busybox"), overlap("supercronic")],
    ["allow", "allow", "skip", "skip"],
  );
});

test("verifyCrontab() compares by the rules of the dialect", async () => {
  const check = async (text: string, dialect: Dialect, timezone: string) => {
    const crontab = { file: "cron", text, isSystem: false, owner: null };
    const [found] = await verifyCrontab(importCrontabs([crontab], { timezone, dialect }), NOW);
    return [found!.cronCount, found!.ourCount, found!.differsAt === null, found!.notCompared];
  };
  assert.deepEqual(await check("0~5 3 * * * x\n", "debian", "UTC"), [366, 366, true, null]);
  assert.deepEqual(await check("0 3 */2 * * x\n", "busybox", "UTC"), [179, 179, true, null]);
  // busybox leaves out a time that the clock skips, and repeats one that comes twice.
  assert.deepEqual(await check("30 2 * * * x\n", "busybox", "Europe/Berlin"), [
    366,
    366,
    false,
    null,
  ]);
  assert.match(String((await check("0 3 * * * x\n", "supercronic", "UTC"))[3]), /supercronic/);
});

test("takesName() takes the names that each daemon takes in /etc/cron.d", () => {
  const names = ["ok-1_A", "a.b", "a~", ".a", "#a", "a.rpmsave", "a.dpkg-old"];
  const taken = (dialect: Dialect) =>
    names.filter((name) => DIALECT_RULES[dialect].takesName(name, "system"));
  assert.deepEqual(taken("debian"), ["ok-1_A"]);
  assert.deepEqual(taken("cronie"), ["ok-1_A", "a.b", "a.dpkg-old"]);
});

test("guessDialect() goes by the program that is installed, then by the distribution", async () => {
  await withTempDir({}, ({ path }) => {
    assert.equal(guessDialect(path), "cronie");
    mkdirSync(join(path, "etc"));
    writeFileSync(join(path, "etc/alpine-release"), "");
    assert.equal(guessDialect(path), "busybox");
    writeFileSync(join(path, "etc/debian_version"), "");
    assert.equal(guessDialect(path), "debian");
    mkdirSync(join(path, "usr/sbin"), { recursive: true });
    mkdirSync(join(path, "bin"));
    writeFileSync(join(path, "bin/busybox"), "");
    symlinkSync("../../bin/busybox", join(path, "usr/sbin/crond"));
    assert.equal(guessDialect(path), "busybox");
    writeFileSync(join(path, "usr/sbin/cron"), "");
    assert.equal(guessDialect(path), "debian");
  });
});

test("formatOf() tells crontabs by their path and their lines", () => {
  const user = "# m h dom mon dow command\n5 4 * * * x\n";
  assert.equal(formatOf("/srv/host1/etc/crontab", user), "system");
  assert.equal(formatOf("/srv/host1/etc/cron.d/x", user), "system");
  assert.equal(formatOf("/tmp/x", user), "user");
  assert.equal(formatOf("/tmp/x", "# m h dom mon dow user\tcommand\n5 4 * * * me x\n"), "system");
  assert.equal(formatOf("/tmp/x", "# *  *  *  *  * user-name  command to be executed\n"), "system");
  assert.equal(formatOf("/tmp/x", "A=b\n@daily root x y\n"), "system");
  assert.equal(formatOf("/tmp/x", "5 4 * * * root\n"), "user");
  assert.equal(
    formatOf("/tmp/x", "A=b\n1 5 cron.daily nice run-parts /x\n@monthly 45 mm x\n"),
    "anacron",
  );
  assert.equal(formatOf("/tmp/x", "1 5 1 * * x\n"), "user");
});

const OPEN = { isSystem: null, owner: null, dialect: "cronie" } as const;

test("openCrontabs() reads a folder of users' crontabs, one for each", async () => {
  const files = {
    "var/spool/cron/crontabs/root": GOOD,
    "var/spool/cron/crontabs/nobody": GOOD,
    "var/spool/cron/crontabs/gone": GOOD,
    "copy/root": GOOD,
    "copy/nobody": GOOD,
    "cron.d/root": "5 4 * * * root x\n",
  };
  await withTempDir(files, ({ path }) => {
    const owners = (folder: string) =>
      openCrontabs(join(path, folder), OPEN).crontabs.map((one) => [one.isSystem, one.owner]);
    const users = [[false, "gone"], [false, "nobody"], [false, "root"]];
    assert.deepEqual(owners("var/spool/cron/crontabs"), users);
    assert.deepEqual(owners("copy"), users.slice(1));
    assert.deepEqual(owners("cron.d"), [[true, null]]);
  });
});

test("importCrontabs() puts a prefix before kinds, with the user in it", () => {
  const crontabs = ["a", "b"].map((owner) => ({ file: owner, text: GOOD, isSystem: false, owner }));
  const kinds = (prefix: string) =>
    importCrontabs(crontabs, { timezone: "UTC", dialect: "debian", prefix })
      .imported.map(({ job }) => job.kind);
  assert.deepEqual(kinds("{user}-"), ["a-good", "b-good"]);
  assert.deepEqual(kinds("web1."), ["web1.good", "web1.good-2"]);
});

test("openCrontabs() leaves out a file, and tells of a folder, that every user can write to", async () => {
  await withTempDir({ "cron.d/a": GOOD, "b": GOOD }, ({ path }) => {
    chmodSync(join(path, "cron.d/a"), 0o646);
    chmodSync(join(path, "cron.d"), 0o777);
    chmodSync(join(path, "b"), 0o666);
    for (const dialect of ["debian", "cronie"] as const) {
      const folder = openCrontabs(join(path, "cron.d"), { ...OPEN, dialect });
      assert.deepEqual(folder.crontabs, []);
      assert.deepEqual(folder.notes.map(({ isLoss }) => isLoss), [true, true]);
      assert.match(folder.notes[0]!.text, /every user can write to this folder/);
      assert.match(folder.notes[1]!.text, /every user can write to it \(mode 0646\)/);
      const { crontabs, notes } = openCrontabs(join(path, "b"), { ...OPEN, dialect });
      assert.deepEqual([crontabs.length, notes[0]!.isLoss], [0, true]);
    }
  });
});

test("openCrontabs() tells of a user column where --user names whose crontab it is", async () => {
  const system = "17 * * * * root cd / && run-parts /etc/cron.hourly\n";
  const anacron = "1 5 cron.daily run-parts /etc/cron.daily\n";
  await withTempDir({ "etc/crontab": system, jobs: anacron, own: "1 2 * * * x\n" }, ({ path }) => {
    const open = (name: string) =>
      openCrontabs(`${path}/${name}`, { isSystem: null, owner: "root", dialect: "debian" });
    const found = open("etc/crontab");
    assert.match(
      found.notes[0]!.text,
      /a user before them, which --user makes part of the command/,
    );
    assert.equal(found.notes[0]!.isLoss, true);
    assert.deepEqual(open("own").notes, []);
    const { crontabs: [jobs] } = open("jobs");
    assert.deepEqual([jobs!.isAnacron, jobs!.owner], [true, "root"]);
  });
});

test("importCrontabs() reads an anacrontab as days, at its hour plus the delay", () => {
  const text = [
    "SHELL=/bin/sh",
    "START_HOURS_RANGE=3-22",
    "RANDOM_DELAY=45",
    "# Daily work",
    "1\t5\tcron.daily\tnice run-parts /etc/cron.daily",
    "7 75 weekly run-parts /etc/cron.weekly",
    "@monthly 45 cron.monthly x",
    "3 10 third y",
    "",
  ].join("\n");
  const crontab = { file: "anacrontab", text, isSystem: false, isAnacron: true, owner: null };
  const { imported, notes } = importCrontabs([crontab], { timezone: "UTC", dialect: "debian" });
  const rows = imported.map(({ job }) => [job.kind, job.schedule[0], job.jitter]);
  assert.deepEqual(rows, [
    ["cron-daily", "5 3 * * *", "45m"],
    ["weekly", "15 4 * * 0", "45m"],
    ["cron-monthly", "45 3 1 * *", "45m"],
    ["third", "@every 72h", "45m"],
  ]);
  const [{ job }] = imported as [typeof imported[0]];
  assert.deepEqual([job.overlap, job.misfire, job.cwd, job.description, job.env], [
    "skip",
    "latest",
    "/",
    "Daily work",
    { RANDOM_DELAY: "45" },
  ]);
  assert.deepEqual(notes.map(({ isLoss }) => isLoss), [true]);
});
