import { forgetVariables, refusedVariable } from "./platform/environment.ts";
import { HIDDEN_COMMANDS } from "./platform/system/runtime.ts";

/** Run the worker, the supervisor, the module describer or the CLI, depending on argv. */
async function main(argv: readonly string[]): Promise<void> {
  if (argv[0] === HIDDEN_COMMANDS.worker) {
    const { workerMain } = await import("./worker/inside/worker_main.ts");
    return await workerMain();
  }
  if (argv[0] === HIDDEN_COMMANDS.supervisor) {
    const { supervisorMain } = await import("./supervisor/inside/supervisor_main.ts");
    return await supervisorMain();
  }
  if (argv[0] === HIDDEN_COMMANDS.describe) {
    const { describeMain } = await import("./jobs/loading/describe_main.ts");
    return await describeMain();
  }
  const refused = refusedVariable(process.env);
  if (refused !== null) {
    const what =
      `Cannot run with the environment variable "${refused}": it changes the JavaScript engine`;
    process.stderr.write(`jobctl: ${what}\nhint: Unset it\n`);
    process.exitCode = 2;
    return;
  }
  forgetVariables(process.env);
  if (argv[0] === HIDDEN_COMMANDS.complete) {
    const { completeMain } = await import("./cli/completion/complete_main.ts");
    return await completeMain(argv.slice(1));
  }
  const { runCli } = await import("./cli/cli.ts");
  const { processIo } = await import("./cli/io/io.ts");
  process.exitCode = await runCli([...argv], processIo());
  // The daemon exits once all its work has ended.
  if (argv[0] !== "serve") await endSoon();
}

/** Time for remaining work after a command to end, in milliseconds. */
const END_MS = 200;

/** Ends the process despite a pending attempt to connect, which would keep it for minutes. */
async function endSoon(): Promise<void> {
  const { systemClock } = await import("./platform/clock.ts");
  systemClock.timer(END_MS, () => process.exit(), { unref: true });
}

await main(process.argv.slice(2));
