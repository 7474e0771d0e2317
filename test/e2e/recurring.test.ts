import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

async function json(daemon: Daemon, args: readonly string[]) {
  const { code, stdout, stderr } = await daemon.jobctl([...args, "-o", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

function rewrite(daemon: Daemon, change: (text: string) => string): void {
  const path = join(daemon.dir, "config.toml");
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

const TOML = `
[jobs.tick]
run = "echo tick"
schedule = "@every 1s"
[jobs.long]
run = "sleep 4; echo end"
[jobs.gone]
run = "echo gone"
schedule = "@daily"
`;

test("faults 10 and 62: SIGHUP reloads the jobs without losing what runs; a bad file changes nothing", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const running = await json(daemon, ["schedule", "long"]);
    await until(
      "it runs",
      async () => (await json(daemon, ["get", "instance", running.uuid])).state === "processing",
    );
    const kinds = async () =>
      (await json(daemon, ["list", "jobs"])).map(({ kind }: { kind: string }) => kind)
        .filter((kind: string) => !kind.startsWith("system."));

    rewrite(daemon, (text) => text.replace("@daily", "61 * * * *"));
    daemon.signal("SIGHUP");
    await until("the problem is told", () => daemon.log().includes("was reloaded"));
    await daemon.logged(/61/);
    assert.equal((await kinds()).length, 2, "the broken job is disabled");

    rewrite(daemon, (text) => text.replace("61 * * * *", "@daily"));
    assert.equal((await daemon.ask(["reload"])).code, 0);
    assert.deepEqual(await kinds(), ["gone", "long", "tick"]);

    rewrite(daemon, (text) => `workers = 3\n${text}`);
    daemon.signal("SIGHUP");
    await until("the refusal is told", () => daemon.log().includes("the old one stays"));
    assert.deepEqual(await kinds(), ["gone", "long", "tick"]);
    rewrite(daemon, (text) => text.replace("workers = 3\n", ""));

    rewrite(
      daemon,
      (text) =>
        text.replace(
          /\[jobs\.gone\][^]*$/,
          '[jobs.fresh]\nrun = "echo fresh"\nschedule = "@every 1s"\n',
        ),
    );
    daemon.signal("SIGHUP");
    await until(
      "the reload is told",
      () => /was reloaded .*added=1 .*removed=1/.test(daemon.log()),
    );
    assert.deepEqual(await kinds(), ["fresh", "long", "tick"]);
    await until(
      "the new job runs",
      async () =>
        (await json(daemon, ["list", "instances", "--kind", "fresh", "--state", "completed"]))
          .length > 0,
    );
    await until(
      "what ran has ended",
      async () => (await json(daemon, ["get", "instance", running.uuid])).state === "completed",
    );
    const ended = await json(daemon, ["get", "instance", running.uuid]);
    assert.equal(ended.attempts, 1);
    const schedules = await json(daemon, ["list", "schedules"]);
    const ids = schedules.map(({ id }: { id: string }) => id);
    assert.ok(!ids.includes("config:gone:0"), ids.join());
  } finally {
    await daemon.stop({ force: true });
  }
});

test("jobctl pause, list pauses, explain and resume hold over a restart", async () => {
  let daemon = await startDaemon({ toml: TOML });
  try {
    await json(daemon, ["pause", "tick", "--reason", "a new disk"]);
    daemon = await daemon.restart();
    const [pause] = await json(daemon, ["list", "pauses"]);
    assert.deepEqual([pause.kind, pause.reason], ["tick", "a new disk"]);
    const reports = async () => await json(daemon, ["explain", "tick"]);
    await until(
      "a tick is skipped",
      async () =>
        (await reports()).some((report: { reason?: string }) => report.reason === "paused"),
    );
    const timers = await json(daemon, ["list", "timers"]);
    assert.deepEqual(timers.map(({ kind, status }: Record<string, string>) => [kind, status]), [
      ["gone", "active"],
      // Nobody knows when it runs.
      ["tick", "paused"],
    ]);
    assert.equal((await json(daemon, ["resume", "tick"])).was_paused, true);
    await until(
      "it runs again",
      async () => (await reports()).some((report: { outcome: string }) => report.outcome === "ran"),
    );
  } finally {
    await daemon.stop({ force: true });
  }
});

test("jobctl backfill counts, makes each past tick once, and explain tells of it", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const range = ["--from", "2026-01-01", "--to", "2026-01-04"];
    const counted = await json(daemon, ["backfill", "gone", ...range, "--dry-run"]);
    assert.equal(counted.count, 3);
    const refused = await daemon.ask(["backfill", "gone", ...range]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /3 ticks/);
    const made = await json(daemon, ["backfill", "gone", ...range, "--yes"]);
    assert.equal(made.length, 3);
    assert.equal((await json(daemon, ["backfill", "gone", ...range, "--yes"])).count, 0);
    await until(
      "they have run",
      async () =>
        (await json(daemon, ["list", "instances", "--kind", "gone", "--state", "completed"]))
          .length === 3,
    );
    const [report] = await json(daemon, ["explain", "gone", "--at", "2026-01-02T00:00:00Z"]);
    assert.equal(report.outcome, "ran");
    assert.match(report.why, /^By a backfill\. It ran and completed/);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("jobctl schedule --cron, update schedule, skip and run go together", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const made = await json(daemon, [
      ...["schedule", "long", "--cron", "0 4 * * *", "--overlap", "queue", "--runs-max", "3"],
      ...["--blackout", "sat-sun", "--starts-at", "2026-01-01T00:00:00Z"],
    ]);
    assert.deepEqual([made.overlap, made.recurrence.runs_max, made.recurrence.blackout], [
      "queue",
      3,
      ["sat-sun"],
    ]);
    const changed = await json(daemon, ["update", "schedule", made.id, "--cron", "@every 2h"]);
    assert.deepEqual([changed.cron, changed.overlap, changed.generation], [
      "@every 2h",
      "queue",
      2,
    ]);
    const freed = await json(daemon, [
      ...["update", "schedule", made.id, "--clear", "runs-max,blackout", "--clear", "starts-at"],
    ]);
    assert.deepEqual(freed.recurrence, { blackout: [], misfire_within_ms: 86_400_000 });
    assert.equal(freed.cron, "@every 2h");
    const refused = await daemon.jobctl([
      "update",
      "schedule",
      "config:tick:0",
      "--cron",
      "@daily",
    ]);
    assert.equal(refused.code, 6);
    assert.match(refused.stderr, /belongs to the configuration/);
    const [skipped] = await json(daemon, ["skip", "long", "--next", "2"]);
    assert.equal(skipped.skip_next, 2);
    const ran = await json(daemon, ["run", "gone"]);
    assert.equal(ran.schedule_id, undefined);
    const unknown = await daemon.ask(["explain", "nothing-such"]);
    assert.equal(unknown.code, 4);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("jobctl explain KIND --at reads a bare time on the clock of the schedule's zone", async () => {
  const toml = `[jobs.kolkata]\nrun = "true"\nschedule = "15 3 * * *"\ntimezone = "Asia/Kolkata"\n`;
  const daemon = await startDaemon({ toml });
  try {
    await json(daemon, ["backfill", "kolkata", "--from", "-2d", "--yes"]);
    const [report] = await json(daemon, ["explain", "kolkata", "--at", "03:15"]);
    assert.match(report.rule, / 03:15:00 \+05:30$/);
    assert.notEqual(report.outcome, "none");
  } finally {
    await daemon.stop({ force: true });
  }
});
