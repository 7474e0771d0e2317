import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import type { JobHook } from "../../../src/core/hooks/hook.ts";
import { type Verdict, verify } from "../../../src/http/hooks/signatures.ts";

// The vectors are the examples of the public documentation of GitHub ("Validating webhook
// deliveries") and of Standard Webhooks. Stripe publishes the rule, but no vector.

const GITHUB_SECRET = "It's a Secret to Everybody";
const GITHUB_SIGNATURE = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD = {
  "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const STANDARD_BODY = '{"test": 2432232314}';
const STRIPE_SECRET = "whsec_stripe_secret_of_the_test";
const AT_S = 1_614_265_330;

function hook(form: JobHook["form"], ...secrets: readonly string[]): JobHook {
  return {
    ...{ form, secrets, header: "authorization", replayWindowMs: 300_000 },
    ...{ arguments: [], conditions: [] },
  };
}

type Headers = Readonly<Record<string, string>>;

function check(own: JobHook, headers: Headers, body: string, atS = AT_S): Verdict {
  return verify(own, { headers, body: new TextEncoder().encode(body) }, atS * 1_000);
}

function reasonOf(verdict: Verdict): string {
  assert.equal(verdict.isRight, false);
  return verdict.isRight ? "" : verdict.reason;
}

function deliveryOf(verdict: Verdict): string | null {
  assert.equal(verdict.isRight, true, "reason" in verdict ? verdict.reason : "");
  return verdict.isRight ? verdict.delivery : null;
}

function stripe(body: string, time: number | string = AT_S, secret = STRIPE_SECRET): string {
  const hex = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
  return `t=${time},v1=${hex},v0=${"0".repeat(64)}`;
}

const github = (signature: string, body = "Hello, World!", own = hook("github", GITHUB_SECRET)) =>
  check(own, { "x-hub-signature-256": signature }, body);

test("verify() accepts the example of GitHub's documentation, and only that", () => {
  deliveryOf(github(`sha256=${GITHUB_SIGNATURE}`));
  deliveryOf(github(`sha256=${GITHUB_SIGNATURE.toUpperCase()}`));
  const other = GITHUB_SIGNATURE.replace(/7$/, "8");
  assert.match(reasonOf(github(`sha256=${other}`)), /the secrets differ, or a proxy/);
  assert.match(reasonOf(github(`sha256=${GITHUB_SIGNATURE}`, "Hello, World")), /differ/);
  for (
    const malformed of [
      GITHUB_SIGNATURE,
      `sha1=${GITHUB_SIGNATURE}`,
      `sha256=${GITHUB_SIGNATURE}, sha256=${GITHUB_SIGNATURE}`,
      `sha256=${GITHUB_SIGNATURE.slice(2)}`,
      "sha256=",
      "",
    ]
  ) assert.match(reasonOf(github(malformed)), /is not sha256=HEX/, malformed);
});

test("verify() says in the log what is missing at GitHub", () => {
  const own = hook("github", GITHUB_SECRET);
  assert.match(reasonOf(check(own, { "x-github-event": "push" }, "")), /has no secret at GitHub/);
  assert.match(reasonOf(check(own, {}, "")), /no header x-hub-signature-256$/);
});

test("verify() accepts each of several secrets, and a delivery is the same with all", () => {
  const [old, next] = ["the-old-secret-of-it", GITHUB_SECRET];
  const verdict = github(`sha256=${GITHUB_SIGNATURE}`, undefined, hook("github", old, next));
  const hex = createHmac("sha256", old).update("Hello, World!").digest("hex");
  const before = github(`sha256=${hex}`, undefined, hook("github", old, next));
  assert.equal(deliveryOf(verdict), deliveryOf(before));
  assert.match(reasonOf(github(`sha256=${hex}`)), /differ/);
});

test("verify() accepts the example of Standard Webhooks, and nothing that differs from it", () => {
  const own = hook("standard", STANDARD_SECRET);
  assert.equal(deliveryOf(check(own, STANDARD, STANDARD_BODY)), STANDARD["webhook-id"]);
  const bare = hook("standard", STANDARD_SECRET.replace("whsec_", ""));
  deliveryOf(check(bare, STANDARD, STANDARD_BODY));
  const svix = Object.fromEntries(
    Object.entries(STANDARD).map(([name, value]) => [name.replace("webhook", "svix"), value]),
  );
  deliveryOf(check(own, svix, STANDARD_BODY));
  const several = `v1,${"A".repeat(43)}= v1a,xyz ${STANDARD["webhook-signature"]}`;
  deliveryOf(check(own, { ...STANDARD, "webhook-signature": several }, STANDARD_BODY));
  for (
    const change of [
      { "webhook-id": "msg_other" },
      { "webhook-timestamp": "1614265331" },
      { "webhook-signature": `v1,${"A".repeat(43)}=` },
    ]
  ) assert.match(reasonOf(check(own, { ...STANDARD, ...change }, STANDARD_BODY)), /differ/);
  assert.match(reasonOf(check(own, STANDARD, `${STANDARD_BODY}\n`)), /differ/);
});

test("verify() refuses headers of Standard Webhooks that are missing, malformed or asymmetric", () => {
  const own = hook("standard", STANDARD_SECRET);
  const { "webhook-id": _, ...rest } = STANDARD;
  assert.match(reasonOf(check(own, rest, STANDARD_BODY)), /there are no headers webhook-id/);
  const reason = (change: Headers) => reasonOf(check(own, { ...STANDARD, ...change }, "{}"));
  assert.match(reason({ "webhook-timestamp": "soon" }), /not a number of seconds/);
  assert.match(reason({ "webhook-timestamp": "1614265330, 1614265330" }), /not a number/);
  assert.match(reason({ "webhook-signature": "v1a,abc" }), /private key \(v1a\)/);
  assert.match(reason({ "webhook-signature": "v2,abc" }), /has no v1,BASE64/);
});

test("verify() refuses a part of a body that is passed off as the id and the time", () => {
  const own = hook("standard", STANDARD_SECRET);
  const body = `{"note":"x.${AT_S + 60}.{"ref":"evil"}`;
  const key = Buffer.from(STANDARD_SECRET.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`msg_1.${AT_S}.${body}`).digest("base64");
  const headers = (id: string, time: number) => ({
    ...{ "webhook-id": id, "webhook-timestamp": String(time) },
    "webhook-signature": `v1,${signature}`,
  });
  deliveryOf(check(own, headers("msg_1", AT_S), body));
  const moved = headers(`msg_1.${AT_S}.{"note":"x`, AT_S + 60);
  assert.match(reasonOf(check(own, moved, '{"ref":"evil"}')), /webhook-id has a full stop/);
});

for (const [form, sign] of [["stripe", stripe], ["standard", null]] as const) {
  test(`verify() bounds the age of ${form}, also ahead, to the millisecond`, () => {
    const own = form === "stripe" ? hook(form, STRIPE_SECRET) : hook(form, STANDARD_SECRET);
    const headers = sign ? { "stripe-signature": sign(STANDARD_BODY) } : STANDARD;
    const at = (ms: number) =>
      verify(own, { headers, body: new TextEncoder().encode(STANDARD_BODY) }, ms);
    const signed = AT_S * 1_000;
    deliveryOf(at(signed + 300_000));
    deliveryOf(at(signed - 300_000));
    assert.match(reasonOf(at(signed + 300_001)), /signed 5m\S* ago, and replay_window is 5m/);
    assert.match(reasonOf(at(signed - 300_001)), /ahead of the clock of this host/);
  });
}

test("verify() accepts Stripe's signature among several, and nothing that differs from it", () => {
  const own = hook("stripe", STRIPE_SECRET);
  const body = '{"id":"evt_1"}';
  const reason = (header: string, text = body) =>
    reasonOf(check(own, { "stripe-signature": header }, text));
  deliveryOf(check(own, { "stripe-signature": stripe(body) }, body));
  const other = stripe(body, AT_S, "another-secret-of-it");
  const both = `${other},${stripe(body).split(",")[1]}`;
  deliveryOf(check(own, { "stripe-signature": both }, body));
  assert.match(reason(other), /differ/);
  assert.match(reason(stripe(body), body.replace("1", "2")), /differ/);
  assert.match(reason(stripe(body).replace(`t=${AT_S}`, `t=${AT_S + 1}`)), /differ/);
  assert.match(reason(stripe(body).replace("v1=", "v0=")), /has no v1=HEX/);
  assert.match(reason(stripe(body).slice(13)), /does not have one time/);
  assert.match(reason(`${stripe(body)}, ${stripe(body, AT_S + 1)}`), /does not have one time/);
  assert.match(reason("t=soon,v1=00"), /does not have one time/);
  assert.match(reason("=,,,="), /does not have one time/);
  assert.match(reasonOf(check(own, {}, body)), /no header stripe-signature/);
});

test("verify() compares only so many signatures of one header", () => {
  const own = hook("stripe", STRIPE_SECRET);
  const wrong = Array.from({ length: 20 }, () => `v1=${"0".repeat(64)}`).join(",");
  const late = stripe("{}").replace(",v1=", `,${wrong},v1=`);
  assert.match(reasonOf(check(own, { "stripe-signature": late }, "{}")), /differ/);
});

test("verify() accepts a token after the word Bearer, or as the whole of another header", () => {
  const own = hook("token", "a-token-of-twenty-chars");
  const bearer = (authorization: string) => check(own, { authorization }, "");
  assert.equal(deliveryOf(bearer("Bearer a-token-of-twenty-chars")), null);
  deliveryOf(bearer("bearer a-token-of-twenty-chars"));
  assert.match(reasonOf(bearer("Bearer a-token-of-twenty-char")), /authorization is wrong/);
  assert.match(reasonOf(bearer("a-token-of-twenty-chars")), /is not "Bearer TOKEN"/);
  assert.match(reasonOf(bearer("Basic a-token-of-twenty-chars")), /is not "Bearer TOKEN"/);
  assert.match(reasonOf(check(own, {}, "")), /no header authorization/);
  const gitlab = { ...own, header: "x-gitlab-token" };
  const key = { "x-gitlab-token": "a-token-of-twenty-chars", "idempotency-key": "k1" };
  assert.equal(deliveryOf(check(gitlab, key, "")), "id k1");
  const wrong = { authorization: "Bearer a-token-of-twenty-chars" };
  assert.match(reasonOf(check(gitlab, wrong, "")), /no header x-gitlab-token/);
});

test("verify() reads a token with other characters than ASCII as its bytes", () => {
  const own = hook("token", "ein-schlüssel-aus-zwanzig");
  const latin = Buffer.from("Bearer ein-schlüssel-aus-zwanzig").toString("latin1");
  deliveryOf(check(own, { authorization: latin }, ""));
});
