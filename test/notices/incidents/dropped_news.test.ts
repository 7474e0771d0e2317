import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EMPTY_SUBJECT, writeSubject } from "../../../src/core/notices/subject_state.ts";
import { nextSubject } from "../../../src/core/notices/next_subject.ts";
import { MEMO_CHARS_MAX, NEWS_MAX, type Store } from "../../../src/store/store.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { closeStoryServers } from "../../support/notices/story_stores.ts";
import { StoryWorld } from "../../support/notices/story_world.ts";

after(closeStoryServers);

const ID = "0195a000-0000-7000-8000-00000000000";

/** A job's inbox is full, and then a run ends. */
async function endAfterFull(
  { store, clock }: { readonly store: Store; readonly clock: StoryWorld["clock"] },
  state: "completed" | "terminated",
  number: number,
): Promise<void> {
  const at = clock.now();
  const news = Array.from({ length: NEWS_MAX }, (_, index) => ({
    ...{ id: `${number} ${index}`, event: "completed", at: at.wallMs, instanceId: null },
    detail: null,
  }));
  const added = store.addNews({ at, key: "job:work", news, noticeId: `${ID}${number + 4}` });
  const own = { kind: "work", queueKey: "work", uniqueKey: null, argumentsJson: "[]" };
  const instance = {
    ...{ id: `${ID}${number}`, ...own, dueAt: at.wallMs, priority: 0, retryOf: null },
    ...{ scheduleId: null, scheduledFor: null, deadlineAt: null, retryMax: 0, crashesMax: 0 },
    ...{ timeoutMs: 0, keepSuccessMs: 86_400_000, keepFailureMs: 86_400_000 },
  };
  const reason = state === "completed" ? "ok" : "error";
  const end = { at: at.wallMs, state, reason, error: null } as const;
  const run = { instance, node: "host", startedAt: at.wallMs, end, logs: [] };
  // In one transaction, so that nothing is processed in between.
  await Promise.all([added, store.recordRuns({ at, runs: [run] })]);
}

for (const store of ["memory", "Valkey"] as const) {
  test(`a failure is told although the inbox of its job was full (${store})`, async () => {
    const world = await StoryWorld.started({ store });
    // Its successes count from here on.
    await world.run("work", "fail");
    await world.look((store) => endAfterFull({ store, clock: world.clock }, "terminated", 1));
    await world.advance("1m");
    // Both became known at once, and what is due at the same time has no order on every store.
    const told = world.told.ops!.toSorted();
    assert.deepEqual(told, ["failed work", "failed work", "recovered work"]);
    await world.look((store) => endAfterFull({ store, clock: world.clock }, "completed", 2));
    await world.advance("1m");
    assert.equal(world.told.ops!.length, 4);
    await world.close();
  });
}

test("nextSubject() keeps a state within a memo whatever an error has and however many hear", () => {
  const channels = Array.from({ length: 50 }, (_, index) => {
    return new RecordedChannel(`${String(index).padStart(3, "0")}${"x".repeat(60)}`, {
      on: ["failed", "late", "missed", "long", "short", "lost", "disabled", "recovered"],
    });
  }).map(({ settings: { name, rules } }) => ({ name, rules }));
  let state = EMPTY_SUBJECT;
  const error = { name: "Error", message: "\u0001".repeat(8_192) };
  for (const event of ["late", "missed", "long", "short", "disabled", "terminated"]) {
    for (let number = 0; number < 100; number++) {
      const id = `${event}:config:${"k".repeat(200)}:0:${number}`;
      const news = { id, event, at: 1, instanceId: null, detail: null };
      state = nextSubject(state, { ...news, error, version: null }, {
        subject: { type: "job", name: "work" },
        channels,
        newId: () => ID,
      }).state;
    }
  }
  assert.ok(writeSubject(state).length < MEMO_CHARS_MAX, String(writeSubject(state).length));
});
