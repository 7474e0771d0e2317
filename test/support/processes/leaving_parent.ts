import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { createCommandExecutor } from "../../../src/supervisor/command_executor.ts";
import type { AbortCause } from "../../../src/worker/executor.ts";
import { commandJob, makeTask, RecordingSink, workerCommand } from "../attempts.ts";

// A daemon for the tests that kill one whose commands outlive it: runs one command for each script,
// and prints "up" once each has written a line. Its store has what `recorded` says of the first; it
// has aborted the first for the reason `aborts`, or does so `abortsAfterMs` after "up".
const [folder, optionsText, ...scripts] = process.argv.slice(2);
const { leaseMs, graceMs, user, recorded, aborts, abortsAfterMs = 0 } = JSON.parse(
  optionsText!,
) as {
  readonly leaseMs: number;
  readonly graceMs: number | null;
  readonly user?: string;
  readonly recorded?: { readonly lines: number; readonly isDone: boolean };
  readonly aborts?: AbortCause;
  readonly abortsAfterMs?: number;
};

const executor = createCommandExecutor({
  ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
  outliving: { folder: () => folder!, graceMs },
});
const attempts = scripts.map((script) => {
  const job = commandJob(["/bin/sh", "-c", script], user === undefined ? {} : { user });
  const sink = new RecordingSink();
  return { sink, attempt: executor.run(makeTask(job, [], { leaseMs }), sink) };
});
for (const { sink } of attempts) await sink.line("");
const [first] = attempts;
if (recorded !== undefined) {
  if (recorded.isDone) {
    await first!.attempt.outcome;
    first!.attempt.outcomeRecorded!();
  } else first!.attempt.linesRecorded!(recorded.lines);
  // Until it is acknowledged.
  await new Promise<void>((resolve) => systemClock.timer(200, resolve));
}
if (abortsAfterMs > 0) {
  console.log("up");
  await new Promise<void>((resolve) => systemClock.timer(abortsAfterMs, resolve));
}
if (aborts !== undefined) {
  first!.attempt.abort(aborts);
  await first!.attempt.outcome;
}
console.log("up");
systemClock.timer(600_000, () => {});
