import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { findDistrust } from "../../../src/platform/files/trusted_path.ts";

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-trust-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("findDistrust() has nothing against a file of our own, also in a shared folder", () => {
  withFolder((folder) => {
    writeFileSync(join(folder, "file"), "");
    assert.equal(findDistrust(join(folder, "file")), null);
    mkdirSync(join(folder, "shared"));
    chmodSync(join(folder, "shared"), 0o1777);
    writeFileSync(join(folder, "shared", "file"), "");
    assert.equal(findDistrust(join(folder, "shared", "file")), null);
  });
});

for (const mode of [0o707, 0o1777]) {
  test(`findDistrust() names a folder of mode ${mode.toString(8)} itself`, () => {
    withFolder((folder) => {
      chmodSync(folder, mode);
      const found = findDistrust(folder);
      assert.equal(found?.path, folder);
      assert.ok(found.problem.startsWith("every user can write"), found.problem);
    });
  });
}

test("findDistrust() names the folder on the way that others may write to", () => {
  withFolder((folder) => {
    mkdirSync(join(folder, "open", "closed"), { recursive: true });
    chmodSync(join(folder, "open"), 0o777);
    const found = findDistrust(join(folder, "open", "closed"));
    assert.equal(found?.path, join(folder, "open"));
    assert.equal(found?.problem, "every user can write to it (mode 0777)");
  });
});

test("findDistrust() refuses a link at the end unless it is allowed, and looks where it leads", () => {
  withFolder((folder) => {
    mkdirSync(join(folder, "there"));
    symlinkSync("there", join(folder, "link"));
    assert.equal(findDistrust(join(folder, "link"))?.problem, "it is a symbolic link");
    assert.equal(findDistrust(join(folder, "link"), { isLinkAllowed: true }), null);
    writeFileSync(join(folder, "there", "file"), "");
    assert.equal(findDistrust(join(folder, "link", "..", "there", "file")), null);
    chmodSync(join(folder, "there"), 0o777);
    const found = findDistrust(join(folder, "link", "file"));
    assert.equal(found?.path, join(folder, "there"));
  });
});

test("findDistrust() ends on a loop of links and on what is missing", () => {
  withFolder((folder) => {
    symlinkSync("b", join(folder, "a"));
    symlinkSync("a", join(folder, "b"));
    const loop = findDistrust(join(folder, "a"), { isLinkAllowed: true });
    assert.equal(loop?.problem, "too many symbolic links");
    const missing = findDistrust(join(folder, "none"));
    assert.deepEqual([missing?.isMissing, missing?.path], [true, join(folder, "none")]);
  });
});

test("findDistrust() names the owner of another user's file, unless that user counts", {
  skip: process.getuid?.() === 0 ? false : "only root can give a file away",
}, () => {
  withFolder((folder) => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    chownSync(path, 65_533, 65_533);
    assert.equal(findDistrust(path)?.problem, "it belongs to user 65533");
    assert.equal(findDistrust(path)?.remedy, `chown -h 0 ${path}`);
    assert.equal(findDistrust(path, { owners: [65_533] }), null);
  });
});

test("findDistrust() does not tell anyone to take a folder from its user", {
  skip: process.getuid?.() === 0 ? false : "only root can give a folder away",
}, () => {
  withFolder((folder) => {
    const home = join(folder, "home");
    mkdirSync(home);
    writeFileSync(join(home, "file"), "");
    chownSync(home, 65_533, 65_533);
    for (const path of [home, join(home, "file")]) {
      const { remedy } = findDistrust(path)!;
      assert.match(remedy!, /^Run this as that user \(sudo -u 65533 \.\.\.\), or use a folder/);
    }
  });
});
