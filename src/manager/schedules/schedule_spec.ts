import { hash } from "node:crypto";
import { BLACKOUTS_MAX, parseBlackout } from "../../core/time/blackout.ts";
import { DURATION_MS_MAX } from "../../core/time/duration.ts";
import { atPath, JobError } from "../../core/errors.ts";
import { MISFIRES, OVERLAPS, REBOOT, type ScheduleSpec } from "../../core/time/schedule.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { openZone } from "../../core/time/zone.ts";
import { nextTickOf, parseScheduleText } from "../../core/time/ticks.ts";
import { checkChoice, checkInteger, TIME_MAX } from "../instances/new_instance.ts";
import type { RecurringOptions, ScheduleChange } from "../api/schedules.ts";

const COUNT_MAX = 2 ** 31 - 1;

/**
 * The spec of a schedule made at run time.
 *
 * @param options override the inherited or earlier values
 * @param base the inherited or earlier values
 * @param job.kind the seed of `H` and `~`
 * @param job.nowMs epoch ms; a schedule without a tick after it is refused
 * @throws JobError `invalid_argument` naming the option
 */
export function specOf(
  options: ScheduleChange,
  base: ScheduleSpec,
  job: { readonly kind: string; readonly nowMs: number },
): ScheduleSpec {
  checkOptions(withoutNull(options));
  const { kind: seed, nowMs } = job;
  const { cron } = options;
  const parsed = cron === undefined
    ? null
    : atPath("cron", () => parseScheduleText(cron, { seed }));
  const { timezone = parsed?.timezone ?? base.timezone } = options;
  atPath("timezone", () => openZone(timezone));
  const spec: ScheduleSpec = {
    ...base,
    ...(parsed === null ? {} : { cron: parsed.cron, everyMs: parsed.everyMs }),
    timezone,
    overlap: options.overlap ?? base.overlap,
    misfire: options.misfire ?? base.misfire,
    misfireWithinMs: options.misfireWithinMs ?? base.misfireWithinMs,
    jitterMs: options.jitterMs ?? base.jitterMs,
    startsAt: changed(options.startsAt, base.startsAt) ?? undefined,
    endsAt: changed(options.endsAt, base.endsAt) ?? undefined,
    blackout: changed(options.blackout, base.blackout) ?? undefined,
    runsMax: changed(options.runsMax, base.runsMax) ?? undefined,
    queueMax: options.queueMax ?? base.queueMax,
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
  const { startsAt, endsAt, blackout, runsMax, queueMax } = spec;
  const rare = { startsAt, endsAt, blackout, runsMax, queueMax };
  const text = JSON.stringify([
    spec.cron,
    spec.everyMs,
    spec.timezone,
    spec.overlap,
    spec.misfire,
    spec.misfireWithinMs,
    spec.jitterMs,
    argumentsJson,
    priority,
    ...(Object.values(rare).some((value) => value !== undefined) ? [rare] : []),
  ]);
  return hash("sha256", text, "hex").slice(0, 32);
}

/** The value after a change: the one before if the change has none, null if it is removed. */
export function changed<T>(change: T | null | undefined, before: T): T | null {
  return change === undefined ? before : change;
}

/** The change without the values that it removes. */
export function withoutNull(change: ScheduleChange): Partial<RecurringOptions> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== null));
}

function checkOptions(options: Partial<RecurringOptions>): void {
  checkChoice("overlap", options.overlap, OVERLAPS);
  checkChoice("misfire", options.misfire, MISFIRES);
  const { misfireWithinMs = 0, runsMax = 1, queueMax = 1, startsAt = 0, endsAt = 0 } = options;
  checkInteger("misfireWithin", misfireWithinMs, 0, DURATION_MS_MAX);
  checkInteger("runsMax", runsMax, 1, COUNT_MAX);
  checkInteger("queueMax", queueMax, 1, 1_000);
  checkInteger("startsAt", startsAt, 0, TIME_MAX);
  checkInteger("endsAt", endsAt, 0, TIME_MAX);
  const { blackout = [] } = options;
  if (blackout.length > BLACKOUTS_MAX) {
    const problem = `found ${blackout.length} windows, at most ${BLACKOUTS_MAX}`;
    throw new JobError("invalid_argument", `Cannot use blackout: ${problem}`, {
      options: ["blackout"],
    });
  }
  for (const text of blackout) parseBlackout(text);
}
