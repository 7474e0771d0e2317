import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { contribFiles } from "../../scripts/generate/service_files.ts";
import { programPath, skipWithout } from "../../scripts/programs/install.mjs";
import { parsePlist } from "../support/plist.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const UNITS = ["jobctl.service", "jobctl-root.service"] as const;
/** Highest exposure that each unit may have. */
const EXPOSURE_MAX = { "jobctl.service": 2.5, "jobctl-root.service": 5 } as const;

const unitPath = (name: string) => join(ROOT, "contrib/systemd", name);

function run(program: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return { status, text: stdout + stderr };
}

for (const [name, text] of Object.entries(contribFiles())) {
  test(`${name} is what install-service would write (npm run generate)`, () => {
    assert.equal(readFileSync(join(ROOT, name), "utf8"), text);
  });
}

const WITHOUT_SYSTEMD = { skip: skipWithout("systemd-analyze") };

for (const name of [...UNITS, "jobctl.socket", "jobctl-root.socket"]) {
  test(`${name} has no line that systemd does not know`, WITHOUT_SYSTEMD, () => {
    const { text } = run(programPath("systemd-analyze"), ["verify", "--man=no", unitPath(name)]);
    const lines = text.split("\n").filter((line) =>
      // Tests run where it is not installed, and where its user does not exist.
      line !== "" && !/is not executable: No such file|jobctl\.service: .*[Uu]ser/.test(line)
    );
    assert.deepEqual(lines, []);
  });
}

for (const name of UNITS) {
  test(`${name} exposes little by systemd-analyze security`, WITHOUT_SYSTEMD, () => {
    const words = ["security", "--offline=true", "--no-pager", unitPath(name)];
    const { text } = run(programPath("systemd-analyze"), words);
    const found = /exposure level for \S+: (\d+\.\d+)/.exec(text);
    assert.ok(found, text);
    assert.ok(Number(found[1]) <= EXPOSURE_MAX[name], `${found[1]} is too much`);
  });
}

const WITHOUT_SHELLCHECK = { skip: skipWithout("shellcheck") };

test("contrib/openrc/jobctl is a script without mistakes", WITHOUT_SHELLCHECK, () => {
  const path = join(ROOT, "contrib/openrc/jobctl");
  assert.equal(statSync(path).mode & 0o777, 0o755);
  assert.deepEqual(run("/bin/sh", ["-n", path]), { status: 0, text: "" });
  assert.deepEqual(run(programPath("shellcheck"), [path]), { status: 0, text: "" });
});

test("contrib/launchd has a property list that names the program and restarts it", () => {
  const name = "contrib/launchd/io.github.ts-job.jobctl.plist";
  const plist = parsePlist(readFileSync(join(ROOT, name), "utf8"));
  assert.deepEqual(plist, {
    Label: "io.github.ts-job.jobctl",
    ProgramArguments: ["/usr/local/bin/jobctl", "serve", "--config", "/etc/jobctl/config.toml"],
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    ExitTimeOut: 90,
    SoftResourceLimits: { NumberOfFiles: 65_536 },
    StandardOutPath: "/var/log/jobctl.log",
    StandardErrorPath: "/var/log/jobctl.log",
  });
});
