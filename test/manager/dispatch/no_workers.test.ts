import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Instance } from "../../../src/core/instance.ts";
import { isFinal } from "../../../src/core/state.ts";
import { closeStoryServers, openStoryStore } from "../../support/notices/story_stores.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const SEEDS = { memory: 60, Valkey: 6 } as const;
const JOBS = [
  jobOf("work"),
  jobOf("other"),
  jobOf("beside", { options: { workerSlot: false } }),
];

after(closeStoryServers);

/** Attempts that end after at most this long, so that claims are made ahead of free workers. */
const TAKES_MS_MAX = 1;
/** Longer than any claim waits on a node. */
const QUIET_MS = 200;

type Claimed = Pick<Instance, "id" | "priority" | "dueAt">;

/** In the order of claims. */
function inOrder(instances: readonly Claimed[]): readonly string[] {
  // Ids of one process rise in the order of acceptance.
  const compare = (left: Claimed, right: Claimed) =>
    left.priority - right.priority || left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1);
  return instances.toSorted(compare).map(keyOf);
}

function keyOf({ priority, dueAt, id }: Claimed): string {
  return `priority ${priority}, due at ${dueAt}: ${id}`;
}

for (const name of ["memory", "Valkey"] as const) {
  test(`with no workers nothing leaves Scheduled on ${name}, and later all begins by priority`, async () => {
    for (let seed = 1; seed <= SEEDS[name]; seed++) {
      await playBursts(name, seed).catch((error: unknown) => {
        throw new Error(`Seed ${seed}`, { cause: error });
      });
    }
  });
}

async function playBursts(name: keyof typeof SEEDS, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (most: number) => Math.floor(random.next() * (most + 1));
  const at = await openStoryStore(name);
  const { clock } = at;
  const before = { clock, store: at.connect() };
  const world = await new ManagerWorld({ before, jobs: JOBS, workers: 1 + upTo(3) }).started();
  const began: Instance[] = [];
  world.executor.onRun = (attempt) => {
    began.push(attempt.instance);
    clock.timer(random.next() * TAKES_MS_MAX, () => attempt.ok());
  };
  const burst = async (kinds: readonly string[], size: number) => {
    const requests = Array.from({ length: size }, () => ({
      kind: kinds[upTo(kinds.length - 1)]!,
      priority: upTo(10),
      ...(upTo(9) === 0 ? { afterMs: upTo(QUIET_MS) } : {}),
    }));
    await world.of(world.manager.scheduleJobs(requests));
  };
  const open = async () => (await world.instances()).filter(({ state }) => !isFinal(state));
  const waiting = async () => (await open()).filter(({ state }) => state === "scheduled");
  for (let round = 0; round < 3; round++) {
    await burst(["work", "other"], 20 + upTo(150));
    await clock.advance(upTo(12));
    await world.of(world.manager.resizeWorkers(0));
    const count = began.length;
    await burst(["work", "other", "beside"], 5 + upTo(20));
    await clock.advance(upTo(20));
    const left = await waiting();
    await clock.advance(QUIET_MS);
    assert.equal(began.length, count, "something began");
    const ids = (instances: readonly Claimed[]) => instances.map(({ id }) => id);
    assert.deepEqual(ids(await waiting()), ids(left), "something left Scheduled");
    assert.equal((await open()).length, left.length);
    await world.of(world.manager.resizeWorkers(1 + upTo(3)));
    for (let step = 0; step < 1_000 && (await open()).length > 0; step++) {
      await clock.advance(10);
    }
    const later = began.slice(count);
    const isForWorker = ({ kind }: Instance) => kind !== "beside";
    const wanted = inOrder(left.filter(isForWorker));
    const found = later.filter(isForWorker).map(keyOf);
    const index = found.findIndex((each, place) => each !== wanted[place]);
    assert.equal(found[index], wanted[index], `not by priority: place ${index}`);
    assert.equal(later.length, left.length);
  }
  await world.of(world.manager.stop());
  await at.close();
}

test("what was scheduled while there are no workers was never claimed", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  world.executor.onRun = (attempt) => void world.clock.timer(0.3, () => attempt.ok());
  await world.of(world.manager.scheduleJobs(Array.from({ length: 200 }, () => ({ kind: "work" }))));
  await world.clock.advance(100);
  await world.of(world.manager.resizeWorkers(0));
  for (let index = 0; index < 5; index++) await world.schedule();
  await world.clock.advance(100);
  const left = (await world.instances()).slice(-5);
  assert.deepEqual(
    left.map(({ state, fence, attempt }) => [state, fence, attempt]),
    Array.from({ length: 5 }, () => ["scheduled", 0, 0]),
  );
});

test("a claim under way when the last worker goes is released at once", async () => {
  const world = await new ManagerWorld({ workers: 1, jobs: JOBS }).started();
  const answer = world.link.hold("claim");
  const { id } = await world.schedule();
  const { id: beside } = await world.schedule("beside");
  await world.of(world.manager.resizeWorkers(0));
  answer();
  await world.clock.settle();
  for (const each of [id, beside]) {
    const { state, attempt } = await world.get(each);
    assert.deepEqual([state, attempt], ["scheduled", 0]);
  }
  assert.equal(world.executor.attempts.length, 0);
});

test("what was claimed before its due time is released when the last worker goes", async () => {
  const world = await new ManagerWorld({ workers: 1, jobs: JOBS }).started();
  const dueAt = world.clock.now().wallMs + 1_000;
  const all: string[] = [];
  for (const kind of ["work", "beside"]) {
    all.push((await world.of(world.manager.scheduleJob(kind, { at: dueAt }))).id);
  }
  await world.clock.advance(999);
  const states = async () => await Promise.all(all.map(async (id) => (await world.get(id)).state));
  assert.deepEqual(await states(), ["processing", "processing"]);
  await world.of(world.manager.resizeWorkers(0));
  assert.deepEqual(await states(), ["scheduled", "scheduled"]);
  await world.clock.advance(100);
  assert.equal(world.executor.attempts.length, 0);
  await world.of(world.manager.resizeWorkers(1));
  assert.equal(world.executor.attempts.length, 2);
});

test("running attempts finish when the last worker goes, and no other takes their place", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  for (let index = 0; index < 3; index++) await world.schedule();
  await world.of(world.manager.resizeWorkers(0));
  const { attempts } = world.executor;
  assert.deepEqual([attempts.length, attempts.flatMap(({ aborts }) => aborts)], [2, []]);
  for (const attempt of [...attempts]) attempt.ok();
  await world.clock.advance(1_000);
  assert.equal(attempts.length, 2);
});
