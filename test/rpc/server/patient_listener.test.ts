import assert from "node:assert/strict";
import { test } from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import type { TcpListener } from "../../../src/rpc/server/listeners.ts";
import { PatientListener } from "../../../src/rpc/server/patient_listener.ts";
import { keepingLogger, type LoggedLine } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const TAKEN = new JobError("conflict", "Cannot listen on a:1: the address is in use");
const FIRST = { descriptor: null, hasWorked: false };
const AGAIN = { descriptor: null, hasWorked: true };

/** A listener whose address has this problem, until it is set to null. */
function world(problem: JobError | null, isAnyPort = false) {
  const clock = new SimClock();
  const lines: LoggedLine[] = [];
  const state = { problem, tries: 0, changes: 0, isClosed: false, given: [] as unknown[] };
  const opened: TcpListener = { port: 1, descriptor: 9, close: () => state.isClosed = true };
  const listener = new PatientListener({
    listen: (descriptor) => {
      state.tries += 1;
      state.given.push(descriptor);
      return state.problem === null ? Promise.resolve(opened) : Promise.reject(state.problem);
    },
    changed: () => state.changes += 1,
    ...{ isAnyPort, clock, logger: keepingLogger(lines) },
  });
  return { clock, lines, state, listener };
}

test("start() listens at once, and takes over the socket that it is given", async () => {
  const { listener, state, lines } = world(null);
  await listener.start({ descriptor: 7, hasWorked: false });
  assert.deepEqual([listener.listener?.port, listener.problem], [1, null]);
  assert.deepEqual([state.given, state.changes, lines], [[7], 0, []]);
});

test("an address that is taken is tried again every 3 s, and said once", async () => {
  const { listener, state, lines, clock } = world(TAKEN);
  await listener.start(FIRST);
  assert.deepEqual([listener.listener, listener.problem?.message], [null, TAKEN.message]);
  await clock.advance(2_999);
  assert.equal(state.tries, 1);
  await clock.advance(1);
  assert.equal(state.tries, 2);
  await clock.advance(297_000);
  assert.deepEqual([state.tries, state.changes], [101, 0]);
  const text = `${TAKEN.message}. Jobs run; the daemon tries again every 3 s`;
  assert.deepEqual(lines.map(({ level, message }) => [level, message]), [["warn", text]]);
});

test("an address that becomes free is taken, and told", async () => {
  const { listener, state, clock } = world(TAKEN);
  await listener.start(FIRST);
  state.problem = null;
  await clock.advance(3_000);
  assert.deepEqual([listener.listener?.port, listener.problem, state.changes], [1, null, 1]);
  await clock.advance(60_000);
  assert.equal(state.tries, 2);
});

test("another problem of the address is said and told, too", async () => {
  const { listener, state, lines, clock } = world(TAKEN);
  await listener.start(FIRST);
  state.problem = new JobError("invalid_config", "no such address");
  await clock.advance(6_000);
  assert.deepEqual([lines.length, state.changes], [2, 1]);
  assert.equal(listener.problem?.message, "no such address");
});

test("what waiting does not help refuses a first start, but not a later one", async () => {
  for (const code of ["invalid_config", "permission_denied"] as const) {
    const problem = new JobError(code, "no");
    const first = world(problem);
    await assert.rejects(first.listener.start(FIRST), problem);
    const later = world(problem);
    await later.listener.start(AGAIN);
    assert.equal(later.listener.problem, problem);
    later.state.problem = null;
    await later.clock.advance(3_000);
    assert.equal(later.listener.problem, null);
  }
});

test("start() refuses if there is no free port at all", async () => {
  await assert.rejects(world(TAKEN, true).listener.start(FIRST), TAKEN);
});

test("stop() ends the listener, and the tries", async () => {
  const open = world(null);
  await open.listener.start(FIRST);
  open.listener.stop();
  assert.deepEqual([open.state.isClosed, open.listener.listener], [true, null]);
  const waiting = world(TAKEN);
  await waiting.listener.start(FIRST);
  waiting.listener.stop();
  await waiting.clock.advance(60_000);
  assert.equal(waiting.state.tries, 1);
});

test("stop() during a try closes what that opens", async () => {
  const { listener, state, clock } = world(TAKEN);
  await listener.start(FIRST);
  state.problem = null;
  const advanced = clock.advance(3_000);
  listener.stop();
  await advanced;
  assert.equal(listener.listener, null);
  assert.deepEqual([state.changes, state.tries === 1 || state.isClosed], [0, true]);
});
