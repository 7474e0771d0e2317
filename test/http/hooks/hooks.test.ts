import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { type HookForm, type JobHook, parseHookSource } from "../../../src/core/hooks/hook.ts";
import type { HttpRequest } from "../../../src/http/request/http_types.ts";
import { BODY_BYTES_MAX, Hooks } from "../../../src/http/hooks/hooks.ts";
import { ManagerStatusSource } from "../../../src/http/monitoring/status_source.ts";
import { STRANGERS_MAX } from "../../../src/rpc/limits.ts";
import { fakeJob, FakeManager } from "../../support/worlds/fake_manager.ts";
import { keepingLogger, type LoggedLine } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import {
  type HttpWorld,
  httpWorld,
  type HttpWorldOptions,
} from "../../support/worlds/http_world.ts";

const SECRET = "secret-of-the-test-hook";
const JSON_TYPE = { "content-type": "application/json" };

interface HookParts {
  readonly form?: HookForm;
  readonly arguments?: Readonly<Record<string, string>> | readonly string[];
  readonly optional?: readonly string[];
  readonly only?: Readonly<Record<string, readonly (string | number | boolean)[]>>;
}

function hookOf({ form = "github", optional = [], only = {}, ...parts }: HookParts): JobHook {
  const passed = parts.arguments ?? {};
  const isList = Array.isArray(passed);
  return {
    ...{ form, secrets: [SECRET], header: "authorization", replayWindowMs: 300_000 },
    arguments: Object.entries(passed).map(([name, text]) => ({
      name: isList ? Number(name) : name,
      from: parseHookSource(text),
      isRequired: !optional.includes(name),
    })),
    conditions: Object.entries(only).map(([text, values]) => ({
      from: parseHookSource(text),
      values,
    })),
  };
}

async function hookWorld(parts: HookParts = {}, options: HttpWorldOptions = {}) {
  const world = await httpWorld(options);
  world.manager.jobs.set("deploy", fakeJob("deploy", { hook: hookOf(parts) }));
  return world;
}

function signed(body: string, secret = SECRET): Record<string, string> {
  const hex = createHmac("sha256", secret).update(body).digest("hex");
  return { ...JSON_TYPE, "x-hub-signature-256": `sha256=${hex}` };
}

async function post(
  world: HttpWorld,
  body: string,
  headers: Readonly<Record<string, string>> = signed(body),
  path = "/hooks/deploy",
) {
  const response = await world.send(path, { method: "POST", headers, body });
  const found = await response.json() as { readonly id?: string; readonly detail?: string };
  return { status: response.status, headers: response.headers, ...found };
}

test("a delivery starts the job with values of its body, headers and query, once", async () => {
  await using world = await hookWorld({
    arguments: { ref: "$.a['b-c'][0]", event: "header:X-GitHub-Event", env: "query:env", all: "$" },
  });
  const body = '{"a":{"b-c":["main"]},"n":12345678901234567890}';
  const headers = { ...signed(body), "x-github-event": "push" };
  const first = await post(world, body, headers, "/hooks/deploy?env=prod%20x");
  assert.equal(first.status, 201);
  const again = await post(world, body, { ...headers, "x-github-event": "other" });
  assert.deepEqual([again.status, again.id], [422, undefined]);
  const repeated = await post(world, body, headers, "/hooks/deploy?env=prod%20x");
  assert.deepEqual([repeated.status, repeated.id], [200, first.id]);
  assert.deepEqual(world.manager.delivered, [{
    kind: "deploy",
    id: first.id,
    arguments: {
      ...{ ref: "main", event: "push", env: "prod x" },
      all: { a: { "b-c": ["main"] }, n: 12345678901234567890n },
    },
  }]);
  assert.match(first.id!, /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
});

test("arguments by position and optional ones are passed as they are found", async () => {
  await using world = await hookWorld({ arguments: ["$.a", "$.b", "$.c"], optional: ["1"] });
  assert.equal((await post(world, '{"a":null,"c":[1]}')).status, 201);
  assert.deepEqual(world.manager.delivered[0]!.arguments, [null, undefined, [1]]);
});

test("a name such as __proto__ is an argument like any other", async () => {
  await using world = await hookWorld({ arguments: { ["__proto__"]: "$.__proto__" } });
  assert.equal((await post(world, '{"__proto__":{"x":1}}')).status, 201);
  const { arguments: given } = world.manager.delivered[0]!;
  assert.equal(Object.getPrototypeOf(given), Object.prototype);
  assert.deepEqual(Object.getOwnPropertyDescriptor(given, "__proto__")?.value, { x: 1 });
  assert.equal(Reflect.get({}, "x"), undefined);
});

test("a missing value is refused with its path and argument, and not stored", async () => {
  await using world = await hookWorld({ arguments: { ref: "$.head.ref" } });
  const { status, detail } = await post(world, '{"head":{}}');
  assert.equal(status, 422);
  assert.match(detail!, /^Cannot find \$.head.ref, for argument "ref"/);
  assert.deepEqual(world.manager.delivered, []);
});

test("a refused argument names the place that it came from", async () => {
  await using world = await hookWorld({ arguments: { ref: "$.head.ref" } });
  world.manager.deliverError = new JobError("invalid_argument", 'Cannot convert argument "ref.a"', {
    path: "ref.a",
  });
  const { status, detail } = await post(world, '{"head":{"ref":{}}}');
  assert.deepEqual([status, detail], [422, 'Cannot convert argument "ref.a" (from $.head.ref)']);
});

test("what does not meet the conditions is answered and ignored", async () => {
  await using world = await hookWorld({
    only: { "header:x-github-event": ["push"], "$.ref": ["a", "b"], "$.n": [1, true] },
  });
  const send = async (value: object, event = "push") => {
    const body = JSON.stringify(value);
    const response = await post(world, body, { ...signed(body), "x-github-event": event });
    const { ignored } = response as { readonly ignored?: string };
    return [response.status, ignored];
  };
  assert.deepEqual(await send({ ref: "a", n: 1 }, "ping"), [200, "header:x-github-event"]);
  assert.deepEqual(await send({ ref: "c", n: 1 }), [200, "$.ref"]);
  assert.deepEqual(await send({ ref: "a", n: "1" }), [200, "$.n"]);
  assert.deepEqual(await send({ n: 1 }), [200, "$.ref"]);
  assert.equal(world.manager.delivered.length, 0);
  assert.deepEqual(await send({ ref: "b", n: true }), [201, undefined]);
});

test("strangers get one answer for every reason, and the log has the reason", async () => {
  await using world = await hookWorld();
  const bodies = await Promise.all([
    world.send("/hooks/deploy", { method: "POST", body: "{}", headers: JSON_TYPE }),
    world.send("/hooks/deploy", { method: "POST", body: "{}", headers: signed("{} ") }),
    world.send("/hooks/deploy", { method: "POST", body: "", headers: signed("", "another") }),
  ].map(async (sent) => {
    const response = await sent;
    return `${response.status} ${await response.text()}`;
  }));
  assert.equal(new Set(bodies).size, 1);
  assert.match(bodies[0]!, /^401 .*Cannot verify the request/);
  const reasons = world.lines.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);
  assert.equal(
    reasons.filter((line) => /^Refused a request to a hook.*"deploy"/.test(line)).length,
    3,
  );
  assert.match(reasons.join("\n"), /no header x-hub-signature-256/);
  assert.match(reasons.join("\n"), /the secrets differ/);
  assert.doesNotMatch(reasons.join("\n") + bodies.join(), new RegExp(SECRET));
});

test("a kind without a hook, and one that does not exist, are not found", async () => {
  await using world = await hookWorld();
  const paths = [
    "/hooks/echo",
    "/hooks/none",
    "/hooks/",
    "/hooks/%",
    "/hooks/deploy/x",
    "/hooks/__proto__",
  ];
  for (const path of paths) {
    assert.equal((await post(world, "{}", signed("{}"), path)).status, 404, path);
  }
  assert.equal((await post(world, "{}", signed("{}"), "/hooks/deploy/")).status, 201);
});

test("only POST is taken", async () => {
  await using world = await hookWorld();
  for (const method of ["GET", "PUT", "DELETE", "OPTIONS"]) {
    const response = await world.send("/hooks/deploy", { method });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"], method);
  }
});

test("a body has at most 1 MiB", async () => {
  await using world = await hookWorld();
  const text = (length: number) => JSON.stringify("x".repeat(length - 2));
  assert.equal((await post(world, text(BODY_BYTES_MAX))).status, 201);
  const long = text(BODY_BYTES_MAX + 1);
  assert.equal((await post(world, long)).status, 413);
});

test("a body is JSON, also in a form of GitHub; any body is fine if nothing is read from it", async () => {
  await using world = await hookWorld({ arguments: { ref: "$.ref" } });
  const typed = (body: string, type: string) =>
    post(world, body, { ...signed(body), "content-type": type });
  const json = '{"ref":"a&b=ü"}';
  assert.equal((await typed(json, "application/vnd.x+json; charset=utf-8")).status, 201);
  const form = `payload=${encodeURIComponent(json)}`;
  assert.equal((await typed(form, "application/x-www-form-urlencoded")).status, 201);
  assert.equal((await typed(json, "text/plain")).status, 415);
  assert.equal((await typed("a=b", "application/x-www-form-urlencoded")).status, 415);
  assert.equal((await typed('{"ref":', "application/json")).status, 422);
  assert.equal((await typed("[".repeat(5_000), "application/json")).status, 422);
  assert.deepEqual(world.manager.delivered.map(({ arguments: given }) => given), [
    { ref: "a&b=ü" },
    { ref: "a&b=ü" },
  ]);
  world.manager.jobs.set("plain", fakeJob("plain", { hook: hookOf({}) }));
  const plain = { ...signed("hello"), "content-type": "text/plain" };
  assert.equal((await post(world, "hello", plain, "/hooks/plain")).status, 201);
});

test("Stripe's attempts to deliver one event start one run, whatever their times", async () => {
  await using world = await hookWorld({ form: "stripe" });
  const send = (body: string, time = Math.floor(Date.now() / 1_000)) => {
    const hex = createHmac("sha256", SECRET).update(`${time}.${body}`).digest("hex");
    return post(world, body, { ...JSON_TYPE, "stripe-signature": `t=${time},v1=${hex}` });
  };
  const now = Math.floor(Date.now() / 1_000);
  const first = await send('{"id":"evt_1"}', now);
  const second = await send('{"id":"evt_1"}', now - 60);
  const other = await send('{"id":"evt_2"}', now);
  assert.deepEqual([first.status, second.status, other.status], [201, 200, 201]);
  assert.equal(first.id, second.id);
  assert.equal((await send('{"id":"evt_3"}', now - 400)).status, 401);
  assert.deepEqual([(await send("[]", now)).status, (await send("[]", now)).status], [201, 200]);
});

test("with a token, requests are the same only if they have the same key", async () => {
  await using world = await hookWorld({ form: "token" });
  const bearer = { authorization: `Bearer ${SECRET}` };
  const ids = [
    await post(world, "", bearer),
    await post(world, "", bearer),
    await post(world, "", { ...bearer, "idempotency-key": "a" }),
    await post(world, "", { ...bearer, "idempotency-key": "a" }),
    await post(world, "", { ...bearer, "webhook-id": "a" }),
  ];
  assert.deepEqual(ids.map(({ status }) => status), [201, 201, 201, 200, 200]);
  assert.equal(new Set(ids.map(({ id }) => id)).size, 3);
});

test("the same delivery to two jobs starts both", async () => {
  await using world = await hookWorld();
  world.manager.jobs.set("other", fakeJob("other", { hook: hookOf({}) }));
  const first = await post(world, "{}");
  const second = await post(world, "{}", signed("{}"), "/hooks/other");
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.notEqual(first.id, second.id);
});

test("a store that is away, a full queue and a stop let senders try again", async () => {
  await using world = await hookWorld();
  for (const code of ["unavailable", "resource_exhausted", "timeout", "conflict"] as const) {
    world.manager.deliverError = new JobError(code, "not now");
    const { status, headers } = await post(world, "{}");
    assert.deepEqual([status, headers.get("retry-after")], [503, "10"], code);
  }
  world.manager.deliverError = new JobError("not_found", "gone");
  assert.equal((await post(world, "{}")).status, 404);
});

test("a job that gets, changes or loses its hook is treated so at once", async () => {
  await using world = await hookWorld();
  assert.equal((await post(world, "{}")).status, 201);
  const other = { ...hookOf({}), secrets: ["another-secret-of-it"] };
  world.manager.jobs.set("deploy", fakeJob("deploy", { hook: other }));
  assert.equal((await post(world, "{}")).status, 401);
  assert.equal((await post(world, "{}", signed("{}", "another-secret-of-it"))).status, 200);
  world.manager.jobs.set("deploy", fakeJob("deploy"));
  assert.equal((await post(world, "{}")).status, 404);
});

test("wrong requests are limited by address, right ones by hook", async () => {
  await using world = await hookWorld({}, { trustedProxies: ["127.0.0.1"] });
  const from = (address: string, headers = signed("{}")) =>
    post(world, "{}", { ...headers, "x-forwarded-for": address });
  // Right ones are not counted for the address.
  for (let count = 0; count < 110; count++) {
    assert.ok([200, 201].includes((await from("10.0.0.1")).status));
  }
  const statuses: number[] = [];
  let last = await from("10.0.0.2", signed("{}", "wrong-secret-of-it"));
  while (last.status === 401 && statuses.push(last.status) < 1_000) {
    last = await from("10.0.0.2", signed("{}", "wrong-secret-of-it"));
  }
  assert.ok(statuses.length >= 99 && statuses.length < 1_000, `${statuses.length}`);
  assert.deepEqual([last.status, last.headers.get("retry-after")], [429, "10"]);
  assert.equal((await from("10.0.0.1")).status, 200);
});

test("strangers behind the same proxy keep no sender out, unless its body is large", async () => {
  const clock = new SimClock(Date.now());
  const lines: LoggedLine[] = [];
  const manager = new FakeManager();
  manager.jobs.set("deploy", fakeJob("deploy", { hook: hookOf({}) }));
  const source = new ManagerStatusSource(manager, { clock });
  const hooks = new Hooks({ source, clock, logger: keepingLogger(lines) });
  const statusOf = async (change: Partial<HttpRequest>) =>
    (await hooks.respond({ ...wrongRequest("10.0.0.1"), ...change })).status;
  for (let count = 0; count < 100; count++) {
    assert.equal(await statusOf({ path: "/hooks/a/b" }), 404);
  }
  // All the same, so that nobody finds out which hooks there are.
  assert.equal(await statusOf({}), 429);
  assert.equal(await statusOf({ path: "/hooks/nope" }), 429);
  assert.equal(await statusOf({ method: "GET" }), 429);
  assert.deepEqual(lines, []);
  const right = (headers: Readonly<Record<string, string>>) => ({
    headers: { ...signed(""), ...headers },
    admit: () => {},
  });
  assert.equal(await statusOf(right({ "content-length": "65536" })), 201);
  assert.equal(await statusOf(right({ "content-length": "65537" })), 429);
  assert.equal(await statusOf(right({ "transfer-encoding": "chunked" })), 429);
  source.stop();
});

test("a request of a browser's page counts like any other: only its signature matters", async () => {
  await using world = await hookWorld();
  const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  assert.equal((await post(world, "{}", { ...foreign, ...JSON_TYPE, cookie: "a=b" })).status, 401);
  assert.equal((await post(world, "{}", { ...signed("{}"), ...foreign })).status, 201);
});

test("hooks are found below the base path, and not by another host's name", async () => {
  await using world = await hookWorld({}, { basePath: "/jobs/" });
  assert.equal((await post(world, "{}", signed("{}"), "/jobs/hooks/deploy")).status, 201);
  const client = world.raw();
  client.send("POST", "/hooks/deploy", { headers: { host: "evil.example" } });
  assert.equal((await client.response())!.status, 421);
});

test("a token of the API is no token of a hook, and the other way round", async () => {
  await using world = await hookWorld({ form: "token" });
  assert.equal(
    (await post(world, "", { authorization: "Bearer not-the-hook-token-at-all" })).status,
    401,
  );
  const api = await world.send("/api/v1/jobs", { headers: { cookie: "x=y" } });
  assert.equal(api.headers.get("set-cookie"), null);
});

test("of many refused requests the first are logged, and then the number of the others", async () => {
  const clock = new SimClock(Date.now());
  const lines: LoggedLine[] = [];
  const manager = new FakeManager();
  manager.jobs.set("deploy", fakeJob("deploy", { hook: hookOf({}) }));
  const source = new ManagerStatusSource(manager, { clock });
  const hooks = new Hooks({ source, clock, logger: keepingLogger(lines) });
  const send = async (index: number) => {
    const response = await hooks.respond(wrongRequest(`10.0.0.${index}`));
    assert.equal(response.status, 401);
  };
  for (let index = 0; index < 30; index++) await send(index);
  assert.equal(lines.length, 20);
  await clock.advance(5_000);
  await send(30);
  assert.deepEqual(lines[20]!.fields, {
    job: "deploy",
    address: "10.0.0.30",
    reason: "there is no header x-hub-signature-256",
    omitted: 10,
  });
  source.stop();
});

test("the connection of a verified sender is not closed to make room for strangers", async () => {
  await using world = await hookWorld({}, { trustedProxies: ["127.0.0.1"] });
  const request = { headers: { ...signed("{}"), "x-forwarded-for": "10.0.0.1" }, body: {} };
  const sender = world.raw();
  sender.send("POST", "/hooks/deploy", request);
  assert.equal((await sender.response())!.status, 201);
  const first = world.raw();
  for (let count = 0; count <= STRANGERS_MAX; count++) {
    const stranger = count === 0 ? first : world.raw();
    stranger.send("POST", "/hooks/deploy", { body: {} });
    assert.ok([401, 429].includes((await stranger.response())!.status));
  }
  await first.closed;
  sender.send("POST", "/hooks/deploy", request);
  assert.equal((await sender.response())!.status, 200);
});

function wrongRequest(address: string): HttpRequest {
  return {
    ...{ method: "POST", path: "/hooks/deploy", query: new URLSearchParams(), headers: {} },
    ...{ address, peer: address, isSecure: false, isHead: false },
    user: () => assert.fail("nobody asks"),
    signal: new AbortController().signal,
    body: () => Promise.resolve(new Uint8Array()),
    authorize: () => new JobError("internal", "nobody asks"),
    admit: () => assert.fail("it is not verified"),
  };
}
