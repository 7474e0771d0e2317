import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { RELEASE_FIGURES } from "../../scripts/bench/against/against.ts";
import { PairedScenario } from "../../scripts/bench/against/paired_scenario.ts";
import { isSettled, type Pair, ratioOf, verdictOf } from "../../scripts/bench/against/verdict.ts";
import { parseBenchArgs } from "../../scripts/bench/options.ts";
import { SCENARIOS } from "../../scripts/bench/scenarios.ts";
import { isJobError } from "../../src/core/errors.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { type TempDir, withTempDir } from "../support/temp_dir.ts";
import { until } from "../support/wait.ts";

const BENCH = fileURLToPath(new URL("../../scripts/bench/main.ts", import.meta.url));
/** Recognized among all processes of the machine. */
const SECONDS = `8640${process.pid}`;

/** Its figures are in a file. One of its scenarios waits, and one fails; all leave a process. */
const FAKE_BENCH = `
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
const { speed, names } = JSON.parse(readFileSync("figures.json", "utf8"));
const [name] = process.argv.slice(2);
if (name === "--help") {
  for (const each of names) console.log("  " + each + "  about it");
  process.exit();
}
if (name === "start-up") throw new Error("it cannot start");
const child = spawn("sleep", ["${SECONDS}"], { detached: true, stdio: "ignore" });
child.unref();
const figures = [
  { name: "rate", unit: "jobs/s", better: "higher", median: speed },
  { name: "lost", unit: "jobs", better: "lower", median: 0 },
];
if (name === "idle") {
  console.error("waits");
  await new Promise((resolve) => setTimeout(resolve, 1e9));
}
console.log(JSON.stringify({ name, figures }));
process.exit();
`;

function git(dir: TempDir, ...args: readonly string[]): void {
  const author = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  const { status, stderr } = spawnSync("git", [...author, ...args], {
    ...{ cwd: dir.path, encoding: "utf8" },
  });
  assert.equal(status, 0, stderr);
}

function writeFigures(dir: TempDir, speed: number, names: readonly string[]): void {
  dir.write("figures.json", JSON.stringify({ speed, names }));
}

/** A repository with a benchmark; its only commit has the first figures. */
async function withRepository(body: (dir: TempDir) => Promise<void> | void): Promise<void> {
  const files = {
    ".gitignore": "node_modules\ndist\ntmp\n",
    "package-lock.json": "{}\n",
    "scripts/build.mjs": 'import { mkdirSync } from "node:fs";\nmkdirSync("dist");\n',
    "scripts/bench/main.ts": FAKE_BENCH,
  };
  await withTempDir(files, async (dir) => {
    mkdirSync(join(dir.path, "node_modules/.bin"), { recursive: true });
    mkdirSync(join(dir.path, "tmp"));
    symlinkSync(process.execPath, join(dir.path, "node_modules/.bin/bun"));
    writeFigures(dir, 1_000, ["end-to-end", "idle", "start-up"]);
    git(dir, "init", "--quiet");
    git(dir, "add", ".");
    git(dir, "commit", "--quiet", "--message", "first");
    await body(dir);
  });
}

const environment = ({ path }: TempDir) => ({ ...process.env, TMPDIR: join(path, "tmp") });

function against(dir: TempDir, ...args: readonly string[]) {
  return spawnSync(process.execPath, [BENCH, "--against", "HEAD", ...args], {
    ...{ cwd: dir.path, encoding: "utf8", env: environment(dir) },
  });
}

/** The processes that scenarios have started. */
function startedProcesses(): readonly string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(SECONDS);
    } catch {
      return false;
    }
  });
}

/** Fails if a comparison has left a process, a temporary file or half of a build. */
function assertNothingLeft({ path }: TempDir): void {
  assert.deepEqual(startedProcesses(), []);
  assert.deepEqual(readdirSync(join(path, "tmp")), []);
  const builds = readdirSync(join(path, "dist/against"));
  assert.deepEqual(builds.filter((name) => !/^[0-9a-f]{12}$/.test(name)), []);
}

test("bench --against compares the working tree with a commit, which it builds once", async () => {
  await withRepository((dir) => {
    writeFigures(dir, 800, ["end-to-end", "idle", "start-up"]);
    const ran = against(dir, "end-to-end", "--json");
    assert.equal(ran.status, 1, ran.stderr);
    const [rate, lost, processor] = ran.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([rate.before, rate.now, rate.verdict], [1_000, 800, "worse"]);
    assert.deepEqual([lost.ratio, lost.verdict], [null, "same"]);
    assert.equal(processor.name, "processor");
    assert.equal(rate.pairs, 3, "equal pairs settle at once");
    assert.equal(ran.stderr.match(/^Building/gm)?.length, 2);
    const again = against(dir, "end-to-end");
    assert.doesNotMatch(again.stderr, /^Building/m);
    assert.match(again.stdout, /end-to-end rate +1,000 → +800 jobs\/s +× 0\.800 .* worse$/m);
    assertNothingLeft(dir);
  });
});

test("bench --against names what the commit cannot measure, and what fails", async () => {
  await withRepository((dir) => {
    dir.write("src/new.ts", "");
    const ran = against(dir, "end-to-end", "http", "start-up");
    assert.equal(ran.status, 1);
    assert.match(ran.stdout, /end-to-end rate .* same$/m);
    assert.match(ran.stderr, /^Not compared: http: \S{8} has no such scenario$/m);
    assert.match(ran.stderr, /^Not compared: start-up: .*exited with 1/m);
    assert.match(ran.stderr, /it cannot start/);
    assert.match(ran.stderr, /^Note: 1 new files are left out .*src\/new\.ts$/m);
    assertNothingLeft(dir);
  });
});

test("bench --against leaves nothing behind when it is interrupted", async () => {
  await withRepository(async (dir) => {
    const child = spawn(process.execPath, [BENCH, "--against", "HEAD", "end-to-end", "idle"], {
      ...{ cwd: dir.path, env: environment(dir), stdio: ["ignore", "pipe", "pipe"] },
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => output[name] += text);
    }
    // The first scenario has its turn again only after a pair of the one that waits.
    await until("the scenario waits", () => {
      return output.stderr.includes("end-to-end, pair 1") && startedProcesses().length > 0;
    });
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    assert.equal(code, 130, output.stderr);
    assert.match(output.stdout, /end-to-end rate +1,000 → +1,000 .* 1 pairs +undecided$/m);
    assertNothingLeft(dir);
  });
});

test("bench --against refuses a commit that git does not know", async () => {
  await withRepository((dir) => {
    const ran = spawnSync(process.execPath, [BENCH, "--against", "0123abcd"], {
      ...{ cwd: dir.path, encoding: "utf8", env: environment(dir) },
    });
    assert.equal(ran.status, 2);
    assert.match(ran.stderr, /Cannot compare with "0123abcd": git knows no such commit/);
  });
});

test("parseBenchArgs() compares the ten figures for a release unless scenarios are named", () => {
  const { against } = parseBenchArgs(["--against", "v1"], SCENARIOS);
  const names = Object.keys(RELEASE_FIGURES);
  assert.deepEqual([...against!.names].sort(), names.sort());
  assert.equal(Object.values(RELEASE_FIGURES).flat().length, 10);
  for (const [name, figures] of Object.entries(RELEASE_FIGURES)) {
    const scenario = SCENARIOS.find((each) => each.name === name)!;
    const known = scenario.figures.map((figure) => figure.name);
    assert.deepEqual(figures.filter((figure) => !known.includes(figure)), [], name);
  }
  const some = parseBenchArgs(["--against", "v1", "held", "--pairs=5", "--minutes=2"], SCENARIOS);
  assert.deepEqual(some.against!.names, ["held"]);
  assert.deepEqual([some.against!.pairsMax, some.against!.minutesMax], [5, 2]);
  assert.equal(parseBenchArgs([], SCENARIOS).against, null);
  for (const args of [["--pairs=41"], ["--pairs=0"], ["--minutes=0"], ["--write"]]) {
    assert.throws(
      () => parseBenchArgs(["--against", "v1", ...args], SCENARIOS),
      (error) => isJobError(error, "invalid_argument"),
    );
  }
});

const MACHINE = { slow: 0.6, switches: 0.15, noise: 0.03 };

/**
 * Pairs on a machine with two speeds, which changes between them in one of seven measurements.
 *
 * @param ratio how many times as large the figure is now
 */
function pairsOn({ slow, switches, noise }: typeof MACHINE, ratio: number, seed: number): Pair[] {
  const random = seededRandom(seed);
  let speed = 1;
  const measure = (value: number) => {
    if (random.next() < switches) speed = speed === 1 ? slow : 1;
    return value * speed * (1 + noise * (random.next() - 0.5));
  };
  return Array.from({ length: 40 }, (_, index) => {
    if (index % 2 === 0) return { before: measure(1_000), now: measure(1_000 * ratio) };
    const now = measure(1_000 * ratio);
    return { before: measure(1_000), now };
  });
}

/** The verdict as soon as the pairs are settled, as the benchmark stops then. */
function judged(pairs: readonly Pair[]) {
  for (let count = 1; count <= pairs.length; count++) {
    const some = pairs.slice(0, count);
    if (isSettled(some)) return verdictOf(some, "higher");
  }
  return verdictOf(pairs, "higher");
}

test("verdictOf() is right in nearly all comparisons on a machine with two speeds", () => {
  const countOf = (ratio: number, wanted: string) =>
    Array.from({ length: 100 }, (_, seed) => judged(pairsOn(MACHINE, ratio, seed + 1)))
      .filter((verdict) => verdict === wanted).length;
  const counts = {
    slower: countOf(0.9, "worse"),
    faster: countOf(1.1, "better"),
    same: countOf(1, "same"),
    wrong: countOf(1, "worse") + countOf(1, "better"),
  };
  assert.ok(counts.slower >= 95 && counts.faster >= 95, JSON.stringify(counts));
  assert.ok(counts.same >= 90 && counts.wrong <= 5, JSON.stringify(counts));
});

test("ratioOf() leaves out the extreme pairs, and gives the interval of Yuen's method", () => {
  const pairs = [0.5, 0.98, 0.99, 1, 1.01, 1.02, 1.02, 1.03, 1.04, 3]
    .map((now) => ({ before: 1, now }));
  const { mean, low, high } = ratioOf(pairs)!;
  // By hand: six kept logarithms, the winsorized variance of all ten, t for 5 degrees of freedom.
  assert.deepEqual([mean, low, high].map((value) => value.toFixed(4)), [
    "1.0116",
    "0.9875",
    "1.0363",
  ]);
});

test("ratioOf() gives nothing for fewer than three pairs, nor for a figure of 0", () => {
  const pair = { before: 1, now: 1 };
  assert.equal(ratioOf([pair, pair]), null);
  assert.equal(ratioOf([pair, pair, { before: 0, now: 1 }]), null);
  assert.equal(verdictOf([pair, pair, { before: 0, now: 1 }], "lower"), "undecided");
  const none = { before: 0, now: 0 };
  assert.equal(verdictOf([none, none, none], "lower"), "same");
});

test("verdictOf() says better and worse by the direction of the figure", () => {
  const pairs = [1.2, 1.21, 1.19, 1.2].map((now) => ({ before: 1, now }));
  assert.equal(verdictOf(pairs, "higher"), "better");
  assert.equal(verdictOf(pairs, "lower"), "worse");
  const wide = [0.8, 1.2, 1.1, 0.9].map((now) => ({ before: 1, now }));
  assert.equal(verdictOf(wide, "higher"), "undecided");
  assert.equal(isSettled(wide), false);
});

test("PairedScenario ends when its deciding figures are settled, or with its last pair", () => {
  const side = (rate: number, late: number) =>
    ({
      report: {
        figures: [
          { name: "rate", unit: "jobs/s", better: "higher", median: rate },
          { name: "late", unit: "ms", better: "lower", median: late },
        ],
      },
      processorMs: null,
    }) as unknown as Parameters<PairedScenario["add"]>[0];
  const byRate = new PairedScenario("one", [], 6);
  const byLate = new PairedScenario("one", ["late"], 6);
  for (let pair = 1; pair <= 6; pair++) {
    for (const each of [byRate, byLate]) each.add(side(100, pair), side(100, 7 - pair));
    assert.equal(byRate.isDone, pair >= 3);
    assert.equal(byLate.isDone, pair === 6);
  }
});
