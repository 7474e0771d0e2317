import { workerMain } from "../../../src/worker/inside/worker_main.ts";

// The worker's program for tests: what the hidden subcommand of the whole program runs.
await workerMain();
