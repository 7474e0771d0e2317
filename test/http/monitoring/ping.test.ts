import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { skipWithout } from "../../../scripts/programs/install.mjs";
import { HttpServer } from "../../../src/http/server/server.ts";
import { PingQuota, type PingVerdict } from "../../../src/http/monitoring/ping_quota.ts";
import { isForeign, readPing } from "../../../src/http/monitoring/ping_request.ts";
import { ManagerStatusSource } from "../../../src/http/monitoring/status_source.ts";
import { JobError } from "../../../src/core/errors.ts";
import { type Clock, systemClock } from "../../../src/platform/clock.ts";
import type { Logger } from "../../../src/platform/logger.ts";
import { fakeJob, FakeManager } from "../../support/worlds/fake_manager.ts";
import { rawSocket } from "../../support/raw_grpc.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** Pings, as healthchecks.io's clients send them. */

const KEY = "key-of-echo-with-20ch";
const RUN = "0b3a4bcd-1c9a-4f0e-8f7e-2d1f00000001";

async function pingWorld(clock: Clock = systemClock) {
  const manager = new FakeManager();
  manager.jobs.set("start", fakeJob("start"));
  const logged: string[] = [];
  const log: Logger["info"] = (message, fields) => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };
  const server = new HttpServer({
    source: new ManagerStatusSource(manager, { clock }),
    clock,
    logger: { debug: log, info: log, warn: log, error: log },
    host: "127.0.0.1",
    port: 0,
    hosts: [],
    connectionsMax: 256,
    site: { basePath: "/", publicUrl: null, trustedProxies: [] },
    app: null,
  });
  await server.start();
  const { port } = server.address;
  return {
    manager,
    logged,
    port,
    url: `http://127.0.0.1:${port}/ping/${KEY}`,
    ping: async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}/ping/${path}`, init);
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function curl(...args: readonly string[]): Promise<string> {
  const child = spawn("curl", args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (bytes) => output += bytes);
  const [code] = await once(child, "close");
  return `${code} ${output}`;
}

test("curl lines of healthchecks.io work as they are", { skip: skipWithout("curl") }, async () => {
  await using world = await pingWorld();
  const { url, manager } = world;
  assert.equal(await curl("-fsS", "-m", "10", "--retry", "5", "-o", "/dev/null", url), "0 ");
  assert.equal(await curl("-m", "10", "--retry", "5", "-sS", `${url}/start`), "0 OK");
  assert.equal(await curl("-fsS", `${url}/fail`), "0 OK");
  assert.equal(await curl("-fsS", `${url}/7`), "0 OK");
  assert.equal(await curl("-fsS", "--data-raw", "one\ntwo", `${url}/0`), "0 OK");
  assert.equal(await curl("-fsS", "-I", "-o", "/dev/null", url), "0 ");
  assert.equal(await curl("-fsS", "--data-binary", "@package.json", `${url}/log`), "0 OK");
  assert.deepEqual(
    manager.reported.map((
      { kind, run: { event, exitCode, output, host } },
    ) => [kind, event, exitCode, output?.slice(0, 7), host]),
    [
      ["echo", "success", undefined, "", "127.0.0.1"],
      ["echo", "start", undefined, "", "127.0.0.1"],
      ["echo", "failure", undefined, "", "127.0.0.1"],
      ["echo", "failure", 7, "", "127.0.0.1"],
      ["echo", "success", undefined, "one\ntwo", "127.0.0.1"],
      ["echo", "success", undefined, "", "127.0.0.1"],
      ["echo", "log", undefined, '{\n  "na', "127.0.0.1"],
    ],
  );
  assert.match(await curl("-fsS", "-o", "/dev/null", `${url}x`), /^22 /);
});

test("the requests of runitor work as they are", async () => {
  await using world = await pingWorld();
  const headers = { "content-type": "text/plain", "user-agent": "runitor/v1.3.0" };
  const send = (path: string, body?: string) => world.ping(path, { method: "POST", headers, body });
  const begun = await send(`${KEY}/start?rid=${RUN}`);
  assert.deepEqual([begun.status, begun.text], [200, "OK"]);
  assert.equal(begun.headers.get("ping-body-limit"), "100000");
  assert.equal((await send(`${KEY}/3?rid=${RUN}`, "boom")).status, 200);
  assert.equal((await send(`shared-key-for-all-jobs/echo/start?create=1`)).status, 200);
  assert.equal((await send(`shared-key-for-all-jobs/echo/0`, "fine")).status, 200);
  assert.equal((await send(`shared-key-for-all-jobs/echo/fail`)).status, 200);
  assert.deepEqual(
    world.manager.reported.map((
      { run: { event, runId, exitCode, output } },
    ) => [event, runId, exitCode, output]),
    [
      ["start", RUN, undefined, ""],
      ["failure", RUN, 3, "boom"],
      ["start", undefined, undefined, ""],
      ["success", undefined, undefined, "fine"],
      ["failure", undefined, undefined, ""],
    ],
  );
});

test("a ping in chunks is read whole, and a large body up to its limit", async () => {
  await using world = await pingWorld();
  const parts = ["one", "two", "three"].map((text) => new TextEncoder().encode(text));
  const body = new ReadableStream({
    pull(controller) {
      const next = parts.shift();
      if (next) controller.enqueue(next);
      else controller.close();
    },
  });
  await world.ping(KEY, { method: "POST", body, duplex: "half" } as RequestInit);
  const large = await world.ping(KEY, { method: "POST", body: "x".repeat(150_000) });
  assert.equal(large.status, 200);
  const [first, second] = world.manager.reported;
  assert.equal(first!.run.output, "onetwothree");
  assert.equal(second!.run.output, "x".repeat(100_000));
});

test("a ping with an unknown key is not found, and no key is logged", async () => {
  await using world = await pingWorld();
  for (const key of ["unknown-key-of-nobody", "short", `${KEY}x`, "shared-key-for-all-jobs"]) {
    const { status, text } = await world.ping(key);
    assert.deepEqual([status, text], [404, "not found"], key);
  }
  assert.equal((await world.ping("shared-key-for-all-jobs/nope")).status, 404);
  assert.equal((await world.ping(`${KEY}/echo`)).status, 404);
  world.manager.ping = () => Promise.reject(new JobError("unavailable", "Cannot reach it"));
  assert.equal((await world.ping(`${KEY}/start`)).status, 503);
  assert.deepEqual(world.logged.map((line) => line.split(" {")[0]), [
    "HTTP listens",
    "Cannot serve an HTTP request",
  ]);
  assert.doesNotMatch(world.logged.join(), new RegExp(KEY));
});

test("pings are refused with the status that clients understand", async () => {
  await using world = await pingWorld();
  const statusOf = async (path: string, init?: RequestInit) =>
    (await world.ping(path, init)).status;
  assert.equal(await statusOf(`${KEY}/256`), 404);
  assert.equal(await statusOf(`${KEY}/echo/256`), 400);
  assert.equal(await statusOf(`${KEY}?rid=7`), 400);
  assert.equal(await statusOf(`${KEY}?ago=-1`), 400);
  assert.equal(await statusOf(`${KEY}/a/b/c`), 400);
  assert.equal(await statusOf(`${KEY}//start`), 400);
  assert.equal(await statusOf(`${KEY}/%`), 400);
  assert.equal(await statusOf(KEY, { method: "PUT" }), 405);
  assert.equal(await statusOf(KEY, { headers: { "sec-fetch-site": "cross-site" } }), 403);
  assert.equal(await statusOf(KEY, { headers: { "sec-purpose": "prefetch" } }), 403);
  world.manager.ping = () => Promise.reject(new JobError("resource_exhausted", "full"));
  assert.equal(await statusOf(KEY), 429);
  world.manager.ping = () => Promise.reject(new JobError("invalid_argument", "wrong"));
  assert.equal(await statusOf(KEY), 400);
  assert.deepEqual(world.manager.reported, []);
});

test("a ping for an unknown host name is refused", async () => {
  await using world = await pingWorld();
  const request = `GET /ping/${KEY} HTTP/1.1\r\nHost: evil.example\r\n\r\n`;
  const { socket } = await rawSocket(world.port);
  socket.write(request);
  const [bytes] = await once(socket, "data");
  assert.match(String(bytes), /^HTTP\/1\.1 421 /);
  assert.deepEqual(world.manager.reported, []);
  socket.destroy();
});

test("a second request behind a ping is not read", async () => {
  await using world = await pingWorld();
  const one = `POST /ping/${KEY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi`;
  const { socket } = await rawSocket(world.port);
  socket.write(one + one.replace("hi", "no"));
  let text = "";
  socket.on("data", (bytes) => text += bytes);
  await once(socket, "close");
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 1);
  assert.deepEqual(world.manager.reported.map(({ run }) => run.output), ["hi"]);
});

test("readPing() reads what a run did and when", () => {
  const read = (url: string) => readPing(`/ping/${url}`, { host: "h" });
  const common = { host: "h", output: "", msAgo: 0 };
  assert.deepEqual(read(`${KEY}/start/`), {
    candidates: [
      { key: KEY, kind: null, run: { ...common, event: "start" } },
      { key: KEY, kind: "start", run: { ...common, event: "success" } },
    ],
  });
  assert.deepEqual(read(`${KEY}/a%20b%2Fc/255?ago=1.5&rid=${RUN.toUpperCase()}&create=1`), {
    candidates: [{
      key: KEY,
      kind: "a b/c",
      run: { ...common, msAgo: 1_500, runId: RUN, event: "failure", exitCode: 255 },
    }],
  });
});

test("isForeign() knows requests that a page of another site causes", () => {
  assert.equal(isForeign({}), false);
  assert.equal(isForeign({ "sec-fetch-site": "none" }), false);
  assert.equal(isForeign({ "sec-fetch-site": "same-site" }), true);
  assert.equal(isForeign({ origin: "https://evil.example" }), true);
  assert.equal(isForeign({ purpose: "prefetch" }), true);
  const host = "192.0.2.7:59052";
  assert.equal(isForeign({ host, referer: "http://evil.example/page" }), true);
  assert.equal(isForeign({ host, referer: "no URL" }), true);
  assert.equal(isForeign({ host, referer: `http://${host}/` }), false);
});

function pingQuota(clock: SimClock, keys: readonly string[]) {
  const hashes = new Set(keys.map((key) => createHash("sha256").update(key).digest("hex")));
  let readCount = 0;
  const quota = new PingQuota(clock, () => {
    readCount += 1;
    return Promise.resolve(hashes);
  });
  return {
    reads: () => readCount,
    /** How many of so many pings at once got a verdict. */
    async count(verdict: PingVerdict, address: string, key: string, count: number) {
      const all = Array.from({ length: count }, () => quota.judge(address, key));
      return (await Promise.all(all)).filter((one) => one === verdict).length;
    },
  };
}

test("PingQuota takes a burst of wrong keys of an address or an IPv6 network, then some a second", async () => {
  const clock = new SimClock();
  const { count } = pingQuota(clock, []);
  const taken = (address: string, some: number) => count("wrong", address, "guess", some);
  assert.equal(await taken("10.0.0.1", 200), 100);
  assert.equal(await taken("2001:db8::1", 60), 60);
  assert.equal(await taken("2001:db8::ffff:1", 60), 40);
  await clock.advance(1_000);
  assert.equal(await taken("10.0.0.1", 200), 10);
  for (const host of [3, 4, 5, 6]) await taken(`10.0.0.${host}`, 100);
  assert.equal(await taken("10.0.0.7", 100), 50, "all together");
});

test("PingQuota takes right keys whatever strangers with the same address have tried", async () => {
  const clock = new SimClock();
  const { count } = pingQuota(clock, [KEY]);
  assert.equal(await count("wrong", "proxy", "guess", 1_000), 100);
  assert.equal(await count("right", "proxy", KEY, 200), 100, "its own limit");
  await clock.advance(1_000);
  assert.equal(await count("right", "proxy", KEY, 200), 10);
  assert.equal(await count("wrong", "proxy", "guess", 100), 10);
});

test("PingQuota reads the keys ten times a second at most, and none for a key it knows", async () => {
  const clock = new SimClock();
  const { count, reads } = pingQuota(clock, [KEY]);
  await count("wrong", "a", "guess", 1_000);
  assert.equal(reads(), 1);
  await count("right", "a", KEY, 50);
  assert.equal(reads(), 1);
  let isOver = false;
  const flood = (async () => {
    while (!isOver) await count("wrong", "a", "guess", 10);
  })();
  await clock.advance(10_000);
  assert.ok(reads() > 100 && reads() <= 151, String(reads()));
  isOver = true;
  await clock.advance(1_000);
  await flood;
});

test("pings with a right key are taken while strangers at the same address try others", async () => {
  await using world = await pingWorld();
  const statuses = new Set<number>();
  // Fewer at a time than there may be connections.
  for (let group = 0; group < 3; group += 1) {
    const guesses = await Promise.all(Array.from({ length: 100 }, (_, index) => {
      return world.ping(`guess-of-twenty-characters-${group}-${index}`);
    }));
    for (const { status } of guesses) statuses.add(status);
  }
  assert.deepEqual([...statuses].sort(), [404, 429]);
  assert.equal((await world.ping(KEY, { method: "POST", body: "done" })).status, 200);
  assert.equal((await world.ping("shared-key-for-all-jobs/start/log")).status, 200);
  assert.deepEqual(world.manager.reported.map(({ kind, run }) => [kind, run.output]), [
    ["echo", "done"],
    ["start", ""],
  ]);
});
