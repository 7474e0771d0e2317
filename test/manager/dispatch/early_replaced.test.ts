import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ManagerEvent } from "../../../src/manager/api.ts";
import {
  closeStoryServers,
  openStoryStore,
  STORY_STORES,
  type StoryStoreName,
} from "../../support/notices/story_stores.ts";
import { ManagerWorld, type ScriptedAttempt } from "../../support/worlds/manager_world.ts";

const SECOND = 1_000;
const KEY = { uniqueKey: "k", onConflict: "replace" } as const;

after(closeStoryServers);

/** A node that runs jobs, another one, and an instance that the first has claimed early. */
async function claimedEarly(name: StoryStoreName, beforeMs: number) {
  const at = await openStoryStore(name);
  const { clock } = at;
  const node = async (id: string, workers: number) =>
    await new ManagerWorld({ before: { clock, store: at.connect() }, node: id, workers }).started();
  const runs = await node("runs", 1);
  const other = await node("other", 0);
  const begun: string[] = [];
  runs.executor.onRun = (attempt) => {
    begun.push(attempt.instance.id);
    attempt.ok();
  };
  const canceled: string[] = [];
  const note = (event: ManagerEvent) => {
    if (event.type === "state" && event.state === "canceled") canceled.push(event.instance.id);
  };
  for (const { manager } of [runs, other]) manager.subscribe(note);
  const dueAt = clock.now().wallMs + SECOND;
  const { id } = await other.schedule("work", { ...KEY, at: dueAt });
  await clock.advance(SECOND - beforeMs);
  const close = async () => {
    for (const { manager } of [runs, other]) await runs.of(manager.stop());
    await at.close();
  };
  return { clock, runs, other, id, dueAt, begun, canceled, close };
}

for (const name of STORY_STORES) {
  for (const from of ["runs", "other"] as const) {
    test(`${name}: an instance in its last milliseconds is replaced as if it waited, by the ${from} node`, async () => {
      for (const beforeMs of [100, 50, 1]) {
        const story = await claimedEarly(name, beforeMs);
        const { clock, runs, id, begun, canceled } = story;
        const second = await story[from].schedule("work", { ...KEY, afterMs: SECOND });
        assert.notEqual(second.id, id);
        await clock.advance(SECOND - 1);
        assert.deepEqual(begun, []);
        await clock.advance(1);
        assert.deepEqual(begun, [second.id]);
        const { state, reason, attempt, processedAt } = await runs.get(id);
        const last = [state, reason, attempt, processedAt];
        assert.deepEqual(last, ["canceled", "replaced", 0, null]);
        assert.deepEqual(canceled, [id]);
        assert.deepEqual(runs.logged.filter((line) => /too late|lease/i.test(line)), []);
        await story.close();
      }
    });
  }

  test(`${name}: an instance that has begun is not replaced`, async () => {
    const { clock, runs, other, id, close } = await claimedEarly(name, 1);
    const attempts: ScriptedAttempt[] = [];
    runs.executor.onRun = (attempt) => void attempts.push(attempt);
    await clock.advance(1);
    assert.deepEqual(attempts.map(({ instance }) => instance.id), [id]);
    await assert.rejects(other.schedule("work", KEY), { code: "conflict" });
    attempts[0]!.ok();
    await clock.settle();
    assert.equal((await runs.get(id)).state, "completed");
    await close();
  });

  test(`${name}: an instance in its last milliseconds is canceled as if it waited`, async () => {
    const { clock, runs, other, id, begun, canceled, close } = await claimedEarly(name, 50);
    const canceling = other.manager.cancelInstances({ ids: [id] });
    await clock.settle();
    assert.equal((await runs.get(id)).state, "canceled");
    // A caller of another node may have to wait until it looks again.
    await clock.advance(3 * SECOND);
    await canceling;
    assert.deepEqual([begun, canceled], [[], [id]]);
    await close();
  });
}

test("a command that a supervisor has before its time is taken back when it is replaced", async () => {
  const { clock, runs, other, id, close } = await claimedEarly("memory", 1_000);
  const { executor } = runs;
  executor.keepsStartAt = () => true;
  executor.onRun = null;
  await clock.advance(950);
  assert.equal(executor.last.instance.id, id);
  const second = await other.schedule("work", { ...KEY, afterMs: 10_000 });
  assert.deepEqual(executor.last.aborts, ["canceled"]);
  const error = { name: "AbortError", message: "canceled" };
  executor.last.end({ type: "aborted", cause: "canceled", error, isUnstarted: true });
  await clock.settle();
  const { state, attempt } = await runs.get(id);
  assert.deepEqual([state, attempt], ["canceled", 0]);
  assert.equal((await runs.get(second.id)).state, "scheduled");
  await close();
});
