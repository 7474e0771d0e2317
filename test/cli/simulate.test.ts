import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { instance, job } from "../support/worlds/cli_messages.ts";
import { cli } from "../support/worlds/cli_world.ts";

const CONFIG = `
timezone = "Europe/Berlin"
[jobs.backup]
run = "true"
schedule = "30 2 * * *"
[jobs.sync]
run = "true"
schedule = "*/10 * * * *"
`;

/** Run the verb in a folder with these configurations. */
async function simulate(
  argv: readonly string[],
  options: Parameters<typeof cli>[1] & { readonly other?: string } = {},
) {
  const cwd = mkdtempSync(join(tmpdir(), "jobctl-simulate-"));
  try {
    writeFileSync(join(cwd, "config.toml"), CONFIG);
    writeFileSync(join(cwd, "other.toml"), options.other ?? CONFIG);
    return await cli(["simulate", "--from", "2026-10-24", "--to", "2026-10-26", ...argv], {
      ...options,
      cwd,
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

test("simulate reports what each kind does and what a change of the clock does to it", async () => {
  const { code, stdout } = await simulate(["--offline", "--duration", "sync=12m", "-o", "json"]);
  assert.equal(code, 0);
  const report = JSON.parse(stdout);
  const [backup, sync] = report.kinds;
  assert.deepEqual([backup.kind, backup.ran, backup.overlaps], ["backup", 2, 0]);
  assert.equal(sync.ran + sync.skipped + sync.pending, report.ticks - 2);
  assert.ok(sync.skipped > 100);
  const effects = report.clock_changes.map((change: { effect: string }) => change.effect);
  assert.deepEqual(effects, ["once", "follows"]);
});

test("simulate compares with another configuration", async () => {
  const other = CONFIG.replace("30 2", "30 4");
  const { stdout } = await simulate(["--offline", "--against", "other.toml"], {
    other,
    isTerminal: true,
  });
  assert.match(stdout, /backup: 2 only here .*; 2 only there .*; 0 in both/);
  const same = await simulate(["--offline", "--against", "other.toml"], { isTerminal: true });
  assert.match(same.stdout, /Every run is the same/);
});

test("simulate lists every tick", async () => {
  const { stdout } = await simulate(["--offline", "--ticks", "-o", "jsonl"]);
  const ticks = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const backups = ticks.filter(({ kind }) => kind === "backup").map(({ at }) => at);
  assert.deepEqual(backups, ["2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z"]);
});

test("simulate lists a run at the very start, and none at the end", async () => {
  const span = ["--from", "2026-10-24T00:30:00Z", "--to", "2026-10-24T00:50:00Z"];
  const { stdout } = await simulate(["--offline", "--ticks", "-o", "jsonl", ...span]);
  const ticks = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(ticks.map(({ kind, at }) => `${kind} ${at.slice(11, 16)}`), [
    "backup 00:30",
    "sync 00:30",
    "sync 00:40",
  ]);
});

test("simulate takes durations from the runs that the daemon knows", async () => {
  const run = instance({
    kind: "backup",
    processedAt: { seconds: 100n, nanos: 0 },
    completedAt: { seconds: 400n, nanos: 0 },
  });
  const answers = {
    listRegisteredJobs: { jobs: [{ ...job(), kind: "backup" }] },
    lookupInstances: { instances: [run] },
  };
  const { stdout } = await simulate(["-o", "json"], { answers });
  const durations = JSON.parse(stdout).kinds.map((kind: { duration_ms: number }) =>
    kind.duration_ms
  );
  assert.deepEqual(durations, [300_000, 30_000]);
});

for (
  const [argv, message] of [
    [["--duration", "backupp=1m"], /"backupp": no such kind[^]*Did you mean "backup"/],
    [["--duration", "backup"], /not KIND=DURATION/],
    [["--duration", "backup=soon"], /"soon" is not a duration/],
    [["--to", "2026-10-23"], /it ends before it begins/],
    [["--config", "none.toml"], /none\.toml/],
  ] as const
) {
  test(`simulate ${argv.join(" ")} is refused`, async () => {
    const { code, stderr, stdout } = await simulate(["--offline", ...argv]);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, message);
  });
}

test("simulate tells also in a pipe which jobs are left out", async () => {
  const other = `${CONFIG}[jobs.broken]\nrun = "true"\nschedule = "61 * * * *"\n`;
  const { stderr } = await simulate(["--offline", "--config", "other.toml", "-o", "json"], {
    other,
  });
  assert.match(
    stderr,
    /^Left out: job "broken": .*other\.toml:\d+:\d+: jobs\.broken\.schedule: .*minute "61" is out of range/,
  );
});

test("simulate tells where the durations come from", async () => {
  const argv = ["--offline", "--duration", "sync=12m"];
  const { stdout } = await simulate(argv, { isTerminal: true });
  assert.match(stdout, /^Durations given: sync; assumed \(see --assume\): backup$/m);
  const { durations } = JSON.parse((await simulate([...argv, "-o", "json"])).stdout);
  assert.deepEqual(durations, { given: ["sync"], measured: [], assumed: ["backup"] });
});

test("simulate counts runs without a worker among the runs at once, not as busy workers", async () => {
  const other =
    `[jobs.imported]\nrun = "true"\nschedule = "0 * * * *"\noverlap = "allow"\nworker_slot = false\n`;
  const argv = ["--offline", "--config", "other.toml", "--duration", "imported=150m"];
  const { stdout } = await simulate(argv, { other, isTerminal: true });
  assert.match(stdout, /^4[78] ticks of 1 schedule; 4 workers busy 0\.0 % of the time$/m);
  assert.match(stdout, /^Most runs at once: 3; most that waited for a worker: none$/m);
  const report = JSON.parse((await simulate([...argv, "-o", "json"], { other })).stdout);
  assert.deepEqual([report.running, report.busy], [{ most: 3 }, { most: 0, share: 0 }]);
});

test("simulate assumes that a job without history ends within its minute", async () => {
  const other = `[jobs.each]\nrun = "true"\nschedule = "* * * * *"\n`;
  const { stdout } = await simulate(["--offline", "--config", "other.toml", "-o", "json"], {
    other,
  });
  const [each] = JSON.parse(stdout).kinds;
  assert.deepEqual([each.skipped, each.overlaps, each.duration_ms], [0, 0, 30_000]);
});
