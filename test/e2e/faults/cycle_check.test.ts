import assert from "node:assert/strict";
import test from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { checkCycles } from "../../support/cluster/cycle_check.ts";
import { type PlannedCommand, randomPlan } from "../../support/cluster/cycle_plan.ts";
import type { CycleRun, Happening, Mark } from "../../support/cluster/cycle_run.ts";

const START = 1_800_000_000;
const LEASE_MS = 5_000;

function at(seconds: number) {
  return { seconds: BigInt(START + seconds), nanos: 0 };
}

function mark(what: string, seconds: number, fence: bigint): Mark {
  return { what, uuid: "one", fence, at: (START + seconds) * 1_000 };
}

function entry(state: JobState, seconds: number, fence: bigint, reason = "") {
  return { uuid: "one", state, at: at(seconds), fence, reason, attempt: Number(fence) };
}

/** A command whose first attempt is lost with its supervisor, and whose second one ends. */
function goodRun() {
  const planned: PlannedCommand = {
    ...{ uuid: "one", atMs: 0, ticks: 2, pauseMs: 500, lines: 1, code: 3, timeoutMs: 0 },
    ...{ cancelAfterMs: null, isStubborn: false, hasChild: false },
  };
  const happenings: Happening[] = [{
    ...{ type: "supervisor killed", what: "kill supervisor", isFreeze: false },
    ...{ from: (START + 2) * 1_000, to: (START + 2) * 1_000 },
  }];
  return {
    ...{ planned, happenings, canceled: new Set<string>(), problems: [] as string[] },
    instance: {
      ...{ uuid: "one", state: JobState.TERMINATED, reason: "error", errorDetail: { exitCode: 3 } },
      ...{ attempts: 2, crashes: 1, fence: 2n, cancelRequestedAt: undefined as unknown },
    },
    history: [
      entry(JobState.PROCESSING, 0, 1n),
      entry(JobState.SCHEDULED, 3, 1n, "lost"),
      entry(JobState.PROCESSING, 3, 2n),
      entry(JobState.TERMINATED, 5, 2n, "error"),
    ],
    marks: [
      ...[mark("S", 0, 1n), mark("T", 0, 1n), mark("S", 3, 2n), mark("T", 3, 2n)],
      ...[mark("T", 4, 2n), mark("E", 5, 2n)],
    ],
    logs: ["out 0.0", "err 0.0", "out 1.0", "err 1.0"],
  };
}

type Told = ReturnType<typeof goodRun>;

async function reportOf(change: (told: Told) => void) {
  const told = goodRun();
  change(told);
  const entries = told.logs.map((message) => ({ message, source: "stdout", attempt: 2 }));
  const client = {
    lookupInstances: () => Promise.resolve({ instances: [told.instance] }),
    lookupInstanceHistory: () => Promise.resolve({ entries: told.history }),
    lookupInstanceLogs: () => Promise.resolve({ entries }),
  };
  const run = {
    options: { plan: { leaseMs: LEASE_MS, cycles: [] }, store: "sqlite" },
    daemon: { client: () => client },
    ...{ commands: [told.planned], canceled: told.canceled, marks: told.marks },
    ...{
      happenings: told.happenings,
      problems: told.problems,
      stopMs: [10],
      begunAt: START * 1_000,
    },
    log: `${new Date((START + 3) * 1_000).toISOString()} WARN  Nothing works`,
  } as unknown as CycleRun;
  return await checkCycles(run, () => Promise.resolve());
}

test("checkCycles() finds nothing if a loss was counted and has a reason", async () => {
  const { violations, figures } = await reportOf(() => {});
  assert.deepEqual(violations, []);
  assert.deepEqual([figures.commands, figures.ran_again_counted_as_lost, figures.terminated], [
    1,
    1,
    1,
  ]);
});

/** A daemon that was down from the begin of the first attempt on. */
function down(seconds: number, isFreeze = false): Happening {
  const from = START * 1_000;
  return { type: "away", what: "kill daemon", isFreeze, from, to: from + seconds * 1_000 };
}

test("checkCycles() accepts a loss if daemon or supervisor was away for long", async () => {
  for (const type of ["away", "supervisor frozen"] as const) {
    const { violations } = await reportOf((told) => {
      told.happenings.splice(0, 1, { ...down(3), type });
    });
    assert.deepEqual(violations, []);
  }
});

const PLANTED: Readonly<Record<string, readonly [RegExp, (told: Told) => void]>> = {
  "an instance that is gone": [/it was accepted and is lost/, (told) => {
    told.instance.uuid = "two";
  }],
  "an instance that does not end": [/it does not end/, (told) => {
    told.instance.state = JobState.PROCESSING;
  }],
  "a loss for no reason": [/attempt 1 was lost without a fault/, (told) => {
    told.happenings.pop();
  }],
  "a loss although the daemon was back soon": [/attempt 1 was lost without a fault/, (told) => {
    told.happenings.splice(0, 1, down(1));
  }],
  "a result that is dropped": [/attempt 1 ended by itself, and its result was dropped/, (told) => {
    told.marks.splice(2, 0, mark("E", 1, 1n));
    told.happenings.splice(0, 1, down(3));
  }],
  "a release without a stop": [/attempt 1 was released \(drained\) without a stop/, (told) => {
    told.history[1]!.reason = "drained";
  }],
  "a crash that is not counted": [/it has 0 crashes and a history of 1/, (told) => {
    told.instance.crashes = 0;
  }],
  "a run that nothing recorded": [/it ran under fence 3, which nothing recorded/, (told) => {
    told.marks.push(mark("S", 6, 3n));
  }],
  "two runs under one fence": [/it began 2 times under fence 2/, (told) => {
    told.marks.splice(3, 0, mark("S", 3, 2n));
  }],
  "two runs at once": [/"T" under fence 1 came after 2/, (told) => {
    told.marks.push(mark("T", 5, 1n));
  }],
  "an end with another code": [/exit code 4\), not ended with code 3/, (told) => {
    told.instance.errorDetail.exitCode = 4;
  }],
  "an end of which the command knows nothing": [/not ended with code 3/, (told) => {
    told.marks.pop();
  }],
  "a cancel of nobody": [/and nobody canceled it/, (told) => {
    told.instance.state = JobState.CANCELLED;
  }],
  "a cancel without effect": [/it was canceled and is TERMINATED/, (told) => {
    told.canceled.add("one");
  }],
  "a timeout without effect": [/it has run into its timeout of 500 ms/, (told) => {
    told.planned = { ...told.planned, timeoutMs: 500 };
  }],
  "a timeout that had not come": [/ran 2000 ms and may run 9000 ms/, (told) => {
    told.planned = { ...told.planned, timeoutMs: 9_000 };
    told.instance.state = JobState.TIMED_OUT;
  }],
  "a lost line": [/it printed 2 lines to err, and 1 are recorded/, (told) => {
    told.logs.pop();
  }],
  "a line that is there twice": [/line 1 of out is "out 0.0"/, (told) => {
    told.logs.unshift("out 0.0");
  }],
  "a process that is left behind": [/^processes are left/, (told) => {
    told.problems.push("processes are left behind: 7 sleep 300");
  }],
};

for (const [what, [wanted, plant]] of Object.entries(PLANTED)) {
  test(`checkCycles() finds ${what}`, async () => {
    const { violations } = await reportOf(plant);
    assert.equal(violations.length, 1);
    assert.match(violations[0]!, wanted);
  });
}

test("checkCycles() shows the history, the notes, the faults and the log beside a violation", async () => {
  const { violations: [text] } = await reportOf((told) => void (told.instance.crashes = 0));
  assert.match(text!, /3\.00 s SCHEDULED lost attempt 1 fence 1\n/);
  assert.match(text!, /5\.00 s E fence 2\n/);
  assert.match(text!, /supervisor killed: kill supervisor\n/);
  assert.match(text!, /WARN {2}Nothing works$/);
});

test("randomPlan() makes the same cycles from a seed, and the first of them if fewer are wanted", () => {
  const plan = randomPlan(7, 20);
  assert.deepEqual(randomPlan(7, 20), plan);
  assert.deepEqual(randomPlan(7, 3).cycles, plan.cycles.slice(0, 3));
  assert.notDeepEqual(randomPlan(8, 20), plan);
});
