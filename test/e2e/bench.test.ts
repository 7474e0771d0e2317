import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import test from "node:test";
import { parseBenchArgs } from "../../scripts/bench/options.ts";
import { reportOf, type ScenarioReport } from "../../scripts/bench/report.ts";
import type { Scenario, Settings } from "../../scripts/bench/scenario.ts";
import { SCENARIOS } from "../../scripts/bench/scenarios.ts";
import { withSection } from "../../scripts/bench/write_docs.ts";
import { isJobError } from "../../src/core/errors.ts";

/** Scenarios in this process, with workers, and with a daemon: they share all that is measured. */
const USUAL = [
  ...["enqueue-one", "process-workers", "pick-up-grpc", "late-cron-10", "schedules-10000"],
  ...["recovery-worker", "commands-late", "simulation"],
];
/** One of each other kind: `npm run slow -- bench` runs these too. */
const OTHERS = [
  ...["end-to-end", "pick-up", "late-at", "grpc", "watch", "client", "idle", "held"],
  ...["commands", "blocked-key"],
];
const KINDS = process.env["JOBCTL_BENCH"] === "all" ? [...USUAL, ...OTHERS] : USUAL;

const SETTINGS: Settings = {
  ...{ store: "sqlite:", jobs: 10_000, workers: 16, runs: 3, isQuick: false },
};
const MACHINE = {
  ...{ cpu: "one", cores: 2, memoryGb: 4, system: "linux", runtime: "Bun 1", version: "1" },
};

function bench(...args: string[]) {
  return spawnSync(process.execPath, ["scripts/bench/main.ts", ...args], { encoding: "utf8" });
}

function scenarioOf(better: "higher" | "lower", target?: number): Scenario {
  return {
    ...{ name: "one", about: "one", usesStore: true, run: () => Promise.resolve({}) },
    figures: [{ name: "rate", unit: "jobs/s", better, target: { sqlite: target } }],
  };
}

test("bench measures each kind of scenario, with one object each, when asked with --json", () => {
  const ran = bench("--quick", "--runs=1", "--jobs=1000", "--workers=2", "--json", ...KINDS);
  assert.equal(ran.status, 0, ran.stderr);
  const reports = ran.stdout.trim().split("\n").map((line) => JSON.parse(line) as ScenarioReport);
  const names = SCENARIOS.map(({ name }) => name).filter((name) => KINDS.includes(name));
  assert.deepEqual(reports.map(({ name }) => name), names);
  for (const { name, figures, median, min, max, unit, runs, settings, machine } of reports) {
    const specs = SCENARIOS.find((scenario) => scenario.name === name)!.figures;
    assert.deepEqual(figures.map((figure) => figure.name), specs.map((spec) => spec.name));
    assert.deepEqual([unit, median, min, max], [
      ...[figures[0]!.unit, figures[0]!.median, figures[0]!.min, figures[0]!.max],
    ]);
    for (const figure of figures) assert.equal(Number.isFinite(figure.median), true, name);
    assert.equal(runs, 1);
    assert.equal(settings.isQuick, true);
    assert.equal(machine.cores > 0, true);
    assert.equal(figures.find((figure) => figure.name === "early")?.median ?? 0, 0);
  }
});

test("bench refuses an unknown scenario and names the near one", () => {
  const ran = bench("late-corn-10");
  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /Cannot run scenario "late-corn-10".*\nDid you mean "late-cron-10"\?/);
});

test("bench refuses an unknown part of the peers before it installs anything", () => {
  const ran = bench("peers", "--only", "pick-ups");
  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /Did you mean "pick-up"\?/);
});

test("bench --help lists every scenario", () => {
  const { stdout } = bench("--help");
  const lines = stdout.split("\n").map((line) => line.trim().replace(/ {2,}/, " "));
  for (const { name, about } of SCENARIOS) assert.equal(lines.includes(`${name} ${about}`), true);
});

test("parseBenchArgs() takes a name for those that begin with it, when none has it exactly", () => {
  const namesOf = (...args: string[]) => {
    return parseBenchArgs(args, SCENARIOS).scenarios.map(({ name }) => name);
  };
  assert.deepEqual(namesOf("late"), [
    "late-at",
    "late-after",
    "late-cron-10",
    "late-cron-10000",
    "late-every-10000",
  ]);
  assert.deepEqual(namesOf("pick-up"), ["pick-up"]);
  assert.equal(namesOf().length, SCENARIOS.length - 1);
  assert.equal(namesOf().includes("commands-crons"), false, "needs root and three minutes a run");
  assert.deepEqual(namesOf("commands-crons"), ["commands-crons"]);
  assert.deepEqual(namesOf("peers"), []);
});

test("parseBenchArgs() refuses numbers that are none, and tables of some scenarios", () => {
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  for (const args of [["--jobs=0"], ["--jobs=many"], ["--runs=1.5"], ["--speed"]]) {
    assert.throws(() => parseBenchArgs(args, SCENARIOS), isRefused);
  }
  assert.throws(() => parseBenchArgs(["held", "--write"], SCENARIOS), isRefused);
  assert.equal(parseBenchArgs(["all", "--write"], SCENARIOS).mustWrite, true);
});

test("reportOf() gives median, spread and whether the target of the store is met", () => {
  const context = { settings: SETTINGS, machine: MACHINE };
  const runs = [{ rate: 300 }, { rate: 100 }, { rate: 200 }];
  const [figure] = reportOf(scenarioOf("higher", 200), runs, context).figures;
  assert.deepEqual([figure!.median, figure!.min, figure!.max, figure!.isMet], [
    200,
    100,
    300,
    true,
  ]);
  assert.equal(reportOf(scenarioOf("higher", 201), runs, context).figures[0]!.isMet, false);
  assert.equal(reportOf(scenarioOf("lower", 199), runs, context).figures[0]!.isMet, false);
  const memory = { ...context, settings: { ...SETTINGS, store: "memory:" } };
  assert.equal(reportOf(scenarioOf("higher", 200), runs, memory).figures[0]!.isMet, null);
});

test("withSection() replaces what is between the markers, and the page has all sections", () => {
  const page = "a\n<!-- bench x -->\nold\n<!-- end of bench x -->\nb";
  const written = "a\n<!-- bench x -->\n\nnew\n\n<!-- end of bench x -->\nb";
  assert.equal(withSection(page, "x", "new\n"), written);
  assert.throws(() => withSection(page, "y", "new"), (error) => isJobError(error, "not_found"));
  const docs = readFileSync("docs/performance.md", "utf8");
  for (const section of ["machine", "targets", "stores", "peers"]) withSection(docs, section, "");
});
