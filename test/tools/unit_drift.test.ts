import assert from "node:assert/strict";
import { appendFileSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { installService } from "../../src/tools/service/install_service.ts";
import { signed } from "../../src/tools/service/service_file.ts";
import { unitDrift } from "../../src/tools/service/unit_drift.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Not this runtime: the clone may be in /tmp, where no service may have its program. */
const PROGRAM = realpathSync("/usr/bin/env");

function install(prefix: string, user: string | null = "jobctl") {
  return installService({
    ...{ kind: "systemd", user, prefix, isDryRun: false, isForced: true },
    ...{ argv: [PROGRAM], config: "/srv/my jobs/config.toml", isStarted: true, env: {} },
  });
}

/** A unit as packages install it. */
function shipped(name: string): string {
  return readFileSync(new URL(`../../contrib/systemd/${name}`, import.meta.url), "utf8");
}

async function only(root: string) {
  const drifts = await unitDrift(root);
  assert.equal(drifts.length, 1);
  return drifts[0]!;
}

for (const user of ["jobctl", "ops", null]) {
  test(`unitDrift() finds none after install-service for ${user ?? "root"}`, async () => {
    await withTempDir({}, async ({ path }) => {
      await install(path, user);
      assert.equal((await only(path)).problem, null);
    });
  });
}

test("unitDrift() names a unit that another version wrote, and the command to write it again", async () => {
  await withTempDir({}, async ({ path }) => {
    const { path: file, text } = await install(path, "ops");
    const older = text!.split("\n").slice(1).filter((line) => !line.startsWith("WatchdogSec="));
    writeFileSync(file, signed(older.join("\n")));
    const { problem, remedy, level } = await only(path);
    assert.equal(problem, "is not what this version writes");
    assert.equal(level, "warning");
    assert.equal(
      remedy,
      "sudo jobctl install-service --user ops --config '/srv/my jobs/config.toml'",
    );
  });
});

test("unitDrift() only notes a unit that was edited, and leaves that of others alone", async () => {
  await withTempDir({}, async ({ path }) => {
    const { path: file } = await install(path);
    appendFileSync(file, "# mine\n");
    const edited = await only(path);
    assert.match(edited.problem!, /^was edited/);
    assert.equal(edited.level, "note");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^# Written by.*\n/, ""));
    assert.equal((await only(path)).problem, null);
  });
});

test("unitDrift() names a program that does not exist", async () => {
  await withTempDir({}, async ({ path }) => {
    const { path: file, text } = await install(path);
    const body = text!.split("\n").slice(1).join("\n");
    writeFileSync(file, signed(body.replaceAll(PROGRAM, "/none/jobctl")));
    const { problem, level } = await only(path);
    assert.equal(problem, 'starts "/none/jobctl", which does not exist');
    assert.equal(level, "error");
  });
});

test("unitDrift() compares the unit of a package, and names one that hides it", async () => {
  const packaged = "usr/lib/systemd/system/jobctl.service";
  await withTempDir({ [packaged]: shipped("jobctl.service") }, async ({ path, write }) => {
    assert.equal((await only(path)).problem, null);
    write(packaged, shipped("jobctl.service").replace("WatchdogSec=60", "WatchdogSec=10"));
    assert.equal((await only(path)).problem, "is of another version");
    await install(path);
    const [hiding] = await unitDrift(path);
    assert.equal(hiding!.problem, `hides the unit of the package, "${join(path, packaged)}"`);
    assert.equal(hiding!.remedy, "sudo jobctl uninstall-service");
  });
});

test("unitDrift() finds none for the unit of root's daemon as packages install it", async () => {
  const unit = { "lib/systemd/system/jobctl-root.service": shipped("jobctl-root.service") };
  await withTempDir(unit, async ({ path }) => {
    assert.equal((await only(path)).problem, null);
  });
});
