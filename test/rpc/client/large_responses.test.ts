import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeInstance, fakeJob, FakeManager } from "../../support/worlds/fake_manager.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";

const MIB = 1_048_576;
const LARGE = JSON.stringify(["x".repeat(MIB - 4)]);
const LONG = "why ".repeat(2_000);

/** A manager whose responses exceed one message. */
class LargeManager extends FakeManager {
  override explain: FakeManager["explain"] = async () => {
    const schedule = { ...await this.scheduleRecurring("echo", { cron: "@daily" }) };
    return Array.from({ length: 5 }, (_, index) => ({
      schedule: { ...schedule, argumentsJson: LARGE },
      ...{
        kind: "echo",
        at: index,
        outcome: "ran" as const,
        reason: null,
        ...{ rule: "", timezone: "UTC" },
        why: "It ran",
      },
      instance: fakeInstance(index, { argumentsJson: LARGE, resultsJson: LARGE }),
      ...{ decidedAt: null, previousAt: null, nextAt: null },
    }));
  };

  override skipTicks: FakeManager["skipTicks"] = async () => {
    const schedule = await this.scheduleRecurring("echo", { cron: "@daily" });
    return Array.from({ length: 5 }, () => ({ ...schedule, argumentsJson: LARGE }));
  };

  override listPauses: FakeManager["listPauses"] = async () =>
    Array.from({ length: 1_000 }, (_, index) => (
      { kind: `kind-${index}`, until: null, reason: LONG, at: 1 }
    ));

  override status: FakeManager["status"] = async () => ({
    ...await new FakeManager().status(),
    disabled: new Map(Array.from({ length: 1_000 }, (_, index) => [`kind-${index}`, LONG])),
  });
}

test("responses with many records that exceed a message come in brief", async () => {
  const manager = new LargeManager();
  for (let index = 0; index < 1_000; index++) {
    const kind = `kind-${index}`;
    manager.jobs.set(kind, fakeJob(kind, { description: LONG }));
  }
  await using world = await rpcWorld({ manager });
  const client = world.client();
  const { reports } = await client.explain({ kind: "echo" });
  assert.deepEqual(reports.map(({ why }) => why), Array(5).fill("It ran"));
  assert.equal((await client.skipTicks({ kind: "echo", count: 1 })).schedules.length, 5);
  const { jobs } = await client.listRegisteredJobs({});
  assert.equal(jobs.length, 1_001);
  assert.equal(jobs.at(-1)!.description, LONG.slice(0, 100));
  const { pauses } = await client.listPauses({});
  assert.equal(pauses.length, 1_000);
  const { disabled } = await client.getStatus({});
  assert.equal(disabled.length, 1_000);
});

test("responses that fit into a message come whole", async () => {
  const manager = new FakeManager();
  manager.jobs.set("long", fakeJob("long", { description: LONG }));
  await using world = await rpcWorld({ manager });
  const { jobs } = await world.client().listRegisteredJobs({});
  assert.equal(jobs.at(-1)!.description, LONG);
  assert.notEqual(jobs.at(-1)!.signatureJson, "");
});

test("a record that exceeds a message comes without its payload, and says so", async () => {
  const huge = JSON.stringify(["x".repeat(5 * MIB)]);
  const records = [
    fakeInstance(1),
    fakeInstance(2, { argumentsJson: huge, resultsJson: huge }),
    fakeInstance(3),
  ];
  class HugeManager extends FakeManager {
    override lookupInstances: FakeManager["lookupInstances"] = async (_query, page) => {
      const from = Number(page?.token ?? 0);
      const items = records.slice(from, from + page!.limit);
      const next = from + items.length;
      return { items, nextToken: next < records.length ? String(next) : null };
    };
    override getInstance: FakeManager["getInstance"] = async () => records[1]!;
  }
  await using world = await rpcWorld({ manager: new HugeManager() });
  const client = world.client();
  const found = [];
  let pageToken: string | undefined;
  do {
    const page = await client.lookupInstances({ query: { pageToken } });
    found.push(...page.instances);
    pageToken = page.nextPageToken;
  } while (pageToken);
  assert.deepEqual(found.map(({ uuid }) => uuid), records.map(({ id }) => id));
  assert.match(found[1]!.error!, /arguments and results of 10485768 characters do not fit/);
  const { instance } = await client.getInstance({ uuid: records[1]!.id });
  assert.match(instance!.error!, /do not fit in a message/);
});
