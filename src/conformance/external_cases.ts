import assert from "node:assert/strict";
import { type NewInstance, OPEN_RUNS_MAX, type RunEnd, type RunReport } from "../store/store.ts";
import {
  idsOf,
  LEASE_MS,
  line,
  MINUTE,
  refuses,
  REPORT,
  SCHEDULE,
  START,
  type StoreCases,
  type StoreWorld,
} from "./world/store_world.ts";

function endAt(at: number, given: Partial<RunEnd> = {}): RunEnd {
  return { at, state: "completed", reason: "ok", error: null, ...given };
}

const FAILED: Partial<RunEnd> = {
  state: "terminated",
  reason: "error",
  error: { name: "Error", message: "exit code 3", exitCode: 3 },
};

function reportOf(
  world: StoreWorld,
  given: Partial<Omit<RunReport, "instance">> & { readonly instance?: Partial<NewInstance> } = {},
): RunReport {
  const { instance, ...rest } = given;
  return {
    node: "web1",
    startedAt: world.wallMs,
    end: null,
    logs: [],
    ...rest,
    instance: world.newInstance(instance),
  };
}

async function record(world: StoreWorld, ...runs: readonly RunReport[]) {
  return (await world.store.recordRuns({ at: world.at, runs })).value.runs;
}

async function expect(world: StoreWorld, cursor: number, tick: number) {
  return await world.fire(cursor, [tick], { isExpected: true });
}

async function fates(world: StoreWorld) {
  return (await world.fates()).toReversed().map((
    { from, fate, reason, instanceId },
  ) => [from - START, fate, reason, instanceId]);
}

/** Cases of runs that happen elsewhere and are only reported. */
export const externalCases: StoreCases = {
  "recordRuns() keeps when a run elsewhere began and ended": async (world) => {
    const run = reportOf(world, { startedAt: START - 5_000, logs: [line("a")] });
    world.advance(1_000);
    const [begun] = await record(world, run);
    assert.equal(begun!.status, "begun");
    const { state, processedAt, settledAt, createdAt, node, attempt, fence } = begun!.instance;
    assert.deepEqual([state, processedAt, settledAt], ["processing", START - 5_000, null]);
    assert.deepEqual([node, attempt, fence, createdAt], ["web1", 1, 0, START + 1_000]);
    const [ended] = await record(world, {
      ...run,
      startedAt: START,
      end: endAt(START - 2_000),
      logs: [line("b")],
    });
    assert.equal(ended!.status, "ended");
    const { id } = run.instance;
    const stored = await world.store.get(id);
    assert.deepEqual(ended!.instance, stored);
    assert.deepEqual(
      [stored!.state, stored!.reason, stored!.processedAt, stored!.settledAt, stored!.resultsJson],
      ["completed", "ok", START - 5_000, START - 2_000, "[]"],
    );
    assert.equal(await world.states(id), "created scheduled processing completed:ok");
    const { items } = await world.store.history({ instanceId: id }, { limit: 10, order: "oldest" });
    assert.deepEqual(items.map(({ at }) => at - START).sort((a, b) => a - b), [
      -5_000,
      -5_000,
      -5_000,
      -2_000,
    ]);
    const logs = await world.store.logs({ instanceId: id }, { limit: 10, order: "oldest" });
    assert.deepEqual(logs.items.map(({ message, fence }) => `${message} ${fence}`), ["a 0", "b 0"]);
  },

  "recordRuns() records a failure with its exit code, and an end without a start": async (
    world,
  ) => {
    const run = reportOf(world, { startedAt: null, end: endAt(START, FAILED) });
    const [ended] = await record(world, run);
    const { state, reason, error, failures, processedAt, settledAt } = ended!.instance;
    assert.deepEqual([state, reason, failures], ["terminated", "error", 1]);
    assert.deepEqual(error, FAILED.error);
    assert.deepEqual([processedAt, settledAt], [null, START]);
    assert.deepEqual(await world.store.get(run.instance.id), ended!.instance);
    assert.equal(
      await world.states(run.instance.id),
      "created scheduled processing terminated:error",
    );
    assert.deepEqual(idsOf(await world.list({ isDead: true })), [run.instance.id]);
  },

  "recordRuns() changes nothing when a report is repeated": async (world) => {
    const run = reportOf(world, { logs: [line("a")] });
    await record(world, run);
    assert.equal((await record(world, run))[0]!.status, "repeated");
    const whole = { ...run, end: endAt(START), logs: [line("b")] };
    const [ended] = await record(world, whole);
    world.advance(MINUTE);
    const other = { ...whole, end: endAt(START + 1, FAILED), logs: [line("c")] };
    const [repeated, late] = await record(world, whole, other);
    assert.deepEqual([repeated!.status, late!.status], ["repeated", "repeated"]);
    assert.deepEqual(repeated!.instance, ended!.instance);
    assert.deepEqual(await world.store.get(run.instance.id), ended!.instance);
    const items = await world.logs({ instanceId: run.instance.id });
    assert.deepEqual(items.map(({ message }) => message).sort(), ["a", "b"]);
  },

  "recordRuns() accepts a start and an end of the same run in one call": async (world) => {
    const run = reportOf(world);
    const [begun, ended] = await record(world, run, { ...run, end: endAt(START + 1) });
    assert.deepEqual([begun!.status, ended!.status], ["begun", "ended"]);
    assert.equal((await world.store.get(run.instance.id))!.state, "completed");
    const counts = (await world.store.stats()).kinds.get("mail")!;
    assert.deepEqual([counts.processing, counts.completed], [0, 1]);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "recordRuns() refuses all if one id is of another instance": async (world) => {
    const instance = await world.start();
    const own = reportOf(world);
    const taken = reportOf(world, { instance: { id: instance.id } });
    await refuses(record(world, own, taken), "already_exists");
    assert.equal(await world.store.get(own.instance.id), null);
    await record(world, own);
    const foreign = reportOf(world, { instance: { id: own.instance.id, kind: "other" } });
    await refuses(record(world, foreign), "already_exists");
    await refuses(record(world, { ...own, node: "" }), "invalid_argument");
  },

  "recordRuns() refuses more unfinished runs than it may keep": async (world) => {
    const runs = Array.from({ length: OPEN_RUNS_MAX }, () => reportOf(world));
    await record(world, ...runs);
    await refuses(record(world, reportOf(world)), "resource_exhausted");
    await record(world, { ...runs[0]!, end: endAt(START) });
    assert.equal((await record(world, reportOf(world)))[0]!.status, "begun");
  },

  "a run elsewhere is not claimed, not taken back and survives an opening": async (world) => {
    const run = reportOf(world, { node: "n1" } as Partial<RunReport>);
    await record(world, run);
    assert.deepEqual(await world.claim(10), []);
    world.advance(10 * LEASE_MS);
    assert.deepEqual(await world.reap(), []);
    assert.deepEqual(await world.reopen(), []);
    await world.store.joinNode({ at: world.at, id: "n1", leaseMs: LEASE_MS, report: REPORT });
    assert.equal((await world.store.get(run.instance.id))!.state, "processing");
    assert.deepEqual(idsOf(await world.list({ states: ["processing"] })), [run.instance.id]);
    assert.equal((await world.store.stats()).kinds.get("mail")!.processing, 1);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
    const [ended] = await record(world, { ...run, end: endAt(world.wallMs) });
    assert.equal(ended!.status, "ended");
  },

  "a run elsewhere is canceled at once, and its end changes nothing any more": async (world) => {
    const run = reportOf(world);
    await record(world, run);
    const [canceled] = await world.cancel(run.instance.id);
    assert.deepEqual([canceled!.state, canceled!.reason], ["canceled", "canceled"]);
    const [late] = await record(world, { ...run, end: endAt(world.wallMs) });
    assert.deepEqual([late!.status, late!.instance.state], ["repeated", "canceled"]);
    assert.equal((await world.store.stats()).kinds.get("mail")!.processing, 0);
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "a run elsewhere is copied with its state and stays as it is": async (world) => {
    const run = reportOf(world);
    await record(world, run);
    const { records } = await world.store.records.readRecords({ after: null, limit: 100 });
    await world.store.records.writeRecords({ at: world.at, records });
    world.advance(10 * LEASE_MS);
    assert.deepEqual(await world.reap(), []);
    assert.equal((await world.store.get(run.instance.id))!.state, "processing");
    assert.deepEqual(await world.store.records.findProblems({ limit: 10 }), []);
  },

  "a run elsewhere is deleted when its retention from its own end is over": async (world) => {
    const run = reportOf(world, {
      startedAt: START - 2 * MINUTE,
      end: endAt(START - MINUTE + 1_000),
      instance: { keepSuccessMs: MINUTE },
    });
    await record(world, run);
    const retain = async () => (await world.store.retain({ at: world.at, limit: 10 })).value;
    assert.deepEqual(await retain(), []);
    world.advance(1_000);
    assert.deepEqual(await retain(), [run.instance.id]);
  },

  "advance() expects a tick of a job elsewhere, and its run takes the tick": async (world) => {
    await world.putSchedule();
    const tick = START + MINUTE;
    world.advance(MINUTE);
    const { status, accepted } = await expect(world, START, tick);
    assert.deepEqual([status, accepted], ["advanced", []]);
    assert.deepEqual(await fates(world), [[MINUTE, "expected", null, null]]);
    assert.deepEqual(await world.claim(10), []);
    const instance = { scheduleId: SCHEDULE, scheduledFor: tick };
    const [first] = await record(world, reportOf(world, { instance }));
    assert.equal(first!.instance.scheduledFor, tick);
    const { id } = first!.instance;
    assert.deepEqual(await fates(world), [[MINUTE, "fired", null, id]]);
    await record(world, reportOf(world, { instance }));
    assert.deepEqual(await fates(world), [[MINUTE, "fired", null, id]]);
    assert.equal((await world.store.getSchedule(SCHEDULE))!.lastRunAt, tick);
    const { items } = await world.store.list({ scheduleId: SCHEDULE }, { limit: 10 });
    assert.equal(items.length, 2);
  },

  "advance() leaves a tick to its run that was reported before": async (world) => {
    await world.putSchedule();
    const tick = START + MINUTE;
    const instance = { scheduleId: SCHEDULE, scheduledFor: tick };
    const [begun] = await record(world, reportOf(world, { instance, end: endAt(START + 1) }));
    world.advance(MINUTE);
    assert.equal((await expect(world, START, tick)).status, "advanced");
    assert.deepEqual(await fates(world), [[MINUTE, "fired", null, begun!.instance.id]]);
    assert.equal((await world.store.getSchedule(SCHEDULE))!.cursor, tick);
  },

  "advance() skips a tick of a job elsewhere that is paused or still runs": async (world) => {
    await world.putSchedule();
    world.advance(MINUTE);
    await world.pause("mail");
    const { skipped } = await expect(world, START, START + MINUTE);
    assert.deepEqual(skipped, [START + MINUTE]);
    await world.resume("mail");
    const instance = { scheduleId: SCHEDULE, scheduledFor: START + MINUTE };
    const [begun] = await record(world, reportOf(world, { instance }));
    world.advance(MINUTE);
    await expect(world, START + MINUTE, START + 2 * MINUTE);
    assert.deepEqual(await fates(world), [
      [2 * MINUTE, "skipped", "overlap", null],
      [MINUTE, "fired", null, begun!.instance.id],
    ]);
  },

  "recordRuns() marks ticks as missed once, and a late run still takes them": async (world) => {
    await world.putSchedule();
    const ticks = [1, 2].map((minute) => START + minute * MINUTE);
    world.advance(2 * MINUTE);
    await world.fire(START, ticks, { isExpected: true });
    const [first, second] = ticks.map((tick) => ({ scheduleId: SCHEDULE, tick }));
    const run = reportOf(world, { instance: { scheduleId: SCHEDULE, scheduledFor: second!.tick } });
    const missed = [first!, second!, { scheduleId: "none", tick: START }];
    const request = { at: world.at, runs: [run], missed };
    const { value } = await world.store.recordRuns(request);
    assert.deepEqual(value.missed, [first]);
    const repeated = await world.store.recordRuns({ ...request, runs: [] });
    assert.deepEqual(repeated.value, { runs: [], missed: [] });
    assert.deepEqual(await fates(world), [
      [2 * MINUTE, "fired", null, run.instance.id],
      [MINUTE, "missed", "unreported", null],
    ]);
    const late = reportOf(world, { instance: { scheduleId: SCHEDULE, scheduledFor: first!.tick } });
    await record(world, late);
    assert.deepEqual((await fates(world))[1], [MINUTE, "fired", null, late.instance.id]);
    assert.equal((await world.store.getSchedule(SCHEDULE))!.lastRunAt, second!.tick);
  },

  "recordRuns() leaves a tick within a range of ticks as it is": async (world) => {
    await world.putSchedule();
    world.advance(3 * MINUTE);
    const range = { from: START + MINUTE, to: START + 2 * MINUTE, count: 2 };
    const fate = { ...range, fate: "missed", reason: "misfire", instanceId: null } as const;
    await world.fire(START, [START + 3 * MINUTE], { isExpected: true, fates: [fate] });
    const before = await fates(world);
    const instance = { scheduleId: SCHEDULE, scheduledFor: START + 2 * MINUTE };
    await record(world, reportOf(world, { instance }));
    assert.deepEqual(await fates(world), before);
  },

  "a run elsewhere that began at one connection ends at another": async (world) => {
    const stores = await world.connect(2);
    const other = stores[1]!;
    const run = reportOf(world);
    await record(world, run);
    const request = { at: world.at, runs: [{ ...run, end: endAt(START + 1, FAILED) }] };
    const { value } = await other.recordRuns(request);
    assert.equal(value.runs[0]!.status, "ended");
    assert.equal((await record(world, run))[0]!.status, "repeated");
    assert.deepEqual(await world.store.get(run.instance.id), await other.get(run.instance.id));
    await world.disconnect(stores);
  },
};
