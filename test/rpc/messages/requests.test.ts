import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import type { Instance } from "../../../src/core/instance.ts";
import { kindsNeeding } from "../../../src/core/job/tags.ts";
import type { ReadApi } from "../../../src/manager/api.ts";
import { QuerySchema } from "../../../src/rpc/gen/job_pb.ts";
import {
  readBulkQuery,
  readHistoryQuery,
  readInstanceQuery,
  readPage,
  readUuidPart,
} from "../../../src/rpc/messages/requests.ts";
import { refuses } from "../../support/refused_field.ts";

const UUID = "019b77c0-0000-7000-8000-000000000001";
const CHILD = "219b77c0-0000-7000-8000-000000000002";

type QueryInit = MessageInitShape<typeof QuerySchema>;

const TAGS: Pick<ReadApi, "kindsOfTag" | "getInstance"> = {
  getInstance: async (part) => {
    if (UUID.startsWith(part)) return { id: UUID, flowId: null } as Instance;
    if (CHILD.startsWith(part)) return { id: CHILD, flowId: UUID } as Instance;
    throw new JobError("not_found", `Cannot find instance "${part}": no id has it`);
  },
  kindsOfTag: async (tag) =>
    kindsNeeding(tag, [
      { kind: "mail", needs: ["lan"] },
      { kind: "render", needs: ["gpu"] },
      { kind: "train", needs: ["gpu", "lan"] },
    ]),
};

async function rejectsAt(path: string, read: Promise<unknown>): Promise<void> {
  await assert.rejects(read, (error: unknown) => isJobError(error) && error.path === path);
}

const query = (init: QueryInit) => create(QuerySchema, init);

test("readInstanceQuery() returns no condition without a query", async () => {
  assert.deepEqual(await readInstanceQuery(undefined, TAGS), {});
  assert.deepEqual(await readInstanceQuery(query({ kind: "", uuid: "", state: 0 }), TAGS), {});
});

test("readInstanceQuery() finds parent and flow by a part of an id, and the flow by any of it", async () => {
  const read = (init: QueryInit) => readInstanceQuery(query(init), TAGS);
  assert.deepEqual(await read({ parentId: "219b" }), { parentId: CHILD });
  assert.deepEqual(await read({ flowId: "219b" }), { flowId: UUID });
  assert.deepEqual(await read({ flowId: UUID }), { flowId: UUID });
  const gone = "319B77C0-0000-7000-8000-000000000003";
  assert.deepEqual(await read({ parentId: gone, flowId: gone }), {
    parentId: gone.toLowerCase(),
    flowId: gone.toLowerCase(),
  });
  for (const query of [{ parentId: "" }, { flowId: "", kinds: ["mine"] }]) {
    await assert.rejects(read(query), (error) => isJobError(error, "invalid_argument"));
  }
  await assert.rejects(read({ flowId: "4444" }), (error) => isJobError(error, "not_found"));
});

test("readInstanceQuery() joins go-job's fields and ours", async () => {
  const init = query({
    kind: "a",
    kinds: ["b"],
    uuid: UUID.toUpperCase(),
    state: 8,
    states: [32],
    after: { seconds: 1n, nanos: 1_500_000 },
    before: { seconds: 2n },
    scheduleId: "s",
    uniqueKey: "u",
  });
  assert.deepEqual(await readInstanceQuery(init, TAGS), {
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
  test(`readInstanceQuery() refuses when ${path} is bad`, async () => {
    await rejectsAt(path, readInstanceQuery(query(init), TAGS));
  });
}

test("readPage() returns 1,000 when no size is given, and accepts 1 and 1,000", () => {
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

test("readInstanceQuery() makes a tag the kinds that need it, of those that are named", async () => {
  const read = (init: QueryInit) => readInstanceQuery(query(init), TAGS);
  assert.deepEqual(await read({ tag: "gpu" }), { kinds: ["render", "train"] });
  assert.deepEqual(await read({ tag: "gpu", kind: "train" }), { kinds: ["train"] });
  assert.deepEqual(await read({ tag: "gpu", kinds: ["mail"] }), { kinds: [] });
});

test("readBulkQuery() refuses when the query is empty and all is not said", async () => {
  const read = (init?: QueryInit, all?: boolean) =>
    readBulkQuery("cancel", { query: init && query(init), all }, TAGS);
  await rejectsAt("query", read());
  await rejectsAt("query", read({}));
  await rejectsAt("query", read({ kind: "" }));
  assert.deepEqual(await read(undefined, true), {});
});

test("readBulkQuery() refuses a tag that no job needs, or none, beside other conditions too", async () => {
  for (const verb of ["cancel", "redrive"] as const) {
    for (const tag of ["", "gpus", "no tag", "*"]) {
      for (const rest of [{}, { kind: "render" }, { states: [2] }]) {
        for (const all of [false, true]) {
          const request = { query: query({ tag, ...rest }), all };
          await rejectsAt("query.tag", readBulkQuery(verb, request, TAGS));
        }
      }
    }
  }
  const both = { query: query({ tag: "gpu", kind: "mail" }), all: true };
  assert.deepEqual(await readBulkQuery("cancel", both, TAGS), { kinds: [] });
});

test("readHistoryQuery() takes one instance and refuses other conditions", () => {
  assert.deepEqual(readHistoryQuery(query({ uuid: UUID })), { instanceId: UUID });
  refuses("query.states", () => readHistoryQuery(query({ state: 8 })));
  refuses("query.uuids", () => readHistoryQuery(query({ uuids: [UUID, UUID] })));
  refuses("query.tag", () => readHistoryQuery(query({ uuid: UUID, tag: "gpu" })));
});

test("readUuidPart() takes four characters and refuses three", () => {
  assert.equal(readUuidPart("019B", "uuid"), "019b");
  refuses("uuid", () => readUuidPart("019", "uuid"));
  refuses("uuid", () => readUuidPart("019g", "uuid"));
});
