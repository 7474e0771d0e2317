import assert from "node:assert/strict";
import { test } from "node:test";
import { contractRoutes, type Route } from "../../../src/http/api/routes.ts";
import type { Caller } from "../../../src/rpc/auth/auth.ts";
import { type Role, roleOf, ROLES } from "../../../src/rpc/auth/auth.ts";
import { sessionHolderOf } from "../../../src/rpc/auth/session_proof.ts";
import { type BrowserWorld, browserWorld } from "../../support/worlds/browser_world.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** Who gets in with a browser: the API and the site over real connections. */

const TOKENS = {
  viewer: tokenEntry("eyes", "viewer-token-of-32-characters-lo", "viewer"),
  operator: tokenEntry("hands", "operator-token-of-32-characters-", "operator"),
  admin: tokenEntry("boss", "admin-token-of-32-characters-long", "admin"),
  limited: tokenEntry("shop", "limited-token-of-32-characters-l", "admin", { jobs: ["shop-*"] }),
};
const PLAIN: Readonly<Record<keyof typeof TOKENS, string>> = {
  viewer: "viewer-token-of-32-characters-lo",
  operator: "operator-token-of-32-characters-",
  admin: "admin-token-of-32-characters-long",
  limited: "limited-token-of-32-characters-l",
};
const AUTH = { ...NO_AUTH, mode: "token", tokens: Object.values(TOKENS) } as const;
const ID = "019b77c0-0000-7000-8000-000000000001";
const JSON_TYPE = { "content-type": "application/json" };

/** A cookie with the rights of a token. */
async function cookieWith(world: BrowserWorld, name: keyof typeof TOKENS): Promise<string> {
  const { authenticator } = world.server.access;
  const caller = authenticator.check("getVersion", `Bearer ${PLAIN[name]}`, "none") as Caller;
  return await world.cookieOf(sessionHolderOf({ caller, peer: "127.0.0.1:1", uid: null })!);
}

/** A request of a route, whose variables have values of the right form. */
function requestOf(route: Route): { readonly path: string; readonly init: RequestInit } {
  const path = route.segments.map((segment) =>
    typeof segment === "string" ? segment : /uuid|id$/.test(segment.field) ? ID : "echo"
  );
  const query = route.when === null ? "" : `?${route.when}=1ms`;
  const init = route.hasBody ? { body: "{}", headers: JSON_TYPE } : {};
  return { path: `/${path.join("/")}${query}`, init: { ...init, method: route.verb } };
}

async function statusOf(response: Response): Promise<number> {
  // A stream has no end.
  await response.body?.cancel();
  return response.status;
}

const ROUTES = contractRoutes();

for (const [name, { role, jobs }] of Object.entries(TOKENS)) {
  test(`each path is refused to ${name} if its role is too low, by cookie and by token`, async () => {
    await using world = await browserWorld({ server: { auth: AUTH } });
    const cookie = await cookieWith(world, name as keyof typeof TOKENS);
    const token = { authorization: `Bearer ${PLAIN[name as keyof typeof TOKENS]}` };
    const rank = (one: Role) => ROLES.indexOf(one);
    for (const route of ROUTES) {
      const { path, init } = requestOf(route);
      const what = `${route.verb} ${path}`;
      const headers = { ...init.headers as Record<string, string> };
      const byToken = await statusOf(
        await world.send(path, { ...init, headers: { ...headers, ...token } }),
      );
      const byCookie = await statusOf(await world.browse(path, cookie, init));
      if (rank(role) < rank(roleOf(route.name)!)) {
        assert.deepEqual([byToken, byCookie], [403, 403], what);
        continue;
      }
      assert.ok(byToken !== 401 && byCookie !== 401, `${what}: ${byToken} ${byCookie}`);
      // What is about all jobs is refused to callers who are limited to some.
      if (jobs === null) assert.notEqual(byToken, 403, what);
      // A session must not create another one; and the token's request may have changed something.
      if (route.name === "createLoginCode") assert.equal(byCookie, 403);
      else if (jobs === null) assert.notEqual(byCookie, 403, what);
      else assert.equal(byCookie === 403, byToken === 403, what);
    }
  });
}

test("each path needs a cookie or a token", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  for (const cookie of [null, `jobctl-${world.httpPort}=${"x".repeat(43)}`, "jobctl-1=y"]) {
    for (const route of ROUTES.slice(0, cookie === null ? ROUTES.length : 5)) {
      const { path, init } = requestOf(route);
      const status = await statusOf(await world.browse(path, cookie, init));
      assert.equal(status, 401, `${route.verb} ${path}`);
    }
  }
});

test("an operator's session cannot create a schedule, and a limited one uses no other job", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const run = async (cookie: string, body: object) =>
    await statusOf(
      await world.browse("/api/v1/jobs/echo/runs", cookie, {
        ...{ method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) },
      }),
    );
  const operator = await cookieWith(world, "operator");
  assert.equal(await run(operator, {}), 201);
  assert.equal(await run(operator, { cron: "@daily" }), 403);
  assert.equal(await run(await cookieWith(world, "admin"), { cron: "@daily" }), 201);
  assert.equal(await run(await cookieWith(world, "limited"), {}), 403);
});

test("a request that another page sends changes nothing, whatever cookie it has", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const cookie = await cookieWith(world, "admin");
  const pause = async (headers: Record<string, string>) =>
    await statusOf(
      await world.send("/api/v1/pauses", {
        ...{ method: "POST", body: '{"kind":"echo"}' },
        headers: { ...JSON_TYPE, cookie, ...headers },
      }),
    );
  for (
    const headers of <readonly Record<string, string>[]> [
      ...["cross-site", "same-site", "none"].map((site) => ({ "sec-fetch-site": site })),
      ...[{}, { origin: "null" }, { origin: "https://evil.example" }, {
        origin: "http://localhost",
      }],
      // Forms and beacons can send these without asking.
      { "sec-fetch-site": "cross-site", "content-type": "text/plain" },
    ]
  ) {
    assert.equal(await pause(headers), 403, JSON.stringify(headers));
  }
  assert.deepEqual(await world.manager.listPauses(), []);
  assert.equal(await pause({ "sec-fetch-site": "same-origin" }), 200);
  const token = { authorization: `Bearer ${PLAIN.admin}`, cookie: "" };
  assert.equal(await pause(token), 200);
});

test("a page reads nothing of this site from another one, but a click leads here", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const cookie = await cookieWith(world, "viewer");
  const status = async (headers: Record<string, string>) =>
    await statusOf(await world.browse("/api/v1/jobs", cookie, { headers }));
  assert.equal(await status({ "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await status({ "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }), 403);
  assert.equal(await status({ "sec-fetch-site": "same-origin" }), 200);
  const click = {
    ...{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    "sec-fetch-dest": "document",
  };
  const page = await world.browse("/login", null, { headers: click });
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("access-control-allow-origin"), null);
});

test("a cookie is worth nothing under another host name, port or connection", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const cookie = await cookieWith(world, "viewer");
  const client = world.raw();
  client.send("GET", "/api/v1/jobs", {
    headers: { cookie, "host": "evil.example", "sec-fetch-site": "same-origin" },
  });
  assert.equal((await client.response())!.status, 421);
  const secret = cookie.split("=")[1]!;
  const names = [`jobctl-${world.httpPort + 1}`, `__Host-jobctl-${world.httpPort}`, "jobctl"];
  for (const name of names) {
    assert.equal(await statusOf(await world.browse("/api/v1/jobs", `${name}=${secret}`)), 401);
  }
});

test("a form logs in and out; the cookie of the past session is worth nothing", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const form = (fields: Record<string, string>) => ({
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });
  const to = await world.browse("/schedules", null);
  assert.deepEqual([to.status, to.headers.get("location")], [303, "/login?next=%2Fschedules"]);
  const response = await world.browse("/login", null, form({ token: PLAIN.operator }));
  assert.deepEqual([response.status, response.headers.get("location")], [303, "/"]);
  const cookie = response.headers.get("set-cookie")!.split(";")[0]!;
  const caller = await world.browse("/api/v1/caller", cookie);
  const { name, role, session_id: id } = await caller.json() as Record<string, string>;
  assert.deepEqual([name, role, id!.length], ["hands", "operator", 64]);
  assert.equal(await statusOf(await world.browse("/logout", cookie, form({}))), 303);
  assert.equal(await statusOf(await world.browse("/api/v1/caller", cookie)), 401);
});

test("a form of a login that is too long is not read", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const response = await world.browse("/login", null, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `token=${"x".repeat(10_000)}`,
  });
  assert.equal(await statusOf(response), 413);
});

test("HEAD does not use up a code", async () => {
  await using world = await browserWorld({ server: { auth: AUTH } });
  const { code } = await world.client({ token: PLAIN.viewer }).createLoginCode({});
  const visit = { "sec-fetch-site": "none", "sec-fetch-dest": "document" };
  const path = `/login?code=${code}`;
  const head = await world.browse(path, null, { method: "HEAD", headers: visit });
  assert.equal(await statusOf(head), 200);
  const get = await world.browse(path, null, { headers: visit });
  assert.equal(await statusOf(get), 303);
});

test("paths may come with the base path or without it; URLs always have it", async () => {
  await using world = await browserWorld({ server: { auth: AUTH }, basePath: "/jobs/" });
  const cookie = await cookieWith(world, "viewer");
  for (const path of ["/jobs/api/v1/caller", "/api/v1/caller"]) {
    assert.equal(await statusOf(await world.browse(path, cookie)), 200, path);
  }
  for (const path of ["/jobs", "/jobs/", "/"]) {
    const response = await world.browse(path, null);
    const location = response.headers.get("location");
    assert.equal(location, path === "/jobs" ? "/jobs/" : "/jobs/login", path);
  }
});

test("a revoked session is refused within two seconds, and its stream of events ends", async () => {
  const clock = new SimClock();
  await using world = await browserWorld({ server: { auth: AUTH }, clock });
  const cookie = await cookieWith(world, "viewer");
  const kept = await cookieWith(world, "operator");
  const [follow, other] = await Promise.all([
    world.browse(`/api/v1/instances/${ID}/follow`, cookie),
    world.browse(`/api/v1/instances/${ID}/follow`, kept),
  ]);
  assert.equal(follow.status, 200);
  const reader = follow.body!.getReader();
  const ended = (async () => {
    try {
      for (;;) if ((await reader.read()).done) return;
    } catch {
      // The connection has closed.
    }
  })();
  const [session] = (await world.manager.sessions.list(null)).filter(({ name }) => name === "eyes");
  await world.manager.sessions.revoke(session!.id, null);
  await clock.advance(2_000);
  await ended;
  assert.equal(await statusOf(await world.browse("/api/v1/caller", cookie)), 401);
  assert.equal(await statusOf(await world.browse("/api/v1/caller", kept)), 200);
  await other.body?.cancel();
});

test("behind a trusted proxy the log has the client, and its TLS counts", async () => {
  await using world = await browserWorld({
    server: { auth: AUTH },
    trustedProxies: ["127.0.0.1"],
  });
  const secret = (await cookieWith(world, "operator")).split("=")[1]!;
  const proxied = {
    ...{ "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" },
    ...{ host: "localhost", origin: "https://localhost", "content-type": "application/json" },
  };
  const client = world.raw();
  const pause = async (headers: Record<string, string>) => {
    const cookie = `__Host-jobctl-${world.httpPort}=${secret}`;
    client.send("POST", "/api/v1/pauses", { headers: { ...headers, cookie }, body: { kind: "a" } });
    return (await client.response())!.status;
  };
  assert.equal(await pause(proxied), 200);
  const { fields } = world.lines.find(({ message }) => message === "Paused a job")!;
  assert.deepEqual([fields["by"], fields["from"]], ["hands", "http:203.0.113.9"]);
  assert.equal(await pause({ ...proxied, origin: "http://localhost" }), 403);
  assert.equal(await pause({ ...proxied, "x-forwarded-proto": "http" }), 403);
});
