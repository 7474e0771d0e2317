import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { JobError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../platform/clock.ts";

/** Waits between checks whether due instances were claimed. */
const LOOK: Backoff = { firstMs: 5, longestMs: 250 };

/** Checks of {@link waitIdle}. */
export interface IdleContext {
  readonly clock: Clock;
  /** Resolves when this node runs nothing, and its handlers have ended. */
  readonly quiet: () => Promise<void>;
  /** True if this node still runs nothing. */
  readonly isQuiet: () => boolean;
  /** True if something is due that this node could run. */
  readonly isDue: () => Promise<boolean>;
  readonly onStop: (listener: () => void) => () => void;
}

/**
 * Wait until this node runs nothing and nothing is due that it could run. Does not wait for
 * instances that are due later, paused or blocked by a limit.
 *
 * @throws JobError `timeout` if `timeoutMs` passed first, `unavailable` if the manager stops first
 */
export async function waitIdle(timeoutMs: number | undefined, context: IdleContext): Promise<void> {
  const { clock, onStop } = context;
  const ending = Promise.withResolvers<never>();
  const fail = (code: "timeout" | "unavailable", problem: string, hint?: string) =>
    ending.reject(
      new JobError(code, `Cannot wait for the manager to be idle: ${problem}`, { hint }),
    );
  let isOver = false;
  const timer = timeoutMs === undefined ? null : clock.timer(timeoutMs, () => {
    const hint = 'Wait longer, or look at what runs: lookupInstances({ state: "processing" })';
    fail("timeout", `it is still busy after ${timeoutMs} ms`, hint);
  });
  const unlisten = onStop(() => fail("unavailable", "it has stopped"));
  try {
    await Promise.race([ending.promise, becomeIdle(context, () => isOver)]);
  } finally {
    isOver = true;
    timer?.cancel();
    unlisten();
  }
}

async function becomeIdle(context: IdleContext, isOver: () => boolean): Promise<void> {
  for (let waits = 0; !isOver();) {
    await context.quiet();
    const isDue = await context.isDue();
    if (!isDue && context.isQuiet()) return;
    // Due but not claimed: the claim is under way, or there is no worker for it.
    if (isDue) await sleep(context.clock, backoffMs(LOOK, waits++));
  }
}
