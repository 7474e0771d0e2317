import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { STRANGER } from "../../../src/platform/network/peer_owner.ts";
import { ROOT, SiteWorld, type Visit } from "../../support/worlds/site_world.ts";

const TOKEN = { token: "viewer-token" };

test("a one-time code opens a session and leads to a URL without it", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT);
  const response = await world.visit(`login?code=${code}`);
  assert.equal(response.status, 303);
  assert.equal(response.headers["location"], "/");
  assert.equal(response.headers["referrer-policy"], "no-referrer");
  assert.equal(response.headers["cache-control"], "no-store");
  const cookie = response.headers["set-cookie"]!;
  assert.match(
    cookie,
    /^jobctl-59052=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
  );
  assert.equal(cookie.includes(code), false);
  assert.equal(await world.caller(), "root");
});

test("a code works once, and is refused with the same page whatever is wrong with it", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT);
  const { code: late } = await world.sessions.createCode(ROOT);
  await world.visit(`login?code=${code}`);
  world.cookie = null;
  const replay = await world.visit(`login?code=${code}`);
  const unknown = await world.visit(`login?code=${"x".repeat(43)}`);
  await world.clock.advance(120_000);
  const expired = await world.visit(`login?code=${late}`);
  assert.equal(replay.status, 403);
  assert.match(String(replay.body), /works once, within two minutes/);
  assert.deepEqual(unknown, replay);
  assert.deepEqual(expired, replay);
  assert.equal(world.cookie, null);
});

test("a code in a link of another site, or in a page loaded ahead, waits for a click", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT);
  const visits: readonly Visit[] = [
    { headers: { "sec-fetch-site": "cross-site" } },
    { headers: { "sec-fetch-site": "same-site" } },
    { headers: { "sec-fetch-dest": "image" } },
    { headers: { "sec-fetch-dest": "iframe" } },
    { headers: { "sec-purpose": "prefetch;prerender" } },
    { headers: { purpose: "prefetch" } },
    { method: "HEAD" },
  ];
  for (const visit of visits) {
    const page = await world.visit(`login?code=${code}&next=/jobs`, visit);
    assert.equal(page.status, 200, JSON.stringify(visit));
    assert.equal(page.headers["set-cookie"], undefined);
    assert.ok(String(page.body).includes(`value="${code}"`));
  }
  const response = await world.visit("login", { form: { code, next: "/jobs" } });
  assert.deepEqual([response.status, response.headers["location"]], [303, "/jobs"]);
  assert.equal(await world.caller(), "root");
});

test("a token opens a session with its rights; the former session of the browser ends", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT);
  await world.visit(`login?code=${code}`);
  const former = world.cookie!;
  await world.visit("login", { form: { token: " viewer-token\n" } });
  assert.equal(await world.caller(), "eyes");
  assert.notEqual(world.cookie, former);
  world.cookie = former;
  assert.equal(await world.caller(), null);
  assert.deepEqual((await world.sessions.list(null)).map(({ name }) => name), ["eyes"]);
});

test("a login ends the former session during a flood of guesses from the same address", async () => {
  const world = new SiteWorld();
  const { secret } = await world.sessions.open(ROOT, "10.0.0.1");
  for (let index = 0; index < 100; index += 1) {
    world.cookie = `jobctl-59052=${String(index).padStart(43, "0")}`;
    await world.caller();
  }
  world.cookie = `jobctl-59052=${secret}`;
  await assert.rejects(world.caller(), (error) => isJobError(error, "resource_exhausted"));
  await world.visit("login", { form: TOKEN });
  assert.equal(await world.caller(), "eyes");
  assert.deepEqual((await world.sessions.list(null)).map(({ name }) => name), ["eyes"]);
});

test("a login never continues a session that the browser was given before", async () => {
  const world = new SiteWorld();
  const planted = "a".repeat(43);
  world.cookie = `jobctl-59052=${planted}`;
  await world.visit("login", { form: TOKEN });
  assert.equal(await world.caller(), "eyes");
  assert.equal(world.cookie.includes(planted), false);
});

test("a wrong token is refused without a reason; only the log knows", async () => {
  const world = new SiteWorld();
  const page = await world.visit("login", { form: { token: "wrong" } });
  assert.equal(page.status, 403);
  assert.equal(page.headers["set-cookie"], undefined);
  assert.match(String(page.body), /This token is not valid\./);
  world.authenticator.adopt({ ...world.auth, tokens: [] });
  assert.deepEqual(await world.visit("login", { form: TOKEN }), page);
  assert.deepEqual(await world.visit("login", { form: {} }), page);
  const refused = world.lines.filter(({ message }) => message.startsWith("Refused a login: "));
  assert.equal(refused[0]!.message, "Refused a login: the token is not valid");
  assert.deepEqual(refused[0]!.fields, { with: "token", from: "10.0.0.1" });
  assert.equal(JSON.stringify(world.lines).includes("wrong"), false);
});

test("logins and logouts are logged with their caller, and without a secret", async () => {
  const world = new SiteWorld();
  await world.visit("login", { form: TOKEN });
  const secret = world.cookie!.split("=")[1]!;
  await world.visit("logout", { method: "POST" });
  const told = world.lines.map(({ message, fields }) => [message, fields["by"], fields["from"]]);
  assert.deepEqual(told, [
    ["Logged in", "eyes", "10.0.0.1"],
    ["Logged out", "eyes", "10.0.0.1"],
  ]);
  assert.equal(JSON.stringify(world.lines).includes(secret), false);
  assert.equal(JSON.stringify(world.lines).includes("viewer-token"), false);
});

test("logout ends the session on the server, and makes the browser forget it", async () => {
  const world = new SiteWorld();
  await world.visit("login", { form: TOKEN });
  const kept = world.cookie!;
  const response = await world.visit("logout", { method: "POST" });
  assert.equal(response.headers["location"], "/login");
  assert.match(response.headers["set-cookie"]!, /^jobctl-59052=; Path=\/; Max-Age=0; /);
  world.cookie = kept;
  assert.equal(await world.caller(), null);
  assert.equal((await world.visit("logout")).status, 405);
});

test("forms of other pages are refused: login and logout", async () => {
  const world = new SiteWorld();
  await world.visit("login", { form: TOKEN });
  for (
    const headers of <readonly Record<string, string>[]> [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "", origin: "https://evil.example" },
      { "sec-fetch-site": "", origin: "http://localhost:8000" },
      { "sec-fetch-site": "", origin: "null" },
    ]
  ) {
    for (const path of ["login", "logout"]) {
      const response = await world.visit(path, { form: TOKEN, headers });
      assert.equal(response.status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
  assert.equal(await world.caller(), "eyes");
  const own = { "sec-fetch-site": "", origin: "http://localhost:59052" };
  assert.equal((await world.visit("logout", { form: {}, headers: own })).status, 303);
  const text = { "content-type": "text/plain" };
  assert.equal((await world.visit("login", { form: TOKEN, headers: text })).status, 415);
});

test("a flood of wrong logins is refused, without keeping others out", async () => {
  const world = new SiteWorld();
  const fail = (address: string) => world.visit("login", { form: { token: "x" }, address });
  for (let count = 0; count < 10; count += 1) {
    assert.equal((await fail("10.0.0.9")).status, 403);
  }
  const refused = await fail("10.0.0.9");
  assert.deepEqual([refused.status, refused.headers["retry-after"]], [429, "30"]);
  const floods = world.lines.filter(({ message }) => /too many failed/.test(message));
  assert.deepEqual(floods.map(({ fields }) => fields), [{ count: 1, from: "10.0.0.9" }]);
  // The right one is never refused for the wrong ones.
  assert.equal((await world.visit("login", { form: TOKEN, address: "10.0.0.9" })).status, 303);
  assert.equal((await world.visit("login", { form: TOKEN, address: "10.0.0.8" })).status, 303);
  await world.clock.advance(5_999);
  assert.equal((await fail("10.0.0.9")).status, 429);
  await world.clock.advance(1);
  assert.equal((await fail("10.0.0.9")).status, 403);
});

test("right logins do not count, and wrong ones count for a whole IPv6 network", async () => {
  const world = new SiteWorld();
  for (let count = 0; count < 30; count += 1) {
    assert.equal((await world.visit("login", { form: TOKEN })).status, 303);
  }
  for (let host = 0; host < 10; host += 1) {
    await world.visit("login", { form: { token: "x" }, address: `2001:db8:0:1::${host}` });
  }
  const of = async (address: string) =>
    (await world.visit("login", { form: { token: "x" }, address })).status;
  assert.equal(await of("2001:db8:0:1:ffff::1"), 429);
  assert.equal(await of("2001:db8:0:2::1"), 403);
});

test("a flood from many addresses is refused in total, without keeping others out", async () => {
  const world = new SiteWorld();
  const log = async (host: number, form: { readonly token: string }) =>
    (await world.visit("login", { form, address: `10.0.1.${host}` })).status;
  const fail = (host: number) => log(host, { token: "x" });
  for (let host = 0; host < 30; host += 1) {
    for (let count = 0; count < 5; count += 1) assert.equal(await fail(host), 403);
  }
  assert.equal(await fail(0), 429);
  assert.equal(await log(100, TOKEN), 303);
  const { code } = await world.sessions.createCode(ROOT);
  const visit = await world.visit(`login?code=${code}`, { address: "10.0.1.101" });
  assert.equal(visit.status, 303);
  // Neither does it keep out those who have mistyped theirs.
  for (let count = 0; count < 4; count += 1) assert.equal(await fail(102), 403);
  assert.equal(await log(102, TOKEN), 303);
  await world.clock.advance(2_000);
  assert.equal(await fail(0), 403);
});

test("a session of another browser's address goes on, and one of a revoked token ends", async () => {
  const world = new SiteWorld();
  await world.visit("login", { form: TOKEN });
  assert.equal(await world.caller({ address: "10.9.9.9" }), "eyes");
  world.authenticator.adopt({ ...world.auth, tokens: [] });
  assert.equal(await world.caller(), null);
  // As docs/security.md says: the store's other daemons may still have it.
  world.authenticator.adopt(world.auth);
  assert.equal(await world.caller(), "eyes");
});

const FOREIGN_FORM = { "sec-fetch-site": "cross-site", origin: "null" };

test("a code of a user of this machine is refused to another user, and not used up", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT, 1_000);
  for (const uid of [1_001, STRANGER]) {
    for (const visit of [{ uid }, { uid, form: { code } }]) {
      const page = await world.visit("form" in visit ? "login" : `login?code=${code}`, visit);
      assert.equal(page.status, 403);
      assert.equal(page.headers["set-cookie"], undefined);
    }
  }
  assert.match(world.lines.at(-1)!.message, /the code is for another user of this machine/);
  assert.equal((await world.visit(`login?code=${code}`, { uid: 1_000 })).status, 303);
});

test("a code of a user is taken from root, and from where nobody knows the user", async () => {
  const world = new SiteWorld();
  for (const uid of [0, null]) {
    const { code } = await world.sessions.createCode(ROOT, 1_000);
    assert.equal((await world.visit(`login?code=${code}`, { uid })).status, 303);
  }
});

test("a session that began on loopback without TLS is refused to other users", async () => {
  const world = new SiteWorld();
  await world.visit("login", { form: TOKEN, address: "127.0.0.1", uid: 1_000 });
  const callerOf = (uid: number | null) => world.caller({ address: "127.0.0.1", uid });
  assert.equal(await callerOf(1_000), "eyes");
  assert.equal(await callerOf(0), "eyes");
  for (const uid of [1_001, STRANGER, null]) assert.equal(await callerOf(uid), null);
  const warned = world.lines.filter(({ level }) => level === "warn");
  assert.match(warned[0]!.message, /^Refused a session to another user of this machine$/);
  // Neither does a login of that user end it.
  await world.visit("login", { form: TOKEN, address: "127.0.0.1", uid: 1_001 });
  assert.equal((await world.sessions.list(null)).length, 2);
});

test("a session over TLS, from elsewhere or behind a proxy is for no user in particular", async () => {
  const world = new SiteWorld({ trustedProxies: ["127.0.0.1"] });
  const headers = { "x-forwarded-for": "10.0.0.9" };
  for (
    const visit of <readonly Visit[]> [
      { address: "::1", uid: 1_000, isTls: true },
      { address: "10.0.0.1", uid: null },
      { address: "127.0.0.1", uid: null, headers },
    ]
  ) {
    await world.visit("login", { form: TOKEN, ...visit });
    assert.equal(await world.caller({ ...visit, uid: 1_001 }), "eyes");
  }
});

test("a login clears what another server on the port may have stored in the browser", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT);
  const cleared = [
    await world.visit(`login?code=${code}`),
    await world.visit("login", { form: TOKEN }),
  ].map(({ headers }) => headers["clear-site-data"]);
  assert.deepEqual(cleared, ['"storage"', '"storage"']);
  const failed = await world.visit("login", { form: { token: "x" } });
  assert.equal(failed.headers["clear-site-data"], undefined);
});

test("a form of a file logs its own user in, with a page that leads on", async () => {
  const world = new SiteWorld();
  const { code } = await world.sessions.createCode(ROOT, 1_000);
  const form = { code, next: "/jobs" };
  const entered = await world.visit("login", { form, headers: FOREIGN_FORM, uid: 1_000 });
  assert.equal(entered.status, 200);
  assert.match(String(entered.body), /http-equiv="refresh" content="0;url=\/jobs"/);
  assert.equal(String(entered.body).includes(code), false);
  assert.equal(await world.caller({ uid: 1_000 }), "root");
});

test("a form of a stranger's page waits for a click, whosever the code is", async () => {
  const world = new SiteWorld();
  for (const [owner, uid] of [[1_001, 1_000], [null, 1_000], [1_000, 0], [1_000, null]] as const) {
    const { code } = await world.sessions.createCode(ROOT, owner);
    const page = await world.visit("login", { form: { code }, headers: FOREIGN_FORM, uid });
    assert.equal(page.status, 200);
    assert.equal(page.headers["set-cookie"], undefined);
    assert.ok(String(page.body).includes(`value="${code}"`));
  }
  assert.equal(world.cookie, null);
});

test("a right token and a right code are taken after any number of wrong ones", async () => {
  const world = new SiteWorld();
  const address = "127.0.0.1";
  const { code } = await world.sessions.createCode(ROOT);
  for (let count = 0; count < 200; count += 1) {
    const { status } = await world.visit("login", { form: { token: "x" }, address });
    assert.equal(status, count < 10 ? 403 : 429);
  }
  assert.equal((await world.visit("login", { form: TOKEN, address })).status, 303);
  assert.equal((await world.visit("login", { form: { code }, address })).status, 303);
});
