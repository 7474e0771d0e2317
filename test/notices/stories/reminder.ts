import assert from "node:assert/strict";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";

const HOUR = 3_600_000;
const JOB = { type: "job", name: "work" } as const;
const hourly = () => ({ channels: [new RecordedChannel("ops", { repeatMs: HOUR })] });

playStories([
  {
    name: "an acknowledgment is taken back, and reminders are sent again",
    start: hourly,
    happens: async (world) => {
      await world.run("work", "fail");
      await world.of(world.manager().acknowledgeIncident(JOB, { by: "eva" }));
      await world.advance("150m");
      assert.deepEqual(world.told, { ops: ["failed work"] });
      await world.of(world.manager().acknowledgeIncident(JOB, { by: "tom", isUndo: true }));
      await world.advance("1h");
      assert.deepEqual(world.told, { ops: ["failed work", "failed work again"] });
      await world.advance("1h");
      await world.run("work", "ok");
      await world.advance("2h");
    },
    told: { ops: ["failed work", "failed work again", "failed work again", "recovered work"] },
  },
  {
    name: "an acknowledgment is taken back before a reminder would have been sent",
    start: hourly,
    happens: async (world) => {
      await world.run("work", "fail");
      await world.of(world.manager().acknowledgeIncident(JOB, { by: "eva" }));
      await world.of(world.manager().acknowledgeIncident(JOB, { by: "eva", isUndo: true }));
      await world.restart();
      await world.advance("61m");
    },
    told: { ops: ["failed work", "failed work again"] },
  },
  {
    name: "a job recovers just before a reminder is due",
    start: hourly,
    happens: recoverBeforeReminder,
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a job recovers while a reminder is tried again",
    start: hourly,
    happens: async (world) => {
      const [ops] = world.channels;
      await world.run("work", "fail");
      ops!.problem = new Error("Away");
      await world.advance("1h");
      await world.run("work", "ok");
      ops!.problem = null;
      await world.advance("1m");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a reminder is tried again before the recovery of its job is processed",
    start: hourly,
    happens: async (world) => {
      const [ops] = world.channels;
      await world.run("work", "fail");
      ops!.problem = new Error("Away");
      await world.advance("1h");
      assert.ok(ops!.attempts > 1);
      const release = world.holdBefore("putMemo", "job:work");
      await world.run("work", "ok");
      ops!.problem = null;
      await world.advance("30s");
      assert.deepEqual(world.told, { ops: ["failed work"] });
      await release();
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a channel is removed for good while others are reminded that it fails",
    start: () => ({ channels: [...hourly().channels, new RecordedChannel("mail")] }),
    happens: async (world) => {
      const [ops, mail] = world.channels;
      mail!.problem = new Error("Away");
      await world.run("work", "fail ok");
      await world.advance("70m");
      const titles = ops!.delivered.map(({ title }) => title);
      const why = "a notice was not delivered after 5 attempts: Away";
      assert.deepEqual(titles.slice(2), [
        `Channel mail failed: ${why}`,
        `Channel mail is still failing: ${why}`,
      ]);
      await world.reload({ channels: [ops!] });
      await world.advance("5h");
    },
    told: {
      ops: ["failed work", "recovered work", "failed mail", "failed mail again"],
      mail: [],
    },
  },
]);

/** A job fails, and its next run succeeds 1 ms before the first reminder is due. */
async function recoverBeforeReminder(world: StoryWorld): Promise<void> {
  await world.run("work", "fail");
  await world.advance("1m");
  await world.run("work", "hang");
  const { items } = await world.look((store) =>
    store.list({ kinds: ["system.notices"], states: ["scheduled"] }, { limit: 10 })
  );
  const reminder = items.find(({ argumentsJson }) => argumentsJson.includes("incidentId"))!;
  await world.advance(reminder.dueAt - 1 - world.clock.now().wallMs);
  world.hanging.get("work")!.ok();
  await world.advance("1m");
}
