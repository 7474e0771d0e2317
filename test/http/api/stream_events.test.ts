import assert from "node:assert/strict";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import type { FollowStep } from "../../../src/manager/api.ts";
import { OWNER } from "../../../src/rpc/auth/auth.ts";
import { followSteps } from "../../../src/rpc/handlers/follow.ts";
import { type ApiWorld, apiWorld } from "../../support/worlds/api_world.ts";

const NOTHING = { entries: [], instance: null, changed: [], hasMissed: false };

/** The cursor that each call of `follow` is given; the calls see these steps. */
function followed(world: ApiWorld, steps: readonly FollowStep[], error?: JobError): unknown[] {
  const cursors: unknown[] = [];
  world.manager.follow = async function* (_query, options) {
    cursors.push(options?.cursor, options?.fromNow);
    yield* steps;
    if (error) throw error;
  };
  return cursors;
}

test("follow is a stream of events, each with the cursor behind it as id", async () => {
  await using world = await apiWorld();
  const instance = world.manager.add({ state: "completed", resultsJson: '["1"]' });
  const line = {
    instanceId: instance.id,
    kind: "echo",
    at: 0,
    level: "info",
    message: "a\nb",
    source: "stdout",
    attempt: 1,
    fence: 1,
    seq: 1,
  } as const;
  followed(world, [
    { ...NOTHING, cursor: "c1", entries: [line] },
    { ...NOTHING, cursor: "c1" },
    { ...NOTHING, cursor: "c2", instance },
  ]);
  const response = await world.send("GET", `/api/v1/instances/${instance.id}/follow`);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const events = (await response.text()).trim().split("\n\n").map((event) =>
    event.split("\n").map((one) => one.slice(one.indexOf(": ") + 2))
  );
  assert.deepEqual(events.map(([id, name]) => [id, name]), [
    ["c1", "news"],
    ["c1", "alive"],
    ["c2", "news"],
    ["c2;end", "end"],
  ]);
  const [first, , last] = events.map(([, , data]) => JSON.parse(data!));
  assert.deepEqual(first.entries[0].message, "a\nb");
  assert.deepEqual(last.instance.results, ["1"]);
});

test("follow resumes behind the last event that a client got, and ends for one that got the end", async () => {
  await using world = await apiWorld();
  const cursors = followed(world, [{ ...NOTHING, cursor: "c3" }]);
  const resume = (id: string) =>
    world.send("GET", "/api/v1/follow?from_now=true&cursor=c0", undefined, { "last-event-id": id });
  assert.match(await (await resume("c2")).text(), /^id: c3\n/);
  assert.deepEqual(cursors, ["c2", true]);
  assert.equal((await resume("c3;end")).status, 204);
  assert.equal(cursors.length, 2);
});

test("follow refuses at once what it cannot follow, and reports a later problem as an event", async () => {
  await using world = await apiWorld();
  const unavailable = new JobError("unavailable", "Cannot follow any longer");
  followed(world, [{ ...NOTHING, cursor: "c1" }], unavailable);
  const refused = await world.send("GET", "/api/v1/follow?level=loud");
  assert.equal(refused.status, 400);
  const text = await (await world.send("GET", "/api/v1/follow")).text();
  const last = text.trim().split("\n\n").at(-1)!;
  assert.match(last, /^event: problem\ndata: \{.*"status":503.*"code":"unavailable"/);
  assert.doesNotMatch(last, /id:/);
});

test("a stream that nobody reads is ended, and HEAD opens none", async () => {
  await using world = await apiWorld();
  let ended = 0;
  let begun = 0;
  world.manager.follow = async function* () {
    begun += 1;
    try {
      yield { ...NOTHING, cursor: "c1" };
      yield { ...NOTHING, cursor: "c2" };
    } finally {
      ended += 1;
    }
  };
  const request = {
    path: "/api/v1/follow",
    query: new URLSearchParams(),
    headers: {},
    body: () => Promise.resolve(new Uint8Array(0)),
    authorize: () => OWNER,
    peer: "127.0.0.1:1",
    signal: new AbortController().signal,
  };
  const head = await world.api.respond({ ...request, method: "HEAD" });
  assert.deepEqual([head.status, begun], [200, 0]);
  const response = await world.api.respond({ ...request, method: "GET" });
  assert.ok("events" in response);
  await response.events[Symbol.asyncIterator]().return?.();
  assert.deepEqual([begun, ended], [1, 1]);
});

test("messages of many followers leave room for others between them", async () => {
  const step = { entries: [], cursor: "1", instance: null, changed: [], hasMissed: false };
  const manager = {
    async *follow() {
      for (let count = 0; count < 50; count += 1) yield step;
    },
  };
  let count = 0;
  const { signal } = new AbortController();
  const all = Array.from({ length: 20 }, async () => {
    for await (const _ of followSteps(manager, new Uint8Array(0), { signal })) count += 1;
  });
  let most = 0;
  for (let before = 0; before < 1_000; before = count) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, count - before);
  }
  await Promise.all(all);
  assert.ok(most <= 2, `${most} at once`);
});
