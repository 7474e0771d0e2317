import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { ROOT, SiteWorld } from "../../support/worlds/site_world.ts";

const TOKEN = { token: "viewer-token" };

/** Directives of a policy by name. */
function policyOf(text: string | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (text ?? "").split("; ").map((directive) => {
      const [name, ...values] = directive.split(" ");
      return [name, values.join(" ")];
    }),
  );
}

test("who has not logged in is led to the login, and back to the page after it", async () => {
  const world = new SiteWorld();
  const asked = await world.visit("instances?state=failed&q=a%20b");
  assert.equal(asked.status, 303);
  const location = asked.headers["location"]!;
  assert.equal(location, "/login?next=%2Finstances%3Fstate%3Dfailed%26q%3Da%2Bb");
  const page = await world.visit(location.slice(1));
  assert.match(String(page.body), /name="next" value="\/instances\?state=failed&amp;q=a\+b"/);
  const response = await world.visit("login", {
    form: { ...TOKEN, next: "/instances?state=failed" },
  });
  assert.equal(response.headers["location"], "/instances?state=failed");
  assert.equal((await world.visit("login")).headers["location"], "/");
});

test("a login leads nowhere but to this site", async () => {
  const world = new SiteWorld();
  for (
    const next of [
      ...["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "evil"],
      ...[
        "/..//evil.example",
        "/.//evil.example",
        "javascript:alert(1)",
        "/a\r\nset-cookie: x=y",
        "/a b",
        "/ü",
        "",
        `/${"a".repeat(1_000)}`,
      ],
    ]
  ) {
    const response = await world.visit("login", { form: { ...TOKEN, next } });
    assert.equal(response.headers["location"], "/", next);
  }
});

test("paths of the site are below the base path, and of other sites on the host they are not", async () => {
  const world = new SiteWorld({ basePath: "/jobs/" });
  assert.equal((await world.visit("")).headers["location"], "/jobs/login");
  assert.match(String((await world.visit("login")).body), /action="\/jobs\/login"/);
  assert.equal((await world.visit("jobs")).headers["location"], "/jobs/");
  const elsewhere = await world.visit("login", { form: { ...TOKEN, next: "/other/" } });
  assert.equal(elsewhere.headers["location"], "/jobs/");
  assert.match(elsewhere.headers["set-cookie"]!, /; Path=\/jobs\/; /);
  for (
    const next of [
      "/jobs/../other",
      "/jobs/%2e%2E/other",
      "/jobs/a/.%2e/../../other",
      "/jobs/..//x",
    ]
  ) {
    const above = await world.visit("login", { form: { ...TOKEN, next } });
    assert.equal(above.headers["location"], "/jobs/", next);
  }
  const inside = await world.visit("login", { form: { ...TOKEN, next: "/jobs/a/../now?q=..#b" } });
  assert.equal(inside.headers["location"], "/jobs/now?q=..#b");
  const below = await world.visit("login", { form: { ...TOKEN, next: "/jobs/now" } });
  assert.equal(below.headers["location"], "/jobs/now");
});

test("a cookie over TLS is secure, and bound to the host where that is possible", async () => {
  const cookieOf = async (world: SiteWorld, visit: object) =>
    (await world.visit("login", { form: TOKEN, ...visit })).headers["set-cookie"]!;
  const tls = new SiteWorld();
  const cookie = await cookieOf(tls, { isTls: true });
  assert.match(cookie, /^__Host-jobctl-59052=\S+; Path=\/; .*; HttpOnly; SameSite=Strict; Secure$/);
  assert.equal(await tls.caller({ isTls: true }), "eyes");
  // The same secret under the name without a prefix is another cookie.
  assert.equal(await tls.caller({ isTls: false }), null);
  const below = await cookieOf(new SiteWorld({ basePath: "/jobs/" }), { isTls: true });
  assert.match(below, /^__Secure-jobctl-59052=\S+; Path=\/jobs\/; .*Secure$/);
  const proxied = new SiteWorld({ publicUrl: "https://ops.example.org/" });
  const headers = { host: "ops.example.org" };
  assert.match(await cookieOf(proxied, { headers }), /^__Host-.*Secure$/);
  assert.match(await cookieOf(proxied, {}), /^jobctl-59052=(?!.*Secure)/);
});

test("what proxies say counts only from those that are trusted", async () => {
  const headers = { "x-forwarded-for": "203.0.113.9, 10.0.0.2", "x-forwarded-proto": "https" };
  const addressOf = async (world: SiteWorld, address: string) => {
    await world.visit("login", { form: TOKEN, headers, address });
    return (await world.sessions.list(null))[0]!.address;
  };
  const plain = new SiteWorld();
  assert.equal(await addressOf(plain, "10.0.0.1"), "10.0.0.1");
  assert.match(plain.cookie!, /^jobctl-/);
  const trusting = new SiteWorld({ trustedProxies: ["10.0.0.0/24"] });
  assert.equal(await addressOf(trusting, "10.0.0.1"), "203.0.113.9");
  assert.match(trusting.cookie!, /^__Host-jobctl-/);
  const nearest = new SiteWorld({ trustedProxies: ["10.0.0.1"] });
  assert.equal(await addressOf(nearest, "10.0.0.1"), "10.0.0.2");
  const stranger = new SiteWorld({ trustedProxies: ["10.0.0.1"] });
  assert.equal(await addressOf(stranger, "10.0.0.3"), "10.0.0.3");
  assert.match(stranger.cookie!, /^jobctl-/);
});

test("pages may load nothing from elsewhere, run no inline code, and be in no frame", async () => {
  const world = new SiteWorld();
  const login = await world.visit("login");
  const policy = policyOf(login.headers["content-security-policy"]);
  assert.equal(policy["default-src"], "'none'");
  assert.equal(policy["frame-ancestors"], "'none'");
  assert.equal(policy["base-uri"], "'none'");
  assert.equal(policy["require-trusted-types-for"], "'script'");
  assert.match(policy["style-src"]!, /^'sha256-[\w+/]{43}='$/);
  assert.equal("script-src" in policy, false);
  await world.visit("login", { form: TOKEN });
  const site = await world.visit("logout");
  const own = policyOf(site.headers["content-security-policy"]);
  assert.deepEqual([own["default-src"], own["script-src"]], ["'none'", "'self'"]);
  for (const { headers } of [login, site]) {
    assert.doesNotMatch(headers["content-security-policy"]!, /unsafe|\*|https?:|data:|blob:/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    assert.match(headers["permissions-policy"]!, /camera=\(\)/);
  }
  assert.equal(login.headers["cache-control"], "no-store");
});

test("hostile text in a login page stays text", async () => {
  const world = new SiteWorld();
  const code = `"><script>alert(1)</script>`;
  const page = await world.visit(`login?code=${encodeURIComponent(code)}`, { method: "HEAD" });
  assert.equal(String(page.body).includes("<script"), false);
  assert.match(String(page.body), /value="&quot;&gt;&lt;script&gt;/);
});

test("programs that ask for an unknown path get nothing, and methods are checked", async () => {
  const world = new SiteWorld();
  await assert.rejects(
    world.visit("nothing", { headers: { accept: "*/*" } }),
    (error) => isJobError(error, "not_found"),
  );
  assert.equal((await world.visit("", { method: "DELETE" })).status, 405);
  assert.equal((await world.visit("login", { method: "PUT" })).status, 405);
});

test("nobody logs in where everyone is the owner", async () => {
  const world = new SiteWorld({}, "none");
  assert.equal((await world.visit("login")).headers["location"], "/");
  const { code } = await world.sessions.createCode(ROOT);
  assert.equal((await world.visit(`login?code=${code}`)).status, 303);
  assert.equal(await world.caller(), "root");
});

test("with client certificates no token is asked for, and a browser with one needs no login", async () => {
  const world = new SiteWorld({}, "mtls");
  assert.equal((await world.visit("", { isTls: true })).headers["location"], "/login");
  const page = String((await world.visit("login")).body);
  assert.equal(page.includes('name="token"'), false);
  assert.match(page, /jobctl open/);
  assert.equal((await world.visit("login", { form: TOKEN })).status, 403);
  world.useCertificate();
  assert.equal((await world.visit("login", { isTls: true })).headers["location"], "/");
  // Without TLS there is no certificate.
  assert.equal((await world.visit("login")).status, 200);
});
