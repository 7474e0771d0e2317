import { JobError } from "./errors.ts";
import type { ScheduleOptions } from "./job_manager.ts";
import { nearest } from "./nearest.ts";

const KEYS: Readonly<Record<keyof ScheduleOptions, true>> = {
  arguments: true,
  id: true,
  priority: true,
  at: true,
  afterMs: true,
  jitterMs: true,
  timeoutMs: true,
  deadlineMs: true,
  retries: true,
  uniqueKey: true,
  uniqueForMs: true,
  onConflict: true,
};

/**
 * Refuse options of `scheduleJob` that are none: code that no compiler checks would lose them without a word.
 *
 * @param others what may be said there besides, such as `cron`
 * @throws JobError `invalid_argument` naming the nearest option
 */
export function checkScheduleOptions(
  kind: string,
  options: object,
  others: readonly string[] = [],
): void {
  const known = [...Object.keys(KEYS), ...others];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    const near = nearest(name, known);
    throw new JobError(
      "invalid_argument",
      `Cannot schedule job "${kind}": unknown option "${name}"`,
      {
        path: name,
        hint: near === null ? `Options: ${known.join(", ")}` : `Did you mean "${near}"?`,
      },
    );
  }
}
