// Attacks the compiled file on loopback and reports whether its schedules kept running: npm run
// attack -- [NAME…] [--seconds N]; see --help
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
const isHelp = process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h");
if (!isHelp && tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) {
  process.exit(1);
}
run("bun", ["scripts/attack/main.ts", ...process.argv.slice(2)]);
