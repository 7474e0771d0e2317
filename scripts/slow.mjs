// The compiled file on a Valkey and an etcd that delay every call by 5 s, with leases of 15 s and 40 s;
// two to four minutes each: npm run slow -- [valkey | etcd]
// Debian's crons beside jobctl with their crontabs imported, four minutes:
// npm run slow -- cron [debian] [cronie] [busybox] [MINUTES]
// Each story of notices on every store, a few minutes: npm run slow -- stories
// A queue of a million due instances on SQLite, a minute: npm run slow -- volume
// 20 times as many trails of memos as in npm test, a minute: npm run slow -- memos
// 3,000 random stories of daemons that adopt commands, a minute: npm run slow -- adoption
// 200 flips of single bits of a SQLite file at rest, three minutes: npm run slow -- flips
// install.sh killed at every step, two minutes: npm run slow -- install
// store migrate killed at more moments, a minute: npm run slow -- moves
// The self-test of a Valkey to its end, half a minute: npm run slow -- selftest
// The page of a log of 300,000 lines in a browser, a minute: npm run slow -- log
import { installGroups, unpackPackages } from "./programs/install.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

install();
const [what, ...words] = process.argv.slice(2);
/** Groups of programs that a command uses. */
const GROUPS = {
  adoption: [],
  cron: [],
  flips: [],
  install: ["checks"],
  log: ["browser"],
  volume: [],
};
const [trouble] = installGroups(GROUPS[what] ?? ["servers"]);
if (trouble !== undefined) throw new Error(trouble);
const problem = what === "cron" ? await unpackPackages() : null;
if (problem !== null) throw new Error(problem);
if (tryRun(process.execPath, [`${ROOT}/scripts/build.mjs`]).status !== 0) process.exit(1);
if (what === "stories") {
  process.env.JOBCTL_STORIES = "all";
  run("bun", ["test", "--timeout=600000", "./test/notices/stories.test.ts"]);
} else if (what === "log") {
  process.env.JOBCTL_LOG_LINES = "300000";
  run("bun", [
    "test",
    "--timeout=600000",
    "./test/dashboard/flows.test.ts",
    "-t",
    "^a log of 300000 lines",
  ]);
} else if (what === "volume") {
  process.env.JOBCTL_VOLUME = "1000000";
  run("bun", ["test", "--timeout=600000", "./test/store/volume.test.ts"]);
} else if (what === "memos") {
  process.env.JOBCTL_MEMO_TIMES = "20";
  run("bun", ["test", "--timeout=600000", "./test/store/memo_trails.test.ts"]);
} else if (what === "adoption") {
  process.env.ADOPTION_STORIES = "3000";
  run("bun", ["test", "--timeout=600000", "./test/supervisor/model/adoption_model.test.ts"]);
} else if (what === "flips") {
  process.env.JOBCTL_FLIPS = "200";
  run("bun", ["test", "--timeout=600000", "./test/store/sqlite/flipped_bits.test.ts"]);
} else if (what === "install") {
  process.env.TS_JOB_INSTALL_KILL_EVERY = "1";
  run("bun", ["test", "--timeout=600000", "./test/contrib/install_attacks.test.ts"]);
} else if (what === "moves") {
  process.env.JOBCTL_MOVES = "all";
  run("bun", ["test", "--timeout=600000", "./test/e2e/commands/moving.test.ts"]);
} else if (what === "selftest") {
  process.env.JOBCTL_SELFTEST = "all";
  run("bun", ["test", "--timeout=600000", "./test/e2e/commands/selftest.test.ts"]);
} else if (what === "cron") run("bun", ["scripts/slow/cron.ts", ...words]);
else run("bun", ["scripts/slow/main.ts", ...process.argv.slice(2)]);
