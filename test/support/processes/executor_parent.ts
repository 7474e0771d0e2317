import { systemClock } from "../../../src/platform/clock.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { createCommandExecutor } from "../../../src/supervisor/command_executor.ts";
import { createInlineExecutor } from "../../../src/worker/isolation/inline_executor.ts";
import { createProcessExecutor } from "../../../src/worker/process/process_executor.ts";
import { createExecutor } from "../../../src/worker/isolation/routing_executor.ts";
import { commandJob, makeTask, moduleJob, RecordingSink, workerCommand } from "../attempts.ts";

// A daemon for the tests that kill or freeze one: runs a spinning job and a command with a
// grandchild, each of which writes its pid to a file, and keeps their leases for as long as it is
// alive and awake.
const [spinFile, commandFile, leaseText] = process.argv.slice(2);
const leaseMs = Number(leaseText);

const parts = { clock: systemClock, logger: silentLogger };
const shared = { ...parts, idleMs: 60_000, command: workerCommand() };
const executor = createExecutor({
  process: createProcessExecutor({ ...shared, count: 2 }),
  command: createCommandExecutor(shared),
  inline: createInlineExecutor({ clock: systemClock }),
});
const line = `sh -c 'echo $$ > "$1.part"; mv "$1.part" "$1"; sleep 600' sh "$1" & wait`;
const tasks = [
  makeTask(moduleJob("spin"), [spinFile], { leaseMs }),
  makeTask(commandJob(["/bin/sh", "-c", line, "jobctl"]), [commandFile], { leaseMs }),
];
for (const task of tasks) {
  const sink = new RecordingSink();
  const attempt = executor.run(task, sink);
  void attempt.outcome.then((outcome) => console.log(JSON.stringify(outcome)));
  const renew = () => {
    attempt.extend(systemClock.now().monotonicMs + leaseMs);
    systemClock.timer(leaseMs / 4, renew);
  };
  renew();
}
