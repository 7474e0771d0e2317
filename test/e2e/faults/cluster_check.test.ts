import assert from "node:assert/strict";
import test from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { ClusterRun, Fault } from "../../support/cluster/cluster.ts";
import { checkCluster } from "../../support/cluster/cluster_check.ts";
import type { Daemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const START = 1_800_000_000;
const LEASE_MS = 2_000;

/** What is read of a history's entry. */
interface HistoryRow {
  uuid: string;
  kind: string;
  state: JobState;
  attempt: number;
  at: ReturnType<typeof at>;
  node?: string;
  fence?: bigint;
  reason?: string;
}

function at(seconds: number) {
  return { seconds: BigInt(START + Math.floor(seconds)), nanos: 0 };
}

/** What the daemons would tell of a run in which everything held. */
function goodRun() {
  const ticks = ["tick-a", "tick-b"].flatMap((kind) =>
    [0, 1, 2, 3].map((second) => ({ kind, uuid: `${kind}-${second}`, fence: 7n, second }))
  );
  const instances = [
    { kind: "noop", uuid: "one", fence: 9n, attempts: 2, results: ["9"], failures: 0 },
    ...ticks.map(({ second, ...tick }) => ({
      ...tick,
      ...{ attempts: 1, failures: 0, results: ["7"], scheduledFor: at(second) },
    })),
  ].map((one) => ({ ...one, state: JobState.COMPLETED }));
  const begun = { state: JobState.PROCESSING, attempt: 1, node: "node-0" };
  const history: HistoryRow[] = [
    { uuid: "one", kind: "noop", ...begun, fence: 8n, at: at(0) },
    { uuid: "one", kind: "noop", state: JobState.SCHEDULED, reason: "lost", attempt: 1, at: at(3) },
    { uuid: "one", kind: "noop", ...begun, attempt: 2, fence: 9n, at: at(3) },
    ...ticks.map(({ kind, uuid, fence }) => ({ uuid, kind, ...begun, fence, at: at(0) })),
  ];
  const effects = ["S one 8", "S one 9", "E one 9"];
  for (const { uuid } of ticks) effects.push(`S ${uuid} 7`, `E ${uuid} 7`);
  const faults: Fault[] = [
    { type: "kill", node: "node-0", at: (START + 0.5) * 1_000, endAt: (START + 2) * 1_000 },
  ];
  return { instances, history, effects, faults, unexpected: [] as string[], verify: 0 };
}

async function reportOf(change: (run: ReturnType<typeof goodRun>) => void) {
  const told = goodRun();
  change(told);
  const client = {
    lookupInstances: () => Promise.resolve({ instances: told.instances }),
    lookupInstanceHistory: () => Promise.resolve({ entries: told.history }),
  };
  const daemon = {
    client: () => client,
    jobctl: () => Promise.resolve({ code: told.verify, stdout: "", stderr: "" }),
  } as unknown as Daemon;
  return await withTempDir({ "effects.txt": `${told.effects.join("\n")}\n` }, async ({ path }) => {
    const run: ClusterRun = {
      options: { store: "etcd", leaseMs: LEASE_MS, seed: 1 },
      daemon,
      effects: `${path}/effects.txt`,
      accepted: new Map([["one", "noop"]]),
      faults: told.faults,
      unexpected: told.unexpected,
      ticksUntil: (START + 3.5) * 1_000,
      spentMs: 1,
    };
    return await checkCluster(run);
  });
}

async function violationsOf(change: Parameters<typeof reportOf>[0]): Promise<readonly string[]> {
  return (await reportOf(change)).violations;
}

test("checkCluster() finds nothing in a run that held", async () => {
  assert.deepEqual(await violationsOf(() => {}), []);
});

const PLANTED: Readonly<Record<string, readonly [RegExp, Parameters<typeof violationsOf>[0]]>> = {
  "a lost instance": [/^D1: noop one was acknowledged and is lost/, (run) => {
    run.instances.shift();
  }],
  "an instance that did not end well": [/^D1: noop one is TERMINATED/, (run) => {
    run.instances[0]!.state = JobState.TERMINATED;
  }],
  "an instance that nobody asked for": [/^S3: two/, (run) => {
    run.instances.push({ ...run.instances[0]!, uuid: "two" });
  }],
  "a fence that ran twice": [/^E3: "S one 9"/, (run) => run.effects.push("S one 9")],
  "an effect of an old fence after a new one": [/^X1: "E one 8"/, (run) => {
    run.effects.push("E one 8");
  }],
  "the outcome of an old fence": [/^F1: one has fence 9 and the outcome of 8/, (run) => {
    run.instances[0]!.results = ["8"];
  }],
  "a fence that fell": [/^E2: fence of one fell/, (run) => {
    run.history[0]!.fence = 10n;
  }],
  "an attempt that is left out": [/^A1: one has attempt 3/, (run) => {
    run.history[2]!.attempt = 3;
  }],
  "a tick that is left out": [/^C1: tick-a has a gap of 2000 ms/, (run) => {
    run.instances.splice(2, 1);
  }],
  "a tick that ran twice": [/^C2: tick-a ran twice/, (run) => {
    run.instances.push({ ...run.instances[1]!, uuid: "again" });
  }],
  "no tick at the end": [/^C1: tick-b has no tick after/, (run) => {
    run.instances.pop();
  }],
  "a late takeover": [/^takeover: one of node-0 came 7500 ms after its kill/, (run) => {
    run.history[1]!.at = at(8);
  }],
  "a daemon that ended by itself": [/^a daemon ended by itself: node-1/, (run) => {
    run.unexpected.push("node-1");
  }],
  "a store that is at odds with itself": [/^D2: the store/, (run) => {
    run.verify = 1;
  }],
};

for (const [what, [wanted, plant]] of Object.entries(PLANTED)) {
  test(`checkCluster() finds ${what}`, async () => {
    const violations = await violationsOf(plant);
    assert.ok(violations.some((line) => wanted.test(line)), violations.join("\n"));
  });
}

test("checkCluster() counts what is lost, stale and at one time twice", async () => {
  const { figures } = await reportOf((run) => {
    run.instances.shift();
    for (let count = 0; count < 30; count++) run.effects.push("E one 8");
  });
  // Each line of an old fence, and each that is there again.
  assert.deepEqual([figures.lost, figures.stale, figures.overlaps], [1, 0, 59]);
  const fallen = await reportOf((run) => {
    run.history[0]!.fence = 10n;
  });
  assert.equal(fallen.figures.stale, 1);
});
