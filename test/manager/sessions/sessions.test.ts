import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import { hashOf, Sessions } from "../../../src/manager/sessions/sessions.ts";
import type { SessionHolder } from "../../../src/manager/sessions/session.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const EVA: SessionHolder = { name: "eva", role: "admin", jobs: null, proof: "proof of eva" };
const TOM: SessionHolder = { name: "tom", role: "viewer", jobs: ["shop-*"], proof: "of tom" };

async function world() {
  const clock = new SimClock(START);
  const store = new MemoryStore({ defer: (run) => queueMicrotask(run) });
  await store.open({ at: clock.now(), node: "a" });
  let seed = 1;
  const node = () => new Sessions({ store, clock, random: seededRandom(seed++) });
  const memos = () => store.listMemos({ prefix: "", after: null, limit: 1_000 });
  return { clock, store, node, sessions: node(), memos };
}

test("open() makes a session that every node of the store knows", async () => {
  const { node, sessions, clock } = await world();
  const { secret, session } = await sessions.open(TOM, "10.0.0.1");
  assert.deepEqual(session, {
    ...{ id: hashOf(secret), ...TOM, address: "10.0.0.1" },
    ...{ createdAt: START, usedAt: START, expiresAt: START + 12 * HOUR, uid: null },
  });
  await clock.advance(1_000);
  assert.deepEqual(await node().use(session.id, "10.0.0.1"), session);
  assert.equal(await sessions.use(hashOf("another secret"), "10.0.0.1"), null);
});

test("open() stores no secret, and no member of a caller but its rights", async () => {
  const { sessions, memos } = await world();
  const { code } = await sessions.createCode(EVA);
  const digest = "a digest of a token";
  const { secret } = await sessions.open({ ...EVA, digest } as SessionHolder, "10.0.0.1");
  const stored = JSON.stringify(await memos());
  assert.match(stored, /proof of eva/);
  for (const each of [code, secret, digest]) assert.equal(stored.includes(each), false);
});

test("use() ends with the session's twelve hours, and does not prolong them", async () => {
  const { sessions, clock } = await world();
  const { session } = await sessions.open(EVA, "10.0.0.1");
  await clock.advance(12 * HOUR - 1);
  assert.notEqual(await sessions.use(session.id, "10.0.0.1"), null);
  await clock.advance(1);
  assert.equal(await sessions.use(session.id, "10.0.0.1"), null);
});

test("use() records the last use and its address once a minute", async () => {
  const { sessions, clock, memos } = await world();
  const { session } = await sessions.open(EVA, "10.0.0.1");
  const [before] = await memos();
  await clock.advance(59_999);
  await sessions.use(session.id, "10.0.0.2");
  assert.deepEqual(await memos(), [before]);
  await clock.advance(1);
  await sessions.use(session.id, "10.0.0.2");
  const [listed] = await sessions.list(null);
  assert.deepEqual([listed!.usedAt, listed!.address], [START + 60_000, "10.0.0.2"]);
});

test("redeemCode() returns the holder once, also if two nodes try at the same time", async () => {
  const { node, sessions } = await world();
  const { code, expiresAt } = await sessions.createCode(TOM);
  assert.equal(expiresAt, START + 120_000);
  // 256 bits.
  assert.match(code, /^[\w-]{43}$/);
  assert.equal(await sessions.redeemCode(`${code}x`), null);
  assert.equal(await sessions.redeemCode(""), null);
  const both = await Promise.all([sessions.redeemCode(code), node().redeemCode(code)]);
  assert.deepEqual(both.filter((one) => one !== null), [TOM]);
  assert.equal(await sessions.redeemCode(code), null);
});

test("redeemCode() takes a code for two minutes", async () => {
  const { sessions, clock, memos } = await world();
  const [first, second] = [await sessions.createCode(TOM), await sessions.createCode(TOM)];
  await clock.advance(119_999);
  assert.deepEqual(await sessions.redeemCode(first.code), TOM);
  await clock.advance(1);
  assert.equal(await sessions.redeemCode(second.code), null);
  assert.deepEqual(await memos(), []);
});

test("createCode() forgets the oldest of more than ten codes of one caller", async () => {
  const { sessions, clock } = await world();
  const other = await sessions.createCode(EVA);
  const codes = [];
  for (let count = 0; count < 11; count += 1) {
    codes.push((await sessions.createCode(TOM)).code);
    await clock.advance(1);
  }
  assert.equal(await sessions.redeemCode(codes[0]!), null);
  assert.deepEqual(await sessions.redeemCode(codes[1]!), TOM);
  assert.deepEqual(await sessions.redeemCode(other.code), EVA);
});

test("open() ends the oldest of more than fifty sessions of one caller", async () => {
  const { sessions, clock } = await world();
  const { session: other } = await sessions.open(EVA, "10.0.0.1");
  const opened = [];
  for (let count = 0; count < 51; count += 1) {
    opened.push((await sessions.open(TOM, "10.0.0.1")).session);
    await clock.advance(1);
  }
  assert.equal(await sessions.use(opened[0]!.id, "10.0.0.1"), null);
  assert.equal((await sessions.list(TOM.proof)).length, 50);
  assert.equal((await sessions.list(null)).at(-1)!.id, other.id);
});

test("open() refuses more than a thousand sessions, until some have expired", async () => {
  const { sessions, clock, memos } = await world();
  const open = (holder: number) => sessions.open({ ...TOM, proof: String(holder) }, "10.0.0.1");
  // Together, so that their lists are read before there are many.
  await Promise.all(Array.from({ length: 1_000 }, (_, index) => open(index)));
  await assert.rejects(open(2_000), (error) => isJobError(error, "resource_exhausted"));
  await clock.advance(12 * HOUR);
  await open(2_000);
  assert.equal((await memos()).length, 1);
});

test("list() has the newest session first, of one holder or of all", async () => {
  const { sessions, clock } = await world();
  const { session: first } = await sessions.open(EVA, "10.0.0.1");
  await clock.advance(1);
  const { session: second } = await sessions.open(TOM, "10.0.0.1");
  assert.deepEqual(await sessions.list(null), [second, first]);
  assert.deepEqual(await sessions.list(EVA.proof), [first]);
});

test("revoke() ends one session by the first digits of its id, or all", async () => {
  const { sessions } = await world();
  const opened = [];
  for (let count = 0; count < 17; count += 1) opened.push(await sessions.open(EVA, "10.0.0.1"));
  const ids = opened.map(({ session }) => session.id);
  // Of seventeen ids two begin with the same digit.
  const shared = ids.map((id) => id[0]!).find((digit, at, all) => all.indexOf(digit) !== at)!;
  await assert.rejects(
    sessions.revoke(shared, null),
    (error) => isJobError(error, "invalid_argument"),
  );
  await assert.rejects(sessions.revoke("f".repeat(64), null), (e) => isJobError(e, "not_found"));
  const [ended] = await sessions.revoke(ids[3]!.slice(0, 12), null);
  assert.equal(ended!.id, ids[3]);
  assert.equal(await sessions.use(ids[3]!, "10.0.0.1"), null);
  assert.equal((await sessions.revoke(null, null)).length, 16);
  assert.deepEqual(await sessions.list(null), []);
});

test("revoke() leaves sessions of other holders alone if a proof is given", async () => {
  const { sessions } = await world();
  const { session: eva } = await sessions.open(EVA, "10.0.0.1");
  const { session: tom } = await sessions.open(TOM, "10.0.0.1");
  await assert.rejects(sessions.revoke(eva.id, TOM.proof), (e) => isJobError(e, "not_found"));
  assert.deepEqual(await sessions.revoke(null, TOM.proof), [tom]);
  assert.deepEqual(await sessions.list(null), [eva]);
});

test("revoke() also ends a session whose use is recorded at the same time", async () => {
  const { node, sessions, clock } = await world();
  const { session } = await sessions.open(EVA, "10.0.0.1");
  await clock.advance(60_000);
  await Promise.all([sessions.revoke(session.id, null), node().use(session.id, "10.0.0.1")]);
  assert.equal(await sessions.use(session.id, "10.0.0.1"), null);
  assert.deepEqual(await sessions.list(null), []);
});

test("use() also knows a session while the store accepts no writes", async () => {
  const { store, sessions, clock } = await world();
  const { session } = await sessions.open(EVA, "10.0.0.1");
  const reading = new Sessions({
    ...{ clock, random: seededRandom(9) },
    store: {
      listMemos: (query) => store.listMemos(query),
      putMemo: () => Promise.reject(new JobError("unavailable", "The disk is full")),
    },
  });
  await clock.advance(60_000);
  assert.equal((await reading.use(session.id, "10.0.0.2"))?.address, "10.0.0.2");
});

test("a session or code that claims a longer life than it may have opens nothing", async () => {
  const { sessions, store, clock } = await world();
  const putAs = async (key: string, secret: string, lifeMs: number) => {
    const value = { ...TOM, holder: TOM, createdAt: START, usedAt: START, address: "" };
    const data = JSON.stringify({ ...value, id: hashOf(secret), expiresAt: START + lifeMs });
    await store.putMemo({
      ...{ at: clock.now(), key: key + hashOf(secret), expectedVersion: null },
      ...{ value: { watch: "never", data }, isProcessed: true, instances: [] },
    });
  };
  const MINUTE = 60_000;
  await putAs("session:", "long", 12 * HOUR + MINUTE + 1);
  await putAs("session:", "right", 12 * HOUR + MINUTE);
  await putAs("login-code:", "long", 3 * MINUTE + 1);
  await putAs("login-code:", "right", 3 * MINUTE);
  assert.equal(await sessions.use(hashOf("long"), "10.0.0.1"), null);
  assert.equal((await sessions.use(hashOf("right"), "10.0.0.1"))?.name, "tom");
  assert.deepEqual((await sessions.list(null)).map(({ id }) => id), [hashOf("right")]);
  assert.equal(await sessions.redeemCode("long"), null);
  assert.equal((await sessions.redeemCode("right"))?.name, "tom");
});

test("waitingCodes() says who may use them, and has none that was used or has expired", async () => {
  const { sessions, clock } = await world();
  const { code: first } = await sessions.createCode(TOM, 1_000);
  const { code: second } = await sessions.createCode(EVA);
  const uids = async () => new Map((await sessions.waitingCodes()).map(({ id, uid }) => [id, uid]));
  assert.deepEqual(await uids(), new Map([[hashOf(first), 1_000], [hashOf(second), null]]));
  await sessions.redeemCode(first);
  assert.deepEqual(await uids(), new Map([[hashOf(second), null]]));
  await clock.advance(120_000);
  assert.deepEqual(await uids(), new Map());
});
