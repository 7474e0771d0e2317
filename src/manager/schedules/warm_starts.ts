import type { ScheduleRecord } from "../../core/time/schedule.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { PartContext } from "../context/part_context.ts";

/** Lead of a process start before its tick: it takes some 30 ms, more on a busy host. */
const AHEAD_MS = 1_000;

/**
 * Starts the process for a schedule's commands shortly before a tick, so that the tick need not
 * wait for it. Other ticks start too, a little later.
 */
export class WarmStarts {
  readonly #options: Pick<PartContext, "clock" | "registry" | "executor">;
  /** The next tick of schedules that run commands, in epoch ms, by id. */
  readonly #next = new Map<string, { readonly kind: string; readonly at: number }>();
  readonly #timer: LazyTimer;

  constructor(options: Pick<PartContext, "clock" | "registry" | "executor">) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => this.#prepare());
  }

  /** Note the next tick of a schedule, in epoch ms; null for none. */
  expect({ id, kind }: Pick<ScheduleRecord, "id" | "kind">, at: number | null): void {
    const { registry, executor } = this.#options;
    if (executor.prepare === undefined) return;
    if (at === null || registry.find(kind)?.source.type !== "command") {
      this.#next.delete(id);
      return;
    }
    this.#next.set(id, { kind, at });
    this.#arm(at);
  }

  stop(): void {
    this.#timer.cancel();
    this.#next.clear();
  }

  #arm(at: number): void {
    const aheadMs = at - this.#options.clock.now().wallMs - AHEAD_MS;
    this.#timer.setWithin(Math.max(aheadMs, 0));
  }

  #prepare(): void {
    const { clock, registry, executor } = this.#options;
    const untilMs = clock.now().wallMs + AHEAD_MS;
    let first = Infinity;
    for (const [id, { kind, at }] of this.#next) {
      if (at > untilMs) {
        first = Math.min(first, at);
        continue;
      }
      this.#next.delete(id);
      const job = registry.find(kind);
      if (job !== undefined) executor.prepare?.(job);
    }
    if (first !== Infinity) this.#arm(first);
  }
}
