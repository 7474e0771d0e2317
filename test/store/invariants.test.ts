import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance, StoredLogEntry } from "../../src/core/instance.ts";
import type { JobState } from "../../src/core/state.ts";
import { checkInvariants, type Observations } from "../support/invariants/invariants.ts";
import type { StoreRecord } from "../support/servers/recording_store.ts";
import { USUAL_FIELDS } from "../../src/store/instance_fields.ts";

/** A record without what {@link history} fills in. */
type Draft = { readonly type: StoreRecord["type"] } & Readonly<Record<string, unknown>>;

const instanceOf = (given: Partial<Instance> = {}): Instance => ({
  ...USUAL_FIELDS,
  id: "a",
  kind: "mail",
  state: "scheduled",
  queueKey: "mail",
  dueAt: 0,
  createdAt: 0,
  scheduledAt: 0,
  retryMax: 1,
  crashesMax: 1,
  keepSuccessMs: 100,
  keepFailureMs: 200,
  ...given,
});

/** Records at t = 1, 2, 3 … each an operation of its own. */
function history(...drafts: readonly Draft[]): readonly StoreRecord[] {
  return drafts.map((draft, index) =>
    ({
      rev: index + 1,
      t: index + 1,
      op: index + 1,
      after: index,
      instance: "a",
      ...draft,
    }) as unknown as StoreRecord
  );
}

const accept = (given: Partial<Instance> = {}): Draft => {
  const as = instanceOf(given);
  return { type: "accept", instance: as.id, as };
};
const claim = (fence: number, attempt: number, given: object = {}): Draft => ({
  type: "claim",
  fence,
  attempt,
  node: "n",
  until: 50,
  kinds: ["mail"],
  ...given,
});
const settle = (fence: number, given: object = {}): Draft => ({
  type: "settle",
  fence,
  state: "completed",
  reason: "ok",
  failures: 0,
  crashes: 0,
  ...given,
});
const release = (fence: number, given: object = {}): Draft => ({
  type: "release",
  fence,
  due: 0,
  reason: "error",
  failures: 1,
  crashes: 0,
  ...given,
});
const fire = (tick: number, instance = "a", overlap = "skip"): Draft => ({
  type: "fire",
  job: "mail",
  schedule: "s",
  tick,
  instance,
  overlap,
});
const skip = (tick: number, toTick = tick): Draft => ({
  type: "skip",
  schedule: "s",
  tick,
  toTick,
  why: "overlap",
});
const log = (fence: number, count: number): Draft => ({ type: "log", fence, count });
const cancel = (state: JobState): Draft => ({ type: "cancel", state });
const remove = (given: object = {}): Draft => ({ type: "delete", isRetention: true, ...given });

const line = (fence: number, seq: number): StoredLogEntry => ({
  ...{ instanceId: "a", kind: "mail", attempt: 1, fence, seq },
  ...{ at: 0, level: "info", message: "", source: "job" },
});

const ran = [accept(), claim(1, 1), settle(1)];
const endOf = (given: Partial<Instance> = {}) =>
  instanceOf({ state: "completed", attempt: 1, fence: 1, settledAt: 3, ...given });

const ALLOWED: Readonly<Record<string, Observations>> = {
  "an ordinary run": {
    records: history(accept(), claim(1, 1), log(1, 2), settle(1)),
    acks: [{ instanceId: "a", uniqueKey: null }],
    snapshot: [endOf({ settledAt: 4 })],
    logs: [line(1, 1), line(1, 2)],
    runs: [{ instanceId: "a", fence: 1, endedAt: 5, deadlineMs: 5 }],
    endAt: 1_000,
    horizonMs: 10,
    counts: new Map([["mail", {
      ...{ created: 0, scheduled: 0, processing: 0, completed: 1, terminated: 0 },
      ...{ canceled: 0, timedOut: 0 },
    }]]),
  },
  "a retry, a takeover and a deletion": {
    records: history(
      ...[accept(), claim(1, 1), release(1), claim(2, 2), release(2, { reason: "lost" })],
      ...[claim(3, 3), settle(3, { failures: 1 }), remove({ t: 107 })],
    ),
    acks: [{ instanceId: "a" }],
    snapshot: [],
    logs: [],
  },
  "a cancel while waiting and one while running": {
    records: history(
      ...[accept(), cancel("canceled"), accept({ id: "b" })],
      ...[{ ...claim(1, 1), instance: "b" }, { ...cancel("processing"), instance: "b" }],
      { ...settle(1, { state: "canceled" }), instance: "b" },
    ),
    cancelAcks: [{ instanceId: "a", rev: 2 }, { instanceId: "b", rev: 5 }],
  },
  "ticks fired, skipped and missed": {
    records: history(fire(1), accept({ scheduleId: "s" }), skip(2), skip(3, 5)),
    expectedTicks: new Map([["s", [1, 2, 3, 4, 5]]]),
  },
  "a higher priority that is paused, not due or not served": {
    records: history(
      ...[{ type: "pause", kind: "held", until: null }, accept()] as Draft[],
      accept({ id: "b", kind: "held", priority: 0 }),
      accept({ id: "c", priority: 0, dueAt: 99 }),
      accept({ id: "d", kind: "foreign", priority: 0 }),
      claim(1, 1, { kinds: ["mail", "held"] }),
    ),
  },
};

for (const [name, observations] of Object.entries(ALLOWED)) {
  test(`checkInvariants() finds nothing in ${name}`, () => {
    assert.deepEqual(checkInvariants(observations), []);
  });
}

/** A violating history for each invariant; some break others along with it. */
const BROKEN: readonly (readonly [string, string, Observations])[] = [
  ["H1", "two operations with one revision", {
    records: history(accept(), { ...accept({ id: "b" }), rev: 1, after: 0 }),
  }],
  ["H1", "a revision below one that was answered before", {
    records: history(accept(), { ...accept({ id: "b" }), rev: 2, after: 7 }),
  }],
  ["H2", "time that goes back", { records: history({ ...accept(), t: 9 }, claim(1, 1)) }],
  ["S1", "an instance accepted twice", { records: history(accept(), accept()) }],
  ["S2", "two live instances of one key", {
    records: history(accept({ uniqueKey: "k" }), accept({ id: "b", uniqueKey: "k" })),
  }],
  ["S2", "an acknowledgement of an instance without the key", {
    records: history(accept()),
    acks: [{ instanceId: "a", uniqueKey: "k" }],
  }],
  ["S3", "a claim of what was never accepted", { records: history(claim(1, 1)) }],
  ["S4", "a claim of what was deleted", {
    records: history(...ran, remove({ t: 103 }), { ...claim(2, 2), t: 104 }),
  }],
  ["S5", "a claim of what is final", { records: history(...ran, claim(2, 2)) }],
  ["E1", "a claim beside a lease that runs", {
    records: history(accept(), claim(1, 1), claim(2, 2)),
  }],
  ["E2", "a fence that does not rise", {
    records: history(accept(), claim(1, 1), release(1), claim(1, 2)),
  }],
  ["E3", "a fence that runs twice", {
    records: history(...ran),
    runs: [{ instanceId: "a", fence: 1 }, { instanceId: "a", fence: 1 }],
  }],
  ["A1", "a gap in the attempts", { records: history(accept(), claim(1, 2)) }],
  ["A1", "a retry that counts as no attempt", {
    records: history(accept(), claim(1, 1), release(1, { attempt: 0 })),
  }],
  ["A1", "job code of a claim that counts as no attempt", {
    records: history(accept(), claim(1, 1), release(1, { reason: "released", attempt: 0 })),
    runs: [{ instanceId: "a", fence: 1 }],
  }],
  ["A2", "a failure past the retries", {
    records: history(accept({ retryMax: 0 }), claim(1, 1), release(1, { failures: 2 })),
  }],
  ["A2", "a takeover past crashesMax", {
    records: history(
      ...[accept({ crashesMax: 0 }), claim(1, 1), release(1, { reason: "lost", failures: 0 })],
    ),
  }],
  ["T1", "a claim before its time", { records: history(accept({ dueAt: 9 }), claim(1, 1)) }],
  ["T1", "a claim further ahead of its time than is allowed", {
    records: history(accept({ dueAt: 109 }), claim(1, 1)),
    aheadMs: 6,
  }],
  ["T1", "job code before its time", {
    records: history(accept({ dueAt: 5 }), claim(1, 1)),
    runs: [{ instanceId: "a", fence: 1, beganAt: 4 }],
    aheadMs: 6,
  }],
  ["F1", "a settle with an old fence", {
    records: history(accept(), claim(1, 1), release(1), claim(2, 2), settle(1)),
  }],
  ["F1", "a renewal of what waits", {
    records: history(accept(), { type: "renew", fence: 0, until: 9 }),
  }],
  ["F1", "a log with an old fence", {
    records: history(accept(), claim(1, 1), release(1), claim(2, 2), log(1, 1)),
  }],
  ["F1", "a release with an old fence", {
    records: history(accept(), claim(2, 1), release(1)),
  }],
  ["X1", "an effect of a lower fence after a higher", {
    records: history(accept()),
    effects: [{ instanceId: "a", fence: 2 }, { instanceId: "a", fence: 1 }],
  }],
  ["D1", "an acknowledged instance that is lost", {
    records: history(accept()),
    acks: [{ instanceId: "a" }],
    snapshot: [],
  }],
  ["D1", "an acknowledged instance that was never accepted", {
    records: [],
    acks: [{ instanceId: "a" }],
  }],
  ["D2", "a snapshot in another state", {
    records: history(...ran),
    snapshot: [endOf({ state: "terminated" })],
  }],
  ["D2", "a snapshot with another attempt", {
    records: history(...ran),
    snapshot: [endOf({ attempt: 2 })],
  }],
  ["D2", "an instance from nowhere", { records: [], snapshot: [instanceOf()] }],
  ["D2", "a deleted instance that is there", {
    records: history(...ran, remove({ t: 103 })),
    snapshot: [endOf()],
  }],
  ["L1", "an instance that rests", {
    records: history(accept()),
    acks: [{ instanceId: "a" }],
    snapshot: [instanceOf()],
    endAt: 100,
    horizonMs: 99,
  }],
  ["C1", "a tick without a fate", { records: [], expectedTicks: new Map([["s", [1]]]) }],
  ["C1", "a tick with two fates", {
    records: history(skip(1), fire(1)),
    expectedTicks: new Map([["s", [1]]]),
  }],
  ["C2", "a tick that fires twice", { records: history(fire(1), fire(1)) }],
  ["C3", "a fire that is no tick", {
    records: history(fire(7)),
    expectedTicks: new Map([["s", []]]),
  }],
  ["R1", "a deletion before the end", { records: history(accept(), remove()) }],
  ["R1", "a deletion before its time", { records: history(...ran, remove({ t: 102 })) }],
  ["R1", "a log line left behind", {
    records: history(...ran, remove({ t: 103 })),
    logs: [line(1, 1)],
  }],
  ["P1", "a tick fired beside another", {
    records: history(fire(1), accept({ scheduleId: "s" }), fire(2, "b")),
  }],
  ["P1", "a claim beside a tick before it that waits for a retry", {
    records: history(
      fire(1, "a", "queue"),
      accept({ scheduleId: "s" }),
      claim(1, 1),
      release(1),
      fire(2, "b", "queue"),
      accept({ id: "b", scheduleId: "s", reason: "queued" }),
      claim(1, 1, { instance: "b" }),
    ),
  }],
  ["P2", "a claim before one of higher priority", {
    records: history(accept(), accept({ id: "b", priority: 0 }), claim(1, 1)),
  }],
  ["K1", "a claim after a cancel", {
    records: history(accept(), claim(1, 1), cancel("processing"), release(1), claim(2, 2)),
  }],
  ["K1", "a success after a cancel", {
    records: history(accept(), claim(1, 1), cancel("processing"), settle(1)),
  }],
  ["K1", "a claim after a cancel was told", {
    records: history(accept(), claim(1, 1)),
    cancelAcks: [{ instanceId: "a", rev: 1 }],
  }],
  ["K1", "a success after a cancel was told", {
    records: history(...ran),
    cancelAcks: [{ instanceId: "a", rev: 2 }],
  }],
  ["T2", "a claim past the deadline", {
    records: history(accept({ deadlineAt: 2 }), claim(1, 1)),
  }],
  ["T2", "a waiting instance that ended before its deadline", {
    records: history(
      accept({ deadlineAt: 5 }),
      settle(0, { state: "timedOut", reason: "deadline" }),
    ),
  }],
  ["F1", "a waiting instance that ended for another reason", {
    records: history(
      accept({ deadlineAt: 1 }),
      settle(0, { state: "timedOut", reason: "timeout" }),
    ),
  }],
  ["G1", "a gap in the lines", {
    records: history(accept(), claim(1, 1), log(1, 2)),
    logs: [line(1, 1), line(1, 3)],
  }],
  ["G1", "lines that are missing", {
    records: history(accept(), claim(1, 1), log(1, 2)),
    logs: [line(1, 1)],
  }],
  ["Q1", "counts that differ", {
    records: history(...ran),
    counts: new Map([["mail", {
      ...{ created: 0, scheduled: 1, processing: 0, completed: 0, terminated: 0 },
      ...{ canceled: 0, timedOut: 0 },
    }]]),
  }],
  ["Q1", "a sum that differs", { records: history(...ran), snapshot: [] }],
  ["V1", "job code past its deadline", {
    records: history(...ran),
    runs: [{ instanceId: "a", fence: 1, endedAt: 6, deadlineMs: 5 }],
  }],
];

for (const [invariant, name, observations] of BROKEN) {
  test(`checkInvariants() reports ${invariant} for ${name}`, () => {
    const found = checkInvariants(observations).map((violation) => violation.invariant);
    assert.ok(found.includes(invariant), `found ${found.join(", ") || "nothing"}`);
  });
}
