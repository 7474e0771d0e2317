import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Spool, spoolFolder } from "../../../src/cli/wrap/spool.ts";
import { requestOf, type WrappedRun } from "../../../src/cli/wrap/wrapped_run.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const NOW = Date.now();
const DAY = 86_400_000;

function runOf(number: number, given: Partial<WrappedRun> = {}): WrappedRun {
  const end = { at: NOW - 1_000, exitCode: 0, signal: null, problem: null, output: "x" };
  const runId = `01a21ed4-bb43-7000-8000-${String(number).padStart(12, "0")}`;
  return { kind: "job", runId, host: "h", target: "t", startedAt: NOW - 3_000, end, ...given };
}

test("Spool keeps a report in a file that only its user can read, once for each run", async () => {
  await withTempDir({}, ({ path }) => {
    const folder = join(path, "state", "spool");
    const spool = new Spool(folder);
    assert.deepEqual([...spool.runs(NOW)], []);
    spool.keep(runOf(2));
    spool.keep(runOf(1, { end: null }));
    spool.keep(runOf(1));
    assert.deepEqual([...spool.runs(NOW)], [runOf(1), runOf(2)]);
    const names = readdirSync(folder);
    assert.equal(names.length, 2);
    for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    spool.remove(runOf(1));
    spool.remove(runOf(1));
    assert.deepEqual([...spool.runs(NOW)], [runOf(2)]);
  });
});

test("Spool skips what it cannot read, and deletes what is too old or too large", async () => {
  await withTempDir({}, ({ path }) => {
    const spool = new Spool(path);
    for (const number of [1, 2, 3]) spool.keep(runOf(number));
    const [old, large] = readdirSync(path).sort();
    const longAgo = (NOW - 31 * DAY) / 1_000;
    utimesSync(join(path, old!), longAgo, longAgo);
    writeFileSync(join(path, large!), " ".repeat(1_048_577));
    writeFileSync(join(path, "damaged.json"), "{");
    writeFileSync(join(path, "other.json"), JSON.stringify({ ...runOf(4), runId: "../../x" }));
    writeFileSync(join(path, "half.json.7.tmp"), "{}");
    mkdirSync(join(path, "folder.json"));
    assert.deepEqual([...spool.runs(NOW)], [runOf(3)]);
    assert.ok(!readdirSync(path).includes(old!) && !readdirSync(path).includes(large!));
  });
});

test("Spool keeps the newest 1,000 reports", async () => {
  await withTempDir({}, ({ path }) => {
    const spool = new Spool(path);
    for (let number = 0; number <= 1_000; number++) spool.keep(runOf(number));
    const kept = [...spool.runs(NOW)];
    assert.equal(kept.length, 1_000);
    assert.deepEqual(kept[0], runOf(1));
  });
});

test("spoolFolder() is that of the user unless a variable names one", () => {
  assert.equal(spoolFolder({ JOBCTL_SPOOL: "/s", XDG_STATE_HOME: "/x" }), "/s");
  assert.equal(spoolFolder({ XDG_STATE_HOME: "/x" }), "/x/jobctl/spool");
  assert.match(spoolFolder({}), /\/\.local\/state\/jobctl\/spool$/);
});

test("requestOf() tells times as ages, which are never negative", () => {
  const { end } = runOf(1);
  const request = requestOf(runOf(1, { end: { ...end!, exitCode: 3, signal: "SIGKILL" } }), NOW);
  assert.deepEqual(
    [request.event, request.startedMsAgo, request.msAgo, request.exitCode, request.signal],
    ["failure", 3_000n, 1_000n, 3, "SIGKILL"],
  );
  const begun = requestOf(runOf(1, { end: null }), NOW - DAY);
  assert.deepEqual([begun.event, begun.startedMsAgo, begun.msAgo], ["start", 0n, 0n]);
});

test("Spool neither waits for a pipe nor sends what another user has put there", async () => {
  await withTempDir({}, ({ path }) => {
    const folder = join(path, "spool");
    const spool = new Spool(folder);
    for (const number of [1, 2]) spool.keep(runOf(number));
    const content = (number: number) => JSON.stringify(runOf(number));
    writeFileSync(join(path, "outside"), content(3));
    symlinkSync(join(path, "outside"), join(folder, `${runOf(3).runId}.json`));
    assert.equal(spawnSync("mkfifo", [join(folder, "0.json")]).status, 0);
    assert.deepEqual([...spool.runs(NOW)], [runOf(1), runOf(2)]);
    // Only root can make files of others.
    if (process.geteuid?.() !== 0) return;
    chownSync(join(folder, `${runOf(2).runId}.json`), 65_534, 65_534);
    assert.deepEqual([...spool.runs(NOW)], [runOf(1)]);
  });
});

test("Spool writes through no link that lies in its way", async () => {
  await withTempDir({}, ({ path }) => {
    writeFileSync(join(path, "victim"), "safe");
    const spool = new Spool(join(path, "spool"));
    mkdirSync(join(path, "spool"));
    const link = join(path, "spool", `${runOf(1).runId}.json.${process.pid}.tmp`);
    symlinkSync(join(path, "victim"), link);
    spool.keep(runOf(1));
    assert.equal(readFileSync(join(path, "victim"), "utf8"), "safe");
    assert.deepEqual([...spool.runs(NOW)], [runOf(1)]);
  });
});
