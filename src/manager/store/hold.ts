import type { ManagerParts } from "../manager_parts.ts";

/**
 * Begin nothing any more and wait until nothing runs: attempts may finish for the drain time, then they are aborted and given back with
 * their attempts kept. Answers how to go on.
 */
export async function holdWork(
  { options, dispatcher, scheduler, janitor }: ManagerParts,
): Promise<() => void> {
  scheduler.stop();
  janitor.stop();
  dispatcher.pauseClaims();
  const cancel = dispatcher.abortAfterDrain(options.drainMs);
  await dispatcher.drained();
  cancel();
  return () => {
    dispatcher.start();
    scheduler.resume();
    janitor.start();
  };
}
