import type { NoticeEvent } from "../../core/notices/notice.ts";
import type { NoticeLimit } from "../../core/notices/settings.ts";
import type { Clock } from "../../platform/clock.ts";

/** Factor for the output of runs: cron mails every minute's. */
const OUTPUT_FACTOR = 10;

interface Window {
  readonly startMs: number;
  readonly ids: Set<string>;
  readonly outputIds: Set<string>;
}

/**
 * Counts notices sent through each channel, so that jobs that fail again and again, or all at once,
 * do not send thousands of mails. In memory: after a restart it counts from zero.
 */
export class FloodGate {
  readonly #clock: Pick<Clock, "now">;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * Null if a notice may be sent now; it is then counted once for its id. Otherwise the end of the
   * window, epoch ms: the excess is sent then, as one.
   */
  blockedUntil(
    channel: string,
    { id, event }: { readonly id: string; readonly event: NoticeEvent },
    { most, perMs }: NoticeLimit,
  ): number | null {
    const nowMs = this.#clock.now().wallMs;
    let window = this.#windows.get(channel);
    // A clock that was set back must not lengthen it.
    if (!window || nowMs >= window.startMs + perMs || nowMs < window.startMs) {
      window = { startMs: nowMs, ids: new Set(), outputIds: new Set() };
      this.#windows.set(channel, window);
    }
    const isOutput = event === "output";
    const ids = isOutput ? window.outputIds : window.ids;
    if (ids.has(id)) return null;
    if (ids.size >= most * (isOutput ? OUTPUT_FACTOR : 1)) return window.startMs + perMs;
    ids.add(id);
    return null;
  }
}
