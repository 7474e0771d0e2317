import { workerMain } from "../../src/worker/worker_main.ts";

// The worker's program for tests: what the hidden subcommand of the whole program runs.
await workerMain();
