// Runs the tests on Bun and on Deno, side by side; the last line counts passes and failures of
// both.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMain } from "./is_main.mjs";
import { installGroups, unpackPackages } from "./programs/install.mjs";
import { GROUPS } from "./programs/list.mjs";
import { installNpmPrograms } from "./programs/npm_programs.mjs";
import { install, succeeds } from "./tasks.mjs";
import { changedPaths, filesConcerned } from "./test/changed.mjs";
import {
  filesOn,
  needsBuild,
  needsNpmPrograms,
  needsUnpacked,
  planOf,
  testFiles,
} from "./test/plan.mjs";
import { processorSeconds } from "./test/processor_time.mjs";
import { runReachable } from "./test/reachable.mjs";
import { runFiles, spentText } from "./test/run_files.mjs";

const USAGE =
  `Usage: npm test -- [--bun | --deno] [--changed[=COMMIT]] [test/core test/cli/verbs.test.ts …]

  --bun, --deno       run the tests on one runtime only. With --deno, also files whose tests would
                      show nothing more there, if they are named by their own paths
  --changed[=COMMIT]  run only test files that depend on a file that differs from COMMIT: through
                      imports, and through files and folders that they name in a string. A change
                      of the sources of the compiled file concerns all tests that run it; a change
                      of package.json or of these scripts concerns all tests. Uncommitted and new
                      files count. By default COMMIT is where the branch left origin/main; without
                      a remote, where it left main; on main itself, the commit before the last`;

/** The option, optionally with a commit. */
const CHANGED = /^--changed(?:=(.+))?$/;

/** Groups of programs for tests: all but `npm run ok`'s own. */
const TEST_GROUPS = Object.keys(GROUPS).filter((name) => name !== "lint");

/** Most failed files that are repeated alone: if more fail, load is not the cause. */
const REPEATED_MAX = 5;

/** Number of slowest files listed at the end. */
const SLOWEST_SHOWN = 10;

/** Longest time of all tests on two processors, in minutes; more is worth a warning. */
const MINUTES_MAX = 10;

/**
 * Run the runs of a stage, up to its limit at once.
 *
 * @param needs each with `ready`, which resolves when it is installed, and `isFor`, true for the
 * files that need it; their runs begin then
 */
async function runStage({ runs, processes }, folder, needs) {
  const waiting = [...runs];
  const results = [];
  const missing = new Set(needs);
  for (const need of needs) void need.ready.then(() => missing.delete(need));
  const canBegin = ({ files }) => ![...missing].some(({ isFor }) => files.some(isFor));
  const work = async () => {
    while (waiting.length > 0) {
      const index = waiting.findIndex(canBegin);
      if (index === -1) await Promise.race([...missing].map(({ ready }) => ready));
      else results.push(await runFiles(waiting.splice(index, 1)[0], folder));
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  return results;
}

/** Repeat the failed files alone. Tests that fail only beside others are named. */
async function repeatFailed(results, folder) {
  const count = results.reduce((sum, { failedFiles }) => sum + failedFiles.length, 0);
  if (count === 0 || count > REPEATED_MAX) return results;
  const unsteady = [];
  const repeated = [];
  for (const first of results) {
    const files = first.failedFiles;
    if (files.length === 0) {
      repeated.push(first);
      continue;
    }
    const { runtime, name } = first.run;
    console.log(`\nOnce more, alone: ${files.join(" ")}`);
    // No other run has a similar name.
    const again = await runFiles({ ...first.run, name: `${name}-again`, files }, folder);
    const isLasting = ({ file, name }) =>
      again.passed === 0 || again.failed.some((one) => one.file === file && one.name === name);
    const passed = first.failed.filter((one) => !isLasting(one));
    unsteady.push(...passed.map(({ file, name }) => `${runtime}: ${file}: ${name}`));
    repeated.push({
      ...first,
      passed: first.passed + passed.length,
      failed: first.failed.filter(isLasting),
      problems: [...new Set([...first.problems, ...again.problems])],
    });
  }
  if (unsteady.length > 0) console.log(`\nFailed at first, passed alone:\n${list(unsteady)}`);
  return repeated;
}

/** Time of the files, slowest first. */
function printSlowest(files) {
  // Unknown without Linux's /proc, and for a process that ended at once.
  const isKnown = files.some(({ busySeconds }) => busySeconds !== null);
  const used = ({ busySeconds, seconds }) => isKnown ? busySeconds ?? 0 : seconds;
  const slowest = files.sort((a, b) => used(b) - used(a)).slice(0, SLOWEST_SHOWN);
  const lines = slowest.map((one) => ` ${spentText(one)}  ${one.file}`);
  console.log(`\nSlowest:\n${lines.join("\n")}`);
}

/** Total time, with a warning if that is too long. */
function printTotal({ seconds, busySeconds, isWhole }) {
  const clock = `${Math.floor(seconds / 60)}:${`${Math.floor(seconds % 60)}`.padStart(2, "0")}`;
  const busy = busySeconds === null ? "" : `, and ${Math.round(busySeconds)} s of processor time`;
  console.log(`\nTook ${clock} minutes${busy}`);
  if (isWhole && seconds > MINUTES_MAX * 60) {
    console.log(`Warning: all tests should take at most ${MINUTES_MAX} minutes on two processors`);
  }
}

function list(names) {
  return names.map((name) => `  ${name}`).join("\n");
}

/**
 * Build, then run test files; prints the counts as the last line.
 *
 * @param named files that always run on Deno too
 * @returns true if all passed
 */
export async function test(files = testFiles([]), runtimes = ["bun", "deno"], named = []) {
  const begunAt = performance.now();
  const busyBefore = processorSeconds(process.pid);
  // A missing program is reported here; the tests that need it fail or are skipped.
  for (const line of installGroups(TEST_GROUPS)) console.error(line);
  const onlyFor = (isFor, install) => ({
    ready: files.some(isFor) ? install().catch(({ message }) => message) : Promise.resolve(null),
    isFor,
  });
  const programs = [
    onlyFor(needsNpmPrograms, installNpmPrograms),
    onlyFor(needsUnpacked, unpackPackages),
  ];
  for (const { ready } of programs) {
    void ready.then((trouble) => {
      if (trouble !== null) console.error(trouble);
    });
  }
  // A failed build counts as a failed test, and tests of the sources still run.
  const built = succeeds(process.execPath, ["scripts/build.mjs"]);
  const needs = [...programs, { ready: built, isFor: needsBuild }];
  const folder = mkdtempSync(join(tmpdir(), "jobctl-test-"));
  chmodSync(folder, 0o755);
  const { stages, beside } = planOf(files, runtimes, named);
  const patientRuns = runStage(beside, folder, needs);
  const firstRuns = [];
  for (const stage of stages) firstRuns.push(...await runStage(stage, folder, needs));
  firstRuns.push(...await patientRuns);
  const results = await repeatFailed(firstRuns, folder);
  rmSync(folder, { recursive: true, force: true });

  printSlowest(results.flatMap(({ slow }) => slow));
  printTotal({
    seconds: (performance.now() - begunAt) / 1_000,
    busySeconds: busyBefore === null ? null : processorSeconds(process.pid) - busyBefore,
    isWhole: files.length === testFiles([]).length && runtimes.length === 2,
  });
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.flatMap(({ run, failed, problems }) => [
    ...failed.map(({ file, name }) => `${run.runtime}: ${file}: ${name}`),
    ...problems,
  ]);
  if (!await built) failed.push("build");
  if (failed.length > 0) console.log(`\nFailed:\n${list(failed)}`);
  console.log(`\n${passed} passed, ${failed.length} failed`);
  return failed.length === 0 && passed > 0;
}

function end(message, code) {
  (code === 0 ? console.log : console.error)(message);
  process.exit(code);
}

/** The test files that match the arguments; ends the process without any. */
function wantedFiles(args) {
  const paths = args.filter((arg) => !arg.startsWith("-"));
  const files = testFiles(paths);
  if (files.length === 0) end(`No tests ran: no test matches ${paths.join(" ")}`, 1);
  const option = args.find((arg) => CHANGED.test(arg));
  if (option === undefined) return files;
  const changed = changedPaths(CHANGED.exec(option)[1]);
  if (changed.error !== undefined) end(changed.error, 2);
  const concerned = filesConcerned(files, changed);
  console.log(`${concerned.length} of ${files.length} test files depend on what has changed`);
  if (concerned.length === 0) end("\n0 passed, 0 failed", 0);
  return concerned;
}

if (isMain(import.meta.url)) {
  const args = process.argv.slice(2);
  const runtimes = ["bun", "deno"].filter((name) => args.includes(`--${name}`));
  const isKnown = (arg) => runtimes.includes(arg.slice(2)) || CHANGED.test(arg);
  const unknown = args.find((arg) => arg.startsWith("-") && !isKnown(arg));
  if (unknown !== undefined) {
    if (unknown === "--help" || unknown === "-h") end(USAGE, 0);
    end(`Unknown option ${unknown}\n${USAGE}`, 2);
  }
  install();
  const code = runReachable(process.argv[1]);
  if (code !== null) process.exit(code);
  const files = wantedFiles(args);
  const named = runtimes.includes("deno")
    ? files.filter((file) => args.some((arg) => arg.replace(/^\.\//, "") === file))
    : [];
  if (runtimes.length > 0 && runtimes.every((one) => filesOn(one, files, named).length === 0)) {
    end("No tests ran: these run on Bun only; name the files to run them on Deno", 1);
  }
  const isGood = await test(files, runtimes.length === 0 ? undefined : runtimes, named);
  process.exitCode = isGood ? 0 : 1;
}
