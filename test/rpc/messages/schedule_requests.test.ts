import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { NAMED_OPTIONS } from "../../../src/core/job/run_options.ts";
import {
  RecurrenceSchema,
  ScheduleJobRequestSchema,
  UpdateScheduleRequestSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import {
  readBatchEntry,
  readRecurringOptions,
  readScheduleChange,
  readScheduleOptions,
} from "../../../src/rpc/messages/schedule_requests.ts";
import { refuses } from "../../support/refused_field.ts";

const UUID = "019b77c0-0000-7000-8000-000000000001";

type RequestInit = MessageInitShape<typeof ScheduleJobRequestSchema>;

const request = (init: RequestInit) =>
  create(ScheduleJobRequestSchema, { kind: "echo", ...init } as RequestInit);

test("readScheduleOptions() passes each argument as text", () => {
  assert.deepEqual(readScheduleOptions(request({ arguments: ["1", "a"] })), {
    arguments: ["1", "a"],
  });
});

test("readScheduleOptions() takes -1 by exact_priority, and other negative priorities by both fields", () => {
  assert.equal(readScheduleOptions(request({ exactPriority: -1 })).priority, -1);
  assert.equal(readScheduleOptions(request({ priority: 5, exactPriority: -1 })).priority, -1);
  assert.equal(readScheduleOptions(request({ priority: -20 })).priority, -20);
});

test("readScheduleOptions() takes priority -1 as unset, and 0 as 0", () => {
  assert.equal(readScheduleOptions(request({ priority: -1 })).priority, undefined);
  assert.equal(readScheduleOptions(request({ priority: 0 })).priority, 0);
});

test("readScheduleOptions() reads everything of ours", () => {
  const options = readScheduleOptions(request({
    argumentsJson: '{"x":1}',
    afterMs: 5n,
    jitterMs: 6n,
    timeoutMs: 7n,
    maxRetries: -1,
    uniqueKey: "k",
    uuid: UUID,
  }));
  assert.deepEqual(options, {
    arguments: { x: 1 },
    afterMs: 5,
    jitterMs: 6,
    timeoutMs: 7,
    retries: -1,
    uniqueKey: "k",
    id: UUID,
  });
});

const BAD_REQUESTS: readonly [string, RequestInit][] = [
  ["max_retries", { maxRetries: -2 }],
  ["timeout_ms", { timeoutMs: -1n }],
  ["jitter_ms", { jitterMs: 2n ** 60n }],
  ["after_ms", { afterMs: -1n }],
  ["after_ms", { afterMs: 1n, at: { seconds: 1n } }],
  ["at", { at: { seconds: -62_135_596_801n } }],
  ["uuid", { uuid: "1234" }],
  ["arguments_json", { argumentsJson: "{" }],
  ["arguments_json", { argumentsJson: "3" }],
  ["arguments_json", { argumentsJson: "null" }],
  ["arguments_json", { argumentsJson: "[]", arguments: ["a"] }],
  ["timezone", { timezone: "UTC" }],
  ["overlap", { overlap: "skip" }],
];

for (const [path, init] of BAD_REQUESTS) {
  const shown = JSON.stringify(
    init,
    (_key, value) => typeof value === "bigint" ? `${value}` : value,
  );
  test(`readScheduleOptions() refuses ${path} when the request is ${shown}`, () => {
    refuses(path, () => readScheduleOptions(request(init)));
  });
}

test("readScheduleOptions() refuses a member that is given twice, at any depth", () => {
  const argumentsJson = '[1, { "at": 1, "a\\u0074": 2 }]';
  refuses("arguments_json", () => readScheduleOptions(request({ argumentsJson })));
});

test("readScheduleOptions() refuses more than 100,000 arrays and objects", () => {
  const read = (count: number) => {
    const argumentsJson = `[${"[],".repeat(count - 1)}"[{"]`;
    return readScheduleOptions(request({ argumentsJson }));
  };
  assert.ok(Array.isArray(read(100_000).arguments));
  refuses("arguments_json", () => read(100_001));
});

for (
  const [path, init] of [
    ["unique_key", { uniqueKey: "k" }],
    ["uuid", { uuid: UUID }],
    ["at", { at: { seconds: 1n } }],
    ["overlap", { overlap: "cue" }],
    ["misfire", { misfire: "every" }],
  ] as readonly [string, RequestInit][]
) {
  test(`readRecurringOptions() refuses ${path} when it is combined with cron`, () => {
    refuses(
      path,
      () => readRecurringOptions(request({ cron: "* * * * *", ...init } as RequestInit)),
    );
  });
}

test("readScheduleChange() takes away what clear names, and nothing that has a value", () => {
  const change = (init: MessageInitShape<typeof UpdateScheduleRequestSchema>) =>
    readScheduleChange(create(UpdateScheduleRequestSchema, { id: "s", ...init } as typeof init));
  assert.deepEqual(change({ cron: "@daily", clear: ["ends_at", "max_retries", "timeout_ms"] }), {
    ...{ cron: "@daily", endsAt: null, retries: null, timeoutMs: null },
  });
  refuses("clear[1]", () => change({ clear: ["ends_at", "cron"] }));
  refuses("clear[0]", () => change({ priority: 1, clear: ["priority"] }));
});

test("readBatchEntry() names the entry when it is bad", () => {
  refuses("requests[3].cron", () => readBatchEntry(request({ cron: "* * * * *" }), 3));
  refuses("requests[0].kind", () => readBatchEntry(request({ kind: "" }), 0));
  refuses("requests[2].max_retries", () => readBatchEntry(request({ maxRetries: -9 }), 2));
});

test("each option is a field of its requests, and each field is an option", () => {
  const namesOf = ({ fields }: { readonly fields: readonly { readonly localName: string }[] }) =>
    fields.map(({ localName }) => localName).sort();
  const membersOf = (...others: readonly string[]) => (options: typeof NAMED_OPTIONS) =>
    [...options.map(({ member }) => member), ...others].sort();
  const top = NAMED_OPTIONS.filter(({ isInRecurrence }) => !isInRecurrence);
  assert.deepEqual(
    namesOf(ScheduleJobRequestSchema),
    membersOf("kind", "exactPriority", "argumentsJson", "recurrence", "dryRun")(top),
  );
  assert.deepEqual(
    namesOf(UpdateScheduleRequestSchema),
    membersOf("id", "argumentsJson", "recurrence", "clear")(
      top.filter(({ of }) => of !== "instance"),
    ),
  );
  assert.deepEqual(
    namesOf(RecurrenceSchema),
    membersOf()(NAMED_OPTIONS.filter(({ isInRecurrence }) => isInRecurrence)),
  );
});
