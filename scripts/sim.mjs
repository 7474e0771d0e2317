// npm run sim -- [--seeds N] [--seed S] [--store memory|sqlite] [--trace] [--plants]
import { install, run } from "./tasks.mjs";

install();
run("bun", ["scripts/sim/main.ts", ...process.argv.slice(2)]);
