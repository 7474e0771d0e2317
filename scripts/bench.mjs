// npm run bench -- [SCENARIO…] [--store URL] [--jobs N] [--workers W] [--runs N] [--json] …; see
// --help and docs/performance.md
import { install, run } from "./tasks.mjs";

install();
run("bun", ["scripts/bench/main.ts", ...process.argv.slice(2)]);
