import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { NOTICE_EVENTS } from "../../src/core/notices/notice.ts";
import type { NoticePreview } from "../../src/core/notices/incident.ts";
import { type NoticeCallParts, NoticeCalls } from "../../src/manager/notices/notice_calls.ts";
import { DeliveryError } from "../../src/notices/channels/channel.ts";
import { scopedManager } from "../../src/manager/scoped_manager.ts";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

const HOUR = 3_600_000;

test("silence() refuses a kind that nobody has, and proposes the nearest", async () => {
  const world = await new ManagerWorld().started();
  const until = world.clock.now().wallMs + HOUR;
  await assert.rejects(
    world.of(world.manager.silence("wrok", { until, by: "eva" })),
    (error) => isJobError(error, "not_found") && /work/.test(error.hint ?? ""),
  );
  await assert.rejects(
    world.of(world.manager.removeSilence("wrok")),
    (error) => isJobError(error, "not_found"),
  );
  assert.deepEqual(await world.of(world.manager.listSilences()), []);
});

test("silence() refuses a kind that is not one, and an unknown option", async () => {
  const world = await new ManagerWorld().started();
  const until = world.clock.now().wallMs + HOUR;
  const refused = (kind: string | null | undefined, options: object) =>
    assert.rejects(
      world.of(world.manager.silence(kind as string, { until, by: "eva", ...options })),
      (error) => isJobError(error, "invalid_argument"),
    );
  await refused(undefined, {});
  await refused("work", { untl: 1 });
  await refused(null, { until: "tomorrow" });
});

test("silence(), list and removeSilence() work on the store of the manager", async () => {
  const world = await new ManagerWorld().started();
  const { manager } = world;
  const until = world.clock.now().wallMs + HOUR;
  const silence = await world.of(manager.silence("work", { until, by: "eva" }));
  assert.deepEqual(await world.of(manager.listSilences()), [silence]);
  assert.equal(await world.of(manager.removeSilence("work")), true);
  assert.equal(await world.of(manager.removeSilence("work")), false);
});

test("listSilences() also has the windows of the configuration that are in force", async () => {
  // The clock starts at midnight.
  const jobs = [
    jobOf("night", { options: { silence: ["22:00-06:00"] } }),
    jobOf("also", { options: { silence: ["22:00-06:00"] } }),
    jobOf("day", { options: { silence: ["06:00-22:00"] } }),
  ];
  const world = await new ManagerWorld({ jobs }).started();
  const nowMs = world.clock.now().wallMs;
  const until = nowMs + HOUR;
  const day = await world.of(world.manager.silence("day", { until, by: "eva" }));
  const window = { since: nowMs - 2 * HOUR, until: nowMs + 6 * HOUR, reason: "22:00-06:00" };
  const found = await world.of(world.manager.listSilences());
  assert.deepEqual(found[0], day);
  assert.deepEqual(found.slice(1).toSorted((a, b) => a.kind! < b.kind! ? -1 : 1), [
    { kind: "also", ...window, by: "config" },
    { kind: "night", ...window, by: "config" },
  ]);
});

test("the janitor deletes silences a day after their end", async () => {
  const world = await new ManagerWorld().started();
  const { manager, store, clock } = world;
  await world.of(manager.silence("work", { until: clock.now().wallMs + HOUR, by: "eva" }));
  const count = async () =>
    (await world.of(store.listMemos({ prefix: "silence:", after: null, limit: 1 }))).length;
  await clock.advance(25 * HOUR - 60_000);
  assert.equal(await count(), 1);
  await clock.advance(2 * 60_000);
  assert.equal(await count(), 0);
});

test("listIncidents() refuses an unknown condition", async () => {
  const world = await new ManagerWorld().started();
  await assert.rejects(
    world.of(world.manager.listIncidents({ kinds: "work" } as object)),
    (error) => isJobError(error, "invalid_argument") && /kind/.test(error.hint ?? ""),
  );
});

test("listChannels() is empty and testNotice() finds nothing without channels", async () => {
  const world = await new ManagerWorld().started();
  assert.deepEqual(world.manager.listChannels(), []);
  await assert.rejects(
    world.manager.testNotice("ops", { isDryRun: true }),
    (error) => isJobError(error, "not_found") && error.path === "channel",
  );
});

test("testNotice() sends one test at a time, and shows as many as wanted", async () => {
  const preview: NoticePreview = { channel: "ops", text: "POST", isSent: true };
  const sent = Promise.withResolvers<NoticePreview>();
  const notices = {
    test: (_name: string, { isDryRun }: { readonly isDryRun: boolean }) =>
      isDryRun ? Promise.resolve({ ...preview, isSent: false }) : sent.promise,
  };
  const lazy = { load: () => Promise.resolve({ notices }) };
  const calls = new NoticeCalls({ notices: lazy } as unknown as NoticeCallParts);
  const first = calls.testNotice("ops", { isDryRun: false });
  await assert.rejects(
    calls.testNotice("ops", { isDryRun: false }),
    (error) => isJobError(error, "conflict"),
  );
  assert.equal((await calls.testNotice("ops", { isDryRun: true })).isSent, false);
  sent.resolve(preview);
  assert.deepEqual(await first, preview);
  assert.deepEqual(await calls.testNotice("ops", { isDryRun: false }), preview);
});

test("testNotice() sends through a channel, or says why it was not delivered", async () => {
  const ops = new RecordedChannel("ops");
  const world = await new ManagerWorld({ channels: [ops] }).started();
  const { manager } = world;
  assert.deepEqual(manager.listChannels().map(({ name, to }) => [name, to]), [["ops", "syslog"]]);
  const dry = await world.of(manager.testNotice("ops", { isDryRun: true }));
  assert.deepEqual([dry.isSent, ops.attempts], [false, 0]);
  const sent = await world.of(manager.testNotice("ops", { isDryRun: false }));
  assert.deepEqual([sent.isSent, ops.told], [true, ["test ops"]]);
  assert.deepEqual([sent.answer, sent.problem], ["answered 250", undefined]);
  ops.problem = new Error("connection refused");
  const { isSent, problem, text } = await world.of(manager.testNotice("ops", { isDryRun: false }));
  assert.deepEqual([isSent, problem], [false, "connection refused"]);
  assert.match(text, /"type":"test"/);
  ops.problem = new DeliveryError("no STARTTLS", { hint: "See tls" });
  const refused = await world.of(manager.testNotice("ops", { isDryRun: false }));
  assert.deepEqual([refused.problem, refused.hint], ["no STARTTLS", "See tls"]);
});

test("testNotice() sends a sample of every event, which says that it is a test", async () => {
  const ops = new RecordedChannel("ops", { on: ["failed"] });
  const world = await new ManagerWorld({ channels: [ops] }).started();
  for (const event of NOTICE_EVENTS) {
    const sent = await world.of(world.manager.testNotice("ops", { isDryRun: false, event }));
    assert.equal(sent.isSent, true);
    const { type, title, facts, run, incident, output } = ops.delivered.at(-1)!;
    assert.equal(type, event);
    assert.match(title, /^Test: /);
    assert.match(facts[0]!, /only a test/);
    const isUnwanted = facts.includes(`Channel ops does not report it: ${event} is not in "on"`);
    assert.equal(isUnwanted, event !== "failed");
    assert.equal(output.length > 0, run !== null && run.startedAt !== null);
    assert.equal(incident?.closedAt !== null, event === "recovered" || incident === null, event);
  }
  const incidents = ops.delivered.flatMap(({ incident }) => incident === null ? [] : incident.id);
  assert.equal(new Set(incidents).size, 1);
  assert.equal(new Set(ops.delivered.map(({ id }) => id)).size, NOTICE_EVENTS.length);
  const [failed, recovered] = ops.delivered;
  assert.match(failed!.title, /^Test: example failed: Command .* exited with code 2$/);
  assert.equal(recovered!.title, "Test: example recovered after 1h");
  // Samples are not in the store, and open no incident of ours.
  assert.deepEqual((await world.of(world.manager.listIncidents({}))).items, []);
});

async function failing() {
  const ops = new RecordedChannel("ops", { repeatMs: HOUR });
  const world = await new ManagerWorld({ jobs: [jobOf("work")], channels: [ops] }).started();
  const run = async (outcome: "fail" | "ok") => {
    await world.of(world.manager.scheduleJob("work"));
    world.executor.last[outcome]();
    await world.clock.advance(1_000);
  };
  const incidents = async (withClosed = false) =>
    (await world.of(world.manager.listIncidents({ withClosed }))).items;
  return { ops, world, run, incidents };
}

test("a failing job has one incident, which an acknowledgment keeps from being repeated", async () => {
  const { ops, world, run, incidents } = await failing();
  await run("fail");
  await run("fail");
  const [incident, ...others] = await incidents();
  assert.deepEqual([incident?.subject.name, incident?.count, others], ["work", 2, []]);
  await world.clock.advance(HOUR);
  assert.deepEqual(ops.told, ["failed work", "failed work again"]);
  const { subject, id } = incident!;
  await world.of(world.manager.acknowledgeIncident(subject, { by: "eva", id }));
  await world.clock.advance(3 * HOUR);
  await run("fail");
  assert.deepEqual(
    (await incidents()).map(({ count, acknowledgedBy }) => [count, acknowledgedBy]),
    [
      [3, "eva"],
    ],
  );
  assert.equal(ops.told.length, 2);
  await run("ok");
  assert.equal(ops.told.at(-1), "recovered work");
  assert.deepEqual(await incidents(), []);
  assert.deepEqual((await incidents(true)).map(({ acknowledgedBy }) => acknowledgedBy), ["eva"]);
  await run("fail");
  assert.deepEqual((await incidents()).map(({ acknowledgedBy }) => acknowledgedBy), [null]);
  assert.equal(ops.told.at(-1), "failed work");
});

test("a silenced job opens its incident, and its notices come in one summary at the end", async () => {
  const { ops, world, run, incidents } = await failing();
  const { manager, clock } = world;
  const until = clock.now().wallMs + 1.5 * HOUR;
  await world.of(manager.silence("work", { until, reason: "disk", by: "eva" }));
  await run("fail");
  assert.equal((await incidents()).length, 1);
  await clock.advance(1.5 * HOUR - 10_000);
  assert.deepEqual(ops.told, []);
  await clock.advance(20_000);
  assert.deepEqual(ops.told, ["digest: failed work x2"]);
  assert.deepEqual(ops.delivered[0]!.facts, [
    "2 events: failed 2",
    "work was silenced by eva from 2026-01-01 00:00:00 +00:00 to 2026-01-01 01:30:00 +00:00: disk",
  ]);
});

test("the summary comes at once when a silence is ended early, and only once", async () => {
  const { ops, world, run } = await failing();
  const { manager, clock } = world;
  const until = clock.now().wallMs + 0.5 * HOUR;
  await world.of(manager.silence("work", { until, by: "eva" }));
  await run("fail");
  assert.deepEqual(ops.told, []);
  await world.of(manager.removeSilence("work"));
  await clock.advance(1_000);
  assert.deepEqual(ops.told, ["digest: failed work x1"]);
  await run("ok");
  assert.equal(ops.told.at(-1), "recovered work");
  await clock.advance(HOUR);
  assert.equal(ops.told.length, 2);
});

test("the summary comes at the end of a silence that was shortened, or made longer", async () => {
  for (const hours of [0.25, 0.75]) {
    const { ops, world, run } = await failing();
    const { manager, clock } = world;
    const start = clock.now().wallMs;
    await world.of(manager.silence("work", { until: start + 0.5 * HOUR, by: "eva" }));
    await run("fail");
    await world.of(manager.silence("work", { until: start + hours * HOUR, by: "eva" }));
    await clock.advance(hours * HOUR - 10_000);
    assert.deepEqual(ops.told, []);
    await clock.advance(20_000);
    assert.deepEqual(ops.told, ["digest: failed work x1"]);
  }
});

test("what is also silenced as part of everything waits for the end of that", async () => {
  const { ops, world, run } = await failing();
  const { manager, clock } = world;
  const start = clock.now().wallMs;
  await world.of(manager.silence("work", { until: start + 0.5 * HOUR, by: "eva" }));
  await world.of(manager.silence(null, { until: start + 0.75 * HOUR, by: "tom" }));
  await run("fail");
  await world.of(manager.removeSilence("work"));
  await clock.advance(0.6 * HOUR);
  assert.deepEqual(ops.told, []);
  await clock.advance(0.2 * HOUR);
  assert.deepEqual(ops.told, ["digest: failed work x1"]);
});

test("a pause of everything and a cancel of everything leave notices alone", async () => {
  const { ops, world, run } = await failing();
  const { manager, clock } = world;
  ops.problem = new Error("away");
  await run("fail");
  await world.of(manager.pause(null));
  const waiting = await world.of(manager.scheduleJob("work"));
  const canceled = await world.of(manager.cancelInstances({}, { all: true }));
  assert.deepEqual(canceled.map(({ id }) => id), [waiting.id]);
  assert.deepEqual(await world.of(manager.cancelInstances({ states: ["scheduled"] })), []);
  ops.problem = null;
  await clock.advance(60_000);
  assert.deepEqual(ops.told, ["failed work"]);
});

test("notices are canceled only by their kind or id, and only if the caller may", async () => {
  const { ops, world, run } = await failing();
  const { manager } = world;
  ops.problem = new Error("away");
  await run("fail");
  const kinds = ["system.notice.ops"];
  const { items: [notice] } = await world.of(manager.lookupInstances({ kinds }));
  for (const query of [{ kinds }, { ids: [notice!.id] }, { kinds: ["work", ...kinds] }]) {
    await assert.rejects(
      world.of(manager.cancelInstances(query, { mayCancelNotices: false })),
      (error) => isJobError(error, "permission_denied"),
    );
  }
  const scoped = scopedManager(manager, ["*"]);
  assert.deepEqual(await world.of(scoped.cancelInstances({}, { all: true })), []);
  await assert.rejects(
    world.of(scoped.cancelInstances({ kinds })),
    (error) => isJobError(error, "permission_denied"),
  );
  assert.deepEqual(
    (await world.of(manager.cancelInstances({ kinds }))).map(({ id }) => id),
    [notice!.id],
  );
});

test("nobody schedules, pauses or silences the system jobs of notices", async () => {
  const { world } = await failing();
  const { manager, clock } = world;
  const until = clock.now().wallMs + HOUR;
  for (const kind of ["system.notices", "system.notice.ops"]) {
    const calls = [
      () => manager.scheduleJob(kind),
      () => manager.scheduleJobs([{ kind }]),
      () => manager.scheduleRecurring(kind, { cron: "@daily" }),
      () => manager.pause(kind),
      () => manager.silence(kind, { until, by: "eva" }),
    ];
    for (const call of calls) {
      await assert.rejects(
        world.of<unknown>(call()),
        (error) => isJobError(error, "invalid_argument"),
      );
    }
  }
});

test("a notice that was delivered is not sent again, a dead one is", async () => {
  const { ops, world, run } = await failing();
  const { manager, clock } = world;
  ops.problem = Object.assign(new Error("no such address"), { isPermanent: true });
  await run("fail");
  const kinds = ["system.notice.ops"];
  const { items: [dead] } = await world.of(manager.lookupInstances({ kinds, isDead: true }));
  ops.problem = null;
  await assert.rejects(
    world.of(manager.retryInstance(dead!.id, { arguments: ["to everybody"] })),
    (error) => isJobError(error, "invalid_argument") && /only the daemon/.test(error.message),
  );
  const [again] = await world.of(manager.redriveInstances({ ids: [dead!.id] }));
  await clock.advance(1_000);
  assert.deepEqual(ops.told, ["failed work"]);
  await assert.rejects(
    world.of(manager.retryInstance(again!.id)),
    (error) => isJobError(error, "conflict"),
  );
});
