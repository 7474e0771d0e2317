import { HIDDEN_COMMANDS } from "../../../src/platform/system/runtime.ts";
import { supervisorMain } from "../../../src/supervisor/inside/supervisor_main.ts";
import { workerMain } from "../../../src/worker/inside/worker_main.ts";

// The programs of workers and supervisors for tests: what the hidden subcommands of the whole
// program run.
if (process.argv[2] === HIDDEN_COMMANDS.supervisor) await supervisorMain();
else await workerMain();
