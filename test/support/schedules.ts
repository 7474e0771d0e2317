import type { ScheduleRecord, ScheduleSpec } from "../../src/core/time/schedule.ts";
import { parseScheduleText } from "../../src/core/time/ticks.ts";

/** A schedule from its text, with the product's defaults. */
export function scheduleSpec(text: string, overrides: Partial<ScheduleSpec> = {}): ScheduleSpec {
  const { cron, everyMs, timezone } = parseScheduleText(text);
  return {
    cron,
    everyMs,
    timezone: timezone ?? "UTC",
    overlap: "skip",
    misfire: "latest",
    misfireWithinMs: 86_400_000,
    jitterMs: 0,
    ...overrides,
  };
}

/** A schedule record of a spec. */
export function scheduleRecord(
  spec: ScheduleSpec,
  overrides: Partial<ScheduleRecord> = {},
): ScheduleRecord {
  return {
    id: "config:report:0",
    kind: "report",
    origin: "config",
    spec,
    specHash: "",
    generation: 1,
    cursor: 0,
    startAt: 0,
    nextAt: null,
    argumentsJson: "[]",
    priority: null,
    timeoutMs: null,
    retryMax: null,
    createdAt: 0,
    updatedAt: 0,
    ...overrides,
  };
}
