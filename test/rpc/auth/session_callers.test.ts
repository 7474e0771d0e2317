import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError, JobError } from "../../../src/core/errors.ts";
import { sessionFactsOf, type SessionHolder } from "../../../src/manager/sessions/session.ts";
import { SessionCallers } from "../../../src/rpc/auth/session_callers.ts";
import { memorySessions } from "../../support/worlds/memory_sessions.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const HOUR = 3_600_000;
const ADDRESS = "10.0.0.1";
const EVA: SessionHolder = { name: "eva", role: "operator", jobs: ["shop-*"], proof: "p" };

function world() {
  const clock = new SimClock();
  const stored = memorySessions(clock);
  const state = { isCurrent: true, reads: 0, codeReads: 0, isAway: false };
  const callers = new SessionCallers({
    clock,
    isCurrent: () => state.isCurrent,
    sessions: {
      ...sessionFactsOf(stored),
      async waitingCodes() {
        state.codeReads += 1;
        return await stored.waitingCodes();
      },
      async useSession(...args) {
        state.reads += 1;
        if (state.isAway) throw new JobError("unavailable", "Cannot reach the store");
        return await stored.use(...args);
      },
    },
  });
  return { clock, stored, callers, state };
}

test("find() returns the caller of a session, and reads it once in two seconds", async () => {
  const { clock, callers, state } = world();
  const { secret, session } = await callers.open(EVA, ADDRESS);
  const caller = { ...EVA, session: { id: session.id, expiresAt: session.expiresAt, uid: null } };
  assert.deepEqual(await callers.find(secret, ADDRESS), caller);
  await clock.advance(1_999);
  await callers.find(secret, ADDRESS);
  assert.equal(state.reads, 0);
  await clock.advance(1);
  const both = [callers.find(secret, ADDRESS), callers.find(secret, ADDRESS)];
  assert.deepEqual(await Promise.all(both), [caller, caller]);
  assert.equal(state.reads, 1);
});

test("find() is null for a session that was revoked on any node, two seconds later", async () => {
  const { clock, callers, stored } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  await callers.find(secret, ADDRESS);
  await stored.revoke(null, null);
  await clock.advance(2_000);
  assert.equal(await callers.find(secret, ADDRESS), null);
});

test("find() is null at once when the holder has lost its rights, or the session expired", async () => {
  const { clock, callers, state } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  await callers.find(secret, ADDRESS);
  state.isCurrent = false;
  assert.equal(await callers.find(secret, ADDRESS), null);
  state.isCurrent = true;
  await clock.advance(12 * HOUR - 1);
  assert.notEqual(await callers.find(secret, ADDRESS), null);
  await clock.advance(1);
  assert.equal(await callers.find(secret, ADDRESS), null);
});

test("find() reads nothing for text that is no secret, and little for a flood of guesses", async () => {
  const { callers, clock, state } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  await callers.find(secret, ADDRESS);
  state.reads = 0;
  for (const text of ["", "x".repeat(42), "x".repeat(44), `${"x".repeat(42)}\n`, "ü".repeat(43)]) {
    assert.equal(await callers.find(text, ADDRESS), null);
  }
  assert.equal(state.reads, 0);
  const guess = (index: number) => callers.find(String(index).padStart(43, "0"), ADDRESS);
  for (let index = 0; index < 100; index += 1) assert.equal(await guess(index), null);
  await assert.rejects(guess(100), (error) => isJobError(error, "resource_exhausted"));
  assert.equal(state.reads, 100);
  assert.notEqual(await callers.find(secret, ADDRESS), null);
  await clock.advance(50);
  assert.equal(await guess(101), null);
});

test("find() keeps no session out, new, old or of a restart, for a flood from other addresses", async () => {
  const { callers, clock, stored, state } = world();
  const guess = (index: number, address: string) =>
    callers.find(String(index).padStart(43, "0"), address);
  for (let index = 0; index < 400; index += 1) {
    await guess(index, `10.1.0.${index % 4}`).catch(() => {});
  }
  for (const address of ["10.1.0.0", "10.1.0.3"]) {
    await assert.rejects(guess(900, address), (error) => isJobError(error, "resource_exhausted"));
  }
  // Those of another daemon, or of this one before it started again: it has to look them up.
  const address = "10.2.0.1";
  for (let count = 0; count < 120; count += 1) {
    const { secret } = await stored.open({ ...EVA, proof: String(count) }, address);
    assert.notEqual(await callers.find(secret, address), null);
  }
  // A login from the very address of the flood.
  const { secret } = await callers.open(EVA, "10.1.0.0");
  assert.notEqual(await callers.find(secret, "10.1.0.0"), null);
  await clock.advance(2_000);
  state.reads = 0;
  for (let index = 0; index < 300; index += 1) await guess(index, "10.1.0.0").catch(() => {});
  assert.ok(state.reads <= 140, `${state.reads} reads`);
  assert.notEqual(await callers.find(secret, "10.1.0.0"), null);
});

test("find() counts the guesses of an IPv6 network together", async () => {
  const { callers } = world();
  const guess = (index: number, network: number) =>
    callers.find(String(index).padStart(43, "0"), `2001:db8:0:${network}::${index}`);
  for (let index = 0; index < 100; index += 1) assert.equal(await guess(index, 1), null);
  await assert.rejects(guess(100, 1), (error) => isJobError(error, "resource_exhausted"));
  assert.equal(await guess(100, 2), null);
});

test("redeem() opens a session with a code, once, and not for a holder without rights", async () => {
  const { callers, stored, state } = world();
  const { code } = await stored.createCode(EVA);
  const opened = await callers.redeem(code, ADDRESS);
  assert.equal(opened?.session.name, "eva");
  assert.equal(await callers.redeem(code, ADDRESS), null);
  assert.equal(await callers.redeem("nonsense", ADDRESS), null);
  const { code: late } = await stored.createCode(EVA);
  state.isCurrent = false;
  assert.equal(await callers.redeem(late, ADDRESS), null);
  assert.equal((await stored.list(null)).length, 1);
});

test("end() ends a session and its streams at once, and may be called again", async () => {
  const { callers } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  const caller = (await callers.find(secret, ADDRESS))!;
  let ended = 0;
  callers.watch(caller, () => ended += 1);
  await callers.end(caller);
  assert.equal(ended, 1);
  await callers.end(caller);
  assert.equal(await callers.find(secret, ADDRESS), null);
});

test("watch() calls back within two seconds after a revocation, for each stream once", async () => {
  const { callers, clock, stored } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  const caller = (await callers.find(secret, ADDRESS))!;
  const ended: string[] = [];
  callers.watch(caller, () => ended.push("first"));
  callers.watch(caller, () => ended.push("second"));
  const stop = callers.watch(caller, () => ended.push("stopped"));
  stop();
  await clock.advance(10_000);
  assert.deepEqual(ended, []);
  await stored.revoke(null, null);
  await clock.advance(2_000);
  assert.deepEqual(ended, ["first", "second"]);
  await clock.advance(10_000);
  assert.deepEqual(ended, ["first", "second"]);
});

test("watch() keeps streams open while the store does not respond", async () => {
  const { callers, clock, stored, state } = world();
  const { secret } = await callers.open(EVA, ADDRESS);
  const caller = (await callers.find(secret, ADDRESS))!;
  let isEnded = false;
  callers.watch(caller, () => isEnded = true);
  state.isAway = true;
  await clock.advance(10_000);
  await stored.revoke(null, null);
  assert.equal(isEnded, false);
  state.isAway = false;
  await clock.advance(2_000);
  assert.equal(isEnded, true);
});

test("findCode() reads the codes once for all that ask at the same time", async () => {
  const { callers, stored, state } = world();
  const { code } = await stored.createCode(EVA, 1_000);
  const guesses = Array.from({ length: 1_000 }, (_, index) => String(index).padStart(43, "0"));
  const found = await Promise.all([...guesses, code].map((each) => callers.findCode(each)));
  assert.deepEqual(found.map((each) => each?.uid), [...guesses.map(() => undefined), 1_000]);
  assert.equal(state.codeReads, 1);
  assert.equal(await callers.findCode("too short"), null);
  assert.equal(state.codeReads, 1);
});

test("findCode() finds a code that is created while the codes are read", async () => {
  const { callers, stored } = world();
  const first = callers.findCode("0".repeat(43));
  const { code } = await stored.createCode(EVA);
  assert.equal((await callers.findCode(code))?.uid, null);
  assert.equal(await first, null);
});

test("findCode() reads the codes 20 times a second at most, during a flood of guesses", async () => {
  const { callers, clock, state } = world();
  let isOver = false;
  const flood = (async () => {
    for (let index = 0; !isOver; index += 1) {
      await callers.findCode(String(index).padStart(43, "0"));
    }
  })();
  await clock.advance(10_000);
  const { codeReads } = state;
  assert.ok(codeReads > 200 && codeReads <= 251, String(codeReads));
  isOver = true;
  await clock.advance(1_000);
  await flood;
});
