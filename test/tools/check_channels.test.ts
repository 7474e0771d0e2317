import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { formatProblem } from "../../src/config/values/problems.ts";
import { checkConfig } from "../../src/tools/check.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { tlsFile } from "../support/tls_files.ts";

const NOW = Date.parse("2026-11-24T12:34:56Z");

interface Found {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly isUsable: boolean;
}

function check(config: string, modes: Readonly<Record<string, number>> = {}): Promise<Found> {
  const files = Object.fromEntries(Object.keys(modes).map((name) => [name, "#!/bin/sh\n"]));
  return withTempDir({ "config.toml": config, ...files }, async ({ path }) => {
    for (const [name, mode] of Object.entries(modes)) chmodSync(`${path}/${name}`, mode);
    const found = await checkConfig(`${path}/config.toml`, { env: {}, cwd: path, nowMs: NOW });
    const lines = (list: typeof found.problems) =>
      list.map((problem) => formatProblem(problem).replaceAll(`${path}/`, ""));
    return { ...found, problems: lines(found.problems), warnings: lines(found.warnings) };
  });
}

const exec = (program: string) => `[notices.a]\nto = "exec"\ncommand = ["${program}"]\n`;

test("checkConfig() finds programs of channels by path and by name", async () => {
  for (const program of ["./tell", "sh", "/bin/sh"]) {
    assert.deepEqual((await check(exec(program), { tell: 0o755 })).problems, [], program);
  }
});

test("checkConfig() tells which program of a channel is missing, although all would start", async () => {
  const { problems, isUsable } = await check(exec("no-such-program"));
  assert.deepEqual(problems, [
    'config.toml:3:11: notices.a.command: no program "no-such-program" was found in /usr/sbin, /usr/bin, /sbin, /bin ' +
    "(Name it by its absolute path)",
  ]);
  assert.equal(isUsable, true);
});

test("checkConfig() tells which program of a channel cannot be run", async () => {
  const { problems } = await check(exec("./tell"), { tell: 0o644 });
  assert.deepEqual(problems, [
    'config.toml:3:11: notices.a.command: cannot run "tell": it is not executable',
  ]);
  assert.match((await check(exec("/usr"))).problems.join(), /"\/usr" is not a file/);
});

test("checkConfig() tells which program of a channel other users can change", async () => {
  const { problems, warnings } = await check(exec("./tell"), { tell: 0o777 });
  assert.match([...problems, ...warnings].join(), /notices\.a\.command: "tell" is not trusted/);
});

test("checkConfig() looks for sendmail and for the file of an authority", async () => {
  const mail = 'to = "mail"\nfrom = "a@example.com"\nrecipients = ["a@example.com"]\n';
  const found = await check(
    `[notices.a]\n${mail}sendmail = "/no/sendmail"\n` +
      `[notices.b]\n${mail}smtp = "smtps://127.0.0.1"\nca = "no.pem"\n` +
      `[notices.c]\n${mail}smtp = "smtps://127.0.0.1"\nca = ${
        JSON.stringify(tlsFile("server.crt"))
      }\n` +
      `[notices.d]\n${mail}smtp = "smtps://127.0.0.1"\nca = ${
        JSON.stringify(tlsFile("expired.crt"))
      }\n`,
  );
  assert.equal(found.problems.length, 3, found.problems.join("\n"));
  assert.match(found.problems[0]!, /notices\.a\.sendmail: no program "\/no\/sendmail" was found/);
  assert.match(found.problems[0]!, /Install one, such as postfix .*smtp = /);
  assert.match(
    found.problems[1]!,
    /notices\.b\.ca: Cannot use the CA certificate "no\.pem": no such/,
  );
  assert.match(found.problems[2]!, /notices\.d\.ca: .*it expired at/);
});

test("checkConfig() warns about hosts of channels that are not found", async () => {
  const { warnings, problems } = await check(
    '[notices.a]\nto = "webhook"\nurl = "https://no-such-host.invalid/"\n' +
      '[notices.b]\nto = "webhook"\nurl = "https://1.1.1.1/"\n' +
      '[notices.c]\nto = "syslog"\naddress = "udp://127.0.0.1"\n' +
      '[notices.d]\nto = "syslog"\naddress = "unix:/no/log"\n',
  );
  assert.deepEqual(problems, []);
  assert.equal(warnings.length, 2, warnings.join("\n"));
  const all = warnings.join("\n");
  assert.match(all, /notices\.a\.url: the host no-such-host\.invalid was not found: /);
  assert.match(all, /notices\.d\.address: no log was found at \/no\/log/);
});

test("checkConfig() checks channels and their names although the file is refused", async () => {
  const { problems, isUsable } = await check(
    "[store]\nurl = 7\n" + exec("no-such-program") + '[notices.b]\nto = "exec"\n' +
      '[notices.c]\nto = "exec"\ncommand = ["/no/program"]\n' +
      '[jobs.work]\nrun = "true"\nnotify = ["a", "b", "nobody"]\n',
  );
  assert.equal(isUsable, false);
  assert.deepEqual(problems.map((line) => /[a-z]+\.[a-z.]+(?=: )/.exec(line)?.[0]), [
    ...["store.url", "notices.a.command", "notices.b", "notices.c.command", "jobs.work.notify"],
  ], problems.join("\n"));
  assert.match(problems.at(-1)!, /there is no channel "nobody"/);
});

test("checkConfig() does not miss channels of a file that cannot be read", async () => {
  const { problems } = await check(
    'include = ["missing.toml"]\n[store]\nurl = 7\n' +
      '[jobs.work]\nrun = "true"\nnotify = ["elsewhere"]\n',
  );
  assert.equal(problems.filter((line) => line.includes("elsewhere")).length, 0);
  assert.equal(problems.length, 2, problems.join("\n"));
});
