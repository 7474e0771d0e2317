import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { unitRefusal } from "../../src/tools/service/unit_sandbox.ts";
import { type TempDir, withTempDir } from "../support/temp_dir.ts";

const CONFIG = "/etc/jobctl/config.toml";
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

test("unitRefusal() names a folder that the unit does not open, and opens it by its remedy", async () => {
  await withUnit(({ path, write }) => {
    const found = unitRefusal(FOLDER, CONFIG, path);
    assert.equal(found?.unit, "jobctl.service");
    // Only the part that writes the drop-in, below this folder.
    const [first] = found.remedy.split(" && ");
    const command = first!.replace("sudo ", "").replace(" /etc/", ` '${path}'/etc/`);
    assert.equal(spawnSync("/bin/sh", ["-c", command]).status, 0);
    const text = readFileSync(join(path, DROP_IN), "utf8");
    assert.equal(text, `[Service]\nReadWritePaths="${FOLDER}"\n`);
    assert.equal(unitRefusal(FOLDER, CONFIG, path), null);
    assert.notEqual(unitRefusal(`${FOLDER} of others`, CONFIG, path), null);
    write(DROP_IN, "[Service]\nReadWritePaths=-/srv\n");
    assert.equal(unitRefusal(FOLDER, CONFIG, path), null);
    write(DROP_IN, "[Service]\nReadWritePaths=/srv\nReadWritePaths=\n");
    assert.notEqual(unitRefusal(FOLDER, CONFIG, path), null);
    write(DROP_IN, "[Service]\nProtectSystem=full\n");
    assert.equal(unitRefusal(FOLDER, CONFIG, path), null);
  });
});

test("unitRefusal() finds none for the daemon's own folder, another daemon or no unit", async () => {
  await withUnit(({ path, write }) => {
    assert.equal(unitRefusal("/var/lib/jobctl/backups", CONFIG, path), null);
    assert.notEqual(unitRefusal("/var/lib/jobctl2", CONFIG, path), null);
    assert.equal(unitRefusal(FOLDER, "/home/ann/config.toml", path), null);
    assert.equal(unitRefusal(FOLDER, CONFIG, join(path, "none")), null);
    assert.notEqual(unitRefusal(FOLDER, CONFIG, path), null);
    write("etc/systemd/system/multi-user.target.wants/jobctl-root.service", "");
    assert.equal(unitRefusal(FOLDER, CONFIG, path), null);
  });
});
