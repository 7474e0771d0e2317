import type { ScheduleRecord } from "../../core/job/schedule.ts";

/** How long a due schedule of a job that is not here is left to nodes that have it. */
const LEFT_MS = 2_000;
/** How soon it is looked at again, and at most how late. */
const LOOK_MS = { first: 10, longest: 250 } as const;

/** Due schedules of jobs that this node does not have: those that have them advance them, usually within milliseconds. */
export class PeerWatch {
  readonly #seen = new Map<string, { readonly nextAt: number | null; readonly sinceMs: number }>();
  #lookMs: number = LOOK_MS.first;

  /** Whether to leave one to others: false when nobody took it for so long that nobody seems to have the job. */
  isLeft({ id, nextAt }: ScheduleRecord, nowMs: number): boolean {
    const seen = this.#seen.get(id);
    if (seen?.nextAt === nextAt) return nowMs - seen.sinceMs < LEFT_MS;
    this.#seen.set(id, { nextAt, sinceMs: nowMs });
    return true;
  }

  /** What is due now: the others were advanced. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    if (this.#seen.size === 0) this.#lookMs = LOOK_MS.first;
  }

  /** When to look again, in milliseconds; null when nothing was left. */
  get delayMs(): number | null {
    if (this.#seen.size === 0) return null;
    const delayMs = this.#lookMs;
    this.#lookMs = Math.min(2 * delayMs, LOOK_MS.longest);
    return delayMs;
  }
}
