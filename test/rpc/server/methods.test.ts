import assert from "node:assert/strict";
import { isJobError } from "../../../src/core/errors.ts";
import { Manager } from "../../../src/index.ts";
import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import { fakeJob, type FakeManager, fakeNode } from "../../support/worlds/fake_manager.ts";
import { testMethods } from "../../support/worlds/method_worlds.ts";
import { NO_AUTH, tokenEntry } from "../../support/worlds/rpc_world.ts";
import { until } from "../../support/wait.ts";

const START = { seconds: 1_767_225_600n, nanos: 0 };

testMethods("ScheduleJob passes arguments, priority and time to the manager", async (openWorld) => {
  await using world = await openWorld();
  const { instance } = await world.client().scheduleJob({
    kind: "echo",
    arguments: ["1", "é"],
    priority: 2,
    at: START,
    uniqueKey: "k",
    maxRetries: 3,
  });
  assert.deepEqual(instance?.arguments, ["1", "é"]);
  assert.equal(instance?.state, JobState.SCHEDULED);
  assert.deepEqual(world.manager.scheduled[0]?.options, {
    arguments: ["1", "é"],
    priority: 2,
    at: 1_767_225_600_000,
    uniqueKey: "k",
    retries: 3,
  });
});

testMethods("ScheduleJob with cron makes a schedule", async (openWorld) => {
  await using world = await openWorld();
  const answer = await world.client().scheduleJob({
    kind: "echo",
    cron: "0 6 * * *",
    timezone: "Europe/Berlin",
  });
  assert.equal(answer.instance, undefined);
  assert.equal(answer.schedule?.cron, "0 6 * * *");
  assert.equal(answer.schedule?.timezone, "Europe/Berlin");
});

testMethods("ScheduleJob with dryRun queues nothing", async (openWorld) => {
  await using world = await openWorld();
  const client = world.client();
  const once = await client.scheduleJob({ kind: "echo", arguments: ["7"], dryRun: true });
  assert.deepEqual([once.instance?.uuid, once.instance?.arguments], ["", ["7"]]);
  const again = await client.scheduleJob({ kind: "echo", cron: "0 6 * * *", dryRun: true });
  assert.deepEqual([again.schedule?.id, again.schedule?.cron], ["", "0 6 * * *"]);
  assert.equal(world.manager.instances.size, 0);
  const { id } = world.manager.add({});
  const known = await client.scheduleJob({ kind: "echo", uuid: id, dryRun: true });
  assert.equal(known.instance?.uuid, id);
  const { existing } = await client.scheduleJobs({
    requests: [{ kind: "echo", uuid: id, dryRun: true }],
  });
  assert.equal(existing, 1);
});

testMethods("ScheduleJobs schedules all", async (openWorld) => {
  await using world = await openWorld();
  const { instances } = await world.client().scheduleJobs({
    requests: [{ kind: "echo", arguments: ["1"] }, { kind: "echo", arguments: ["2"] }],
  });
  assert.deepEqual(instances.map((one) => one.arguments), [["1"], ["2"]]);
});

testMethods(
  "ScheduleJobs only checks if all are dry runs, and refuses a mixture",
  async (openWorld) => {
    await using world = await openWorld();
    const client = world.client();
    const dry = { kind: "echo", arguments: ["1"], dryRun: true };
    assert.deepEqual((await client.scheduleJobs({ requests: [dry, dry] })).instances, []);
    await assert.rejects(
      client.scheduleJobs({ requests: [dry, { kind: "echo" }] }),
      (error) => isJobError(error, "invalid_argument") && error.path === "requests[0].dry_run",
    );
    assert.equal(world.manager.instances.size, 0);
  },
);

testMethods("CancelInstances refuses an empty query and takes all", async (openWorld) => {
  await using world = await openWorld();
  const client = world.client();
  world.manager.add();
  await assert.rejects(
    client.cancelInstances({}),
    (error) => isJobError(error, "invalid_argument") && error.path === "query",
  );
  assert.equal(world.manager.canceled.length, 0);
  const { instances, count } = await client.cancelInstances({ all: true });
  assert.equal(instances[0]?.state, JobState.CANCELLED);
  assert.equal(count, 1n);
});

testMethods("CancelInstances cancels only what matches", async (openWorld) => {
  await using world = await openWorld();
  const first = world.manager.add();
  const second = world.manager.add();
  await world.client().cancelInstances({ query: { uuid: first.id } });
  assert.equal(world.manager.instances.get(first.id)?.state, "canceled");
  assert.equal(world.manager.instances.get(second.id)?.state, "scheduled");
});

testMethods("GetInstance takes a part of an id", async (openWorld) => {
  await using world = await openWorld();
  const { id } = world.manager.add();
  const { instance } = await world.client().getInstance({ uuid: id.slice(0, 8).toUpperCase() });
  assert.equal(instance?.uuid, id);
});

testMethods("WaitInstance returns the current state when the wait ends", async (openWorld) => {
  await using world = await openWorld();
  const { id } = world.manager.add({ state: "processing" });
  const { instance } = await world.client().waitInstance({ uuid: id, waitMs: 0n });
  assert.equal(instance?.state, JobState.PROCESSING);
});

testMethods(
  "WaitInstance returns a whole instance, even a large one, in time",
  async (openWorld) => {
    await using world = await openWorld();
    const text = "x".repeat(100_000);
    const argumentsJson = JSON.stringify([text]);
    const { id } = world.manager.add({ state: "completed", argumentsJson });
    const { instance } = await world.client().waitInstance({ uuid: id, waitMs: 60_000n });
    assert.deepEqual(instance?.arguments, [text]);
    assert.equal(instance?.state, JobState.COMPLETED);
  },
);

testMethods(
  "WaitInstance fails when a large instance was deleted before it could be read",
  async (openWorld) => {
    await using world = await openWorld();
    const argumentsJson = JSON.stringify(["x".repeat(100_000)]);
    const { id } = world.manager.add({ state: "processing", argumentsJson });
    const waiting = world.client().waitInstance({ uuid: id, waitMs: 60_000n });
    await until("it waits", () => world.manager.waits.length === 1);
    const ended = { ...world.manager.instances.get(id)!, state: "completed" } as const;
    world.manager.instances.delete(id);
    world.manager.waits[0]!(ended);
    await assert.rejects(waiting, /NOT_FOUND|deleted meanwhile/);
  },
);

testMethods("RetryInstance returns the new instance", async (openWorld) => {
  await using world = await openWorld();
  const { id } = world.manager.add({ state: "terminated" });
  const { instance } = await world.client().retryInstance({ uuid: id });
  assert.equal(instance?.retryOf, id);
});

testMethods("RetryInstance takes other arguments, in one of two forms", async (openWorld) => {
  await using world = await openWorld();
  const { id } = world.manager.add({ state: "terminated" });
  const retry = async (given: object) =>
    (await world.client().retryInstance({ uuid: id, ...given })).instance?.arguments;
  assert.deepEqual(await retry({ arguments: ["1"] }), ["1"]);
  assert.deepEqual(await retry({ argumentsJson: "[2]" }), ["2"]);
  await assert.rejects(retry({ argumentsJson: "2" }), /wanted an array .* or an object/);
});

testMethods("FreezeInstance passes on what is asked of it", async (openWorld) => {
  await using world = await openWorld();
  const { id } = world.manager.add({ state: "processing" });
  const { instance, changed } = await world.client().freezeInstance({ uuid: id, reason: "disk" });
  assert.deepEqual([instance?.uuid, changed], [id, true]);
  await world.client().freezeInstance({ uuid: id, thaw: true });
  assert.deepEqual(world.manager.frozen, [{ id, reason: "disk" }, { id, thaw: true }]);
});

testMethods(
  "RedriveInstances runs dead letters again, and asks for a condition",
  async (openWorld) => {
    await using world = await openWorld();
    const { id } = world.manager.add({ state: "terminated" });
    const client = world.client();
    const { instances, count } = await client.redriveInstances({
      query: { uuid: id },
      force: true,
    });
    assert.deepEqual([instances[0]?.retryOf, count], [id, 1n]);
    assert.deepEqual(world.manager.redriven[0], {
      query: { ids: [id] },
      all: false,
      isForced: true,
    });
    await client.redriveInstances({ all: true });
    assert.deepEqual(world.manager.redriven[1], { query: {}, all: true, isForced: false });
    for (const request of [{}, { query: {} }, { query: { kind: "sum", pageSize: 5 } }]) {
      await assert.rejects(
        client.redriveInstances(request),
        (error) => isJobError(error, "invalid_argument"),
      );
    }
  },
);

testMethods("history, logs, schedules, workers and status are answered", async (openWorld) => {
  await using world = await openWorld();
  const client = world.client();
  const { id } = world.manager.add();
  const history = await client.lookupInstanceHistory({ query: { uuid: id } });
  assert.equal(history.entries[0]?.state, JobState.CREATED);
  const logs = await client.lookupInstanceLogs({ query: { uuid: id }, level: "warn" });
  assert.equal(logs.entries[0]?.level, "warn");
  const { schedules } = await client.listSchedules({});
  assert.equal(schedules[0]?.cron, "0 6 * * *");
  assert.equal((await client.resizeWorkers({ count: 9 })).workers?.count, 9);
  assert.equal((await client.getWorkers()).workers?.count, 9);
  const status = await client.getStatus();
  assert.deepEqual([status.storeType, status.kinds[0]?.scheduled], ["memory", 1n]);
  assert.equal((await client.listRegisteredJobs()).jobs[0]?.kind, "echo");
  const kinds = async (request: { kindPrefix?: string; limit?: number }) =>
    (await client.listRegisteredJobs(request)).jobs.map(({ kind }) => kind);
  assert.deepEqual(await kinds({ kindPrefix: "ech" }), ["echo"]);
  assert.deepEqual(await kinds({ kindPrefix: "nothing" }), []);
  assert.equal((await kinds({ limit: 1 })).length, 1);
  const { jobs } = world.manager;
  jobs.set("mail.send", { ...fakeJob("mail.send"), description: "Sends what is Due" });
  jobs.set("mail.sort", fakeJob("mail.sort"));
  const total = jobs.size;
  for (const [text, matching] of [["DUE", 1], ["mail.S", 2], ["none of these", 0]] as const) {
    const found = await client.listRegisteredJobs({ text, limit: 1 });
    assert.deepEqual(
      [found.jobs.length, found.matching, found.total],
      [Math.min(1, matching), matching, total],
      text,
    );
  }
  for (const limit of [0, -1, 1_001]) {
    await assert.rejects(kinds({ limit }), { code: "invalid_argument", path: "limit" });
  }
});

testMethods(
  "GetSchedule returns one, and its id is enough to run, skip and backfill",
  async (openWorld) => {
    const manager = new Manager({ workers: 0 });
    for (const kind of ["shop-a", "other"]) manager.registerJob({ kind, run: () => {} });
    await manager.start();
    try {
      const { id } = await manager.scheduleRecurring("shop-a", { cron: "0 6 * * *" });
      const { id: foreign } = await manager.scheduleRecurring("other", { cron: "0 6 * * *" });
      const tokens = [tokenEntry("shop", "s-token", "operator", { jobs: ["shop-*"] })];
      await using world = await openWorld({
        manager: manager as unknown as FakeManager,
        server: { auth: { ...NO_AUTH, mode: "token", tokens } },
      });
      const client = world.client({ token: "s-token" });
      const { schedule } = await client.getSchedule({ id });
      assert.deepEqual([schedule?.id, schedule?.kind, schedule?.status], [id, "shop-a", "active"]);
      const { instance } = await client.runSchedule({ scheduleId: id });
      assert.equal(instance?.kind, "shop-a");
      const { schedules } = await client.skipTicks({ scheduleId: id, count: 2 });
      assert.equal(schedules[0]?.skipNext, 2);
      const range = { from: START, to: { ...START, seconds: START.seconds + 1n } };
      assert.equal((await client.backfill({ scheduleId: id, ...range })).count, 0n);
      for (const unknown of [foreign, "none"]) {
        const refusal = { code: "not_found", path: "id" };
        await assert.rejects(client.getSchedule({ id: unknown }), refusal);
        await assert.rejects(client.runSchedule({ scheduleId: unknown }), refusal);
      }
    } finally {
      await manager.stop();
    }
  },
);

testMethods("DeleteSchedule returns the manager's refusal", async (openWorld) => {
  await using world = await openWorld();
  await assert.rejects(
    world.client().deleteSchedule({ id: "config:echo:0" }),
    (error) => isJobError(error, "conflict"),
  );
});

testMethods("ResizeWorkers refuses a negative count", async (openWorld) => {
  await using world = await openWorld();
  await assert.rejects(
    world.client().resizeWorkers({ count: -1 }),
    (error) => isJobError(error, "invalid_argument") && error.path === "count",
  );
});

testMethods("LookupInstanceLogs refuses an unknown level", async (openWorld) => {
  await using world = await openWorld();
  await assert.rejects(
    world.client().lookupInstanceLogs({ level: "loud" }),
    (error) => isJobError(error, "invalid_argument") && error.path === "level",
  );
});

testMethods("ListNodes and ResizeWorkers of a node name every node", async (openWorld) => {
  await using world = await openWorld();
  const tags = ["gpu"];
  world.manager.nodes.push(fakeNode("other", { tags, wantedWorkers: null, skewMs: -7 }));
  const client = world.client();
  const { nodes } = await client.listNodes({});
  assert.deepEqual(nodes.map(({ id, state, pid }) => [id, state, pid]), [
    ["test", "live", 4711n],
    ["other", "live", 4711n],
  ]);
  assert.deepEqual([nodes[1]!.tags, nodes[1]!.kinds, nodes[1]!.skewMs], [tags, ["echo"], -7n]);
  const { node } = await client.resizeWorkers({ count: 9, node: "other" });
  assert.deepEqual([node?.id, node?.wantedWorkers], ["other", 9]);
  await assert.rejects(
    client.resizeWorkers({ count: 9, node: "none" }),
    (error) => isJobError(error, "not_found"),
  );
});

testMethods(
  "ListNodes leaves the kinds out when they do not fit one message",
  async (openWorld) => {
    await using world = await openWorld();
    const kinds = Array.from({ length: 20_000 }, (_, index) => `${index}-${"k".repeat(190)}`);
    world.manager.nodes.push(fakeNode("other", { kinds }));
    const { nodes } = await world.client().listNodes({});
    assert.deepEqual(nodes.map((node) => [node.kinds.length, node.kindCount]), [[0, 1], [
      0,
      20_000,
    ]]);
  },
);

testMethods(
  "ListNodes counts the jobs of users, also those that the node cannot run",
  async (openWorld) => {
    const auth = {
      ...NO_AUTH,
      mode: "token",
      tokens: [
        tokenEntry("boss", "a-token", "admin"),
        tokenEntry("shop", "s-token", "admin", { jobs: ["shop-*"] }),
      ],
    } as const;
    await using world = await openWorld({ server: { auth } });
    const kinds = ["shop-a", "other", "system.log.cleaner", "system.notices"];
    world.manager.nodes.push(fakeNode("other", { kinds, idle: ["shop-external", "gpu"] }));
    const counts = async (token: string) =>
      (await world.client({ token }).listNodes({})).nodes.map((node) => node.kindCount);
    assert.deepEqual(await counts("a-token"), [1, 4]);
    assert.deepEqual(await counts("s-token"), [0, 2]);
  },
);

testMethods(
  "LookupInstances reports waiting instances that no live node can run",
  async (openWorld) => {
    await using world = await openWorld();
    world.manager.add({ kind: "echo" });
    world.manager.add({ kind: "gone" });
    world.manager.add({ kind: "gone", state: "completed" });
    const { instances } = await world.client().lookupInstances({});
    const told = instances.map(({ kind, state, blockedBy }) => [kind, state, blockedBy?.limit]);
    assert.deepEqual(told.filter(([, , limit]) => limit !== undefined), [
      ["gone", JobState.SCHEDULED, "node"],
    ]);
  },
);

testMethods(
  "GetInstance and LookupInstances report what an instance uses, or has used",
  async (openWorld) => {
    await using world = await openWorld();
    const { manager } = world;
    const usage = { maxRssBytes: 2 ** 40, cpuMs: 20 };
    const running = manager.add({ state: "processing", usage: null });
    const live = { ...usage, rssBytes: 512, openFiles: null, processes: 3 };
    const place = { pid: 4711, supervisorPid: 4700, adoptedAt: 1_000 };
    manager.processes.set(running.id, { place, usage: live });
    const ended = manager.add({ state: "completed", usage: { ...usage, cpuMs: null } });
    const client = world.client();
    const toldOf = (instance: JobInstance) => {
      const { uuid, maxRssBytes, cpuMs, process } = instance;
      const { rssBytes, openFiles, processes, pid, supervisorPid, adoptedAt } = process ?? {};
      const placed = [pid, supervisorPid, adoptedAt?.seconds];
      return [uuid, maxRssBytes, cpuMs, rssBytes, openFiles, processes, ...placed];
    };
    const told = [
      [running.id, 2n ** 40n, 20n, 512n, undefined, 3, 4711, 4700, 1n],
      [ended.id, 2n ** 40n, ...Array.from({ length: 7 }, () => undefined)],
    ];
    const { instances } = await client.lookupInstances({});
    assert.deepEqual(instances.map(toldOf).toSorted(), told.toSorted());
    for (const [index, { id: uuid }] of [running, ended].entries()) {
      assert.deepEqual(toldOf((await client.getInstance({ uuid })).instance!), told[index]);
    }
  },
);

testMethods(
  "Pause and Resume refuse an empty kind, which is not all of them",
  async (openWorld) => {
    await using world = await openWorld();
    const client = world.client();
    for (const call of [client.pause, client.resume]) {
      await assert.rejects(call({ kind: "" }), { code: "invalid_argument" });
    }
    assert.equal((await client.pause({})).pause?.kind, undefined);
  },
);

testMethods("LookupInstances and CountInstances take every condition", async (openWorld) => {
  await using world = await openWorld();
  const asked: unknown[] = [];
  const { lookupInstances, countUpTo } = world.manager;
  world.manager.lookupInstances = async (query, page) => {
    asked.push([query, page?.lookMax]);
    const { items } = await lookupInstances({}, page);
    return { items, nextToken: "t", lookedTo: 1_767_225_600_000 };
  };
  world.manager.countUpTo = (query, max) => {
    asked.push([query, max]);
    return countUpTo({}, max);
  };
  world.manager.add({ argumentsJson: `["${"x".repeat(500)}"]` });
  const client = world.client();
  const query = { endedAfter: START, endedBefore: START, node: "n1", text: "Alice" };
  const found = await client.lookupInstances({ query, brief: true });
  assert.equal(found.lookedTo?.seconds, START.seconds);
  assert.equal(found.nextPageToken, "t");
  assert.deepEqual(found.instances[0]?.arguments, []);
  await client.lookupInstances({ query: { kind: "echo" } });
  await client.lookupInstances({ query: { kind: "echo" }, lookMax: 7 });
  assert.deepEqual(
    await client.countInstances({ query, max: 9 }).then(({ count, hasMore }) => [
      count,
      hasMore,
    ]),
    [1n, false],
  );
  const ms = 1_767_225_600_000;
  const conditions = { endedAfter: ms, endedBefore: ms, node: "n1", text: "Alice" };
  assert.deepEqual(asked, [
    [conditions, 10_000],
    [{ kinds: ["echo"] }, undefined],
    [{ kinds: ["echo"] }, 7],
    [conditions, 9],
  ]);
  const isInvalid = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(client.countInstances({ max: 0 }), isInvalid);
  await assert.rejects(client.lookupInstances({ lookMax: 100_001 }), isInvalid);
  await assert.rejects(client.lookupInstanceHistory({ query: { text: "x" } }), isInvalid);
});

testMethods("A tag in a query is the kinds that need it, or an error", async (openWorld) => {
  await using world = await openWorld();
  const { manager } = world;
  for (const [kind, needs] of [["render", ["gpu"]], ["train", ["gpu", "lan"]]] as const) {
    const job = fakeJob(kind);
    manager.jobs.set(kind, { ...job, options: { ...job.options, needs } });
  }
  const asked: unknown[] = [];
  const { lookupInstances, countUpTo, cancelInstances, redriveInstances } = manager;
  manager.lookupInstances = (query, page) => (asked.push(query), lookupInstances(query, page));
  manager.countUpTo = (query, max) => (asked.push(query), countUpTo(query, max));
  manager.cancelInstances = (query, how) => (asked.push(query), cancelInstances(query, how));
  manager.redriveInstances = (query, how) => (asked.push(query), redriveInstances(query, how));
  const client = world.client();
  await client.lookupInstances({ query: { tag: "gpu" } });
  await client.countInstances({ query: { tag: "gpu", kinds: ["train", "echo"] } });
  await client.cancelInstances({ query: { tag: "gpu", kind: "render" } });
  await client.redriveInstances({ query: { tag: "lan" } });
  assert.deepEqual(asked.map((query) => (query as { kinds: unknown }).kinds), [
    ["render", "train"],
    ["train"],
    ["render"],
    ["train"],
  ]);
  for (const tag of ["", "gpo", "no tag"]) {
    const code = tag === "gpo" ? "not_found" : "invalid_argument";
    const isRefused = (error: unknown) => isJobError(error, code);
    const query = { tag, kind: "render" };
    await assert.rejects(client.lookupInstances({ query }), isRefused);
    await assert.rejects(client.countInstances({ query }), isRefused);
    await assert.rejects(client.cancelInstances({ query, all: true }), isRefused);
    await assert.rejects(client.redriveInstances({ query, all: true }), isRefused);
  }
  assert.equal(asked.length, 4);
});

testMethods("GetJobStats returns how a job has fared", async (openWorld) => {
  await using world = await openWorld();
  const stats = await world.client().getJobStats({ kind: "echo" });
  assert.equal(stats.buckets.length, 2);
  assert.equal(stats.buckets[0]!.failed, 1n);
  assert.equal(stats.buckets[0]!.durations?.p90Ms, 30.5);
  assert.equal(stats.buckets[1]!.durations, undefined);
  assert.equal(stats.totals?.completed, 3n);
  assert.equal(stats.successRate, 0.75);
  assert.equal(stats.lastFailureAt, undefined);
  assert.deepEqual(stats.failures.map(({ error, count }) => [error, count]), [["no paper", 1n]]);
  assert.equal(stats.usualP99Ms, 40);
  const isInvalid = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(world.client().getJobStats({ kind: "echo", buckets: 101 }), isInvalid);
  await assert.rejects(
    world.client().getJobStats({ kind: "echo", from: START, to: START }),
    isInvalid,
  );
});
