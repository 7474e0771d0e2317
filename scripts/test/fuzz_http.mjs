// Requests made from openapi.json against the HTTP API: npm run fuzz:http -- [REQUESTS] [SEED]
// REQUESTS of each operation, 3,000 by default; about a minute.
import { install, run } from "../tasks.mjs";

install();
const [requests = "3000", seed] = process.argv.slice(2);
process.env.JOBCTL_FUZZ_RUNS = requests;
if (seed !== undefined) process.env.JOBCTL_FUZZ_SEED = seed;
run("bun", ["test", "--timeout=3600000", "./test/http/api/fuzz.test.ts"]);
