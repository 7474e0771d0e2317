// The compiled file on a Valkey and an etcd that delay every call by 5 s, with leases of 15 s and 40 s;
// two to four minutes each: npm run slow -- [valkey | etcd]
// Debian's crons beside jobctl with their crontabs imported, four minutes:
// npm run slow -- cron [debian] [cronie] [busybox] [MINUTES]
// Each story of notices on every store, a few minutes: npm run slow -- stories
// A queue of a million due instances on SQLite, a minute: npm run slow -- volume
// 40 times as many trails of memos as in npm test, a minute: npm run slow -- memos
// 3,000 random stories of daemons that adopt commands, a minute: npm run slow -- adoption
// 200 flips of single bits of a SQLite file at rest, three minutes: npm run slow -- flips
// install.sh killed at every step, two minutes: npm run slow -- install
// store migrate killed at more moments, a minute: npm run slow -- moves
// One scenario of each kind of the benchmark, half a minute: npm run slow -- bench
// 300 megabytes and a million lines of output, half a minute: npm run slow -- output
// Programs of the library on each runtime, also the newest Node, a minute: npm run slow -- runtimes
// 20 random simulations beside the manager, half a minute: npm run slow -- simulation
// The self-test of a Valkey to its end, half a minute: npm run slow -- selftest
// The page of a log of 300,000 lines in a browser, a minute: npm run slow -- log
import { installGroups, unpackPackages } from "./programs/install.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
const [what, ...words] = process.argv.slice(2);
/** Tests of the library that leave out the newest Node, or a part on it. */
const RUNTIMES = ["docs/library", "e2e/faults/endings", "reference/overview"];
/** Test files with a longer form: the variable that asks for it, and the groups of programs. */
const LONGER = {
  adoption: ["supervisor/model/adoption_model", "ADOPTION_STORIES", "3000", []],
  bench: ["e2e/bench", "JOBCTL_BENCH", "all", []],
  flips: ["store/sqlite/flipped_bits", "JOBCTL_FLIPS", "200", []],
  install: ["contrib/install_attacks", "TS_JOB_INSTALL_KILL_EVERY", "1", ["checks"]],
  log: ["dashboard/flows", "JOBCTL_LOG_LINES", "300000", ["browser"], "^a log of 300000 lines"],
  memos: ["store/memo_trails", "JOBCTL_MEMO_TIMES", "40"],
  moves: ["e2e/commands/moving", "JOBCTL_MOVES", "all"],
  output: ["e2e/faults/output_faults", "JOBCTL_OUTPUT_MEGABYTES", "300", [], "^fault 49"],
  runtimes: [RUNTIMES, "JOBCTL_RUNTIMES", "all"],
  selftest: ["e2e/commands/selftest", "JOBCTL_SELFTEST", "all"],
  simulation: ["tools/simulation", "JOBCTL_SIMULATIONS", "all", []],
  stories: ["notices/stories", "JOBCTL_STORIES", "all"],
  volume: ["store/volume", "JOBCTL_VOLUME", "1000000", []],
};
const [file, variable, value, groups = what === "cron" ? [] : ["servers"], name] = LONGER[what] ??
  [];
const [trouble] = installGroups(groups);
if (trouble !== undefined) throw new Error(trouble);
const problem = what === "cron" ? await unpackPackages() : null;
if (problem !== null) throw new Error(problem);
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
if (file !== undefined) {
  process.env[variable] = value;
  const only = name === undefined ? [] : ["-t", name];
  const files = [file].flat().map((one) => `./test/${one}.test.ts`);
  run("bun", ["test", "--timeout=600000", ...files, ...only]);
} else if (what === "cron") run("bun", ["scripts/slow/cron.ts", ...words]);
else run("bun", ["scripts/slow/main.ts", ...process.argv.slice(2)]);
