import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf } from "../../../src/http/api/openapi/operations.ts";
import { contractRoutes, type Route } from "../../../src/http/api/routes.ts";
import { roleOf, ROLES } from "../../../src/rpc/auth/auth.ts";
import { apiWorld } from "../../support/worlds/api_world.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";
import { fakeJob } from "../../support/worlds/fake_manager.ts";

const UUID = "019b77c0-1111-7000-8000-00000000000a";

/** The members of a problem that programs use. */
async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const { status, code, path, detail, hint } = await response.json() as Record<string, unknown>;
  assert.equal(status, response.status);
  return { status, code, path, detail, hint };
}

test("POST /jobs/KIND/runs creates an instance, and says where it is", async () => {
  await using world = await apiWorld({ basePath: "/jobs" });
  const response = await world.send("POST", "/api/v1/jobs/echo/runs", {
    arguments: ["1", 1, { at: null }],
    unique_key: "k",
    timeout: "5m",
    at: "2026-01-01T01:00:00.250+01:00",
  });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("cache-control"), "no-store");
  const { instance } = await response.json() as { instance: Record<string, unknown> };
  assert.equal(response.headers.get("location"), `/jobs/api/v1/instances/${instance.id}`);
  assert.equal(instance.state, "scheduled");
  assert.deepEqual(instance.arguments, ["1", 1, { at: null }]);
  assert.deepEqual(world.manager.scheduled[0]?.options, {
    arguments: ["1", 1, { at: null }],
    uniqueKey: "k",
    timeoutMs: 300_000,
    at: Date.UTC(2026, 0, 1) + 250,
  });
});

test("POST /jobs/KIND/runs takes the instance's id as Idempotency-Key", async () => {
  await using world = await apiWorld();
  const headers = { "idempotency-key": UUID };
  const response = await world.send("POST", "/api/v1/jobs/echo/runs", {}, headers);
  assert.equal(response.status, 201);
  assert.equal((world.manager.scheduled[0]?.options as { id?: string }).id, UUID);
  const other = await world.send("POST", "/api/v1/jobs/echo/runs", { id: "x" }, headers);
  assert.equal((await problemOf(other)).path, "id");
  const retry = await world.send("POST", `/api/v1/instances/${UUID}/retry`, undefined, headers);
  assert.equal(retry.status, 400);
});

test("a dry run creates nothing, and has no place", async () => {
  await using world = await apiWorld();
  const response = await world.send("POST", "/api/v1/jobs/echo/runs", { dry_run: true });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("location"), null);
});

test("a body with an unknown member, a wrong type or a name given twice is refused by its path", async () => {
  await using world = await apiWorld();
  const refusals: readonly (readonly [unknown, string])[] = [
    [{ argumens: [1] }, "argumens"],
    [{ recurrence: { blackot: [] } }, "recurrence.blackot"],
    ['{"__proto__": {"kind": "x"}}', "__proto__"],
    [{ unique_key: 7 }, "unique_key"],
    [{ unique_key: "a\0b" }, "unique_key"],
    ['{"unique_key": "\\ud800"}', "unique_key"],
    [{ unique_key: null }, "unique_key"],
    ['{"timeout_ms": 9007199254740993}', "timeout_ms"],
    [{ timeout_ms: 1.5 }, "timeout_ms"],
    [{ priority: 2 ** 31 }, "priority"],
    [{ timeout_ms: 5, timeout: "5ms" }, "timeout"],
    [{ timeout: "5 parsecs" }, "timeout"],
    [{ at: "2026-02-30T00:00:00Z" }, "at"],
    [{ at: "2026-01-01T00:00:00" }, "at"],
    [{ recurrence: [] }, "recurrence"],
    [{ recurrence: { blackout: ["sat", 7] } }, "recurrence.blackout[1]"],
    [{ kind: "other" }, "kind"],
    ['{"timeout": "5m", "priority": 1, "timeout": "5m"}', "timeout"],
    ['{"arguments": {"day": "a", "d\\u0061y": "b"}}', "arguments.day"],
    ['{"arguments": [":", {"x": [{"a:": 1, "b": {}, "a:" : 1}]}]}', "arguments[1].x[0].a:"],
    ['{"arguments": {"__proto__": 1, "__proto__": 2}}', "arguments.__proto__"],
  ];
  for (const [body, path] of refusals) {
    const response = await world.send("POST", "/api/v1/jobs/echo/runs", body);
    const { status, code, path: found } = await problemOf(response);
    assert.deepEqual([status, code, found], [400, "invalid_argument", path]);
  }
  const near = await world.send("POST", "/api/v1/jobs/echo/runs", { argumens: [1] });
  assert.equal((await problemOf(near)).hint, 'Did you mean "arguments"?');
  assert.equal(world.manager.scheduled.length, 0);
});

test("a body that is no JSON object is refused", async () => {
  await using world = await apiWorld();
  const deep = `{"arguments": ${"[".repeat(1_000)}${"]".repeat(1_000)}}`;
  for (const body of ["[]", "7", '"x"', "null", "{", "{} {}", deep]) {
    const response = await world.send("POST", "/api/v1/jobs/echo/runs", body);
    assert.deepEqual((await problemOf(response)).code, "invalid_argument", body.slice(0, 20));
  }
  const broken = await fetch(`${world.url}/api/v1/jobs/echo/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Uint8Array.of(0x7b, 0xff, 0x7d),
  });
  assert.equal(broken.status, 400);
  const form = await world.send("POST", "/api/v1/jobs/echo/runs", "{}", {
    "content-type": "text/plain",
  });
  assert.equal((await problemOf(form)).status, 415);
});

test("a body may have 100,000 arrays and objects, which need far more memory than text", async () => {
  await using world = await apiWorld();
  // With the object around them and the list of arguments.
  const send = (count: number) =>
    world.send("POST", "/api/v1/jobs/echo/runs", `{"arguments": [[${"[],".repeat(count - 4)}{}]]}`);
  assert.equal((await send(100_000)).status, 201);
  const refused = await problemOf(await send(100_001));
  assert.equal(refused.status, 400);
  assert.match(String(refused.detail), /it has more than 100000 arrays and objects$/);
});

test("a body beyond its limit is too large", async () => {
  await using world = await apiWorld();
  const response = await world.send("POST", "/api/v1/jobs/echo/runs", {
    arguments: ["x".repeat(5_000_000)],
  });
  assert.equal((await problemOf(response)).status, 413);
});

test("names of members may be the same in different objects, and in texts", async () => {
  await using world = await apiWorld();
  const body =
    '{"arguments": [{"a": 1}, {"a": {"a": "\\\\"}}, "{\\"a\\": 1, \\"a\\": 2}"], "priority": 1}';
  const response = await world.send("POST", "/api/v1/jobs/echo/runs", body);
  assert.equal(response.status, 201);
  assert.deepEqual((world.manager.scheduled[0]?.options as { arguments: unknown }).arguments, [
    { a: 1 },
    { a: { a: "\\" } },
    '{"a": 1, "a": 2}',
  ]);
});

test("GET /schedules/{id}/explain is about one schedule, whose kind need not be given", async () => {
  await using world = await apiWorld();
  const response = await world.send("GET", "/api/v1/schedules/config%3Aecho%3A0/explain");
  assert.equal(response.status, 200);
  const { reports } = await response.json() as { reports: { kind: string }[] };
  assert.deepEqual(reports.map(({ kind }) => kind), ["echo"]);
  assert.deepEqual(world.manager.explained, [{ kind: "echo", scheduleId: "config:echo:0" }]);
});

test("GET /config lists values as JSON, and GET /store what the store has", async () => {
  await using world = await apiWorld();
  const read = async (path: string) =>
    await (await world.send("GET", `/api/v1/${path}`)).json() as Record<string, unknown>;
  assert.deepEqual(await read("config"), {
    file: "/etc/jobctl/config.toml",
    settings: [
      { path: "worker.count", value: 4, origin: "/etc/jobctl/config.toml:3" },
      { path: "server.port", value: 59_051 },
    ],
    has_more: false,
    restart: ["server"],
    problems: ["config.toml:3:9: worker.count: found 0, wanted 1 or more"],
  });
  const { totals, ...store } = await read("store");
  assert.equal((totals as { completed: number }).completed, 2);
  assert.deepEqual([store.bytes, store.oldest_at, store.kinds, store.schedules], [
    ...[8_192, "2026-01-01T00:00:00.000Z", 1, 2],
  ]);
  assert.deepEqual([store.wal_bytes, store.backup_at], [undefined, undefined]);
});

test("arguments keep the digits of large integers", async () => {
  await using world = await apiWorld();
  const body =
    '{"arguments": {"n": 12345678901234567890, "list": [1.5, {"m": -9007199254740993}], "big": -1e400}}';
  await world.send("POST", "/api/v1/jobs/echo/runs", body);
  assert.deepEqual(world.manager.scheduled[0]?.options, {
    arguments: { n: 12345678901234567890n, list: [1.5, { m: -9007199254740993n }], big: -Infinity },
  });
});

test("a path is percent-decoded once, and its parts are not conditions when they are empty", async () => {
  await using world = await apiWorld();
  const kind = "a/b c%25";
  world.manager.jobs.set(kind, fakeJob(kind));
  const run = (path: string) => world.send("POST", path, {});
  await run("/api/v1/jobs/a%2Fb%20c%2525/runs");
  assert.equal(world.manager.scheduled[0]?.kind, kind);
  assert.equal((await run("/api/v1/jobs//runs")).status, 404);
  assert.equal((await run("/api/v1/jobs/%ff/runs")).status, 400);
  assert.equal((await run("/api/v1/jobs/a%00b/runs")).status, 400);
  assert.equal((await world.send("DELETE", "/api/v1/pauses/")).status, 404);
  assert.equal((await world.send("GET", "/api/v1/instances/")).status, 404);
});

test("an unknown path is not found, and another method is told those that are allowed", async () => {
  await using world = await apiWorld();
  const missing = await world.send("GET", "/api/v1/instance");
  assert.equal((await problemOf(missing)).code, "not_found");
  const other = await world.send("PUT", "/api/v1/jobs/echo");
  assert.equal((await problemOf(other)).status, 405);
  assert.equal(other.headers.get("allow"), "GET, HEAD, OPTIONS");
  const options = await world.send("OPTIONS", "/api/v1/instances");
  assert.equal(options.status, 204);
  assert.equal(options.headers.get("allow"), "GET, HEAD, OPTIONS, POST");
});

test("a query gives conditions by their names, also several of one", async () => {
  await using world = await apiWorld();
  const first = world.manager.add({ state: "terminated" });
  world.manager.add({ state: "completed" });
  world.manager.add({ state: "canceled", kind: "other" });
  const idsOf = async (query: string) => {
    const response = await world.send("GET", `/api/v1/instances?${query}`);
    assert.equal(response.status, 200, query);
    const { instances } = await response.json() as { instances: { id: string }[] };
    return instances.length;
  };
  assert.equal(await idsOf("state=terminated"), 1);
  assert.equal(await idsOf("state=terminated&state=cancelled"), 2);
  assert.equal(await idsOf("query.state=JOB_STATE_TERMINATED&kind=echo"), 1);
  assert.equal(await idsOf("states=completed&states=canceled"), 2);
  assert.equal(await idsOf("state=failed"), 1);
  assert.equal(await idsOf("state=failed&state=Cancelled&state=timed%20out"), 2);
  assert.equal(await idsOf("state=running&state=waiting"), 0);
  assert.equal(await idsOf(`id=${first.id}&dead=true`), 1);
  for (
    const wrong of [
      "stat=x",
      "state=broken",
      "dead=maybe",
      "page_size=many",
      "query=x",
      "kind=a&kinds=b&kind=c",
    ]
  ) {
    const response = await world.send("GET", `/api/v1/instances?${wrong}`);
    assert.equal(response.status, 400, wrong);
  }
  const near = await world.send("GET", "/api/v1/instances?stat=x");
  assert.match(String((await problemOf(near)).hint), /"state"/);
});

test("an error names the members that were sent, not the fields of the contract", async () => {
  await using world = await apiWorld();
  const unknown = await world.send("GET", "/api/v1/instances?id=nope");
  const { path, detail } = await problemOf(unknown);
  assert.deepEqual([path, detail], [
    "id",
    'Cannot read field "id": found "nope", wanted a UUID',
  ]);
  const both = await world.send("POST", "/api/v1/jobs/echo/runs", { cron: "@daily", id: UUID });
  assert.equal((await problemOf(both)).path, "id");
});

test("GET /instances/ID?wait= waits", async () => {
  await using world = await apiWorld();
  const { id } = world.manager.add({ state: "processing" });
  for (const wait of ["wait=0", "wait_ms=0"]) {
    const response = await world.send("GET", `/api/v1/instances/${id}?${wait}`);
    const { instance } = await response.json() as { instance: { state: string } };
    assert.equal(instance.state, "processing");
  }
  const wrong = await world.send("GET", `/api/v1/instances/${id}?wait=soon`);
  assert.equal((await problemOf(wrong)).path, "wait");
});

test("a read has an ETag, and is not sent again to who has it", async () => {
  await using world = await apiWorld();
  const { id } = world.manager.add();
  const first = await world.send("GET", `/api/v1/instances/${id}`);
  const tag = first.headers.get("etag")!;
  const again = await world.send("GET", `/api/v1/instances/${id}`, undefined, {
    "if-none-match": `"other", W/${tag}`,
  });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
  await world.send("POST", "/api/v1/instances/cancel", { query: { ids: [id] } });
  const changed = await world.send("GET", `/api/v1/instances/${id}`, undefined, {
    "if-none-match": tag,
  });
  assert.equal(changed.status, 200);
  const head = await world.send("HEAD", `/api/v1/instances/${id}`);
  assert.equal(head.headers.get("etag"), changed.headers.get("etag"));
});

test("every request needs the role of its method, and a token", async () => {
  const tokens = ROLES.map((role) => tokenEntry(role, `${role}-token`, role));
  await using world = await apiWorld({ auth: { ...NO_AUTH, mode: "token", tokens } });
  const statusFor = async (route: Route, token: string | null) => {
    const path = pathOf(route).replaceAll(/\{\w+\}/g, "x");
    const headers = token === null ? {} : { authorization: `Bearer ${token}-token` };
    const abort = new AbortController();
    const query = route.when === null ? "" : `?${route.when}=0`;
    const response = await fetch(`${world.url}${path}${query}`, {
      method: route.verb,
      headers,
      signal: abort.signal,
    });
    abort.abort();
    return response.status;
  };
  for (const route of contractRoutes()) {
    const what = `${route.verb} ${route.path}`;
    assert.equal(await statusFor(route, null), 401, what);
    for (const role of ROLES) {
      const isAllowed = ROLES.indexOf(role) >= ROLES.indexOf(roleOf(route.name)!);
      assert.equal(await statusFor(route, role) !== 403, isAllowed, `${what} as ${role}`);
    }
  }
});
