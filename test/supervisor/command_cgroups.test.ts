import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import {
  type CommandCgroup,
  CommandCgroups,
  entering,
} from "../../src/supervisor/inside/command_cgroups.ts";
import { withTempDir } from "../support/temp_dir.ts";

/** Groups of an imagined kernel. */
async function withGroups(
  { canBound = true, canStart = true }: {
    readonly canBound?: boolean;
    readonly canStart?: boolean;
  },
  body: (world: {
    readonly groups: CommandCgroups;
    /** Folder of groups without a bound. */
    readonly plain: string;
    readonly nameOf: (group: CommandCgroup | null) => string | null;
    readonly set: (group: CommandCgroup, name: string, text: string) => void;
    readonly get: (group: CommandCgroup, name: string) => string;
  }) => void,
): Promise<void> {
  await withTempDir({}, ({ path }) => {
    const tree = { path, canBound, processesMax: null, name: "tree" };
    const groups = new CommandCgroups(tree, {
      canStart: () => canStart,
      makeFolder(folder) {
        mkdirSync(folder, { recursive: true });
        const files = {
          ...{ "cgroup.procs": "", "cgroup.events": "populated 0\nfrozen 0\n" },
          ...{ "cgroup.freeze": "0", "cpu.stat": "usage_usec 0\n", "memory.max": "max" },
          ...{ "memory.events": "oom_kill 0\n" },
        };
        for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      },
    });
    body({
      groups,
      plain: join(path, "tree", "plain"),
      nameOf: (group) => group === null ? null : group.path.slice(join(path, "tree/").length),
      set: (group, name, text) => writeFileSync(join(group.path, name), text),
      get: (group, name) => readFileSync(join(group.path, name), "utf8"),
    });
  });
}

test("take() gives a group again whose command has left nothing, and counts anew", async () => {
  await withGroups({}, ({ groups, nameOf, set }) => {
    const first = groups.take(null)!;
    assert.equal(nameOf(first), "plain/1");
    assert.equal(nameOf(groups.take(null)), "plain/2");
    set(first, "cpu.stat", "usage_usec 5000\n");
    assert.equal(first.usage.cpuMs, 5);
    groups.release(first);
    const again = groups.take(null)!;
    assert.equal(again, first);
    assert.equal(again.usage.cpuMs, 0);
    set(again, "cpu.stat", "usage_usec 7000\n");
    assert.equal(again.usage.cpuMs, 2);
  });
});

test("take() gives no group again with processes or a bound, or frozen, also by itself, or killed", async () => {
  await withGroups({}, ({ groups, nameOf, set, get }) => {
    const [busy, frozen, bounded] = [groups.take(null)!, groups.take(null)!, groups.take(64)!];
    const killed = groups.take(null)!;
    const froze = groups.take(null)!;
    set(froze, "cgroup.events", "populated 0\nfrozen 1\n");
    killed.kill();
    assert.equal(nameOf(bounded), "bounded/3");
    // A write replaces only the beginning of a plain file.
    assert.match(get(bounded, "memory.max"), /^64/);
    set(busy, "cgroup.events", "populated 1\nfrozen 0\n");
    frozen.freeze(true);
    for (const group of [busy, frozen, bounded, killed, froze]) groups.release(group);
    assert.equal(nameOf(groups.take(null)), "plain/6");
  });
});

test("release() lifts the bound of what a command has left to run", async () => {
  await withGroups({}, ({ groups, set, get }) => {
    const group = groups.take(64)!;
    set(group, "cgroup.events", "populated 1\nfrozen 0\n");
    groups.release(group);
    assert.match(get(group, "memory.max"), /^max/);
  });
});

test("isOverMemory tells that the kernel has killed for the bound", async () => {
  await withGroups({}, ({ groups, set }) => {
    const [bounded, plain] = [groups.take(64)!, groups.take(null)!];
    assert.equal(bounded.isOverMemory, false);
    for (const group of [bounded, plain]) set(group, "memory.events", "oom 9\noom_kill 1\n");
    assert.deepEqual([bounded.isOverMemory, plain.isOverMemory], [true, false]);
  });
});

test("take() gives a group without a bound where memory cannot be bounded", async () => {
  await withGroups({ canBound: false }, ({ groups, nameOf }) => {
    assert.equal(nameOf(groups.take(64)), "plain/1");
  });
});

test("take() gives only bounded groups where programs cannot be started in one", async () => {
  await withGroups({ canStart: false }, ({ groups, nameOf }) => {
    assert.equal(groups.take(null), null);
    assert.equal(nameOf(groups.take(64)), "bounded/1");
  });
});

test("gather() moves processes until there are no others", async () => {
  await withGroups({ canStart: false }, ({ groups, get }) => {
    const [one, two] = [{ name: "one" }, { name: "two" }];
    const rounds = [
      new Map([[one, [11]], [two, [21]]]),
      // One of them has started another one meanwhile.
      new Map([[one, [11, 12]], [two, [21]]]),
      new Map([[one, [11, 12]], [two, [21]]]),
    ];
    let round = 0;
    const found = groups.gather(new Set([one, two]), () => rounds[round++]!);
    assert.equal(round, 3);
    assert.match(get(found.get(one)!, "cgroup.procs"), /^12/);
    assert.match(get(found.get(two)!, "cgroup.procs"), /^21/);
  });
});

test("gather() leaves a command alone of which a process cannot be moved", async () => {
  await withGroups({ canStart: false }, ({ groups, plain }) => {
    const command = {};
    const found = groups.gather(new Set([command]), () => {
      // The kernel refuses what it does not know.
      for (const name of readdirSync(plain)) {
        rmSync(join(plain, name, "cgroup.procs"), { force: true });
      }
      return new Map([[command, [11]]]);
    });
    assert.equal(found.size, 0);
  });
});

test("entering() runs the program all the same if there is no such group", async () => {
  await withTempDir({}, ({ path }) => {
    const argv = entering({ path: join(path, "none") } as CommandCgroup, ["echo", "a b"]);
    assert.deepEqual(argv.slice(-2), ["echo", "a b"]);
    assert.ok(argv.includes(join(path, "none", "cgroup.procs")));
    assert.ok(!existsSync(join(path, "none")));
  });
});
