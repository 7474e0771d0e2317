// Root works on files in the folder of a user, who puts links in the way.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runJobctl } from "../support/processes/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../support/processes/foreign_user.ts";

const SWAPS_MAX = 6;

interface World {
  /** A folder of the other user. */
  readonly theirs: string;
  /** A file of root, which nobody else may read or write. */
  readonly victim: string;
  /** That `victim` is as it was. */
  assertUnharmed(): void;
}

async function withForeignFolder(body: (world: World) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "jobctl-foreign-"));
  try {
    chmodSync(root, 0o755);
    const theirs = join(root, "theirs");
    mkdirSync(theirs, { mode: 0o700 });
    chownSync(theirs, FOREIGN_UID, FOREIGN_UID);
    const victim = join(root, "victim");
    writeFileSync(victim, "of root", { mode: 0o600 });
    await body({
      theirs,
      victim,
      assertUnharmed() {
        assert.equal(readFileSync(victim, "utf8"), "of root");
        const { uid, mode } = lstatSync(victim);
        assert.deepEqual([uid, mode & 0o777], [0, 0o600]);
      },
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Replaces whatever root makes at a path by a link, as fast as it can. */
const SWAPPER = `
const { lstatSync, unlinkSync, symlinkSync, writeSync } = require("node:fs");
const [path, target] = process.argv.slice(-2);
writeSync(1, "begun\\n");
for (const end = Date.now() + 30_000; Date.now() < end;) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || found.isSymbolicLink()) continue;
  try {
    unlinkSync(path);
    symlinkSync(target, path);
    writeSync(1, "swapped\\n");
  } catch {}
}
`;

async function swapper(path: string, target: string) {
  const child: ChildProcess = spawn(process.execPath, ["-e", SWAPPER, "--", path, target], {
    uid: FOREIGN_UID,
    gid: FOREIGN_UID,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => output += text);
  await once(child.stdout!, "data");
  const exited = once(child, "exit");
  return {
    count: () => output.split("swapped").length - 1,
    async end() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test("jobctl token as root writes through no link of the user whose folder it is", {
  skip: NEEDS_ROOT,
}, async () => {
  await withForeignFolder(async ({ theirs, victim, assertUnharmed }) => {
    const file = join(theirs, "tokens.json");
    const attacker = await swapper(`${file}.new`, victim);
    try {
      for (let round = 0; round < SWAPS_MAX; round++) {
        rmSync(`${file}.new`, { force: true });
        const args = ["token", "new", `t${round}`, "--role", "viewer", "--tokens-file", file];
        await runJobctl(args, { cwd: "/" });
        assertUnharmed();
      }
      assert.ok(attacker.count() > 0, "the attack was never in time");
    } finally {
      await attacker.end();
    }
    for (const path of [file, `${file}.new`]) rmSync(path, { force: true });
    const made = await runJobctl(
      ["token", "new", "last", "--role", "viewer", "--tokens-file", file],
      { cwd: "/" },
    );
    assert.equal(made.code, 0, made.stderr);
    const { uid, gid, mode } = lstatSync(file);
    assert.deepEqual([uid, gid, mode & 0o777], [FOREIGN_UID, FOREIGN_UID, 0o600]);
  });
});

test("root writes no project and no file of --out through a link of another user", {
  skip: NEEDS_ROOT,
}, async () => {
  await withForeignFolder(async ({ theirs, victim, assertUnharmed }) => {
    const plant = (name: string, target: string) => {
      symlinkSync(target, join(theirs, name));
      lchownSync(join(theirs, name), FOREIGN_UID, FOREIGN_UID);
    };
    const refused = async (args: readonly string[]) => {
      const { code, stderr } = await runJobctl(args, { cwd: "/" });
      assert.equal(code, 5, stderr);
      assert.match(stderr, /Cannot write "/);
      assertUnharmed();
    };
    plant("jobs", dirname(victim));
    plant("config.toml", victim);
    for (const more of [[], ["--force"]]) await refused(["init", theirs, ...more]);
    assert.equal(existsSync(join(dirname(victim), "greet.ts")), false);
    plant("out", victim);
    const crontab = join(dirname(victim), "crontab");
    writeFileSync(crontab, "* * * * * id\n");
    await refused(["import", "crontab", crontab, "--out", join(theirs, "out"), "--force"]);
  });
});

test("what root imports from the files of a user runs as that user", {
  skip: NEEDS_ROOT,
}, async () => {
  await withForeignFolder(async ({ theirs }) => {
    const give = (name: string, text: string) => {
      writeFileSync(join(theirs, name), text);
      chownSync(join(theirs, name), FOREIGN_UID, FOREIGN_UID);
    };
    const imported = async (...args: readonly string[]) => {
      const { stdout, stderr } = await runJobctl(["import", ...args], { cwd: theirs });
      const users = [...stdout.matchAll(/^user = "(.*)"$/gm)].map(([, user]) => user);
      return { jobs: stdout.split("\n[jobs.").length - 1, users, told: stderr };
    };
    // As in a spool, where the name of a file is that of its user; "root" would be a program there.
    give("nobody", "* * * * * root id\n");
    give("other", "* * * * * root id\n");
    const one = await imported("crontab", "nobody");
    assert.deepEqual([one.jobs, one.users], [0, []], "a system crontab is not taken for a user's");
    give("nobody", "* * * * * id\n");
    for (const path of ["nobody", theirs]) {
      const { jobs, users, told } = await imported("crontab", path);
      assert.deepEqual([jobs, users], [1, ["nobody"]], path);
      assert.match(told, /nobody: it belongs to "nobody": its jobs run as that user/);
    }
    assert.match(
      (await imported("crontab", theirs)).told,
      /other: left out: it belongs to "nobody"/,
    );
    assert.equal((await imported("crontab", "other", "--system")).jobs, 0);
    assert.deepEqual((await imported("crontab", "nobody", "--user", "daemon")).users, ["daemon"]);

    give("x.timer", "[Timer]\nOnCalendar=daily\n");
    give("x.service", "[Service]\nUser=root\nGroup=root\nExecStart=/usr/bin/id\n");
    const unit = await imported("systemd", join(theirs, "x.timer"));
    assert.deepEqual([unit.jobs, unit.users], [1, ["nobody"]], unit.told);
    assert.match(unit.told, /its files belong to "nobody": the job runs as that user/);
  });
});
