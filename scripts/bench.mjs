// npm run bench -- [SCENARIO…] [--jobs N] [--workers W] [--runs R] [--json]
import { install, run } from "./tasks.mjs";

install();
run("bun", ["scripts/bench/main.ts", ...process.argv.slice(2)]);
