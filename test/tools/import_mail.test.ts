import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isMail } from "../../src/core/notices/settings.ts";
import { userName } from "../../src/platform/system/accounts.ts";
import { importCrontabs } from "../../src/tools/import/import_crontab.ts";
import type { Dialect } from "../../src/tools/import/dialect.ts";
import type { CrontabText } from "../../src/tools/import/open_crontabs.ts";
import { verifyCrontab } from "../../src/tools/verify_crontab.ts";
import { loadProject } from "../../src/tools/load_project.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { loadText } from "../support/worlds/config_world.ts";

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0);
const ME = userName(process.getuid!());

function importText(
  text: string,
  dialect: Dialect,
  more: Partial<CrontabText> & { readonly hasSendmail?: boolean } = {},
) {
  const { hasSendmail = true, ...given } = more;
  const crontab = { file: "cron", text, isSystem: false, owner: null, ...given };
  return importCrontabs([crontab], { timezone: "UTC", dialect, hasSendmail });
}

/** What a file loads as, without problems. */
async function configOf(toml: string) {
  const { loaded, problems } = await loadText(toml);
  assert.deepEqual(problems, []);
  return loaded!.config;
}

/** Who gets the output of each job. */
async function mailed(...args: Parameters<typeof importText>) {
  const result = importText(...args);
  const { notices, jobs } = await configOf(result.toml);
  const entries = jobs.map(({ kind, options }) => {
    const found = notices.filter(({ name }) => options.notify?.includes(name));
    const targets = found.map(({ target, rules }) => {
      assert.deepEqual([rules.on, rules.jobs], [["output"], []]);
      assert.ok(isMail(target) && target.transport.type === "sendmail");
      const { recipients, from, style } = target;
      return [style, ...recipients, ...(from === null ? [] : [`from ${from}`])].join(" ");
    });
    return [kind, targets.join("; ")] as const;
  });
  return { jobs: Object.fromEntries(entries), notes: result.notes };
}

const CHANGING = [
  "1 * * * * a",
  "MAILTO=ops@example.com,bob",
  "2 * * * * b",
  'MAILTO=""',
  "3 * * * * c",
  "MAILTO = alice",
  "MAILFROM=cron@example.com",
  "4 * * * * d",
  "",
].join("\n");

test("importCrontabs() mails output as the MAILTO above each line says", async () => {
  const { jobs, notes } = await mailed(CHANGING, "cronie", { owner: "carol" });
  assert.deepEqual(jobs, {
    a: "cron carol",
    b: "cron ops@example.com bob",
    c: "",
    d: "cron alice from cron@example.com",
  });
  assert.deepEqual(notes.map(({ text, isLoss }) => `${text}${isLoss ? " LOSS" : ""}`), [
    "the output of 1 job is mailed to carol, as by cron: see [notices.mail-carol]",
    "the output of 1 job is mailed to ops@example.com, bob, as by cron: see [notices.mail-ops]",
    "the output of 1 job is mailed to alice, as by cron: see [notices.mail-alice]",
  ]);
});

test("importCrontabs() mails without MAILTO to the owner of each line", async () => {
  const system = "1 * * * * root a\n2 * * * * www-data b\n3 * * * * root c\n";
  const { jobs } = await mailed(system, "debian", { isSystem: true });
  const style = "cron-debian";
  assert.deepEqual(jobs, { a: `${style} root`, b: `${style} www-data`, c: `${style} root` });
  assert.deepEqual((await mailed("1 * * * * a\n", "debian")).jobs, { a: `${style} ${ME}` });
});

test("importCrontabs() mails for busybox only with MAILTO, and for supercronic never", async () => {
  const text = "1 * * * * a\nMAILTO=bob\n2 * * * * b\nMAILTO=\n3 * * * * c\n";
  const busybox = await mailed(text, "busybox", { owner: "root" });
  assert.deepEqual(busybox.jobs, { a: "", b: "cron-busybox bob", c: "" });
  const supercronic = await mailed("MAILTO=bob\n1 * * * * a\n", "supercronic");
  assert.deepEqual(supercronic.jobs, { a: "" });
  assert.match(supercronic.notes[0]!.text, /^MAILTO=bob: supercronic sends no mail/);
});

test("importCrontabs() mails the jobs of an anacrontab to root or MAILTO", async () => {
  const text = "1 5 daily x\nMAILTO=bob\n7 5 weekly y\nMAILTO=\n30 5 monthly z\n";
  const { jobs } = await mailed(text, "debian", { isAnacron: true });
  assert.deepEqual(jobs, { daily: "cron root", weekly: "cron bob", monthly: "" });
});

for (
  const [value, dialect, jobs, note] of [
    ["a;b", "debian", "", /^MAILTO=a;b: cron refuses this address .* so it is here$/],
    ["a b", "cronie", "", /^MAILTO=a b: cron refuses this address/],
    ["-x", "debian", "", /^MAILTO=-x: cron refuses/],
    ["$ADMIN", "cronie", "", /^MAILTO=\$ADMIN is not carried over/],
    ["host!bob,al", "debian", "cron-debian host!bob al", null],
    ["a:b,al", "debian", "cron-debian al", /^no mail goes to a:b: wanted an address or a user$/],
  ] as const
) {
  test(`importCrontabs() reads MAILTO=${value} as ${dialect} does`, async () => {
    const found = await mailed(`MAILTO="${value}"\n1 * * * * a\n`, dialect);
    assert.deepEqual(found.jobs, { a: jobs });
    if (note !== null) assert.match(found.notes[0]!.text, note);
  });
}

test("importCrontabs() keeps the mail as comments on a host without sendmail", async () => {
  const { toml, notes } = importText(CHANGING, "cronie", { owner: "carol", hasSendmail: false });
  assert.deepEqual(notes.map(({ isLoss }) => isLoss), [false]);
  assert.match(notes[0]!.text, /^no output is mailed: this host has no \/usr\/sbin\/sendmail/);
  const config = await configOf(toml);
  assert.deepEqual(config.notices, []);
  assert.ok(config.jobs.every(({ options }) => options.notify === undefined));
  const again = await configOf(toml.replaceAll(/^# (?=\[notices|[a-z]+ = )/gm, ""));
  assert.deepEqual(again.notices.map(({ name }) => name), ["mail-carol", "mail-ops", "mail-alice"]);
  const named = again.jobs.map(({ options }) => options.notify);
  assert.deepEqual(named, [["*", "mail-carol"], ["*", "mail-ops"], undefined, ["*", "mail-alice"]]);
  // Nothing is said of mail that nobody would get.
  assert.deepEqual(
    importText('MAILTO=""\n1 * * * * a\n', "debian", { hasSendmail: false }).notes,
    [],
  );
});

test("importCrontabs() writes files that can be included together", async () => {
  const one = importText("1 * * * * a\n", "debian", { owner: "root" }).toml;
  const two = importText("2 * * * * b\n", "debian", { owner: "root" }).toml;
  const files = { "one.toml": one, "two.toml": two };
  const main = { "config.toml": 'include = ["one.toml", "two.toml"]\n' };
  await withTempDir({ ...files, ...main }, async ({ path }) => {
    const { config } = await loadProject(join(path, "config.toml"), { env: {}, nowMs: NOW });
    assert.deepEqual(config.notices.map(({ name }) => name), ["mail-root"]);
  });
});

test("verifyCrontab() says if output is mailed to others, or not at all", async () => {
  const result = importText(CHANGING, "cronie", { owner: "carol" });
  const problems = async (toml: string) =>
    (await verifyCrontab({ ...result, toml }, NOW)).map(({ problem }) => problem);
  assert.deepEqual(await problems(result.toml), [null, null, null, null]);
  const other = result.toml.replace('recipients = ["alice"]', 'recipients = ["eve"]');
  const notLike = "its output is not mailed to alice as cron does";
  assert.deepEqual(await problems(other), [null, null, null, notLike]);
  const silent = result.toml.replace('notify = ["*", "mail-ops"]', "");
  const missing = "its output is not mailed to ops@example.com, bob as cron does";
  assert.deepEqual(await problems(silent), [null, missing, null, null]);
  const more = result.toml.replace("[jobs.c]", '[jobs.c]\nnotify = ["mail-ops"]');
  assert.deepEqual(await problems(more), [
    null,
    null,
    "its output is mailed, cron mails none",
    null,
  ]);
});
