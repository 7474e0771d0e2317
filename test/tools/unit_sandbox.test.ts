import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { unitSandbox } from "../../src/tools/service/unit_sandbox.ts";
import { type TempDir, withTempDir } from "../support/temp_dir.ts";

const CONFIG = "/etc/jobctl/config.toml";
const refusalOf = (folder: string, config: string, root: string) =>
  unitSandbox(config, root)?.refusal(folder, "backup") ?? null;
const FOLDER = "/srv/the backups";
const UNITS = "usr/lib/systemd/system";
const DROP_IN = "etc/systemd/system/jobctl.service.d/backup.conf";

/** A system with the unit of a package. */
function withUnit(body: (dir: TempDir) => void): Promise<void> {
  return withTempDir({}, (dir) => {
    const shipped = new URL("../../contrib/systemd/jobctl.service", import.meta.url);
    dir.write(`${UNITS}/jobctl.service`, readFileSync(shipped, "utf8"));
    body(dir);
    return Promise.resolve();
  });
}

test("unitSandbox() names a folder that the unit does not open, and opens it by its remedy", async () => {
  await withUnit(({ path, write }) => {
    const found = refusalOf(FOLDER, CONFIG, path);
    assert.equal(found?.unit, "jobctl.service");
    // Only the part that writes the drop-in, below this folder.
    const [first] = found.remedy.split(" && ");
    const command = first!.replace("sudo ", "").replace(" /etc/", ` '${path}'/etc/`);
    assert.equal(spawnSync("/bin/sh", ["-c", command]).status, 0);
    const text = readFileSync(join(path, DROP_IN), "utf8");
    assert.equal(text, `[Service]\nReadWritePaths="${FOLDER}"\n`);
    assert.equal(refusalOf(FOLDER, CONFIG, path), null);
    assert.notEqual(refusalOf(`${FOLDER} of others`, CONFIG, path), null);
    write(DROP_IN, "[Service]\nReadWritePaths=-/srv\n");
    assert.equal(refusalOf(FOLDER, CONFIG, path), null);
    write(DROP_IN, "[Service]\nReadWritePaths=/srv\nReadWritePaths=\n");
    assert.notEqual(refusalOf(FOLDER, CONFIG, path), null);
    write(DROP_IN, "[Service]\nProtectSystem=full\n");
    assert.equal(refusalOf(FOLDER, CONFIG, path), null);
  });
});

test("unitSandbox() finds none for the daemon's own folder, another daemon or no unit", async () => {
  await withUnit(({ path, write }) => {
    assert.equal(refusalOf("/var/lib/jobctl/backups", CONFIG, path), null);
    assert.notEqual(refusalOf("/var/lib/jobctl2", CONFIG, path), null);
    assert.equal(refusalOf(FOLDER, "/home/ann/config.toml", path), null);
    assert.equal(refusalOf(FOLDER, CONFIG, join(path, "none")), null);
    assert.notEqual(refusalOf(FOLDER, CONFIG, path), null);
    write("etc/systemd/system/multi-user.target.wants/jobctl-root.service", "");
    assert.equal(refusalOf(FOLDER, CONFIG, path), null);
  });
});

test("unitSandbox() names the user of the unit, and if setuid programs work", async () => {
  await withUnit(({ path, write }) => {
    const sandbox = () => unitSandbox(CONFIG, path)!;
    assert.equal(sandbox().user, "jobctl");
    assert.equal(sandbox().hasSetuid, false);
    write(DROP_IN, "[Service]\nUser=ops\nNoNewPrivileges=no\nRestrictSUIDSGID=no\n");
    assert.equal(sandbox().user, "ops");
    // The system call filter and others still imply it.
    assert.equal(sandbox().hasSetuid, false);
  });
});
