import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../src/platform/logger.ts";
import { createTokenAuthenticator, METHOD_ROLE } from "../../src/rpc/auth.ts";
import { SimClock } from "../support/sim_clock.ts";
import { keepingLogger } from "../support/rpc_world.ts";
import type { LoggedLine } from "../support/rpc_world.ts";

const TOKENS = [
  { name: "eyes", token: "viewer-token", role: "viewer" },
  { name: "hands", token: "operator-token", role: "operator" },
  { name: "boss", token: "admin-token", role: "admin" },
] as const;

function authenticator(lines: LoggedLine[] = [], clock = new SimClock()) {
  return createTokenAuthenticator({ tokens: TOKENS, clock, logger: keepingLogger(lines) });
}

for (
  const [what, header] of [
    ["absent", undefined],
    ["empty", ""],
    ["another scheme", "Basic dXNlcjpwYXNz"],
    ["without a token", "Bearer "],
    ["a wrong token", "Bearer nope"],
    ["a token with more behind it", "Bearer admin-token x"],
    ["the beginning of a token", "Bearer admin-toke"],
    ["64 KiB long", `Bearer ${"a".repeat(65_536)}`],
  ] as const
) {
  test(`check() answers unauthenticated when the header is ${what}`, () => {
    const refusal = authenticator().check("getVersion", header);
    assert.equal(refusal?.code, "unauthenticated");
    assert.ok(refusal.hint);
    assert.ok(refusal.message.length < 200);
  });
}

test("check() allows what the role includes and names the role that is needed", () => {
  const { check } = authenticator();
  const rank = { viewer: 0, operator: 1, admin: 2 };
  for (const method of Object.keys(METHOD_ROLE) as (keyof typeof METHOD_ROLE)[]) {
    for (const { token, role } of TOKENS) {
      const refusal = check(method, `Bearer ${token}`);
      if (rank[role] >= rank[METHOD_ROLE[method]]) {
        assert.equal(refusal, null, `${role} ${method}`);
        continue;
      }
      assert.equal(refusal?.code, "permission_denied");
      assert.ok(refusal.message.includes(METHOD_ROLE[method]));
    }
  }
});

test("check() logs failures at most once a second, with their number", async () => {
  const lines: LoggedLine[] = [];
  const clock = new SimClock();
  const { check } = authenticator(lines, clock);
  for (let call = 0; call < 500; call++) check("getVersion", "Bearer nope");
  assert.equal(lines.length, 1);
  await clock.advance(1_000);
  assert.deepEqual(lines.map(({ fields }) => fields.count), [1, 499]);
  await clock.advance(10_000);
  assert.equal(lines.length, 2);
});

test("check() never logs a token", () => {
  const lines: LoggedLine[] = [];
  authenticator(lines).check("getVersion", "Bearer secret-guess");
  assert.ok(!JSON.stringify(lines).includes("secret-guess"));
});

test("check() does not tell by its time how much of a token is right", () => {
  const { check } = createTokenAuthenticator({
    tokens: [{ name: "one", token: "a".repeat(43), role: "admin" }],
    clock: new SimClock(),
    logger: silentLogger,
  });
  const right = `Bearer ${"a".repeat(42)}b`;
  const wrong = `Bearer ${"b".repeat(43)}`;
  // The least time of many rounds: a busy machine only adds to a round.
  const leastNs = { right: Infinity, wrong: Infinity };
  for (let round = 0; round < 40; round++) {
    for (const [name, header] of [["right", right], ["wrong", wrong]] as const) {
      const start = process.hrtime.bigint();
      for (let call = 0; call < 250; call++) check("getVersion", header);
      leastNs[name] = Math.min(leastNs[name], Number(process.hrtime.bigint() - start));
    }
  }
  const ratio = leastNs.right / leastNs.wrong;
  assert.ok(ratio > 0.5 && ratio < 2, `ratio ${ratio}`);
});
