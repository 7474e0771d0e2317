import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { systemDaemonUid } from "../../../src/rpc/socket_path.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const NOBODY = 65_534;
// Only root can give a folder to another user.
const skip = process.getuid?.() !== 0;

/** What a client makes of a folder of this user and mode in a folder of these. */
async function uidOf(folder: { uid: number; mode: number }, above: { uid: number; mode: number }) {
  return await withTempDir({}, ({ path }) => {
    const run = join(path, "run");
    const own = join(run, "jobctl");
    for (const [place, { uid, mode }] of [[run, above], [own, folder]] as const) {
      mkdirSync(place);
      chmodSync(place, mode);
      chownSync(place, uid, uid);
    }
    return systemDaemonUid(own);
  });
}

test("systemDaemonUid() is the user to whom root gave the folder", { skip }, async () => {
  assert.equal(await uidOf({ uid: NOBODY, mode: 0o755 }, { uid: 0, mode: 0o755 }), NOBODY);
  assert.equal(await uidOf({ uid: 0, mode: 0o700 }, { uid: 0, mode: 0o755 }), 0);
});

test("systemDaemonUid() is nobody where others could have put the folder", { skip }, async () => {
  const folder = { uid: NOBODY, mode: 0o755 };
  assert.equal(await uidOf(folder, { uid: NOBODY, mode: 0o755 }), null);
  assert.equal(await uidOf(folder, { uid: 0, mode: 0o1777 }), null);
  assert.equal(await uidOf(folder, { uid: 0, mode: 0o775 }), null);
});

test("systemDaemonUid() is nobody for a folder that others can write to", { skip }, async () => {
  assert.equal(await uidOf({ uid: NOBODY, mode: 0o777 }, { uid: 0, mode: 0o755 }), null);
  assert.equal(await uidOf({ uid: NOBODY, mode: 0o775 }, { uid: 0, mode: 0o755 }), null);
});

test("systemDaemonUid() is nobody without a folder, and for a link", async () => {
  await withTempDir({}, ({ path }) => {
    assert.equal(systemDaemonUid(join(path, "none")), null);
    symlinkSync("/", join(path, "link"));
    assert.equal(systemDaemonUid(join(path, "link")), null);
  });
});
