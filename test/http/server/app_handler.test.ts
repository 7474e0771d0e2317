import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { Caller } from "../../../src/rpc/auth/auth.ts";
import { tlsFile } from "../../support/tls_files.ts";
import { type HttpWorld, httpWorld } from "../../support/worlds/http_world.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

/** Who may use the API over HTTP, from where. */

const RUNS = "/api/v1/jobs/echo/runs";
const ADMIN = "admin-token-of-32-characters-long";
const VIEWER = "viewer-token-of-32-characters-lon";
const AUTH = {
  ...NO_AUTH,
  mode: "token",
  tokens: [tokenEntry("ops", ADMIN, "admin"), tokenEntry("eyes", VIEWER, "viewer")],
} as const;
const TLS = { cert: tlsFile("server.crt"), key: tlsFile("server.key"), clientCa: null };

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

async function schedule(world: HttpWorld, headers: Record<string, string> = {}): Promise<number> {
  const response = await world.send(RUNS, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json", ...headers },
  });
  await response.arrayBuffer();
  return response.status;
}

test("a token gives the rights of its role, as over gRPC", async () => {
  await using world = await httpWorld({ server: { auth: AUTH } });
  assert.equal(await schedule(world), 401);
  assert.equal(await schedule(world, bearer("unknown-token")), 401);
  assert.equal(await schedule(world, bearer(VIEWER)), 403);
  assert.equal(await schedule(world, bearer(ADMIN)), 201);
  const refused = await world.send("/api/v1/jobs");
  assert.match(refused.headers.get("www-authenticate")!, /^Bearer/);
  assert.equal((await refused.json() as { code: string }).code, "unauthenticated");
  const { message, fields } = world.lines.find(({ level }) => level === "warn")!;
  assert.match(message, /without valid authentication/);
  assert.ok(!JSON.stringify(fields).includes("unknown-token"));
});

test("changes are logged with their caller, and where it calls from", async () => {
  await using world = await httpWorld({ server: { auth: AUTH } });
  await world.send("/api/v1/pauses", {
    method: "POST",
    body: '{"kind":"echo"}',
    headers: { "content-type": "application/json", ...bearer(ADMIN) },
  });
  const { fields } = world.lines.find(({ message }) => message === "Paused a job")!;
  assert.equal(fields.by, "ops");
  assert.match(String(fields.from), /^http:127\.0\.0\.1:\d+$/);
});

test("a connection is closed when the token of a caller is revoked", async () => {
  await using world = await httpWorld({ server: { auth: AUTH } });
  const client = world.raw();
  client.send("GET", "/api/v1/version", { headers: bearer(VIEWER) });
  assert.equal((await client.response())?.status, 200);
  world.server.adopt({ ...AUTH, tokens: AUTH.tokens.slice(0, 1) });
  await client.closed;
});

test("a connection with ten refused calls is closed", async () => {
  await using world = await httpWorld({ server: { auth: AUTH } });
  const client = world.raw();
  for (let count = 0; count < 10; count += 1) {
    client.send("GET", "/api/v1/version");
    assert.equal((await client.response())?.status, 401);
  }
  await client.closed;
});

test("a body is not read before its caller is known", async () => {
  await using world = await httpWorld({ server: { auth: AUTH } });
  const client = world.raw();
  client.write(`POST ${RUNS} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`);
  assert.equal((await client.response())?.status, 401);
  await client.closed;
});

for (
  const [what, headers, status] of [
    ["of no browser", {}, 201],
    ["of this origin", { "sec-fetch-site": "same-origin" }, 201],
    ["of another site", { "sec-fetch-site": "cross-site" }, 403],
    ["of another port", { "sec-fetch-site": "same-site" }, 403],
    ["that a person opens", { "sec-fetch-site": "none" }, 403],
    ["of a link of another site", {
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
    }, 403],
    ["of an old browser for another site", { origin: "http://evil.example" }, 403],
    ["of an old browser for a page without an origin", { origin: "null" }, 403],
    ["of an old browser without an origin", { cookie: "a=b" }, 403],
    ["of another site with a token", {
      "sec-fetch-site": "cross-site",
      origin: "http://evil.example",
      authorization: "Bearer x",
    }, 403],
    ["of an origin that is allowed", {
      "sec-fetch-site": "cross-site",
      origin: "https://ops.example",
    }, 201],
  ] as const
) {
  test(`a change ${what} is answered ${status}`, async () => {
    await using world = await httpWorld({ origins: ["https://ops.example"] });
    const client = world.raw();
    client.send("POST", RUNS, { body: {}, headers });
    assert.equal((await client.response())?.status, status);
    assert.equal(world.manager.scheduled.length, status === 201 ? 1 : 0);
  });
}

test("a page of another site reads nothing; a link leads here", async () => {
  await using world = await httpWorld();
  const client = world.raw();
  for (
    const [headers, status] of [
      [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
      [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 403],
      [{
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "iframe",
      }, 403],
      [{
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
      }, 200],
      [{ "sec-fetch-site": "none" }, 200],
    ] as const
  ) {
    client.send("GET", "/api/v1/jobs", { headers });
    assert.equal((await client.response())?.status, status);
  }
});

test("an origin that is named may read responses, and is told so in advance", async () => {
  await using world = await httpWorld({ origins: ["https://ops.example"] });
  const client = world.raw();
  const ask = async (origin: string) => {
    client.send("OPTIONS", RUNS, {
      headers: { origin, "access-control-request-method": "POST", "sec-fetch-site": "cross-site" },
    });
    return (await client.response())!;
  };
  const allowed = await ask("https://ops.example");
  assert.equal(allowed.status, 204);
  assert.match(allowed.head, /\r\naccess-control-allow-origin: https:\/\/ops\.example\r\n/);
  assert.match(allowed.head, /\r\nvary: origin\r\n/);
  assert.match(allowed.head, /\r\naccess-control-allow-headers: authorization, /);
  assert.doesNotMatch(allowed.head, /allow-credentials/);
  const other = await ask("https://evil.example");
  assert.equal(other.status, 403);
  assert.doesNotMatch(other.head, /allow-origin/);
});

test("the API is refused under the name of another site (DNS rebinding)", async () => {
  await using world = await httpWorld();
  const client = world.raw();
  client.send("POST", RUNS, { body: {}, headers: { host: "evil.example" } });
  assert.equal((await client.response())?.status, 421);
  const other = world.raw();
  other.write("GET http://evil.example/api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal((await other.response())?.status, 421);
});

test("paths are the same below the base path", async () => {
  await using world = await httpWorld({ basePath: "/jobs/" });
  for (const path of ["/api/v1/version", "/jobs/api/v1/version", "/jobs/healthz"]) {
    assert.equal((await world.send(path)).status, 200);
  }
  assert.equal((await world.send("/other/api/v1/version")).status, 404);
});

test("without authentication, other machines reach only the monitoring paths", async () => {
  await using world = await httpWorld({ host: "0.0.0.0", server: { allowInsecure: true } });
  assert.equal((await world.send("/healthz")).status, 200);
  const response = await world.send("/api/v1/version");
  assert.equal(response.status, 403);
  assert.equal((await response.json() as { path: string }).path, "server.http");
});

test("start() refuses to listen for other machines without TLS or authentication", async () => {
  for (const server of [{}, { tls: TLS }, { auth: AUTH }]) {
    await assert.rejects(
      httpWorld({ host: "0.0.0.0", server }),
      (error) => isJobError(error, "invalid_config") && error.path === "server.http",
    );
  }
});

/** A request over TLS; resolves to its status. */
function secure(port: number, path: string, options: object = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    httpsRequest({
      ...{ host: "127.0.0.1", port, path, ca: readFileSync(tlsFile("server.crt")) },
      servername: "localhost",
      ...options,
    }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    }).on("error", reject).end();
  });
}

test("for other machines there is TLS, and a token is needed", async () => {
  await using world = await httpWorld({ host: "0.0.0.0", server: { tls: TLS, auth: AUTH } });
  const { httpPort } = world;
  assert.equal(world.http.address.isTls, true);
  assert.equal(await secure(httpPort, "/api/v1/version"), 401);
  assert.equal(await secure(httpPort, "/api/v1/version", { headers: bearer(VIEWER) }), 200);
  assert.equal(await secure(httpPort, "/healthz"), 200);
  await assert.rejects(world.send("/healthz"));
});

test("a client certificate names the caller", async () => {
  const tls = { ...TLS, clientCa: tlsFile("clients_ca.crt") };
  const clients = [{ cn: "ci", san: null, role: "viewer", jobs: null }] as const;
  const auth = { ...NO_AUTH, mode: "mtls", clients } as const;
  await using world = await httpWorld({ host: "0.0.0.0", server: { tls, auth } });
  const { httpPort } = world;
  const certificate = {
    cert: readFileSync(tlsFile("client.crt")),
    key: readFileSync(tlsFile("client.key")),
  };
  assert.equal(await secure(httpPort, "/api/v1/version", certificate), 200);
  assert.equal(
    await secure(httpPort, "/api/v1/config/reload", { ...certificate, method: "POST" }),
    403,
  );
  await assert.rejects(secure(httpPort, "/api/v1/version"));
});

test("a session names the caller of a request without a token", async () => {
  const caller: Caller = { name: "anna", role: "viewer", jobs: null };
  await using world = await httpWorld({
    server: { auth: AUTH },
    sessions: {
      find: ({ headers }) => Promise.resolve(headers.cookie === "s=1" ? caller : null),
      watch: () => () => {},
    },
  });
  const statusOf = async (headers: Record<string, string>) =>
    (await world.send("/api/v1/version", { headers })).status;
  assert.equal(await statusOf({ cookie: "s=1" }), 200);
  assert.equal(await statusOf({ cookie: "s=2" }), 401);
  assert.equal(await statusOf({ cookie: "s=1", ...bearer("unknown") }), 401);
  assert.equal(await schedule(world, { cookie: "s=1", "sec-fetch-site": "same-origin" }), 403);
});

test("a page of a named origin acts with a token, never with the visitor's session", async () => {
  const caller: Caller = { name: "anna", role: "admin", jobs: null };
  await using world = await httpWorld({
    ...{ origins: ["http://localhost:8000"], server: { auth: AUTH } },
    sessions: {
      find: ({ headers }) => Promise.resolve(headers.cookie === "s=1" ? caller : null),
      watch: () => () => {},
    },
  });
  const cookie = "s=1";
  const origin = "http://localhost:8000";
  for (
    const named of <readonly Record<string, string>[]> [
      { cookie, origin, "sec-fetch-site": "same-site" },
      { cookie, origin, "sec-fetch-site": "cross-site" },
      { cookie, origin },
    ]
  ) {
    assert.equal(await schedule(world, { ...named, "content-type": "text/plain" }), 403);
    assert.equal(await schedule(world, named), 401);
    assert.equal((await world.send("/api/v1/jobs", { headers: named })).status, 401);
    assert.equal(
      (await world.send("/api/v1/pauses/echo", { method: "DELETE", headers: named })).status,
      401,
    );
    assert.equal(await schedule(world, { ...named, ...bearer(VIEWER) }), 403);
    assert.equal(await schedule(world, { ...named, ...bearer(ADMIN) }), 201);
  }
  // Its own pages are no others, also if somebody names their origin.
  assert.equal(await schedule(world, { cookie, origin, "sec-fetch-site": "same-origin" }), 201);
  assert.equal(world.manager.scheduled.length, 4);
});

test("without authentication, a page of a named origin changes nothing unasked", async () => {
  await using world = await httpWorld({ origins: ["http://localhost:8000"] });
  const named = { origin: "http://localhost:8000", "sec-fetch-site": "same-site" };
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
    assert.equal(await schedule(world, { ...named, "content-type": type }), 403, type);
  }
  const bare = await world.send("/api/v1/config/reload", { method: "POST", headers: named });
  assert.equal(bare.status, 403);
  assert.equal(await schedule(world, named), 201);
  assert.equal(world.manager.scheduled.length, 1);
});
