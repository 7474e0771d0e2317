import { JobError } from "../../core/errors.ts";
import type { Clock, Timer } from "../../platform/clock.ts";

/** Shortest and longest wait before checking again whether due instances were claimed. */
const LOOK_MS = { first: 5, longest: 250 } as const;

/** What {@link waitIdle} checks. */
export interface IdleContext {
  readonly clock: Clock;
  /** Resolves when this node runs nothing, and its handlers have ended. */
  readonly quiet: () => Promise<void>;
  /** Whether this node still runs nothing. */
  readonly isQuiet: () => boolean;
  /** Whether something is due that this node could run. */
  readonly isDue: () => Promise<boolean>;
  readonly onStop: (listener: () => void) => () => void;
}

/**
 * Wait until this node runs nothing and nothing is due that it could run. Does not wait for instances that are due
 * later, paused or held back by a limit.
 *
 * @throws JobError `timeout` when `timeoutMs` passed first, `unavailable` when the manager stops first
 */
export async function waitIdle(timeoutMs: number | undefined, context: IdleContext): Promise<void> {
  const { clock, onStop } = context;
  const ending = Promise.withResolvers<never>();
  let isOver = false;
  const timer = timeoutMs === undefined ? null : clock.timer(timeoutMs, () => {
    ending.reject(
      new JobError(
        "timeout",
        `Cannot wait for the manager to be idle: it is still busy after ${timeoutMs} ms`,
        {
          hint: 'Wait longer, or look at what runs: lookupInstances({ state: "processing" })',
        },
      ),
    );
  });
  const unlisten = onStop(() => {
    ending.reject(
      new JobError("unavailable", "Cannot wait for the manager to be idle: it has stopped"),
    );
  });
  try {
    await Promise.race([ending.promise, becomeIdle(context, () => isOver)]);
  } finally {
    isOver = true;
    timer?.cancel();
    unlisten();
  }
}

async function becomeIdle(context: IdleContext, isOver: () => boolean): Promise<void> {
  let delayMs: number = LOOK_MS.first;
  while (!isOver()) {
    await context.quiet();
    const isDue = await context.isDue();
    if (!isDue && context.isQuiet()) return;
    // Due but not claimed: the claim is under way, or there is no worker for it.
    if (isDue) {
      await pause(context.clock, delayMs);
      delayMs = Math.min(2 * delayMs, LOOK_MS.longest);
    }
  }
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void (clock.timer(delayMs, resolve) satisfies Timer));
}
