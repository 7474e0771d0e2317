import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import {
  type Daemon,
  type DaemonOptions,
  JOBCTL,
  startDaemon,
} from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { linesOf, until } from "../../support/wait.ts";

const KIND = "system.store.backup";
const NAME = /^jobctl-[0-9a-f]{8}-\d{8}T\d{6}\.\d{3}Z\.jsonl\.gz$/;

const config = (folder: string, schedule = "0 3 1 1 *", more = "") =>
  `[store.backup]\nschedule = "${schedule}"\npath = "${folder}"\nkeep = 2\n` +
  `[jobs.work]\nrun = "echo done"\n${more}`;

/** A daemon, and a folder for its backups. */
async function withDaemon(
  more: {
    readonly toml?: string;
    readonly isMissing?: boolean;
    readonly env?: DaemonOptions["env"];
  },
  body: (daemon: Daemon, folder: string) => Promise<void>,
): Promise<void> {
  await withTempDir({}, async ({ path }) => {
    const folder = join(path, "backups");
    if (!more.isMissing) mkdirSync(folder, { mode: 0o700 });
    const toml = config(folder, undefined, more.toml?.replaceAll("FOLDER", path));
    const daemon = await startDaemon({ toml, ...more.env ? { env: more.env } : {} });
    try {
      await body(daemon, folder);
    } finally {
      await daemon.stop({ force: true });
    }
  });
}

const run = (daemon: Daemon) => daemon.ask(["schedule", KIND, "--wait", "-o", "json"]);

test("system.store.backup makes a verified backup, which jobctl restores as documented", () =>
  withDaemon({}, async (daemon, folder) => {
    const { stdout: id } = await daemon.ask(["schedule", "work", "--wait", "-o", "name"]);
    for (let count = 0; count < 3; count++) assert.equal((await run(daemon)).code, 0);
    const names = readdirSync(folder).sort();
    assert.equal(names.length, 2, names.join());
    for (const name of names) assert.match(name, NAME);
    const file = join(folder, names[1]!);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const logs = await daemon.ask(["logs", "--kind", KIND, "-o", "table"]);
    assert.match(logs.stdout, /Wrote and verified ".*\.jsonl\.gz": \d+ instances/);
    assert.match(logs.stdout, /Removed the old backup/);
    const metrics = await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text();
    const success = /jobctl_job_last_success_timestamp_seconds\{kind="system\.store\.backup"\} \d/;
    assert.match(metrics, success);
    const schedules = await daemon.ask(["list", "schedules", "-o", "table"]);
    assert.match(schedules.stdout, /system\.store\.backup +.*0 3 1 1 \*/);

    await daemon.terminate();
    await restoreAsDocumented(daemon, file);
    const restarted = await daemon.restart();
    try {
      const found = await restarted.ask(["describe", "instance", id.trim(), "-o", "json"]);
      assert.equal(found.code, 0, found.stderr);
      assert.equal(JSON.parse(found.stdout).state, "completed");
    } finally {
      await restarted.terminate();
    }
  }));

/** Execute the lines of docs/operations.md, with the folders and the program of this test. */
async function restoreAsDocumented(daemon: Daemon, file: string): Promise<void> {
  const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  const block = /^### Restore\n\n```sh\n([^]*?)^```/m.exec(page)![1]!;
  const lines = block.trimEnd().split("\n");
  assert.deepEqual([lines.length, lines[0], lines[3]], [
    4,
    "systemctl stop jobctl",
    "systemctl start jobctl",
  ]);
  const script = lines.slice(1, 3).join("\n")
    .replaceAll("/var/lib/jobctl", join(daemon.dir, "data"))
    .replaceAll(/ -o jobctl /g, " ")
    .replace("runuser -u jobctl -- jobctl", JOBCTL)
    .replace("/var/backups/jobctl/FILE", file)
    .replace("/etc/jobctl/config.toml", join(daemon.dir, "config.toml"));
  assert.doesNotMatch(script, /\/var\/|\/etc\//);
  await promisify(execFile)("sh", ["-ec", script], {
    env: { ...process.env, JOBCTL_STORE_URL: `sqlite:${join(daemon.dir, "data", "jobctl.db")}` },
  });
}

test("system.store.backup fails clearly without its folder, and people are told", () =>
  withDaemon({
    isMissing: true,
    toml: '[notices.ops]\nto = "exec"\ncommand = ["/bin/sh", "-c", "cat >> FOLDER/told"]\n',
  }, async (daemon, folder) => {
    const { code, stdout } = await run(daemon);
    assert.equal(code, 3, stdout);
    const [failed] = [JSON.parse(stdout)].flat();
    assert.match(JSON.stringify(failed), /there is no such folder/);
    const told = join(folder, "..", "told");
    await until("a notice came", () => existsSync(told) && linesOf(told).length > 0);
    const notice = readFileSync(told, "utf8");
    assert.match(notice, /"failed"/);
    assert.match(notice, /system\.store\.backup/);
    const dead = await daemon.ask(["list", "dead", "-o", "table"]);
    assert.match(dead.stdout, /system\.store\.backup/);
    // Nothing had to change but the folder.
    mkdirSync(folder, { mode: 0o700 });
    assert.equal((await run(daemon)).code, 0);
  }));

test("system.store.backup comes and goes with a reload, and takes its new folder", () =>
  withDaemon({}, async (daemon, folder) => {
    const file = join(daemon.dir, "config.toml");
    const other = `${folder}-2`;
    mkdirSync(other, { mode: 0o700 });
    writeFileSync(file, config(other));
    assert.equal((await daemon.ask(["reload"])).code, 0);
    assert.equal((await run(daemon)).code, 0);
    assert.deepEqual([readdirSync(folder).length, readdirSync(other).length], [0, 1]);
    writeFileSync(file, config(`${folder}-3`));
    const warned = await daemon.ask(["reload"]);
    assert.equal(warned.code, 2);
    assert.match(warned.stderr, /store\.backup\.path: .*-3", does not exist: .*\(sudo install -d/);
    assert.match(daemon.log(), /"\S+-3", does not exist/);
    writeFileSync(file, '[jobs.work]\nrun = "echo done"\n');
    assert.equal((await daemon.ask(["reload"])).code, 0);
    const gone = await run(daemon);
    assert.equal(gone.code, 4, gone.stderr);
    assert.doesNotMatch((await daemon.ask(["list", "schedules"])).stdout, /system/);
  }));

test("system.store.backup after kill -9 midway leaves whole files alone, and no half one", () =>
  withDaemon({}, async (daemon, folder) => {
    assert.equal((await run(daemon)).code, 0);
    const [first] = readdirSync(folder);
    const requests = Array.from({ length: 1_000 }, () => ({
      kind: "work",
      afterMs: 86_400_000n,
    }));
    for (let group = 0; group < 10; group++) await daemon.client().scheduleJobs({ requests });
    await daemon.ask(["schedule", KIND]);
    const isWriting = () => readdirSync(folder).some((name) => name.endsWith(".part"));
    await until("it is writing", isWriting);
    await daemon.kill();
    assert.ok(readdirSync(folder).includes(first!));
    assert.ok(isWriting(), "it was not killed midway");
    const restarted = await daemon.restart();
    try {
      await until("it was run again", async () => {
        const listed = await restarted.ask(["list", "instances", "--kind", KIND, "-o", "table"]);
        return (listed.stdout.match(/ done /g) ?? []).length === 2;
      });
      const names = readdirSync(folder);
      assert.equal(names.length, 2, names.join());
      for (const name of names) assert.match(name, NAME);
      const logs = await restarted.ask(["logs", "--kind", KIND, "-o", "table"]);
      assert.match(logs.stdout, /which an interrupted backup left/);
    } finally {
      await restarted.terminate();
    }
  }));

test("system.store.backup of a shared store is made by one node each time", async () => {
  const valkey = await startValkey();
  try {
    await withTempDir({}, async ({ path }) => {
      const start = (node: string) =>
        startDaemon({
          toml: config(path, "* * * * * *").replace("keep = 2", "keep = 1000"),
          env: { JOBCTL_STORE_URL: valkey.url, JOBCTL_NODE_ID: node },
        });
      const daemons = [await start("a"), await start("b")];
      try {
        await until("four are made", () => readdirSync(path).length >= 4);
        await Promise.all(daemons.map((daemon) => daemon.terminate()));
        const listed = await daemons[0]!.jobctl(
          ["store", "backup", join(daemons[0]!.dir, "all.jsonl"), "--store", valkey.url],
        );
        assert.equal(listed.code, 0, listed.stderr);
        const records = linesOf(join(daemons[0]!.dir, "all.jsonl")).map((line) => JSON.parse(line));
        const runs = records.filter(({ type, instance }) =>
          type === "instance" && instance.kind === KIND
        ).map(({ instance }) => instance);
        const done = runs.filter(({ state }) => state === "completed");
        const ticks = runs.map(({ scheduledFor }) => scheduledFor);
        assert.equal(new Set(ticks).size, ticks.length, "a tick was run twice");
        const files = readdirSync(path).filter((name) => NAME.test(name));
        assert.equal(files.length, done.length, "not one file for each run");
      } finally {
        for (const daemon of daemons) await daemon.stop({ force: true });
      }
    });
  } finally {
    await valkey.close();
  }
});
