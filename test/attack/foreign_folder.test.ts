// Root works on files in the folder of a user, who puts links in the way.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runJobctl } from "../support/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../support/foreign_user.ts";

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
