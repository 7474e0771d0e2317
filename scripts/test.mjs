// Runs the tests on Bun and on Deno, side by side; the last line counts passes and failures of both.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { installNodes } from "./nodes.mjs";
import { installServers } from "./servers.mjs";
import { install, ROOT, runBeside, tryRun } from "./tasks.mjs";

const USAGE = "Usage: npm test -- [--bun | --deno] [test/core test/cli/parse.test.ts …]";

/**
 * Tests that would show nothing more on Deno: those of the compiled file; those that start each
 * runtime themselves; random runs on simulated clocks (one test compares the traces of both
 * runtimes); faults of servers, which arrive through the same few calls as ordinary responses; and a
 * million instances.
 */
const BUN_ONLY = [
  "test/attack",
  "test/docs/library.test.ts",
  "test/e2e",
  "test/reference",
  "test/sim",
  "test/store/model.test.ts",
  "test/store/etcd/etcd_contention.test.ts",
  "test/store/etcd/etcd_faults.test.ts",
  "test/store/etcd/etcd_nodes.test.ts",
  "test/store/valkey/valkey_failover.test.ts",
  "test/store/volume.test.ts",
];

/** Tests that run the compiled file. */
const COMPILED_FILE = ["test/attack", "test/e2e", "test/reference"];

/** Tests that wait for slow servers. They run beside each other only. */
const SLOW_SERVERS = ["test/e2e/stores/etcd.test.ts", "test/e2e/stores/valkey.test.ts"];

/** Tests that measure time. They run alone. */
const MEASURE_TIME = [
  "test/attack/clock_under_attack.test.ts",
  "test/e2e/faults/faults.test.ts",
  "test/worker/batch.test.ts",
];

/**
 * Short-lived pipes that a process killed by SIGKILL leaves behind. The next daemon removes old ones.
 */
const LEFT_BY_KILLED = /^jobctl-pipe-/;

/** Most failed files that are run again, alone: if more fail, load is not the cause. */
const REPEATED_MAX = 5;

/** Number of slowest files listed at the end. */
const SLOWEST_SHOWN = 15;

function isWithin(file, paths) {
  return paths.some((path) => file === path || file.startsWith(`${path}/`));
}

/** The sorted test files below `paths`; all test files if no path is given. */
function testFiles(paths) {
  const all = readdirSync(join(ROOT, "test"), { recursive: true })
    .filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`).sort();
  const wanted = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
  return wanted.length === 0 ? all : all.filter((file) => isWithin(file, wanted));
}

function attribute(tag, name) {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  const entities = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return value.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, entity) => {
    return code ? String.fromCodePoint(Number(code)) : entities[entity] ?? whole;
  });
}

/**
 * Read a JUnit report: the number of passed tests, file and name of failed ones, and the seconds of
 * each file with tests.
 */
function readReport(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return { passed: 0, failed: [], seconds: new Map() };
  }
  let passed = 0;
  const failed = [];
  const seconds = new Map();
  for (const [, tag, body] of text.matchAll(/<testcase\b([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g)) {
    const place = (attribute(tag, "file") || attribute(tag, "classname")).replace(/^\.\//, "");
    seconds.set(place, (seconds.get(place) ?? 0) + Number(attribute(tag, "time")));
    if (/<(failure|error)\b/.test(body ?? "")) {
      failed.push({ file: place, name: attribute(tag, "name") });
    } else if (!/<skipped\b/.test(body ?? "")) passed += 1;
  }
  return { passed, failed, seconds };
}

/**
 * Run files on a runtime, in parallel with others. Returns the number of passed tests, the failed
 * ones, and what else is wrong.
 */
async function runOn(run, folder) {
  const { runtime, name, args, files } = run;
  const report = join(folder, `${name}.xml`);
  const scratch = join(folder, name);
  mkdirSync(scratch);
  // As in /tmp, jobs of other users write here.
  chmodSync(scratch, 0o1777);
  const ended = await runBeside(
    runtime,
    [...args(report), ...files.map((file) => `./${file}`)],
    { name: `${name}, ${files.length} files`, env: { TMPDIR: scratch } },
  );
  const { passed, failed, seconds } = readReport(report);
  const problems = [];
  // A test that fails may leave its folder.
  const left = readdirSync(scratch).filter((one) => !LEFT_BY_KILLED.test(one));
  if (left.length > 0 && failed.length === 0) {
    problems.push(`${name}: left in the temporary folder: ${left.join(", ")}`);
  }
  // Bun continues without a file that fails to load, and only its output above shows that. Deno then
  // runs nothing; it also reports shared suites instead of the files that use them.
  const unseen = runtime === "bun" ? files.filter((file) => !seconds.has(file)) : [];
  if (seconds.size > 0) {
    problems.push(...unseen.map((file) => `bun: ${file}: none of its tests ran, see above`));
  }
  if (ended !== 0 && failed.length + problems.length === 0) {
    problems.push(`${name}: exited with ${ended}, see above`);
  }
  const slow = [...seconds].map(([file, taken]) => ({ file: `${name} ${file}`, taken }));
  return { run, passed, failed, problems, slow };
}

/** Run the files that failed once more, alone. Tests that fail only beside others are named. */
async function repeatFailed(runs, folder) {
  const filesOf = ({ run, failed }) =>
    run.files.filter((file) => failed.some((one) => one.file === file));
  const count = runs.reduce((sum, one) => sum + filesOf(one).length, 0);
  if (count === 0 || count > REPEATED_MAX) return runs;
  const unsteady = [];
  const results = [];
  for (const first of runs) {
    const files = filesOf(first);
    if (files.length === 0) {
      results.push(first);
      continue;
    }
    const { runtime, name } = first.run;
    const again = await runOn({ ...first.run, name: `${name}-again`, files }, folder);
    const isLasting = ({ file, name }) =>
      !files.includes(file) || again.passed === 0 ||
      again.failed.some((one) => one.file === file && one.name === name);
    const failed = first.failed.filter(isLasting);
    const passed = first.failed.filter((one) => !isLasting(one));
    unsteady.push(...passed.map(({ file, name }) => `${runtime}: ${file}: ${name}`));
    results.push({
      ...first,
      passed: first.passed + passed.length,
      failed,
      problems: [...first.problems, ...again.problems],
    });
  }
  if (unsteady.length > 0) console.log(`\nFailed at first, passed alone:\n${list(unsteady)}`);
  return results;
}

function list(names) {
  return names.map((name) => `  ${name}`).join("\n");
}

function bunArgs(report) {
  const reporting = ["--reporter=junit", `--reporter-outfile=${report}`];
  return ["test", "--only-failures", "--timeout=120000", ...reporting];
}

function denoArgs(report) {
  return ["test", "--allow-all", "--no-check", "--reporter=dot", `--junit-path=${report}`];
}

/**
 * Stages that run one after the other. The lists of a stage run in parallel, each sequentially:
 * first tests of the compiled file, which mostly wait for it, beside the others on each runtime.
 */
function planOf(files, runtimes) {
  const bun = (name, of) => ({ runtime: "bun", name, files: of, args: bunArgs });
  const deno = (name, of) => ({ runtime: "deno", name, files: of, args: denoArgs });
  const of = (paths) => files.filter((file) => isWithin(file, paths));
  const without = (paths) => files.filter((file) => !isWithin(file, paths));
  const last = [...SLOW_SERVERS, ...MEASURE_TIME];
  const stages = [
    [
      [bun("compiled", of(COMPILED_FILE).filter((file) => !isWithin(file, last)))],
      [
        bun("bun", without([...COMPILED_FILE, ...last])),
        deno("deno", without(BUN_ONLY)),
      ],
    ],
    SLOW_SERVERS.map((file) => [bun(basename(file, ".test.ts"), of([file]))]),
    [[bun("timed", of(MEASURE_TIME))]],
  ];
  const isWanted = (run) => runtimes.includes(run.runtime) && run.files.length > 0;
  return stages.map((lanes) => lanes.map((lane) => lane.filter(isWanted)));
}

/**
 * Build, then run the tests below `paths`; prints the counts as the last line.
 *
 * @returns true if all passed
 */
export async function test(paths, runtimes = ["bun", "deno"]) {
  // A missing program is reported here; the tests that need it fail.
  for (const trouble of [installServers(), installNodes()]) {
    if (trouble !== null) console.error(trouble);
  }
  // In its own process: a failed build counts as a failed test, and tests of the sources still run.
  const isBuilt = tryRun(process.execPath, ["scripts/build.mjs"]).status === 0;
  const folder = mkdtempSync(join(tmpdir(), "jobctl-test-"));
  chmodSync(folder, 0o755);
  const runLane = async (lane) => {
    const results = [];
    for (const run of lane) results.push(await runOn(run, folder));
    return results;
  };
  const firstRuns = [];
  for (const lanes of planOf(testFiles(paths), runtimes)) {
    firstRuns.push(...(await Promise.all(lanes.map(runLane))).flat());
  }
  const runs = await repeatFailed(firstRuns, folder);
  rmSync(folder, { recursive: true, force: true });

  const slowest = runs.flatMap(({ slow }) => slow).sort((a, b) => b.taken - a.taken);
  const slowLines = slowest.slice(0, SLOWEST_SHOWN).map(({ file, taken }) =>
    `${taken.toFixed(1).padStart(7)} s  ${file}`
  );
  console.log(`\nSlowest:\n${slowLines.join("\n")}`);
  const passed = runs.reduce((sum, run) => sum + run.passed, 0);
  const failed = runs.flatMap(({ run, failed, problems }) => [
    ...failed.map(({ file, name }) => `${run.runtime}: ${file}: ${name}`),
    ...problems,
  ]);
  if (!isBuilt) failed.push("build");
  if (failed.length > 0) console.log(`\nFailed:\n${list(failed)}`);
  if (passed + failed.length === 0) {
    console.error(`No tests ran: no test matches ${paths.join(" ") || "test/**/*.test.ts"}`);
  }
  console.log(`\n${passed} passed, ${failed.length} failed`);
  return failed.length === 0 && passed > 0;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const args = process.argv.slice(2);
  const runtimes = ["bun", "deno"].filter((name) => args.includes(`--${name}`));
  const unknown = args.find((arg) => arg.startsWith("-") && !runtimes.includes(arg.slice(2)));
  if (unknown !== undefined) {
    const isHelp = unknown === "--help" || unknown === "-h";
    if (!isHelp) console.error(`Unknown option ${unknown}`);
    (isHelp ? console.log : console.error)(USAGE);
    process.exit(isHelp ? 0 : 2);
  }
  install();
  const isGood = await test(
    args.filter((arg) => !arg.startsWith("--")),
    runtimes.length === 0 ? undefined : runtimes,
  );
  process.exitCode = isGood ? 0 : 1;
}
