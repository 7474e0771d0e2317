import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import type { NoticeRules } from "../../src/core/notices/settings.ts";
import {
  type NoticeSimulation,
  type PastRun,
  simulateNotices,
} from "../../src/tools/simulation/simulate_notices.ts";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { jobOf } from "../support/worlds/manager_world.ts";

const START = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;

/** One run of `work` every hour: "f" failed, "s" succeeded. */
function hourly(outcomes: string, kind = "work"): readonly PastRun[] {
  return [...outcomes].map((outcome, hour) => ({
    ...{ id: `${kind}-${hour}`, kind, endedAt: START + hour * HOUR },
    ...(outcome === "s"
      ? { state: "completed", reason: "ok", error: null }
      : { state: "terminated", reason: "error", error: { name: "Error", message: "no" } }),
  }));
}

function simulate(
  runs: readonly PastRun[],
  rules: Partial<NoticeRules>,
  more: { readonly options?: Partial<JobOptions>; readonly hours?: number } = {},
): readonly string[] {
  const { settings } = new RecordedChannel("ops", rules);
  const simulation: NoticeSimulation = {
    channels: [settings],
    jobs: [jobOf("work", more.options ? { options: more.options } : {})],
    timezone: "UTC",
    toMs: START + (more.hours ?? 24) * HOUR,
  };
  return simulateNotices(runs, simulation).map(({ at, event, kind, isReminder, count }) => {
    const again = isReminder ? " again" : "";
    return `${(at - START) / HOUR} h: ${event}${again} ${kind} x${count}`;
  });
}

test("simulateNotices() finds one notice for each incident and each recovery", () => {
  assert.deepEqual(simulate(hourly("sfffssf"), {}), [
    "1 h: failed work x1",
    "4 h: recovered work x1",
    "6 h: failed work x1",
  ]);
});

test("simulateNotices() applies the rules of the channel", () => {
  assert.deepEqual(simulate(hourly("fsffs"), { after: 2 }), [
    "3 h: failed work x1",
    "4 h: recovered work x1",
  ]);
  const rate = { failures: 3, of: 5 };
  assert.deepEqual(simulate(hourly("fsfsfss"), { rate }), [
    "4 h: failed work x1",
    "5 h: recovered work x1",
  ]);
  assert.deepEqual(simulate(hourly("f"), { jobs: ["other-*"] }), []);
  assert.deepEqual(simulate(hourly("f"), {}, { options: { notify: [] } }), []);
  const others = { options: { notify: ["*"] } };
  assert.deepEqual(simulate(hourly("f"), {}, others), ["0 h: failed work x1"]);
  assert.deepEqual(simulate(hourly("f"), { jobs: ["other-*"] }, others), []);
});

test("simulateNotices() repeats what stays open, until its end", () => {
  const told = simulate(hourly("fffffs"), { repeatMs: 2 * HOUR });
  assert.deepEqual(told, [
    "0 h: failed work x1",
    "2 h: failed again work x1",
    "4 h: failed again work x1",
    "5 h: recovered work x1",
  ]);
  const open = simulate(hourly("f"), { repeatMs: 10 * HOUR });
  assert.deepEqual(open, [
    ...["0 h: failed work x1", "10 h: failed again work x1", "20 h: failed again work x1"],
  ]);
});

test("simulateNotices() collects digests, quiet hours and silences", () => {
  assert.deepEqual(simulate(hourly("fs"), { digestMs: 4 * HOUR }), ["4 h: digest work x2"]);
  assert.deepEqual(simulate(hourly("fs"), { quiet: ["00:00-07:00"] }), ["7 h: digest work x2"]);
  const options = { silence: ["00:00-02:00"] };
  assert.deepEqual(simulate(hourly("fsf"), {}, { options }), [
    "2 h: failed work x1",
    "2 h: digest work x2",
  ]);
});
