import { hash } from "node:crypto";
import { BLACKOUTS_MAX, parseBlackout } from "../../core/time/blackout.ts";
import { atPath, JobError } from "../../core/errors.ts";
import { SCHEDULE_OPTIONS } from "../../core/job/run_options.ts";
import { REBOOT, type ScheduleSpec } from "../../core/time/schedule.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { openZone } from "../../core/time/zone.ts";
import { nextTickOf, parseScheduleText } from "../../core/time/ticks.ts";
import type { ScheduleChange } from "../api/schedules.ts";

/** Options that are not members of the spec: its times, and options for its runs. */
const APART: ReadonlySet<string> = new Set(
  ["cron", "timezone", "arguments", "priority", "timeout", "retries"],
);
const SPEC_OPTIONS = SCHEDULE_OPTIONS.filter(({ name }) => !APART.has(name));

// Order of the members in hashes: another order would restart all stored schedules.
const COMMON = ["overlap", "misfire", "misfireWithinMs", "jitterMs"] as const;
const RARE_FIRST = ["startsAt", "endsAt", "blackout", "runsMax"] as const;
const RARE = new Set([...RARE_FIRST, ...SPEC_OPTIONS.map(({ key }) => key as keyof ScheduleSpec)]);
for (const name of COMMON) RARE.delete(name);

/**
 * The spec of a schedule made at run time.
 *
 * @param options override the inherited or earlier values
 * @param job.kind the seed of `H` and `~`
 * @param job.nowMs epoch ms; a schedule without a tick after it is refused
 * @throws JobError `invalid_argument` naming the option
 */
export function specOf(
  options: ScheduleChange,
  base: ScheduleSpec,
  job: { readonly kind: string; readonly nowMs: number },
): ScheduleSpec {
  for (const text of windowsOf(options)) parseBlackout(text);
  const { kind: seed, nowMs } = job;
  const { cron } = options;
  const parsed = cron === undefined
    ? null
    : atPath("cron", () => parseScheduleText(cron, { seed }));
  const { timezone = parsed?.timezone ?? base.timezone } = options;
  atPath("timezone", () => openZone(timezone));
  const changes: Record<string, unknown> = {};
  for (const { key, canClear } of SPEC_OPTIONS) {
    const value = options[key as keyof ScheduleChange];
    if (value !== undefined) changes[key] = value ?? (canClear ? undefined : base[key as never]);
  }
  const spec: ScheduleSpec = {
    ...base,
    ...(parsed === null ? {} : { cron: parsed.cron, everyMs: parsed.everyMs }),
    timezone,
    ...changes,
  };
  if (spec.cron === REBOOT || nextTickOf(spec, nowMs, nowMs) !== null) return spec;
  const text = options.cron ?? base.cron ?? "";
  const end = spec.endsAt === undefined ? null : formatLocal(spec.endsAt, spec.timezone);
  const limit = end === null ? "" : ` before its end at ${end}`;
  throw new JobError("invalid_argument", `Cannot use schedule "${text}": it has no run${limit}`, {
    path: "cron",
    hint: end === null
      ? "Choose times that occur: jobctl next shows them"
      : "Let it end later, or not at all",
  });
}

/** Hash of a spec and its instances' values: if it changes, the schedule starts at now. */
export function hashOf(
  spec: ScheduleSpec,
  argumentsJson: string,
  priority: number | null,
): string {
  const rare = Object.fromEntries([...RARE].map((name) => [name, spec[name]]));
  const text = JSON.stringify([
    spec.cron,
    spec.everyMs,
    spec.timezone,
    ...COMMON.map((name) => spec[name]),
    argumentsJson,
    priority,
    ...(Object.values(rare).some((value) => value !== undefined) ? [rare] : []),
  ]);
  return hash("sha256", text, "hex").slice(0, 32);
}

/** The value after a change: the previous one if the change omits it, null if it is removed. */
export function changed<T>(change: T | null | undefined, before: T): T | null {
  return change === undefined ? before : change;
}

/** @throws JobError `invalid_argument` for too many windows */
function windowsOf({ blackout }: ScheduleChange): readonly string[] {
  if (!blackout || blackout.length <= BLACKOUTS_MAX) return blackout ?? [];
  const problem = `found ${blackout.length} windows, at most ${BLACKOUTS_MAX}`;
  throw new JobError("invalid_argument", `Cannot use blackout: ${problem}`, {
    options: ["blackout"],
  });
}
