import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { nextRunAt, pausedUntil } from "../../core/time/next_run.ts";
import { nextTickOf } from "../../core/time/ticks.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { ScheduleReads } from "../api/schedules.ts";

/** Most of the next runs that are logged. */
const RUNS_SHOWN_MAX = 5;

/** Log the next runs and how to see more: a new user asks for these first. */
export async function announceRuns(
  manager: Pick<ScheduleReads, "listSchedules" | "listPauses">,
  port: number,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<void> {
  const { items } = await manager.listSchedules({}, { limit: 1_000 });
  const { wallMs } = clock.now();
  const pauses = await manager.listPauses();
  const upcoming = items.map((record) => {
    const { kind, spec, startAt } = record;
    const next = { ...record, nextAt: nextTickOf(spec, startAt, wallMs) };
    return { kind, at: nextRunAt(next, pausedUntil(kind, pauses)) };
  }).filter((run): run is { kind: string; at: number } => run.at !== null)
    .sort((a, b) => a.at - b.at).slice(0, RUNS_SHOWN_MAX);
  for (const { kind, at } of upcoming) {
    logger.info(`Next run of ${kind}`, { at: new Date(at).toISOString() });
  }
  const flag = port === GRPC_PORT_DEFAULT ? "" : ` --port ${port}`;
  logger.info(`Look at it with: jobctl status${flag}, jobctl list instances${flag}`);
}
