import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { ReportedRun } from "../../../src/core/job/external.ts";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import { tickOfRun } from "../../../src/core/time/tick_of_run.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

/** Jobs that run elsewhere: what is reported of them, and what is not. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);
const SCHEDULE = "config:backup:0";
const RUN = "0b3a4bcd-1c9a-4f0e-8f7e-2d1f00000001";

function backup(
  { cron, options = {} }: { cron?: string; options?: Partial<JobOptions> } = {},
): JobDefinition {
  const schedules = cron === undefined ? [] : [scheduleOf({ cron })];
  return { ...jobOf("backup", { schedules, options }), source: EXTERNAL };
}

const EXTERNAL = { type: "external", pingKey: null } as const;

async function started(job = backup(), before?: ManagerWorld): Promise<ManagerWorld> {
  const world = new ManagerWorld({ jobs: [job, jobOf("work")], ...(before ? { before } : {}) });
  return await world.started();
}

async function report(world: ManagerWorld, reported: ReportedRun) {
  return (await world.of(world.manager.reportRun("backup", reported)))!;
}

async function fatesOf(world: ManagerWorld) {
  const page = { limit: 100, order: "oldest" } as const;
  const { items } = await world.of(world.store.listFates({ scheduleId: SCHEDULE }, page));
  return items.map(({ from, fate, reason }) => `${(from - START) / MINUTE} ${fate} ${reason}`);
}

async function explained(world: ManagerWorld, query = {}) {
  const reports = await world.of(world.manager.explain({ kind: "backup", ...query }));
  return reports.map(({ outcome, why }) => `${outcome}: ${why}`);
}

function isRefused(part: RegExp) {
  return (error: unknown) => isJobError(error, "invalid_argument") && part.test(error.message);
}

test("reportRun() records a start and its end as one instance", async () => {
  const world = await started();
  const begun = await report(world, { event: "start", runId: RUN, host: "web1" });
  assert.equal(begun.state, "processing");
  await world.clock.advance(5 * MINUTE);
  const ended = await report(world, {
    event: "success",
    runId: RUN.toUpperCase(),
    host: "web1",
    output: "one\r\ntwo\n",
  });
  assert.equal(ended.id, begun.id);
  const { state, processedAt, settledAt, node } = ended;
  assert.deepEqual([state, node], ["completed", "web1"]);
  assert.deepEqual([processedAt, settledAt], [START, START + 5 * MINUTE]);
  assert.deepEqual(await world.logOf(ended.id), ["one", "two"]);
  assert.deepEqual(world.executor.attempts, []);
});

test("reportRun() keeps exit code and signal of a failure", async () => {
  const world = await started();
  const failed = await report(world, { event: "failure", exitCode: 3 });
  assert.equal(failed.state, "terminated");
  assert.deepEqual(failed.error, {
    name: "CommandError",
    message: "The command exited with code 3",
    exitCode: 3,
  });
  const killed = await report(world, { event: "failure", signal: "SIGKILL" });
  assert.equal(killed.error!.message, "The command was ended by SIGKILL");
  const told = await report(world, { event: "failure", message: "no such command" });
  assert.equal(told.error!.message, "no such command");
  assert.notEqual(failed.id, killed.id);
});

test("reportRun() takes ages for times, and no time is in the future", async () => {
  const world = await started();
  await world.clock.advance(HOUR);
  const at = START + HOUR;
  const run = { event: "success", runId: RUN, startedMsAgo: 90_000, msAgo: 30_000 } as const;
  const { processedAt, settledAt } = await report(world, run);
  assert.deepEqual([processedAt, settledAt], [at - 90_000, at - 30_000]);
  const ahead = await report(world, { event: "start", msAgo: -5_000 });
  assert.equal(ahead.processedAt, at);
  const ancient = await report(world, { event: "success", msAgo: 400 * DAY });
  assert.equal(ancient.settledAt, at - 30 * DAY);
  assert.notEqual(ancient.id, ahead.id, "it ended before the other began");
  const crossed = await report(world, { event: "success", startedMsAgo: 1, msAgo: 2 });
  assert.deepEqual([crossed.processedAt, crossed.settledAt], [at - 1, at - 1]);
});

test("reportRun() gives an end without an id to the newest run without one", async () => {
  const world = await started();
  const first = await report(world, { event: "start" });
  await world.clock.advance(31 * SECOND);
  const named = await report(world, { event: "start", runId: RUN });
  const second = await report(world, { event: "start" });
  assert.equal(new Set([first.id, second.id, named.id]).size, 3);
  await world.clock.advance(SECOND);
  assert.equal((await report(world, { event: "success" })).id, second.id);
  assert.equal((await report(world, { event: "failure" })).id, first.id);
  const alone = await report(world, { event: "success" });
  assert.deepEqual([alone.state, alone.processedAt], ["completed", null]);
  assert.equal((await world.get(named.id)).state, "processing");
});

test("reportRun() takes a second start without an id within 30 s for a repetition", async () => {
  const world = await started();
  const first = await report(world, { event: "start" });
  await world.clock.advance(30 * SECOND - 1);
  assert.equal((await report(world, { event: "start" })).id, first.id);
  await world.clock.advance(1);
  assert.notEqual((await report(world, { event: "start" })).id, first.id);
});

test("reportRun() changes nothing when a report with an id is repeated", async () => {
  const world = await started();
  const begun = await report(world, { event: "start", runId: RUN });
  assert.deepEqual(await report(world, { event: "start", runId: RUN }), begun);
  const ended = await report(world, { event: "success", runId: RUN, output: "a" });
  await world.clock.advance(MINUTE);
  assert.deepEqual(await report(world, { event: "failure", runId: RUN, output: "b" }), ended);
  assert.deepEqual(await report(world, { event: "start", runId: RUN }), ended);
  assert.deepEqual(await world.logOf(ended.id), ["a"]);
  assert.equal((await world.instances()).length, 1);
});

test("reportRun() adds a log to the run that it is of", async () => {
  const world = await started();
  assert.equal(await world.of(world.manager.reportRun("backup", { event: "log" })), null);
  const { id } = await report(world, { event: "start" });
  await report(world, { event: "log", output: "half" });
  await report(world, { event: "success" });
  await report(world, { event: "log", output: "after" });
  assert.deepEqual(new Set(await world.logOf(id)), new Set(["half", "after"]));
});

test("reportRun() refuses what cannot be recorded", async () => {
  const world = await started();
  const refuse = async (kind: string, run: ReportedRun, part: RegExp) =>
    await assert.rejects(world.of(world.manager.reportRun(kind, run)), isRefused(part));
  await refuse("work", { event: "start" }, /it is not external/);
  await refuse("backup", { event: "start", runId: "7" }, /run id is not a UUID/);
  await refuse("backup", { event: "failure", exitCode: 256 }, /exit code is 256/);
  await refuse("backup", { event: "start", host: "" }, /host has 0 characters/);
  await refuse("backup", { event: "start", host: "h".repeat(256) }, /256 characters/);
  await report(world, { event: "failure", exitCode: 255, host: "h".repeat(255) });
  const isUnknown = (error: unknown) => isJobError(error, "not_found");
  await assert.rejects(world.of(world.manager.reportRun("nope", { event: "start" })), isUnknown);
});

test("a job elsewhere cannot be started here", async () => {
  const world = await started(backup({ cron: "0 * * * *" }));
  const { manager } = world;
  const failed = await report(world, { event: "failure" });
  const refused = isRefused(/Cannot run job "backup": it runs elsewhere/);
  await assert.rejects(world.of(manager.scheduleJob("backup")), refused);
  assert.throws(() => manager.previewJob("backup"), refused);
  await assert.rejects(world.of(manager.runSchedule({ kind: "backup" })), refused);
  const range = { kind: "backup", from: START - HOUR, to: START };
  await assert.rejects(world.of(manager.backfill(range)), refused);
  await assert.rejects(world.of(manager.retryInstance(failed.id)), refused);
  await assert.rejects(world.of(manager.redriveInstances({ ids: [failed.id] })), refused);
  assert.deepEqual(await world.of(manager.redriveInstances({}, { all: true })), []);
});

test("a tick of a job elsewhere is expected, then it ran or was missed", async () => {
  const world = await started(backup({ cron: "0 * * * *" }));
  await world.clock.advance(HOUR);
  assert.deepEqual(await fatesOf(world), ["60 expected null"]);
  assert.match((await explained(world))[0]!, /^expected: It runs elsewhere, and no run has been/);
  await world.clock.advance(10 * MINUTE);
  const run = await report(world, { event: "success", startedMsAgo: 9 * MINUTE, host: "web1" });
  assert.deepEqual([run.scheduleId, run.scheduledFor], [SCHEDULE, START + HOUR]);
  assert.deepEqual(await fatesOf(world), ["60 fired null"]);
  const [why] = await explained(world, { at: START + HOUR });
  assert.match(why!, /^ran: It ran and completed after 9m: .* on host "web1", as it was reported$/);
  await world.clock.advance(50 * MINUTE);
  await world.clock.advance(HOUR);
  assert.deepEqual(await fatesOf(world), [
    "60 fired null",
    "120 missed unreported",
    "180 expected null",
  ]);
  const [missed] = await explained(world, { at: START + 2 * HOUR });
  assert.match(missed!, /^missed: It did not run, or nobody reported it: no report had come by/);
  assert.ok(world.logged.includes("An external run was not reported in time"));
  const { ticks } = await world.of(world.manager.status());
  assert.deepEqual(ticks?.get("backup"), { missed: 1, skipped: 0 });
});

test("explain() names the reported run that a tick was skipped for", async () => {
  const world = await started(backup({ cron: "0 * * * *" }));
  await world.clock.advance(HOUR);
  await report(world, { event: "success", runId: RUN });
  const other = { event: "start", runId: RUN.replace(/1$/, "2") } as const;
  const open = await report(world, other);
  await world.clock.advance(HOUR);
  await report(world, { ...other, event: "success" });
  assert.deepEqual(await fatesOf(world), ["60 fired null", "120 skipped overlap"]);
  const [skipped] = await explained(world, { at: START + 2 * HOUR });
  assert.ok(skipped?.includes(`(${open.id}) had not ended`), skipped ?? "nothing");
});

test("a late report takes a tick that was missed", async () => {
  const world = await started(backup({ cron: "0 2 * * *" }));
  await world.clock.advance(4 * HOUR);
  assert.deepEqual(await fatesOf(world), ["120 missed unreported"]);
  await report(world, { event: "success", startedMsAgo: 2 * HOUR - 3 * SECOND, msAgo: HOUR });
  assert.deepEqual(await fatesOf(world), ["120 fired null"]);
});

test("expect.start_within says how long a tick waits, and 0 for ever", async () => {
  const expect = { ...jobOf("x").options.expect, startWithinMs: 5 * MINUTE };
  const world = await started(backup({ cron: "0 * * * *", options: { expect } }));
  await world.clock.advance(HOUR + 5 * MINUTE - 1);
  assert.deepEqual(await fatesOf(world), ["60 expected null"]);
  await world.clock.advance(1 + SECOND);
  assert.deepEqual(await fatesOf(world), ["60 missed unreported"]);
  // Also within seconds, although nothing waits when the watch looks.
  const soon = await started(backup({
    cron: "0 * * * *",
    options: { expect: { ...expect, startWithinMs: 10 * SECOND } },
  }));
  await soon.clock.advance(HOUR + 11 * SECOND);
  assert.deepEqual(await fatesOf(soon), ["60 missed unreported"]);
  const never = { ...expect, startWithinMs: 0 };
  const other = await started(backup({ cron: "0 2 * * *", options: { expect: never } }));
  await other.clock.advance(2 * DAY);
  assert.ok((await fatesOf(other)).every((fate) => fate.endsWith("expected null")));
});

test("a tick is missed although the daemon was away when its time was over", async () => {
  const job = backup({ cron: "0 2 * * *" });
  const world = await started(job);
  await world.clock.advance(2 * HOUR + MINUTE);
  await world.of(world.manager.stop());
  await world.clock.advance(5 * HOUR);
  const later = await started(job, world);
  await later.clock.advance(SECOND);
  assert.deepEqual(await fatesOf(later), ["120 missed unreported"]);
});

test("ticks that passed while the daemon was away are not missed, except the last", async () => {
  const job = backup({ cron: "0 * * * *" });
  const world = await started(job);
  await world.of(world.manager.stop());
  await world.clock.advance(5 * HOUR + 10 * MINUTE);
  const later = await started(job, world);
  await later.clock.advance(SECOND);
  const fates = await fatesOf(later);
  assert.equal(fates.at(-1), "300 expected null");
  assert.ok(fates.slice(0, -1).every((fate) => fate.includes("coalesced")), fates.join());
});

test("a paused job elsewhere expects nothing", async () => {
  const world = await started(backup({ cron: "0 * * * *" }));
  await world.of(world.manager.pause("backup"));
  await world.clock.advance(3 * HOUR);
  assert.ok((await fatesOf(world)).every((fate) => fate.endsWith("skipped paused")));
});

test("a run elsewhere without an end is timed out, and its late end is a run of its own", async () => {
  const world = await started(backup({ options: { timeoutMs: 2 * HOUR } }));
  const begun = await report(world, { event: "start", runId: RUN });
  await world.clock.advance(2 * HOUR - 1);
  assert.equal((await world.get(begun.id)).state, "processing");
  await world.clock.advance(1 + SECOND);
  const hung = await world.get(begun.id);
  assert.deepEqual([hung.state, hung.reason], ["timedOut", "timeout"]);
  assert.equal(hung.error!.message, "The run started, but no end was reported within 2h");
  assert.equal(hung.settledAt, START + 2 * HOUR);
  await world.clock.advance(HOUR);
  const late = await report(world, { event: "success", runId: RUN });
  assert.notEqual(late.id, hung.id);
  assert.deepEqual([late.state, late.processedAt], ["completed", START]);
  assert.deepEqual(await report(world, { event: "success", runId: RUN }), late);
});

test("a run elsewhere is timed out after a day by default, over a restart without its job", async () => {
  const world = await started();
  const { id } = await report(world, { event: "start" });
  await world.clock.advance(HOUR);
  await world.of(world.manager.stop());
  const later = await new ManagerWorld({ jobs: [], before: world }).started();
  assert.equal((await later.get(id)).state, "processing");
  await later.clock.advance(23 * HOUR - SECOND);
  assert.equal((await later.get(id)).state, "processing");
  await later.clock.advance(MINUTE);
  assert.equal((await later.get(id)).state, "timedOut");
});

test("a run elsewhere begins at one node and ends at another", async () => {
  const world = await started();
  const other = await started(backup(), world);
  const begun = await report(world, { event: "start", runId: RUN });
  const ended = await report(other, { event: "success", runId: RUN });
  assert.equal(ended.id, begun.id);
  assert.equal(ended.state, "completed");
});

test("a canceled run elsewhere is over here, and its end changes nothing", async () => {
  const world = await started();
  const { id } = await report(world, { event: "start", runId: RUN });
  const [canceled] = await world.of(world.manager.cancelInstances({ ids: [id] }));
  assert.equal(canceled!.state, "canceled");
  assert.equal((await report(world, { event: "success", runId: RUN })).state, "canceled");
});

test("listeners hear of a run elsewhere as of any other", async () => {
  const world = await started();
  const heard: string[] = [];
  world.manager.subscribe((event) =>
    heard.push(event.type === "state" ? event.state : `${event.type}`)
  );
  await report(world, { event: "start", runId: RUN });
  await world.clock.advance(SECOND);
  await report(world, { event: "failure", runId: RUN, output: "x" });
  assert.deepEqual(heard, ["processing", "terminated", "attempt", "log"]);
  assert.ok(world.logged.includes("An instance failed for good"));
});

test("tickOfRun() finds the tick before a run, or one just ahead", async () => {
  const world = await started(backup({ cron: "0 * * * *" }));
  const { items } = await world.of(world.manager.listSchedules({}));
  const tick = (at: number) => tickOfRun(items, at)?.tick ?? null;
  assert.equal(tick(START + HOUR), START + HOUR);
  assert.equal(tick(START + 2 * HOUR - 30 * SECOND - 1), START + HOUR);
  assert.equal(tick(START + 2 * HOUR - 30 * SECOND), START + 2 * HOUR);
  assert.equal(tick(START + MINUTE), null);
  assert.equal(tickOfRun([], START), null);
});

test("people are told that a job elsewhere failed, did not run or hangs, and that it recovered", async () => {
  const ops = new RecordedChannel("ops");
  const jobs = [backup({ cron: "0 2 * * *", options: { timeoutMs: 3 * HOUR } })];
  const world = await new ManagerWorld({ jobs, channels: [ops] }).started();
  let seen = 0;
  const told = async (): Promise<readonly string[]> => {
    await world.clock.advance(SECOND);
    const [all, before] = [ops.told, seen];
    seen = all.length;
    return all.slice(before);
  };
  await world.clock.advance(2 * HOUR + MINUTE);
  await report(world, { event: "failure", exitCode: 3, runId: RUN });
  assert.deepEqual(await told(), ["failed backup"]);
  await report(world, { event: "failure", exitCode: 3, runId: RUN });
  assert.deepEqual(await told(), [], "the same report again");
  await report(world, { event: "success" });
  assert.deepEqual(await told(), ["recovered backup"]);
  await world.clock.advance(DAY);
  assert.deepEqual(await told(), []);
  await world.clock.advance(HOUR);
  assert.deepEqual(await told(), ["missed backup"]);
  await report(world, { event: "start" });
  assert.deepEqual(await told(), ["late backup"]);
  await world.clock.advance(3 * HOUR);
  assert.deepEqual(await told(), ["failed backup"], "its time limit");
  await report(world, { event: "success", startedMsAgo: MINUTE });
  assert.deepEqual(await told(), ["recovered backup"]);
});
