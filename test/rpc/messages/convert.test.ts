import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Instance } from "../../../src/core/instance.ts";
import { JOB_STATES } from "../../../src/core/state.ts";
import {
  type JobInstance,
  JobInstanceSchema,
  type LookupInstancesResponse,
} from "../../../src/rpc/gen/job_pb.ts";
import {
  instanceToWire,
  jobToWire,
  stateOfWire,
  valueTexts,
  WIRE_STATE,
} from "../../../src/rpc/messages/convert.ts";
import { decodeMessage, encodeMessage } from "../../../src/rpc/model/message_codec.ts";
import {
  cancelInstance,
  claimInstance,
  passDeadline,
  settleInstance,
} from "../../../src/store/ledger/rules.ts";
import { fakeInstance, fakeJob } from "../../support/worlds/fake_manager.ts";
import { unreadMembers } from "../../support/unread_members.ts";

function toMessage<T extends Message>(type: T["$typeName"], record: object, isJson = false): T {
  return decodeMessage<T>(type, encodeMessage(type, record, isJson ? "json" : "texts"));
}

const SPEC = {
  cron: null,
  everyMs: null,
  timezone: "UTC",
  overlap: "skip",
  misfire: "latest",
  misfireWithinMs: 1,
  jitterMs: 0,
} as const;

/** What no node ever claimed. */
const ELSEWHERE = { state: "completed", attempt: 1, fence: 0 } as const;

test("WIRE_STATE has go-job's numbers", () => {
  assert.deepEqual(
    JOB_STATES.map((state) => WIRE_STATE[state]),
    [1, 2, 4, 32, 64, 8, 16],
  );
});

test("stateOfWire() reads every state back", () => {
  for (const state of JOB_STATES) assert.equal(stateOfWire(WIRE_STATE[state]), state);
  assert.equal(stateOfWire(0), null);
  assert.equal(stateOfWire(3 as never), undefined);
});

test("valueTexts() leaves strings as they are and writes the rest as JSON", () => {
  assert.deepEqual(valueTexts('["a",1,null,{"x":[true]},"2"]'), [
    "a",
    "1",
    "null",
    '{"x":[true]}',
    "2",
  ]);
  assert.deepEqual(valueTexts(null), []);
});

for (
  const [state, field] of [
    ["completed", "completedAt"],
    ["terminated", "terminatedAt"],
    ["canceled", "canceledAt"],
    ["timedOut", "timedOutAt"],
  ] as const
) {
  test(`instanceToWire() gives ${field} when the state is ${state}, and no other end`, () => {
    const instance = fakeInstance(1, { state, settledAt: 1_767_225_600_123 });
    const wire = toMessage<JobInstance>(JobInstanceSchema.typeName, instanceToWire(instance));
    const ends = ["completedAt", "terminatedAt", "canceledAt", "timedOutAt"] as const;
    for (const end of ends) {
      const time = wire[end];
      assert.equal(time && timestampMs(time), end === field ? 1_767_225_600_123 : undefined);
    }
  });
}

test("a response gives arguments and results as texts or as JSON text, and never twice", () => {
  const instance = fakeInstance(1, { argumentsJson: '["1",1]', resultsJson: "[null]" });
  const record = { instances: [instanceToWire(instance)] };
  const type = "job.v1.LookupInstancesResponse";
  const texts = toMessage<LookupInstancesResponse>(type, record).instances[0]!;
  const json = toMessage<LookupInstancesResponse>(type, record, true).instances[0]!;
  const fieldsOf = (wire: JobInstance) => [
    wire.arguments,
    wire.results,
    wire.argumentsJson,
    wire.resultsJson,
  ];
  assert.deepEqual(fieldsOf(texts), [["1", "1"], ["null"], undefined, undefined]);
  assert.deepEqual(fieldsOf(json), [[], [], '["1",1]', "[null]"]);
});

test("instanceToWire() gives arguments, results, error, attempts and times", () => {
  const instance = fakeInstance(1, {
    argumentsJson: '["a",2]',
    resultsJson: "[4,{}]",
    error: { name: "TypeError", message: "no", exitCode: 3 },
    attempt: 2,
    scheduledAt: 5,
    processedAt: 6,
  });
  const wire = toMessage<JobInstance>(JobInstanceSchema.typeName, instanceToWire(instance));
  assert.deepEqual(wire.arguments, ["a", "2"]);
  assert.deepEqual(wire.results, ["4", "{}"]);
  assert.equal(wire.error, "no");
  assert.equal(wire.errorDetail?.exitCode, 3);
  assert.equal(wire.attempts, 2);
  assert.equal(timestampMs(wire.scheduledAt!), 5);
  assert.equal(timestampMs(wire.processedAt!), 6);
});

const START_MS = fakeInstance(1).dueAt;
const claimed = (instance: Instance, atMs: number) => {
  const at = START_MS + atMs;
  return claimInstance(instance, "a", { at, stamp: at, wallMs: at });
};
const waiting = () => fakeInstance(1, { deadlineAt: START_MS + 9_000 });
const completed = (instance: Instance, atMs: number) =>
  settleInstance(instance, {
    type: "final",
    state: "completed",
    reason: "ok",
    resultsJson: null,
    error: null,
    isFailure: false,
  }, START_MS + atMs).instance;
const failedOnce = (dueMs = 1_000) =>
  settleInstance(claimed(waiting(), 10), {
    type: "retry",
    dueAt: START_MS + dueMs,
    reason: "error",
    error: { name: "Error", message: "no" },
  }, START_MS + 500).instance;

const DURATIONS: Readonly<Record<string, readonly [() => Instance, ms: number | undefined]>> = {
  "is waiting": [waiting, undefined],
  "is running": [() => claimed(waiting(), 10), undefined],
  "completed": [() => completed(claimed(waiting(), 10), 310), 300],
  "completed at its second attempt": [() => completed(claimed(failedOnce(), 1_000), 1_250), 250],
  "waits for its second attempt": [failedOnce, undefined],
  "was canceled before it ran": [() => cancelInstance(waiting(), START_MS + 50), undefined],
  "was canceled between two attempts": [
    () => cancelInstance(failedOnce(), START_MS + 600),
    undefined,
  ],
  "was canceled while it ran": [
    () => completed(cancelInstance(claimed(waiting(), 10), START_MS + 20), 70),
    60,
  ],
  "passed its deadline between two attempts": [
    () => passDeadline(failedOnce(), null, START_MS + 9_000).instance,
    undefined,
  ],
  "had no time for a second attempt": [() => failedOnce(9_000), 490],
  "was reported by another host": [
    () => fakeInstance(1, { ...ELSEWHERE, processedAt: START_MS, settledAt: START_MS + 40 }),
    40,
  ],
};

for (const [what, [make, ms]] of Object.entries(DURATIONS)) {
  test(`instanceToWire() gives ${ms === undefined ? "no duration" : "a duration"} of what ${what}`, () => {
    const { durationMs } = toMessage<JobInstance>(
      JobInstanceSchema.typeName,
      instanceToWire(make()),
    );
    assert.equal(durationMs, ms === undefined ? undefined : BigInt(ms));
  });
}

test("instanceToWire() gives every field but those that only the store uses", () => {
  const instance = fakeInstance(1, { state: "completed", settledAt: 7 });
  const renamed = Object.keys(instance).filter((name) => !(name in JobInstanceSchema.field));
  // Inherited members are read only by their names.
  assert.deepEqual(unreadMembers(Object.create(instance), renamed, instanceToWire), [
    "parentStep",
    "crashesMax",
    "queueKey",
    "keepSuccessMs",
    "keepFailureMs",
  ]);
});

test("jobToWire() gives the cron text of the first schedule, and those of all", () => {
  const schedules = ["0 6 * * 1-5", "@weekly"].map((cron) => ({
    spec: { ...SPEC, cron },
    arguments: [],
  }));
  const wire = jobToWire(fakeJob("report", { schedules }));
  assert.equal(wire.cronSpec, "0 6 * * 1-5");
  assert.deepEqual(wire.cronSpecs, ["0 6 * * 1-5", "@weekly"]);
  assert.equal(wire.kind, "report");
  assert.equal(JSON.parse(wire.signatureJson!).is_typed, false);
});
