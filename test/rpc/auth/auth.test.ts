import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/platform/logger.ts";
import { JobError } from "../../../src/core/errors.ts";
import { type Caller, roleOf } from "../../../src/rpc/auth/auth.ts";
import { ConfiguredAuthenticator } from "../../../src/rpc/auth/authenticator.ts";
import type { MethodName } from "../../../src/rpc/backend.ts";
import { METHOD_RULES } from "../../../src/rpc/gen/method_rules.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { keepingLogger, NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";
import type { LoggedLine } from "../../support/worlds/rpc_world.ts";

const TOKENS = [
  { name: "eyes", token: "viewer-token", role: "viewer" },
  { name: "hands", token: "operator-token", role: "operator" },
  { name: "boss", token: "admin-token", role: "admin" },
] as const;

function refusalOf(answer: Caller | JobError): JobError | null {
  return answer instanceof JobError ? answer : null;
}

function authenticator(lines: LoggedLine[] = [], clock = new SimClock()) {
  const tokens = TOKENS.map(({ name, token, role }) => tokenEntry(name, token, role));
  const made = new ConfiguredAuthenticator({ ...NO_AUTH, mode: "token", tokens }, {
    onToken: () => {},
    ownToken: null,
    clock,
    logger: keepingLogger(lines),
  });
  return {
    check: (method: MethodName, header?: string) => refusalOf(made.check(method, header, "here")),
  };
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
  test(`check() returns unauthenticated when the header is ${what}`, () => {
    const refusal = authenticator().check("getVersion", header);
    assert.equal(refusal?.code, "unauthenticated");
    assert.ok(refusal.hint);
    assert.ok(refusal.message.length < 200);
  });
}

test("check() allows what the role includes and names the role that is needed", () => {
  const { check } = authenticator();
  const rank = { viewer: 0, operator: 1, admin: 2 };
  for (const method of Object.keys(METHOD_RULES) as MethodName[]) {
    const needed = roleOf(method)!;
    for (const { token, role } of TOKENS) {
      const refusal = check(method, `Bearer ${token}`);
      if (rank[role] >= rank[needed]) {
        assert.equal(refusal, null, `${role} ${method}`);
        continue;
      }
      assert.equal(refusal?.code, "permission_denied");
      assert.ok(refusal.message.includes(needed));
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
  const made = new ConfiguredAuthenticator({
    ...NO_AUTH,
    mode: "token",
    tokens: [tokenEntry("one", "a".repeat(43), "admin")],
  }, { onToken: () => {}, ownToken: null, clock: new SimClock(), logger: silentLogger });
  const check = (method: MethodName, header: string) => made.check(method, header, "here");
  const right = `Bearer ${"a".repeat(42)}b`;
  const wrong = `Bearer ${"b".repeat(43)}`;
  // The shortest of many rounds: a busy machine only adds time.
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

test("check() refuses a token whose time is over, and not before", async () => {
  const clock = new SimClock();
  const expiresAt = clock.now().wallMs + 1_000;
  const made = new ConfiguredAuthenticator({
    ...NO_AUTH,
    mode: "token",
    tokens: [tokenEntry("brief", "brief-token", "viewer", { expiresAt })],
  }, { onToken: () => {}, ownToken: null, clock, logger: silentLogger });
  await clock.advance(999);
  assert.equal(refusalOf(made.check("getVersion", "Bearer brief-token", "here")), null);
  await clock.advance(1);
  const refusal = refusalOf(made.check("getVersion", "Bearer brief-token", "here"));
  assert.equal(refusal?.code, "unauthenticated");
  assert.ok(refusal.message.includes('"brief" expired at'));
});
