import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { type Answers, cli, NOW } from "../../support/worlds/cli_world.ts";

function at(ms: number) {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: 0 };
}

const HOUR = 3_600_000;

/** A daemon with waiting instances, dead letters, and successes so long ago. */
function daemon(
  { waitingMs = [], dead = 0, succeededMs = [], status = {}, pauses = [], incidents = [] }: {
    readonly waitingMs?: readonly number[];
    readonly dead?: number;
    readonly succeededMs?: readonly number[];
    readonly status?: object;
    readonly pauses?: readonly object[];
    readonly incidents?: readonly object[];
  },
): Answers {
  const kinds = [{ kind: "backup", scheduled: BigInt(waitingMs.length) }];
  return {
    getStatus: { workers: { count: 4, busy: 1, alive: 1 }, kinds, ...status },
    getJob: {},
    listPauses: { pauses },
    listIncidents: { incidents },
    lookupInstances: ({ query }: { query: { dead?: boolean; state?: number } }) => {
      if (query.dead) return { instances: Array.from({ length: dead }, () => ({})) };
      const times = query.state === 2
        ? waitingMs.map((ms) => ({ kind: "backup", dueAt: at(NOW - ms) }))
        : succeededMs.map((ms) => ({ completedAt: at(NOW - ms) }));
      return { instances: times };
    },
  };
}

const IDLE = "'workers_busy'=1;;;0;4 'queue'=0;;;0 'oldest'=0s;;;0 'dead'=0;;;0 'incidents'=0;;;0";

test("healthcheck prints one line with performance data and exits 0 when all is well", async () => {
  const run = await cli(["healthcheck"], { answers: daemon({}) });
  const text =
    "1 of 4 workers busy, 0 instances waiting, longest wait 0s, 0 dead letters, 0 open incidents";
  assert.equal(run.stdout, `JOBCTL OK: ${text} | ${IDLE}\n`);
  assert.equal(run.code, 0);
  assert.equal(run.stderr, "");
});

test("healthcheck warns of a node without workers", async () => {
  const { stdout, code } = await cli(["healthcheck"], {
    answers: daemon({ status: { workers: { count: 0, busy: 0 } } }),
  });
  assert.match(stdout, /^JOBCTL WARNING: the node has 0 workers: it runs nothing/);
  assert.equal(code, 1);
});

test("healthcheck does not count notices among the waiting instances", async () => {
  const kinds = [{ kind: "backup", scheduled: 1n }, { kind: "system.notice.ops", scheduled: 30n }];
  const answers = {
    ...daemon({ status: { kinds } }),
    lookupInstances: ({ query }: { query: { state?: number } }) => ({
      instances: query.state === 2
        ? [
          { kind: "system.notice.ops", dueAt: at(NOW - HOUR) },
          { kind: "backup", dueAt: at(NOW - 5_000) },
        ]
        : [],
    }),
  };
  const { stdout } = await cli(["healthcheck", "--queue-warn", "1"], { answers });
  assert.match(stdout, /^JOBCTL OK: .* 1 instance waiting, longest wait 5s,/);
  const named = await cli(["healthcheck", "--job", "system.notice.ops"], { answers });
  assert.match(named.stdout, / 30 instances waiting, longest wait 1h,/);
});

test("healthcheck of incidents says that a daemon without channels keeps none", async () => {
  const answers = { ...daemon({}), listChannels: { channels: [] } };
  const run = await cli(["healthcheck", "--incidents-crit", "0"], { answers });
  assert.match(run.stdout, /^JOBCTL OK: .*the daemon has no channels: it keeps incidents only if/);
  const others = await cli(["healthcheck"], { answers });
  assert.doesNotMatch(others.stdout, /channels/);
});

for (
  const [args, world, code, text] of [
    [["--queue-warn", "2"], { waitingMs: [1, 1] }, 0, "2 instances waiting"],
    [["--queue-warn", "1"], { waitingMs: [1, 1] }, 1, "2 instances waiting (limit 1)"],
    [["--queue-warn", "0", "--queue-crit", "1"], { waitingMs: [1, 1] }, 2, "(limit 1)"],
    [
      ["--oldest-crit", "60s"],
      { waitingMs: [5_000, 60_000] },
      0,
      "longest wait 1m",
    ],
    [
      ["--oldest-crit", "60s"],
      { waitingMs: [5_000, 61_000] },
      2,
      "longest wait 1m1s (limit 1m)",
    ],
    // One that is due later does not wait.
    [["--oldest-crit", "60s"], { waitingMs: [-61_000] }, 0, "longest wait 0s"],
    [["--incidents-warn", "0"], { incidents: [] }, 0, "0 open incidents"],
    [["--incidents-warn", "0"], { incidents: [{}] }, 1, "1 open incident (limit 0)"],
    [["--dead-warn", "0"], { dead: 0 }, 0, "0 dead letters"],
    [["--dead-warn", "0"], { dead: 1 }, 1, "1 dead letter (limit 0)"],
    [["--dead-warn", "0", "--dead-crit", "1"], { dead: 2 }, 2, "2 dead letters (limit 1)"],
  ] as const
) {
  test(`healthcheck ${args.join(" ")} exits ${code} when it finds ${text}`, async () => {
    const run = await cli(["healthcheck", ...args], { answers: daemon(world) });
    assert.ok(run.stdout.split(" | ")[0]!.includes(text), run.stdout);
    assert.equal(run.code, code);
  });
}

const AGE = ["healthcheck", "--job", "backup", "--max-age", "25h"];

test("healthcheck --max-age compares the latest success, up to the limit", async () => {
  const well = await cli(AGE, { answers: daemon({ succeededMs: [30 * HOUR, 25 * HOUR] }) });
  assert.equal(well.code, 0);
  assert.match(well.stdout, /job "backup" succeeded 1d1h ago.*'age_backup'=90000s;;90000;0/);
  const late = await cli(AGE, { answers: daemon({ succeededMs: [25 * HOUR + 1_000] }) });
  assert.equal(late.code, 2);
  assert.match(late.stdout, /^JOBCTL CRITICAL: job "backup" succeeded 1d1h ago \(limit 1d1h\) \|/);
});

test("healthcheck --max-age is critical without a success", async () => {
  const run = await cli(AGE, { answers: daemon({}) });
  assert.equal(run.code, 2);
  assert.match(run.stdout, /^JOBCTL CRITICAL: job "backup" has no recorded success \|/);
});

for (const pause of [{ kind: "backup" }, {}]) {
  test(`healthcheck --max-age lets a paused job be, with the pause ${JSON.stringify(pause)}`, async () => {
    const run = await cli(AGE, { answers: daemon({ pauses: [pause] }) });
    assert.equal(run.code, 0);
    assert.match(run.stdout, /job "backup" is paused/);
  });
}

for (
  const [status, code, text] of [
    [{ storeProblem: "no space" }, 2, "CRITICAL: store: no space"],
    [{ isDraining: true }, 1, "WARNING: the daemon is stopping"],
    [{ reloadProblem: "line 3" }, 1, "WARNING: the last reload had problems: line 3"],
    [{ listenerProblems: ["Cannot listen on a:1"] }, 1, "WARNING: Cannot listen on a:1"],
    [{ isDraining: true, storeProblem: "a|b\nc" }, 2, "store: a/b\\nc, the daemon is stopping"],
  ] as const
) {
  test(`healthcheck exits ${code} with the status ${JSON.stringify(status)}`, async () => {
    const run = await cli(["healthcheck"], { answers: daemon({ status }) });
    assert.equal(run.code, code);
    assert.ok(run.stdout.includes(text), run.stdout);
    assert.equal(run.stdout.split("\n").length, 2);
  });
}

for (
  const [error, code, status] of [
    ["unavailable", 2, "CRITICAL"],
    ["timeout", 2, "CRITICAL"],
    ["unauthenticated", 3, "UNKNOWN"],
    ["not_found", 3, "UNKNOWN"],
    ["internal", 3, "UNKNOWN"],
  ] as const
) {
  test(`healthcheck exits ${code} when the daemon answers ${error}`, async () => {
    const getStatus = () => {
      throw new JobError(error, "Cannot reach it");
    };
    const run = await cli(["healthcheck"], { answers: { getStatus } });
    assert.equal(run.stdout, `JOBCTL ${status}: Cannot reach it\n`);
    assert.equal(run.code, code);
    assert.equal(run.stderr, "");
  });
}

for (
  const args of [
    ["--max-age", "25h"],
    ["--queue-warn", "x"],
    ["--queue-warn", "2", "--queue-crit", "1"],
    ["--nothing"],
    ["word"],
  ]
) {
  test(`healthcheck ${args.join(" ")} exits 3: it is wrong usage`, async () => {
    const run = await cli(["healthcheck", ...args], { answers: daemon({}) });
    assert.equal(run.code, 3);
    assert.match(run.stdout, /^JOBCTL UNKNOWN: Cannot /);
  });
}

test("healthcheck exits 3 for wrong usage also after options of the program", async () => {
  const run = await cli(["--host", "h", "healthcheck", "--max-age", "1h"]);
  assert.equal(run.code, 3);
});

test("healthcheck escapes a kind in performance data", async () => {
  const answers = daemon({ succeededMs: [1_000] });
  const run = await cli(["healthcheck", "--job", "it's a=b|c"], { answers });
  assert.ok(run.stdout.includes("'age_it''s a_b/c'=1s;;;0"), run.stdout);
});

test("healthcheck --job counts the incidents of its jobs only", async () => {
  const incidents = [{ type: "job", name: "backup" }, { type: "job", name: "other" }, {
    type: "node",
    name: "backup",
  }];
  const run = await cli(["healthcheck", "--job", "backup"], { answers: daemon({ incidents }) });
  assert.match(run.stdout, /'incidents'=1;/);
});
