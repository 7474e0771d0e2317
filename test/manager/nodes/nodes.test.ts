import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { type ProcessFate, thisProcess } from "../../../src/platform/process/process_identity.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { jobOf, LEASE_MS, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MINUTE = 60_000;

/** One store for several managers, with a clock of its own. */
function sharedStore() {
  const clock = new SimClock();
  const store = new MemoryStore({
    clock: () => clock.now(),
    defer: (callback) => clock.defer(callback),
  });
  return { clock, store };
}

function processOf(name: string, fates: Readonly<Record<string, ProcessFate>> = {}) {
  return {
    host: "alpha",
    pid: 4711,
    process: name,
    fateOf: (other: string | null) => fates[other ?? ""] ?? "unknown",
  };
}

async function statesOf(world: ManagerWorld): Promise<readonly string[]> {
  // The list of nodes is at most half a second old.
  await world.clock.advance(1_000);
  return (await world.of(world.manager.listNodes())).map(({ id, state }) => `${id} ${state}`);
}

test("manager() is listed from its start to its stop, and says what it does", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before, tags: ["gpu"], workers: 3 }).started();
  const second = await new ManagerWorld({ before }).started();
  await first.schedule();
  await first.clock.advance(LEASE_MS);
  const [node] = await first.of(second.manager.listNodes());
  assert.deepEqual([node!.id, node!.tags, node!.workers, node!.busy], ["node", ["gpu"], 3, 1]);
  assert.ok(node!.kinds.includes("work"));
  const stopping = second.of(second.manager.stop({ drainMs: 1_000 }));
  await stopping;
  assert.deepEqual(await statesOf(first), ["node live", "node-2 left"]);
});

test("manager() that is alone reports seldom, and is listed as it is now", async () => {
  const world = await new ManagerWorld({ nodeLeaseMs: 10 * MINUTE }).started();
  const before = world.link.count("reportNode");
  await world.schedule();
  await world.clock.advance(3 * MINUTE);
  assert.equal(world.link.count("reportNode"), before);
  await world.clock.advance(MINUTE);
  assert.equal(world.link.count("reportNode"), before + 1);
  await world.clock.advance(MINUTE);
  const [node] = await world.of(world.manager.listNodes());
  assert.deepEqual([node!.state, node!.busy], ["live", 1]);
  assert.equal(node!.seenAt, world.clock.now().wallMs);
  await world.clock.advance(20 * MINUTE);
  assert.equal((await world.of(world.manager.listNodes()))[0]!.state, "live");
});

test("manager() says that it drains", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before }).started();
  await first.schedule();
  const second = await new ManagerWorld({ before }).started();
  const stopping = first.manager.stop({ drainMs: 10_000 });
  assert.deepEqual(await statesOf(second), ["node draining", "node-2 live"]);
  first.executor.last.ok();
  await first.of(stopping);
});

test("fault 32: manager() is refused while another with its id lives, and leaves the store as it was", async () => {
  const before = sharedStore();
  const options = { before, node: "a" };
  const first = await new ManagerWorld({ ...options, process: processOf("one") }).started();
  const second = new ManagerWorld({ ...options, process: processOf("two", { one: "alive" }) });
  await assert.rejects(second.of(second.manager.start()), (error) => {
    assert.ok(isJobError(error, "conflict"));
    assert.match(error.message, /node "a".*pid 4711.*"alpha"/);
    assert.match(error.hint ?? "", /node\.id .*in the library the option "node"/);
    return true;
  });
  await first.schedule();
  assert.equal(first.executor.attempts.length, 1);
  assert.deepEqual(await statesOf(first), ["a live"]);
});

test("manager() of an id of which nothing is known waits for a report, and is refused then", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before, node: "a" }).started();
  const second = new ManagerWorld({ before, node: "a" });
  const starting = second.manager.start();
  const refused = assert.rejects(starting, (error) => isJobError(error, "conflict"));
  await first.clock.advance(LEASE_MS / 3 + 1_000);
  await refused;
  assert.match(second.logged.join("\n"), /waiting to see whether it is alive/);
});

test("manager() of an id whose daemon is silent joins when that lease ends", async () => {
  const before = sharedStore();
  const request = { at: before.clock.now(), id: "a", leaseMs: LEASE_MS };
  const { store } = before;
  await store.open({ at: before.clock.now(), node: "a" });
  const world = new ManagerWorld({ before, node: "a" });
  const report = { ...REPORT, process: null };
  await world.of(store.joinNode({ ...request, report }));
  const starting = world.manager.start();
  await before.clock.advance(LEASE_MS - 500);
  assert.deepEqual(world.manager.workers().busy, 0);
  await before.clock.advance(1_000);
  await world.of(starting);
  assert.deepEqual(await statesOf(world), ["a live"]);
});

const REPORT = {
  version: "0",
  host: "alpha",
  pid: 1,
  process: "dead",
  startedAt: 0,
  tags: [],
  kinds: ["work"],
  idle: [],
  limits: {},
  workers: 1,
  busy: 0,
  isDraining: false,
  tzVersion: "2026b",
};

test("fault 5: manager() in place of a dead one of its id takes its instances back at once", async () => {
  const before = sharedStore();
  const { store, clock } = before;
  const first = await new ManagerWorld({ before, node: "a", process: processOf("one") }).started();
  await first.schedule();
  assert.equal(first.executor.attempts.length, 1);
  // As after a kill -9: nothing of the first continues.
  first.link.cut(["renew", "reportNode", "settle", "claim"], "unavailable");
  const process = processOf("two", { one: "gone" });
  const second = await new ManagerWorld({ before: { store, clock }, node: "a", process }).started();
  assert.equal(second.executor.attempts.length, 1);
  const { instance } = second.executor.last;
  assert.deepEqual([instance.attempt, instance.crashes, instance.node], [2, 1, "a"]);
  assert.match(second.logged.join("\n"), /is dead: taking over/);
});

test("manager() joins in place of a program that its own process ran before", async () => {
  const { process: own } = thisProcess();
  if (own === null) return;
  const former = own.replace(/[^/]*$/, "another");
  for (const process of [own, former]) {
    const before = sharedStore();
    const { store } = before;
    const at = before.clock.now();
    await store.open({ at, node: "a" });
    const world = new ManagerWorld({ before, node: "a", process: thisProcess() });
    // As if the clock had been set back since.
    const report = { ...REPORT, process, startedAt: at.wallMs + MINUTE };
    await world.of(store.joinNode({ at, id: "a", leaseMs: LEASE_MS, report }));
    const started = world.of(world.manager.start());
    if (process === former) await started;
    else await assert.rejects(started, (error) => isJobError(error, "conflict"));
  }
});

test("manager() warns of a dead daemon, not of one that left commands on purpose", async () => {
  for (const isDraining of [false, true]) {
    const before = sharedStore();
    const { store, clock } = before;
    await store.open({ at: clock.now(), node: "a" });
    const process = processOf("two", { dead: "gone" });
    const world = new ManagerWorld({ before, node: "a", process });
    const report = { ...REPORT, isDraining };
    await world.of(store.joinNode({ at: clock.now(), id: "a", leaseMs: LEASE_MS, report }));
    await world.started();
    assert.equal(/is dead: taking over/.test(world.logged.join("\n")), !isDraining);
  }
});

test("manager() waits for the lease of a dead one that left commands where it does not look", async () => {
  const before = sharedStore();
  const { store, clock } = before;
  await store.open({ at: clock.now(), node: "a" });
  const process = processOf("two", { dead: "gone" });
  const world = new ManagerWorld({ before, node: "a", process });
  const report = { ...REPORT, survivors: "/elsewhere" };
  await world.of(store.joinNode({ at: clock.now(), id: "a", leaseMs: LEASE_MS, report }));
  const starting = world.manager.start();
  await clock.advance(LEASE_MS - 500);
  assert.match(world.logged.join("\n"), /waiting to see whether it is alive/);
  assert.doesNotMatch(world.logged.join("\n"), /is dead: taking over/);
  await clock.advance(1_000);
  await world.of(starting);
  assert.deepEqual(await statesOf(world), ["a live"]);
});

test("fault 11: manager() whose id another took aborts what runs, claims nothing more and says why", async () => {
  const before = sharedStore();
  const { clock, store } = before;
  const frozen = await new ManagerWorld({ before, node: "a" }).started();
  await frozen.schedule();
  frozen.link.cut(["renew", "reportNode", "claim", "reap", "nextDue"], "unavailable");
  await clock.advance(LEASE_MS + 1_000);
  const other = await new ManagerWorld({ before: { clock, store }, node: "a" }).started();
  await clock.advance(3_000);
  assert.equal(other.executor.last.instance.attempt, 2);
  frozen.link.mend();
  await clock.advance(LEASE_MS);
  assert.ok(isJobError(frozen.lost[0], "conflict"));
  assert.equal(frozen.lost.length, 1);
  assert.deepEqual(frozen.executor.last.aborts.slice(0, 1), ["lease"]);
  other.executor.last.ok();
  await frozen.of(store.enqueue({ at: clock.now(), instances: [] }));
  await other.schedule();
  assert.equal(frozen.executor.attempts.length, 1);
  frozen.executor.last.aborted("lease");
  await clock.advance(LEASE_MS);
  await frozen.of(frozen.manager.stop({ drainMs: 0 }));
  assert.deepEqual(await statesOf(other), ["a live"]);
});

test("fault 23: manager() on a store that was emptied stays, and says why it does nothing", async () => {
  const world = await new ManagerWorld().started();
  world.link.cut(["reportNode", "claim", "reap"], "conflict");
  await world.clock.advance(LEASE_MS);
  assert.deepEqual(world.lost, []);
  assert.equal((await world.of(world.manager.status())).storeProblem, "The link is cut");
});

test("manager() whose node was forgotten joins again", async () => {
  const before = sharedStore();
  const world = await new ManagerWorld({ before }).started();
  world.link.cut(["reportNode"], "unavailable");
  await world.clock.advance(2 * 3_600_000);
  const other = await new ManagerWorld({ before }).started();
  world.link.mend();
  await world.clock.advance(LEASE_MS);
  assert.deepEqual(await statesOf(other), ["node live", "node-2 live"]);
  assert.deepEqual(world.lost, []);
});

test("claims go to a node that has the job and all tags that it needs", async () => {
  const before = sharedStore();
  const jobs = [jobOf("render", { options: { needs: ["gpu", "eu"] } })];
  const plain = await new ManagerWorld({ before, jobs, tags: ["gpu"] }).started();
  const instance = await plain.schedule("render");
  assert.equal(plain.executor.attempts.length, 0);
  const block = await plain.of(plain.manager.blockOf(instance));
  assert.deepEqual([block?.limit, block?.name], ["node", "render"]);
  assert.deepEqual([block?.needs, block?.nodes], [["eu"], 1]);
  const { blocks } = await plain.of(plain.manager.status());
  assert.deepEqual(blocks.map(({ limit, name }) => `${limit} ${name}`), ["node render"]);
  const [report] = await plain.of(plain.manager.explain({ instanceId: instance.id }));
  assert.match(report!.why, /which needs tag "eu": none of 1 live node has it$/);
  const able = await new ManagerWorld({ before, jobs, tags: ["eu", "gpu", "x"] }).started();
  assert.equal(able.executor.attempts.length, 1);
  await plain.schedule("render");
  await plain.clock.advance(1_000);
  assert.deepEqual([...await plain.of(plain.manager.unservedKinds(["render"]))], []);
  assert.deepEqual((await plain.of(plain.manager.status())).blocks, []);
});

test("dead letters of a job that only another node can run are counted and run again", async () => {
  const before = sharedStore();
  const jobs = [jobOf("render", { options: { needs: ["gpu"] } })];
  const able = await new ManagerWorld({ before, jobs, tags: ["gpu"] }).started();
  able.executor.onRun = (attempt) => attempt.fail("no");
  await able.schedule("render");
  await able.clock.advance(1_000);
  const plain = await new ManagerWorld({ before, jobs }).started();
  const { manager } = plain;
  for (const query of [{}, { kinds: ["render"] }]) {
    const { count } = await plain.of(manager.countUpTo(query, 9, "redrive"));
    const again = await plain.of(manager.redriveInstances(query, { all: true }));
    assert.deepEqual([count, again.length], [1, 1]);
    await able.clock.advance(1_000);
  }
});

test("unservedKinds() names kinds of which the only node ended, drains or is lost", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before, jobs: [jobOf("a")] }).started();
  const second = await new ManagerWorld({ before, jobs: [jobOf("b")] }).started();
  const unserved = async () => {
    await first.clock.advance(1_000);
    return [...(await first.of(first.manager.unservedKinds(["a", "b", "c"]))).keys()];
  };
  assert.deepEqual(await unserved(), ["c"]);
  second.link.cut(["reportNode"], "unavailable");
  await first.clock.advance(LEASE_MS + 1_000);
  assert.deepEqual(await unserved(), ["b", "c"]);
  second.link.mend();
  await first.clock.advance(LEASE_MS);
  assert.deepEqual(await unserved(), ["c"]);
  await second.schedule("b");
  const stopping = second.manager.stop({ drainMs: 5_000 });
  assert.deepEqual(await unserved(), ["b", "c"]);
  second.executor.last.ok();
  await second.of(stopping);
});

for (const method of ["reportNode", "listNodes"]) {
  test(`resizeWorkers() is not undone by an answer of ${method}() that was asked for before it`, async () => {
    const world = await new ManagerWorld().started();
    const release = world.link.hold(method);
    await world.of(world.manager.resizeWorkers(10));
    await world.clock.settle();
    await world.of(world.manager.resizeWorkers(3));
    release();
    await world.clock.settle();
    assert.equal(world.manager.workers().count, 3);
    assert.ok(world.executor.sizes.lastIndexOf(10) < world.executor.sizes.indexOf(3));
    // Later requests of others count.
    const wish = { at: world.clock.now(), id: "node", workers: 5 };
    await world.of(world.store.setNodeWorkers(wish));
    await world.clock.advance(LEASE_MS);
    assert.equal(world.manager.workers().count, 5);
  });
}

test("resizeWorkers() called again before it returns ends with the second number", async () => {
  const world = await new ManagerWorld().started();
  const both = [world.manager.resizeWorkers(10), world.manager.resizeWorkers(4)];
  assert.deepEqual((await world.of(Promise.all(both))).map(({ count }) => count), [4, 4]);
  await world.clock.advance(LEASE_MS);
  assert.equal(world.manager.workers().count, 4);
  assert.ok(world.executor.sizes.lastIndexOf(10) < world.executor.sizes.indexOf(4));
});

test("resizeNode() reaches any node by a hint, and its own resize is not undone by an old wish", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before }).started();
  const second = await new ManagerWorld({ before, workers: 2 }).started();
  const node = await first.of(first.manager.resizeNode("node-2", 7));
  assert.equal(node.wantedWorkers, 7);
  await first.clock.settle();
  assert.equal(second.manager.workers().count, 7);
  await second.of(second.manager.resizeWorkers(3));
  await first.clock.advance(LEASE_MS);
  assert.equal(second.manager.workers().count, 3);
  await first.of(first.manager.resizeNode("node-2", 7));
  await first.clock.settle();
  assert.equal(second.manager.workers().count, 7);
  await assert.rejects(
    first.of(first.manager.resizeNode("nod-2", 1)),
    (error) => isJobError(error, "not_found") && /node-2/.test(error.hint ?? ""),
  );
});

test("cancelInstances() reaches an attempt on another node, by a hint and else with its next renewal", async () => {
  const before = sharedStore();
  const idle = await new ManagerWorld({ before, workers: 0 }).started();
  const busy = await new ManagerWorld({ before }).started();
  const { id } = await idle.schedule();
  const canceling = idle.manager.cancelInstances({ ids: [id] });
  await idle.clock.settle();
  assert.deepEqual(busy.executor.last.aborts, ["canceled"]);
  busy.executor.last.aborted("canceled");
  await idle.clock.advance(1_000);
  assert.deepEqual((await idle.of(canceling)).map(({ state }) => state), ["canceled"]);
});

test("waitInstance() and follow() tell what happens on another node", async () => {
  const before = sharedStore();
  const idle = await new ManagerWorld({ before, workers: 0 }).started();
  const busy = await new ManagerWorld({ before }).started();
  await idle.clock.advance(LEASE_MS);
  const { id } = await idle.schedule();
  const waiting = idle.manager.waitInstance(id);
  const told: string[] = [];
  const following = (async () => {
    for await (const { entries, instance } of idle.manager.follow({ instanceId: id })) {
      told.push(...entries.map(({ message }) => message), ...(instance ? [instance.state] : []));
    }
  })();
  await idle.clock.advance(1_000);
  busy.executor.last.log("hello");
  await idle.clock.advance(1_000);
  assert.deepEqual(told, ["processing", "hello"]);
  busy.executor.last.ok();
  await idle.clock.advance(1_000);
  assert.equal((await waiting)!.state, "completed");
  await following;
  assert.deepEqual(told, ["processing", "hello", "completed"]);
});

test("follow() of a kind reports changes by another node to an instance that was accepted here or that logs", async () => {
  const before = sharedStore();
  const idle = await new ManagerWorld({ before, workers: 0 }).started();
  const busy = await new ManagerWorld({ before }).started();
  await idle.clock.advance(LEASE_MS);
  const stop = new AbortController();
  const told: string[] = [];
  const missed: boolean[] = [];
  const following = (async () => {
    for await (const step of idle.manager.follow({ kind: "work" }, { signal: stop.signal })) {
      told.push(...step.changed.map(({ state }) => state));
      missed.push(step.hasMissed);
    }
  })();
  await idle.clock.advance(1_000);
  await idle.schedule();
  await idle.clock.advance(1_000);
  assert.equal(told.at(-1), "processing");
  busy.executor.last.ok();
  await idle.clock.advance(1_000);
  assert.equal(told.at(-1), "completed");
  const count = told.length;
  await busy.schedule();
  busy.executor.last.log("hello");
  await idle.clock.advance(1_000);
  assert.deepEqual(told.slice(count), ["processing"]);
  busy.executor.last.ok();
  await idle.clock.advance(1_000);
  assert.deepEqual(told.slice(count), ["processing", "completed"]);
  await idle.clock.advance(20_000);
  assert.equal(missed.at(-1), true);
  stop.abort();
  await idle.clock.advance(2_000);
  await following;
});

test("pause() of a job that only another node has holds it there, and scheduling it here names that node", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before, jobs: [jobOf("a")] }).started();
  const second = await new ManagerWorld({ before, jobs: [jobOf("b")] }).started();
  await first.clock.advance(1_000);
  await first.of(first.manager.pause("b"));
  await second.schedule("b");
  assert.equal(second.executor.attempts.length, 0);
  assert.equal(await first.of(first.manager.resume("b")), true);
  await first.clock.settle();
  assert.equal(second.executor.attempts.length, 1);
  await assert.rejects(first.of(first.manager.scheduleJob("b")), (error) => {
    assert.ok(isJobError(error, "not_found"));
    assert.match(error.hint ?? "", /node "node-2" on host "host"/);
    return true;
  });
  await assert.rejects(
    first.of(first.manager.pause("c")),
    (error) => isJobError(error, "not_found"),
  );
});

test("limits of the cluster apply across two nodes, and limits that differ are logged once", async () => {
  const before = sharedStore();
  const limit = (max: number) => ({
    options: { concurrency: [{ max, by: [], per: "cluster" as const }] },
  });
  const worlds = [
    await new ManagerWorld({ before, workers: 2, jobs: [jobOf("work", limit(3))] }).started(),
    await new ManagerWorld({ before, workers: 2, jobs: [jobOf("work", limit(3))] }).started(),
  ];
  for (let count = 0; count < 10; count++) await worlds[0]!.schedule();
  const running = () => worlds.reduce((sum, { manager }) => sum + manager.workers().busy, 0);
  assert.equal(running(), 3);
  for (const { executor } of worlds) for (const attempt of executor.attempts) attempt.ok();
  await before.clock.advance(10);
  assert.equal(running(), 3);
  await new ManagerWorld({ before, workers: 0, jobs: [jobOf("work", limit(4))] }).started();
  await before.clock.advance(5 * LEASE_MS);
  const told = worlds[0]!.logged.filter((line) => /other limits for job "work"/.test(line));
  assert.equal(told.length, 1);
});

test("fault 3: schedules on two nodes make each tick once, whichever node makes it", async () => {
  const before = sharedStore();
  const jobs = [jobOf("work", { schedules: [scheduleOf({ overlap: "allow" })] })];
  const options = { before, jobs, workers: 10 };
  const worlds = [
    await new ManagerWorld(options).started(),
    await new ManagerWorld(options).started(),
    await new ManagerWorld(options).started(),
  ];
  for (const { executor } of worlds) executor.onRun = (attempt) => attempt.ok();
  await before.clock.advance(10 * MINUTE);
  const ticks = (await worlds[0]!.instances()).map(({ scheduledFor }) => scheduledFor);
  assert.equal(ticks.length, 10);
  assert.equal(new Set(ticks).size, 10);
});

test("a node without a job leaves its schedule and its ticks to the node that has it", async () => {
  const before = sharedStore();
  const jobs = [jobOf("work", { schedules: [scheduleOf({ overlap: "allow" })] })];
  const has = await new ManagerWorld({ before, jobs, workers: 10 }).started();
  has.executor.onRun = (attempt) => attempt.ok();
  const lacks = await new ManagerWorld({ before, jobs: [jobOf("other")] }).started();
  await before.clock.advance(10 * MINUTE);
  const instances = await has.instances();
  assert.equal(instances.length, 10);
  const lateMs = instances.map(({ processedAt, scheduledFor }) => processedAt! - scheduledFor!);
  assert.ok(Math.max(...lateMs) < 100, `${lateMs}`);
  // Asked for a few times at each tick, not all the time.
  assert.ok(lacks.link.count("dueSchedules") < 200, `${lacks.link.count("dueSchedules")}`);
});

test("a schedule stays while another node has its job, and goes with the last", async () => {
  const before = sharedStore();
  const jobs = [jobOf("work", { schedules: [scheduleOf({})] })];
  const options = { jobs, disabled: new Map(), scheduleDefaults: scheduleOf({}).spec };
  const first = await new ManagerWorld({ before, jobs }).started();
  const second = await new ManagerWorld({ before, jobs }).started();
  await before.clock.advance(1_000);
  const ids = async () =>
    (await first.of(first.manager.listSchedules({}))).items.map(({ id }) => id);
  await first.of(first.manager.reload({ ...options, jobs: [] }));
  await before.clock.advance(1_000);
  assert.deepEqual(await ids(), ["config:work:0"]);
  await second.of(second.manager.reload({ ...options, jobs: [] }));
  assert.deepEqual(await ids(), []);
});

test("two nodes with other times for one job keep those that were written last", async () => {
  const before = sharedStore();
  const old = await new ManagerWorld({
    before,
    jobs: [jobOf("work", { schedules: [scheduleOf({ cron: "0 * * * *" })] })],
  }).started();
  const jobs = [jobOf("work", { schedules: [scheduleOf({ cron: "*/5 * * * *" })] })];
  const newer = await new ManagerWorld({ before, jobs }).started();
  for (const { executor } of [old, newer]) executor.onRun = (attempt) => attempt.ok();
  await before.clock.advance(60 * MINUTE);
  const { items } = await old.of(old.manager.listSchedules({}));
  assert.deepEqual(items.map(({ spec, generation }) => [spec.cron, generation]), [
    ["*/5 * * * *", 2],
  ]);
  assert.equal((await old.instances()).length, 12);
});

test("fault 37: nodes with other zone databases log that once", async () => {
  const before = sharedStore();
  const first = await new ManagerWorld({ before, tzVersion: "2026a" }).started();
  await new ManagerWorld({ before, tzVersion: "2026b" }).started();
  await before.clock.advance(5 * LEASE_MS);
  const told = first.logged.filter((line) => /another time zone database/.test(line));
  assert.equal(told.length, 1);
});

for (const skewMs of [-20_000, 20_000]) {
  test(`fault 38: a node ${skewMs} ms off is shown as skewed, and takes no other for lost`, async () => {
    const before = sharedStore();
    const right = await new ManagerWorld({ before }).started();
    const wrong = await new ManagerWorld({ before, skewMs }).started();
    await before.clock.advance(2 * LEASE_MS);
    const wanted = ["node live", "node-2 skewed"];
    assert.deepEqual(await statesOf(right), wanted);
    assert.deepEqual(await statesOf(wrong), wanted);
  });
}

for (const skewMs of [-3_600_000, 3_600_000]) {
  test(`a node ${skewMs} ms off delays, retries and gives back by the store's clock`, async () => {
    const before = sharedStore();
    const options = { retry: { ...jobOf("work").options.retry, max: 1, initialMs: 2_000 } };
    const deadlines = { ...options, deadlineMs: 60_000 };
    const jobs = [jobOf("work", { options: deadlines })];
    const world = await new ManagerWorld({ before, skewMs, jobs }).started();
    const right = await new ManagerWorld({ before, workers: 0, jobs }).started();
    const nowMs = () => before.clock.now().wallMs;
    const { dueAt } = await world.schedule("work", { afterMs: 5_000 });
    assert.equal(dueAt - nowMs(), 5_000);
    await world.clock.advance(5_000);
    assert.equal(world.executor.attempts.length, 1);
    world.executor.last.fail();
    await world.clock.settle();
    assert.equal((await world.instances())[0]!.dueAt - nowMs(), 2_000);
    await world.clock.advance(2_000);
    assert.equal(world.executor.attempts.length, 2);
    // Neither its deadline, which is a minute away, nor anything else has ended it.
    await world.clock.advance(10_000);
    const stopping = world.manager.stop({ drainMs: 0 });
    await world.clock.settle();
    world.executor.last.aborted("drain");
    await world.of(stopping);
    const [left] = await right.instances();
    assert.deepEqual([left!.state, left!.dueAt <= nowMs()], ["scheduled", true]);
  });
}

test("rates hold over two nodes", async () => {
  const before = sharedStore();
  const jobs = [jobOf("work", { options: { rate: [{ max: 3, perMs: MINUTE, by: [] }] } })];
  const worlds = [
    await new ManagerWorld({ before, workers: 2, jobs }).started(),
    await new ManagerWorld({ before, workers: 2, jobs }).started(),
  ];
  for (const { executor } of worlds) executor.onRun = (attempt) => attempt.ok();
  for (let count = 0; count < 12; count++) await worlds[0]!.schedule();
  const startsOf = () => worlds.map(({ executor }) => executor.attempts.length);
  const total = () => startsOf().reduce((sum, count) => sum + count, 0);
  assert.equal(total(), 3);
  await before.clock.advance(MINUTE - 1_000);
  assert.equal(total(), 3);
  for (const wanted of [6, 9, 12]) {
    await before.clock.advance(MINUTE);
    assert.equal(total(), wanted);
  }
});

test("a node that is alone does not read who is there at each report, and sees at once who comes", async () => {
  const before = sharedStore();
  const alone = await new ManagerWorld({ before }).started();
  const count = alone.link.count("listNodes");
  await alone.clock.advance(3 * LEASE_MS);
  assert.equal(alone.link.count("listNodes"), count);
  await new ManagerWorld({ before, jobs: [jobOf("other")] }).started();
  assert.equal(alone.link.count("listNodes"), count + 1);
  await alone.clock.advance(LEASE_MS);
  assert.ok(alone.link.count("listNodes") > count + 1);
});
