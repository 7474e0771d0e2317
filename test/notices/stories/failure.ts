import assert from "node:assert/strict";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

playStories([
  {
    name: "a job fails, and then succeeds",
    isOnEtcd: true,
    happens: (world) => world.run("work", "fail ok"),
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a job fails many times in a row",
    happens: (world) => world.run("work", "fail fail fail fail fail ok ok"),
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a job flaps",
    isOnEtcd: true,
    happens: (world) => world.run("work", "ok fail ok fail ok"),
    told: { ops: ["failed work", "recovered work", "failed work", "recovered work"] },
  },
  {
    name: "a channel wants three failures in a row",
    start: () => ({ channels: [new RecordedChannel("ops", { after: 3 })] }),
    happens: async (world) => {
      await world.run("work", "fail fail ok fail fail");
      assert.deepEqual(world.told, { ops: [] });
      await world.run("work", "fail fail ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a channel wants three failures of the last ten runs",
    start: () => ({
      channels: [new RecordedChannel("ops", { rate: { failures: 3, of: 10 } })],
    }),
    happens: async (world) => {
      await world.run("work", "fail ok fail ok");
      assert.deepEqual(world.told, { ops: [] });
      await world.run("work", "fail ok ok ok ok ok");
      assert.deepEqual(world.told, { ops: ["failed work"] });
      await world.run("work", "ok ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "failures of the last runs are counted although successes are not kept",
    start: () => ({
      jobs: [jobOf("work", { options: { keepSuccessMs: 0 } })],
      channels: [new RecordedChannel("ops", { rate: { failures: 2, of: 4 } })],
    }),
    happens: async (world) => {
      await world.run("work", "fail ok ok ok fail");
      await world.advance("3m");
      await world.run("work", "ok ok ok");
      await world.advance("3m");
      await world.run("work", "fail");
      assert.deepEqual(world.told, { ops: [] });
      await world.run("work", "fail ok ok");
      assert.deepEqual(world.told, { ops: ["failed work"] });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a job is well to one channel, and fails too often to another",
    start: () => ({
      channels: [
        new RecordedChannel("ops", { repeatMs: 300_000 }),
        new RecordedChannel("often", { rate: { failures: 2, of: 4 }, repeatMs: 600_000 }),
      ],
    }),
    happens: async (world) => {
      const [ops, often] = world.channels;
      await world.run("work", "fail fail ok");
      await world.advance("11m");
      const still = "work still fails too often, although its last run succeeded";
      assert.equal(often!.delivered[1]!.title, `${still}: failed`);
      assert.equal(ops!.delivered[1]!.incident!.closedAt !== null, true);
      await world.run("work", "fail");
      await world.advance("6m");
      const incidents = await world.of(world.manager().listIncidents({}));
      assert.deepEqual(incidents.items.map(({ notified, count }) => ({ notified, count })), [
        { notified: ["often", "ops"], count: 3 },
      ]);
      const of = (index: number) => ops!.delivered[index]!.incident!.id;
      assert.equal(of(2), of(0));
      await world.run("work", "ok");
      assert.equal(ops!.told.at(-1), "recovered work");
      await world.run("work", "ok ok ok fail");
    },
    told: {
      ops: [
        ...["failed work", "recovered work", "failed work", "failed work again"],
        ...["recovered work", "failed work"],
      ],
      often: ["failed work", "failed work again", "recovered work"],
    },
  },
  {
    name: "a job is well to one channel that cannot deliver, and fails again",
    start: () => ({
      channels: [
        new RecordedChannel("ops"),
        new RecordedChannel("often", { rate: { failures: 1, of: 9 } }),
      ],
    }),
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = new Error("Away");
      await world.run("work", "fail ok fail ok fail");
      ops!.problem = null;
      await world.advance("5m");
    },
    told: {
      ops: [
        ...["failed work", "recovered work", "failed work", "recovered work", "failed work"],
      ],
      often: ["failed work"],
    },
  },
  {
    name: "attempts fail, and the last one succeeds",
    start: () => ({ jobs: [jobOf("work", { options: { retry: retries(2) } })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      world.next("work", "fail ok");
      await world.advance("1m");
    },
    told: { ops: [] },
  },
  {
    name: "all attempts fail",
    start: () => ({ jobs: [jobOf("work", { options: { retry: retries(2) } })] }),
    happens: async (world) => {
      world.next("work", "fail fail fail");
      await world.submit("work");
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a run exceeds its time limit",
    happens: (world) => world.run("work", "timeout ok"),
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "the workers of a run die until it is given up",
    happens: async (world) => {
      world.next("work", "lose lose lose lose");
      await world.submit("work");
      await world.advance("5m");
      await world.run("work", "ok");
    },
    told: { ops: ["lost work", "recovered work"] },
  },
  {
    name: "a channel that does not know of losses hears that a lost run failed",
    start: () => ({ channels: [new RecordedChannel("ops", { on: ["failed", "recovered"] })] }),
    happens: async (world) => {
      world.next("work", "lose lose lose lose");
      await world.submit("work");
      await world.advance("5m");
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a channel wants every dead letter",
    start: () => ({ channels: [new RecordedChannel("ops", { on: ["dead"] })] }),
    happens: (world) => world.run("work", "fail fail ok fail"),
    told: { ops: ["dead work", "dead work", "dead work"] },
  },
  {
    name: "a run is canceled",
    happens: async (world) => {
      await world.run("work", "hang");
      const [run] = (await world.look((store) => store.list({ kinds: ["work"] }, { limit: 1 })))
        .items;
      const canceling = world.manager().cancelInstances({ ids: [run!.id] });
      canceling.catch(() => {});
      await world.advance("1s");
      world.hanging.get("work")!.aborted("canceled");
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { ops: [] },
  },
  {
    name: "a failed run is run again and succeeds",
    happens: async (world) => {
      await world.run("work", "fail");
      await world.of(world.manager().redriveInstances({ kinds: ["work"] }));
      await world.advance("1s");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "jobs name their channels, or none",
    start: () => ({
      jobs: [
        jobOf("quiet", { options: { notify: [] } }),
        jobOf("mine", { options: { notify: ["night"] } }),
        jobOf("any"),
      ],
      channels: [new RecordedChannel("ops"), new RecordedChannel("night")],
    }),
    happens: async (world) => {
      for (const kind of ["quiet", "mine", "any"]) await world.run(kind, "fail ok");
    },
    told: {
      ops: ["failed any", "recovered any"],
      night: ["failed mine", "recovered mine", "failed any", "recovered any"],
    },
  },
  {
    name: "channels name their jobs by patterns",
    start: () => ({
      jobs: [jobOf("shop-mail"), jobOf("shop"), jobOf("bank")],
      channels: [
        new RecordedChannel("shop", { jobs: ["shop-*"] }),
        new RecordedChannel("bank", { jobs: ["bank", "shop"] }),
        new RecordedChannel("nobody", { jobs: [] }),
      ],
    }),
    happens: async (world) => {
      for (const kind of ["shop-mail", "shop", "bank"]) await world.run(kind, "fail");
    },
    told: { shop: ["failed shop-mail"], bank: ["failed shop", "failed bank"], nobody: [] },
  },
  {
    name: "two channels with different rules hear of one incident",
    start: () => ({
      channels: [
        new RecordedChannel("ops"),
        new RecordedChannel("boss", { after: 3 }),
        new RecordedChannel("log", { on: ["failed"] }),
      ],
    }),
    happens: (world) => world.run("work", "fail ok fail fail fail fail ok"),
    told: {
      ops: ["failed work", "recovered work", "failed work", "recovered work"],
      boss: ["failed work", "recovered work"],
      log: ["failed work", "failed work"],
    },
  },
  {
    name: "incidents of two jobs do not concern each other",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      await world.run("one", "fail");
      await world.run("two", "fail ok");
      await world.run("one", "ok");
    },
    told: { ops: ["failed one", "failed two", "recovered two", "recovered one"] },
  },
  {
    name: "a daemon without channels writes no memo",
    start: () => ({ channels: [] }),
    happens: async (world) => {
      await world.run("work", "fail ok fail");
      const memos = await world.look((store) =>
        store.listMemos({ prefix: "", after: null, limit: 10 })
      );
      assert.deepEqual(memos, []);
      const { items } = await world.look((store) => store.list({}, { limit: 10 }));
      assert.deepEqual(items.map(({ kind }) => kind), ["work", "work", "work"]);
    },
    told: {},
  },
  {
    name: "more runs fail than a memo keeps while nobody processes it",
    happens: async (world) => {
      // A node that knows nothing of notices goes on with the work.
      await world.kill();
      await world.start("plain", { channels: [] });
      const runs = Array.from({ length: 600 }, () => ({ kind: "work", arguments: [] }));
      for (let batch = 0; batch < 2; batch++) {
        world.next("work", runs.map(() => "fail").join(" "));
        await world.of(world.manager("plain").scheduleJobs(runs));
      }
      await world.advance("1m");
      await world.start();
      await world.advance("1m");
      const [memo] = await world.look((store) =>
        store.listMemos({ prefix: "job:work", after: null, limit: 1 })
      );
      const { incident } = JSON.parse(memo!.data) as { incident: { count: number } };
      assert.equal(incident.count, 1_200);
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
]);

function retries(max: number) {
  const { retry } = jobOf("work").options;
  return { ...retry, max };
}
