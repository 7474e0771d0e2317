import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EMPTY_SUBJECT, writeSubject } from "../../../src/core/notices/subject_state.ts";
import { nextSubject } from "../../../src/core/notices/next_subject.ts";
import { idOfText } from "../../../src/platform/text_ids.ts";
import { MEMO_CHARS_MAX, NEWS_MAX, type Store } from "../../../src/store/store.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { closeStoryServers, STORY_STORES } from "../../support/notices/story_stores.ts";
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
    assert.deepEqual(world.told, { ops: ["failed work", "recovered work", "failed work"] });
    await world.look((store) => endAfterFull({ store, clock: world.clock }, "completed", 2));
    await world.advance("1m");
    assert.equal(world.told.ops!.length, 4);
    await world.close();
  });
}

for (const store of STORY_STORES) {
  test(`the last message of an inbox that was full says what was left out (${store})`, async () => {
    const on = ["output"] as const;
    const [ops, cron] = [new RecordedChannel("ops", { on }), new RecordedChannel("cron", { on })];
    const target = { to: "mail", transport: { type: "sendmail", path: "/x" }, from: null } as const;
    Object.assign(cron.settings, { target: { ...target, recipients: ["a"], style: "cron" } });
    const night = new RecordedChannel("night", { on, digestMs: 30_000 });
    const world = await StoryWorld.started({ store, channels: [ops, cron, night] });
    await addOutput(world, NEWS_MAX + 40);
    const more = `40 more events came at once, too many to report`;
    const where = "jobctl list instances --kind work, or jobctl explain work for missed runs";
    const facts = ops.delivered.flatMap((notice) => notice.facts);
    assert.deepEqual([ops.delivered.length, facts], [NEWS_MAX, [`${more}. See: ${where}`]]);
    const output = cron.delivered.flatMap((notice) => notice.output);
    assert.deepEqual([cron.delivered.length, output], [NEWS_MAX, [`[${more}. See: ${where}]`]]);
    assert.deepEqual(night.told, [`digest: output work x${NEWS_MAX}`]);
    assert.match(night.delivered[0]!.items[0]!.detail!, /^40 more events/);
    await addOutput(world, NEWS_MAX);
    assert.equal(ops.delivered.flatMap((notice) => notice.facts).length, 1);
    await world.close();
  });
}

/** Runs of the job end with output, more than its inbox takes. */
async function addOutput(world: StoryWorld, count: number): Promise<void> {
  const at = world.clock.now();
  const news = Array.from({ length: count }, (_, index) => ({
    ...{ id: `output:${at.wallMs}:${index}`, event: "output", at: at.wallMs },
    ...{ instanceId: null, detail: null },
  }));
  const noticeId = idOfText(`output ${at.wallMs}`);
  await world.look((store) => store.addNews({ at, key: "job:work", news, noticeId }));
  await world.advance("2m");
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
