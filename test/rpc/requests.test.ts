import assert from "node:assert/strict";
import { readCancelQuery } from "../../src/rpc/bulk_requests.ts";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { isJobError } from "../../src/core/errors.ts";
import {
  QuerySchema,
  ScheduleJobRequestSchema,
  UpdateScheduleRequestSchema,
} from "../../src/rpc/gen/job_pb.ts";
import {
  readBatchEntry,
  readHistoryQuery,
  readInstanceQuery,
  readPage,
  readRecurringOptions,
  readScheduleChange,
  readScheduleOptions,
  readUuidPrefix,
} from "../../src/rpc/requests.ts";

const UUID = "019b77c0-0000-7000-8000-000000000001";

type QueryInit = MessageInitShape<typeof QuerySchema>;
type RequestInit = MessageInitShape<typeof ScheduleJobRequestSchema>;

const query = (init: QueryInit) => create(QuerySchema, init);
const request = (init: RequestInit) =>
  create(ScheduleJobRequestSchema, { kind: "echo", ...init } as RequestInit);

function refuses(path: string, act: () => unknown): void {
  assert.throws(act, (error) => {
    assert.ok(isJobError(error, "invalid_argument"));
    assert.equal(error.path, path);
    assert.ok(error.message.includes(path));
    return true;
  });
}

test("readInstanceQuery() answers no condition when there is no query", () => {
  assert.deepEqual(readInstanceQuery(undefined), {});
  assert.deepEqual(readInstanceQuery(query({ kind: "", uuid: "", state: 0 })), {});
});

test("readInstanceQuery() joins go-job's fields and ours", () => {
  const conditions = readInstanceQuery(query({
    kind: "a",
    kinds: ["b"],
    uuid: UUID.toUpperCase(),
    state: 8,
    states: [32],
    after: { seconds: 1n, nanos: 1_500_000 },
    before: { seconds: 2n },
    scheduleId: "s",
    uniqueKey: "u",
  }));
  assert.deepEqual(conditions, {
    ids: [UUID],
    kinds: ["b", "a"],
    states: ["completed", "canceled"],
    scheduleId: "s",
    uniqueKey: "u",
    after: 1_001,
    before: 2_000,
  });
});

const BAD_QUERIES: readonly [string, QueryInit][] = [
  ["query.uuid", { uuid: "nope" }],
  ["query.uuids[1]", { uuids: [UUID, `${UUID}0`] }],
  ["query.state", { state: 3 as never }],
  ["query.states[0]", { states: [5 as never] }],
  ["query.after", { after: { seconds: 253_402_300_800n } }],
  ["query.before", { before: { seconds: 0n, nanos: -1 } }],
  ["query.kinds", { kinds: Array.from({ length: 1_001 }, () => "a") }],
];

for (const [path, init] of BAD_QUERIES) {
  test(`readInstanceQuery() refuses when ${path} is bad`, () => {
    refuses(path, () => readInstanceQuery(query(init)));
  });
}

test("readPage() answers 1,000 when no size is given, and accepts 1 and 1,000", () => {
  assert.deepEqual(readPage(undefined, "", 1_000), { limit: 1_000 });
  assert.equal(readPage({ pageSize: 1 }, "", 1_000).limit, 1);
  assert.equal(readPage({ pageSize: 1_000 }, "", 1_000).limit, 1_000);
  assert.deepEqual(readPage({ pageSize: 9, pageToken: "t", oldestFirst: true }, "", 4), {
    limit: 4,
    token: "t",
    order: "oldest",
  });
});

for (const pageSize of [-1, 0, 1_001]) {
  test(`readPage() refuses when the size is ${pageSize}`, () => {
    refuses("query.page_size", () => readPage({ pageSize }, "query.", 1_000));
  });
}

test("readCancelQuery() refuses when the query is empty and all is not said", () => {
  refuses("query", () => readCancelQuery(undefined, false));
  refuses("query", () => readCancelQuery(query({}), false));
  refuses("query", () => readCancelQuery(query({ kind: "" }), false));
  assert.deepEqual(readCancelQuery(undefined, true), {});
});

test("readHistoryQuery() takes one instance and refuses other conditions", () => {
  assert.deepEqual(readHistoryQuery(query({ uuid: UUID })), { instanceId: UUID });
  refuses("query.states", () => readHistoryQuery(query({ state: 8 })));
  refuses("query.uuids", () => readHistoryQuery(query({ uuids: [UUID, UUID] })));
});

test("readScheduleOptions() passes each argument as text", () => {
  assert.deepEqual(readScheduleOptions(request({ arguments: ["1", "a"] })), {
    arguments: ["1", "a"],
  });
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
  ["priority", { priority: -2 }],
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

for (
  const [path, init] of [
    ["unique_key", { uniqueKey: "k" }],
    ["uuid", { uuid: UUID }],
    ["at", { at: { seconds: 1n } }],
    ["overlap", { overlap: "cue" }],
    ["misfire", { misfire: "every" }],
  ] as readonly [string, RequestInit][]
) {
  test(`readRecurringOptions() refuses ${path} when it stands with cron`, () => {
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
  refuses("requests[2].priority", () => readBatchEntry(request({ priority: -9 }), 2));
});

test("readUuidPrefix() takes four characters and refuses three", () => {
  assert.equal(readUuidPrefix("019B", "uuid"), "019b");
  refuses("uuid", () => readUuidPrefix("019", "uuid"));
  refuses("uuid", () => readUuidPrefix("019g", "uuid"));
});
