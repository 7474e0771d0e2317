// npm run sim -- [--seeds N] [--seed S] [--store memory|sqlite|replicas|ahead] [--trace] [--plants]
// npm run sim -- --model [--seeds N] [--seed S] [--store memory|"memory in groups"|sqlite|"sqlite
// file"]
// npm run sim -- --notices [--seeds N] [--seed S] [--store memory|sqlite|replicas|valkey]
import { install, run } from "./tasks.mjs";

install();
run("bun", ["scripts/sim/main.ts", ...process.argv.slice(2)]);
