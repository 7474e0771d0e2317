import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Cgroup } from "../../../src/platform/process/cgroup.ts";
import {
  baseOf,
  mayBound,
  prepareBase,
  removeTree,
} from "../../../src/platform/process/cgroup_tree.ts";
import { type TempDir, withTempDir } from "../../support/temp_dir.ts";

const read = (dir: TempDir, name: string) => readFileSync(join(dir.path, name), "utf8");

test("Cgroup reads its processes, its state and its usage", async () => {
  const files = {
    "cgroup.procs": "12\n7\n0\n12\n",
    "cgroup.events": "populated 1\nfrozen 0\n",
    "memory.events": "low 0\noom 2\noom_kill 3\noom_group_kill 1\n",
    "memory.peak": "4096\n",
    "cpu.stat": "usage_usec 2500\nuser_usec 2000\n",
  };
  await withTempDir(files, (dir) => {
    const group = new Cgroup(dir.path);
    assert.deepEqual(group.pids, [12, 7]);
    assert.deepEqual([group.isPopulated, group.isFrozen, group.memoryKills], [true, false, 3]);
    assert.deepEqual(group.usage, { cpuMs: 2.5, memoryBytes: 4_096 });
    const none = new Cgroup(join(dir.path, "none"));
    assert.deepEqual([none.pids, none.isPopulated, none.memoryKills], [[], false, 0]);
    assert.deepEqual(none.usage, { cpuMs: null, memoryBytes: null });
  });
});

test("Cgroup bounds memory, also where the kernel has no swap and kills one by one", async () => {
  const files = { "memory.max": "", "memory.swap.max": "", "memory.oom.group": "" };
  await withTempDir(files, (dir) => {
    const group = new Cgroup(dir.path);
    group.boundMemory(64);
    const values = () => Object.keys(files).map((name) => read(dir, name).slice(0, 3));
    assert.deepEqual(values(), ["64", "0", "1"]);
    group.unboundMemory();
    assert.deepEqual(values(), ["max", "max", "0"]);
  });
  await withTempDir({ "memory.max": "" }, (dir) => {
    new Cgroup(dir.path).boundMemory(64);
    assert.equal(read(dir, "memory.max"), "64");
  });
  assert.throws(() => new Cgroup("/nonexistent").boundMemory(64), { code: "ENOENT" });
});

test("Cgroup freezes, and kills by one write where the kernel can", async () => {
  await withTempDir({ "cgroup.freeze": "", "cgroup.kill": "" }, (dir) => {
    const group = new Cgroup(dir.path);
    group.freeze(true);
    assert.equal(read(dir, "cgroup.freeze"), "1");
    group.freeze(false);
    assert.equal(read(dir, "cgroup.freeze"), "0");
    group.kill();
    assert.equal(read(dir, "cgroup.kill"), "1");
  });
});

test("prepareBase() hands memory down, and makes no files of its own", async () => {
  const files = {
    "a.service/daemon/cgroup.procs": String(process.pid),
    "a.service/cgroup.controllers": "cpu memory",
    "a.service/cgroup.subtree_control": "",
    "a.service/cgroup.procs": "",
  };
  await withTempDir(files, (dir) => {
    const service = join(dir.path, "a.service");
    const own = join(service, "daemon");
    assert.equal(baseOf(own), service);
    assert.ok(mayBound(own));
    assert.deepEqual(prepareBase(own), { path: service, canBound: true, processesMax: null });
    assert.equal(read(dir, "a.service/cgroup.subtree_control"), "+memory");
  });
});

test("prepareBase() leaves the daemon a share of what its service and the groups around that may have", async () => {
  for (const [around, own, most] of [["max", "1000", 744], ["300", "max", 150]] as const) {
    const files = {
      "cgroup.procs": "",
      "pids.max": `${around}\n`,
      "a.service/daemon/cgroup.procs": String(process.pid),
      "a.service/cgroup.controllers": "cpu memory pids\n",
      "a.service/cgroup.subtree_control": "memory\n",
      "a.service/cgroup.procs": "",
      "a.service/pids.max": `${own}\n`,
    };
    await withTempDir(files, (dir) => {
      const path = join(dir.path, "a.service");
      const base = prepareBase(join(path, "daemon"));
      assert.deepEqual(base, { path, canBound: true, processesMax: most });
      assert.equal(read(dir, "a.service/cgroup.subtree_control").slice(0, 5), "+pids");
    });
  }
});

test("prepareBase() does without a bound if the service itself, or nothing, has memory", async () => {
  const without = { "a/cgroup.controllers": "cpu", "a/cgroup.subtree_control": "" };
  await withTempDir(without, (dir) => {
    const path = join(dir.path, "a");
    assert.equal(mayBound(path), false);
    assert.deepEqual(prepareBase(path), { path, canBound: false, processesMax: null });
    assert.equal(read(dir, "a/cgroup.subtree_control"), "");
  });
  // Files that cannot be written stand for a group with processes: the kernel refuses it.
  await withTempDir({ "a.service/cgroup.controllers": "memory" }, (dir) => {
    const path = join(dir.path, "a.service");
    assert.equal(mayBound(path), false);
    assert.deepEqual(prepareBase(path), { path, canBound: false, processesMax: null });
    assert.ok(!existsSync(join(path, "daemon")));
  });
});

test("removeTree() removes empty groups, and none with processes", async () => {
  await withTempDir({}, (dir) => {
    const tree = join(dir.path, "jobctl-1");
    mkdirSync(join(tree, "plain", "1"), { recursive: true });
    removeTree(tree);
    assert.ok(!existsSync(tree));
    dir.write("jobctl-2/cgroup.events", "populated 1\nfrozen 0\n");
    mkdirSync(join(dir.path, "jobctl-2", "plain"));
    removeTree(join(dir.path, "jobctl-2"));
    assert.ok(existsSync(join(dir.path, "jobctl-2", "plain")));
  });
});
