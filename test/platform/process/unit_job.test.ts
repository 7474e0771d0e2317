import assert from "node:assert/strict";
import { test } from "node:test";
import { jobTypeOf, unitOf } from "../../../src/platform/process/unit_job.ts";

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

test("jobTypeOf() returns what systemd does with the unit itself", () => {
  const list = "  81 other.service   stop    waiting\n1402 jobctl.service  restart running\n";
  assert.equal(jobTypeOf("jobctl.service", list), "restart");
  assert.equal(jobTypeOf("other.service", list), "stop");
  assert.equal(jobTypeOf("ctl.service", list), null);
  assert.equal(jobTypeOf("jobctl.service", "No jobs running.\n"), null);
  assert.equal(jobTypeOf("jobctl.service", ""), null);
});
