import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionHolder } from "../../../src/manager/sessions/session.ts";
import type { AuthConfig, ClientRule } from "../../../src/platform/network/server_config.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { type Caller, OWNER } from "../../../src/rpc/auth/auth.ts";
import { ConfiguredAuthenticator } from "../../../src/rpc/auth/authenticator.ts";
import type { CertifiedCaller, ClientCertificate } from "../../../src/rpc/auth/credentials.ts";
import { sessionHolderOf } from "../../../src/rpc/auth/session_proof.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";

const START = Date.UTC(2026, 0, 1);
const EYES = tokenEntry("eyes", "viewer-token", "viewer");
const RULE: ClientRule = { cn: "ops", san: null, role: "operator", jobs: ["shop-*"] };
const CERTIFICATE: ClientCertificate = {
  ...{ commonName: "ops", alternativeNames: [], serial: "1a", fingerprint: "ff" },
  ...{ issuers: ["2b"], expiresAt: START + 1_000 },
};

function world(config: Partial<AuthConfig>, memberRole: "operator" | null = null) {
  const clock = new SimClock(START);
  const auth = { ...NO_AUTH, ...config };
  const authenticator = new ConfiguredAuthenticator(auth, {
    ...{ onToken: () => {}, ownToken: null, clock, logger: silentLogger, memberRole },
  });
  return { clock, authenticator, auth };
}

function holderOf(caller: Caller | null, peer = "127.0.0.1:1"): SessionHolder {
  const holder = sessionHolderOf({ caller, peer, uid: null });
  assert.ok(holder);
  return holder;
}

function byToken({ authenticator }: ReturnType<typeof world>, token: string): SessionHolder {
  const caller = authenticator.check("getVersion", `Bearer ${token}`, "here");
  assert.ok(!(caller instanceof Error));
  return holderOf(caller);
}

test("isCurrent() follows a token, until it is revoked", () => {
  const made = world({ mode: "token", tokens: [EYES] });
  const holder = byToken(made, "viewer-token");
  assert.deepEqual([holder.name, holder.role, holder.jobs], ["eyes", "viewer", null]);
  assert.equal(made.authenticator.isCurrent(holder), true);
  // A session outlives a restart, but only with its token.
  assert.equal(world({ mode: "token", tokens: [EYES] }).authenticator.isCurrent(holder), true);
  made.authenticator.adopt({ ...made.auth, tokens: [] });
  assert.equal(made.authenticator.isCurrent(holder), false);
});

test("isCurrent() is false for a token whose role, jobs or value has changed", () => {
  const made = world({ mode: "token", tokens: [EYES] });
  const holder = byToken(made, "viewer-token");
  const others = [
    { ...EYES, role: "admin" },
    { ...EYES, jobs: ["shop-*"] },
    tokenEntry("eyes", "another-token", "viewer"),
  ] as const;
  for (const other of others) {
    made.authenticator.adopt({ ...made.auth, tokens: [other] });
    assert.equal(made.authenticator.isCurrent(holder), false);
  }
  made.authenticator.adopt({ ...made.auth, tokens: [EYES] });
  assert.equal(made.authenticator.isCurrent(holder), true);
});

test("isCurrent() is false from the moment when a token expires", async () => {
  const made = world({ mode: "token", tokens: [{ ...EYES, expiresAt: START + 1_000 }] });
  const holder = byToken(made, "viewer-token");
  await made.clock.advance(999);
  assert.equal(made.authenticator.isCurrent(holder), true);
  await made.clock.advance(1);
  assert.equal(made.authenticator.isCurrent(holder), false);
});

test("isCurrent() follows a certificate and the rules for it", async () => {
  const made = world({ mode: "mtls", clients: [RULE] });
  const caller: CertifiedCaller = {
    ...{ name: "certificate of ops", role: "operator", jobs: RULE.jobs },
    certificate: CERTIFICATE,
  };
  const holder = holderOf(caller);
  assert.equal(made.authenticator.isCurrent(holder), true);
  for (const clients of [[], [{ ...RULE, role: "viewer" as const }], [{ ...RULE, cn: "web" }]]) {
    made.authenticator.adopt({ ...made.auth, clients });
    assert.equal(made.authenticator.isCurrent(holder), false);
  }
  made.authenticator.adopt(made.auth);
  assert.equal(made.authenticator.isCurrent(holder), true);
  await made.clock.advance(1_000);
  assert.equal(made.authenticator.isCurrent(holder), false);
});

test("isCurrent() knows the owner of the Unix socket, whatever the mode", () => {
  const holder = holderOf(OWNER, "unix:1");
  for (const mode of ["token", "mtls", "none"] as const) {
    assert.equal(world({ mode }).authenticator.isCurrent(holder), true);
  }
});

test("isCurrent() knows members of the socket's group as long as their role is the same", () => {
  const member = { name: "a member of server.socket_group", role: "operator", jobs: null } as const;
  const holder = holderOf(member, "unix:1");
  assert.equal(world({}, "operator").authenticator.isCurrent(holder), true);
  assert.equal(world({}, null).authenticator.isCurrent(holder), false);
  const former = holderOf({ ...member, role: "admin" }, "unix:1");
  assert.equal(world({}, "operator").authenticator.isCurrent(former), false);
});

test("isCurrent() knows callers without authentication only while there is none", () => {
  const holder = holderOf(OWNER);
  assert.equal(world({ mode: "none" }).authenticator.isCurrent(holder), true);
  assert.equal(world({ mode: "token" }).authenticator.isCurrent(holder), false);
});

test("isCurrent() is false for a proof that is none", () => {
  const { authenticator } = world({ mode: "none" });
  for (const proof of ["", "null", "1", "{}", '{"type":"toString"}', '{"type":1}', "[]"]) {
    const holder: SessionHolder = { name: "eva", role: "admin", jobs: null, proof };
    assert.equal(authenticator.isCurrent(holder), false, proof);
  }
});

test("sessionHolderOf() keeps the proof of a session's caller, and is null for nobody", () => {
  const holder = { name: "eva", role: "admin", jobs: null, proof: "p" } as const;
  assert.deepEqual(
    holderOf({ ...holder, session: { id: "ab", expiresAt: START } } as Caller),
    holder,
  );
  assert.equal(sessionHolderOf({ caller: null, peer: "unix:1", uid: 0 }), null);
});
