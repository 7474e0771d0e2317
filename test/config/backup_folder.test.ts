import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type BackupFolder,
  backupFolderProblems,
  readBackupFolder,
} from "../../src/config/backup_folder.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../support/processes/foreign_user.ts";
import { withTempDir } from "../support/temp_dir.ts";

const FOLDER: BackupFolder = {
  ...{ path: "/the b", user: "ops", obstacle: null, distrust: null, refusal: null },
};

/** The only problem of a folder, as "message; remedy". */
function only(given: Partial<BackupFolder>): string {
  const problems = backupFolderProblems({ ...FOLDER, ...given });
  assert.equal(problems.length, 1);
  return `${problems[0]!.message}; ${problems[0]!.remedy}`;
}

test("backupFolderProblems() names each problem of the folder and of the unit", () => {
  assert.deepEqual(backupFolderProblems(FOLDER), []);
  const missing = only({ obstacle: "missing" });
  assert.match(missing, /"\/the b", does not exist: .*; sudo install -d -m 0700 -o ops '\/the b'$/);
  assert.match(only({ obstacle: "file" }), /^store\.backup\.path, "\/the b", is not a folder/);
  assert.match(
    only({ obstacle: "mode" }),
    /^user ops cannot write to .*; sudo chown ops '\/the b'/,
  );
  assert.match(only({ obstacle: "disk" }), /is on a file system that is read-only; sudo mount/);
  const refusal = { unit: "jobctl.service", remedy: "mend" };
  const refused = /^jobctl\.service does not let the daemon write to .* "\/the b"; mend$/;
  assert.match(only({ refusal }), refused);
  // In the daemon's own sandbox the folder is read-only because of the unit.
  assert.match(only({ refusal, obstacle: "disk" }), refused);
  assert.equal(backupFolderProblems({ ...FOLDER, refusal, obstacle: "missing" }).length, 2);
});

test("readBackupFolder() finds what keeps a user from writing, and who else can", {
  skip: NEEDS_ROOT,
}, async () => {
  await withTempDir({ file: "" }, ({ path }) => {
    chmodSync(path, 0o755);
    const folder = join(path, "backups");
    const read = (at: string, uid: number | null = FOREIGN_UID) => readBackupFolder(at, uid);
    assert.equal(read(folder).obstacle, "missing");
    assert.equal(read(join(path, "file")).obstacle, "file");
    mkdirSync(folder, { mode: 0o700 });
    assert.equal(read(folder).obstacle, "mode");
    assert.equal(read(folder, null).obstacle, null);
    chownSync(folder, FOREIGN_UID, 0);
    assert.deepEqual(read(folder), { obstacle: null, distrust: null });
    assert.match(read(folder, 4_321).distrust!.message, /is not trusted: it belongs to/);
    chmodSync(folder, 0o777);
    assert.match(read(folder).distrust!.message, /every user can write to it/);
  });
});
