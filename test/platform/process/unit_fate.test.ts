import assert from "node:assert/strict";
import { test } from "node:test";
import { fateOf, unitOf } from "../../../src/platform/process/unit_fate.ts";

test("unitOf() finds the unit in both versions of cgroups, also above groups of its own", () => {
  assert.equal(unitOf("0::/system.slice/jobctl.service\n"), "jobctl.service");
  assert.equal(unitOf("0::/system.slice/jobctl.service/daemon\n"), "jobctl.service");
  assert.equal(
    unitOf("0::/system.slice/system-job.slice/job@a\\x2db.service\n"),
    "job@a\\x2db.service",
  );
  const first = "12:pids:/a.service\n1:name=systemd:/system.slice/jobctl.service\n0::/\n";
  assert.equal(unitOf(first), "jobctl.service");
  const second = "9:name=systemd:/\n8:pids:/\n0::/system.slice/jobctl.service\n";
  assert.equal(unitOf(second), "jobctl.service");
});

test("unitOf() returns null for a process of a login, of a container, or without cgroups", () => {
  assert.equal(unitOf("0::/user.slice/user-1000.slice/session-2.scope\n"), null);
  assert.equal(unitOf("0::/\n"), null);
  assert.equal(unitOf(""), null);
});

test("fateOf() returns what systemd is about to do with the unit itself", () => {
  const jobs = "  81 other.service   stop    waiting\n1402 jobctl.service  restart running\n";
  const fate = (unit: string, text = jobs) => fateOf(unit, { jobs: text, killMode: "process\n" });
  assert.equal(fate("jobctl.service"), "restart");
  assert.equal(fate("other.service"), "stop");
  assert.equal(fate("ctl.service"), null);
  assert.equal(fate("jobctl.service", "No jobs running.\n"), null);
  assert.equal(fate("jobctl.service", ""), null);
});

test("fateOf() takes a restart for a stop if systemd kills what is left then", () => {
  const jobs = "1402 jobctl.service restart running\n";
  for (const killMode of ["mixed", "control-group", ""]) {
    assert.equal(fateOf("jobctl.service", { jobs, killMode }), "stop");
  }
});
