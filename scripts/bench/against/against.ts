import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobError, toJobError } from "../../../src/core/errors.ts";
import { readReports } from "../report.ts";
import type { Settings } from "../scenario.ts";
import { PairedScenario, type SideRun } from "./paired_scenario.ts";
import { comparisonLine, progressLine } from "./comparison_text.ts";
import { Programs } from "./programs.ts";
import { buildSides, type Side, type Sides } from "./sides.ts";
import { verdictOf } from "./verdict.ts";

/** The figures to compare before a release. */
export const RELEASE_FIGURES: Readonly<Record<string, readonly string[]>> = {
  "enqueue-callers": ["rate"],
  "end-to-end": ["rate"],
  "end-to-end-workers": ["rate"],
  "pick-up": ["p50"],
  "grpc": ["schedule-16"],
  "http": ["schedule-100"],
  "commands": ["rate"],
  "start-up": ["ready"],
  "idle": ["memory", "cpu"],
};

/** No run of a scenario takes as long. */
const RUN_MS_MAX = 900_000;
const MINUTE_MS = 60_000;

/** What to compare, and how long. */
export interface AgainstRequest {
  readonly commit: string;
  /** Names of scenarios. */
  readonly names: readonly string[];
  readonly settings: Settings;
  /** Most pairs of a scenario. */
  readonly pairsMax: number;
  /** No pair begins after so many minutes. */
  readonly minutesMax: number;
  readonly asJson: boolean;
}

/**
 * Measure a commit and the working tree in alternating pairs, and print how each figure has
 * changed.
 *
 * @returns the exit code: 1 if a deciding figure is worse or a scenario fails, 130 if interrupted
 * @throws JobError `not_found` for an unknown commit, `unavailable` if a side cannot be built
 */
export async function compareWithCommit(request: AgainstRequest): Promise<number> {
  const interrupted = new AbortController();
  // More than once: npm passes on the Ctrl-C that the terminal sends to all.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort());
  }
  const programs = new Programs(interrupted.signal);
  const temp = mkdtempSync(join(tmpdir(), "jobctl-against-"));
  try {
    const sides = await buildSides(topFolder(), request.commit, programs);
    const comparison = new Comparison(request, { sides, programs, temp });
    await comparison.run();
    const code = comparison.print();
    return interrupted.signal.aborted ? 130 : code;
  } catch (error) {
    if (interrupted.signal.aborted) return 130;
    throw error;
  } finally {
    rmSync(temp, { recursive: true, force: true, maxRetries: 5 });
  }
}

function topFolder(): string {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--show-toplevel"], {
    encoding: "utf8",
  });
  if (status === 0) return stdout.trim();
  throw new JobError("unavailable", "Cannot compare with a commit: this is not a git repository");
}

/** An error with what the failed program wrote last. */
function problemText(error: unknown): string {
  const { message, hint } = toJobError(error, "Cannot measure");
  return hint === undefined ? message : `${message}\n${hint}`;
}

interface Parts {
  readonly sides: Sides;
  readonly programs: Programs;
  /** For everything that the sides write. */
  readonly temp: string;
}

class Comparison {
  readonly #request: AgainstRequest;
  readonly #parts: Parts;
  #scenarios: readonly PairedScenario[];

  constructor(request: AgainstRequest, parts: Parts) {
    this.#request = request;
    this.#parts = parts;
    this.#scenarios = request.names.map((name) =>
      new PairedScenario(name, RELEASE_FIGURES[name] ?? [], request.pairsMax)
    );
  }

  /** Measure pairs until each scenario has enough, the time is over, or it is interrupted. */
  async run(): Promise<void> {
    const { signal } = this.#parts.programs;
    await this.#leaveOutUnknown();
    const endMs = performance.now() + this.#request.minutesMax * MINUTE_MS;
    while (!signal.aborted && performance.now() < endMs) {
      // Each gets the same time: those that take longer have fewer pairs if it does not suffice.
      const [scenario] = this.#scenarios.filter(({ isDone }) => !isDone)
        .sort((a, b) => a.spentMs - b.spentMs);
      if (scenario === undefined) break;
      const begunMs = performance.now();
      try {
        await this.#measurePair(scenario);
        console.error(progressLine(scenario));
      } catch (error) {
        if (signal.aborted) break;
        scenario.problem = problemText(error);
        console.error(`${scenario.name}: ${scenario.problem}`);
      }
      scenario.spentMs += performance.now() - begunMs;
    }
  }

  /** Print each figure. @returns the exit code */
  print(): number {
    const { sides } = this.#parts;
    let isWorse = false;
    for (const scenario of this.#scenarios) {
      for (const figure of scenario.figures) {
        const verdict = verdictOf(figure.pairs, figure.better);
        const isDeciding = scenario.deciding.includes(figure);
        isWorse ||= isDeciding && verdict === "worse";
        const line = { scenario: scenario.name, figure, verdict, isDeciding };
        console.log(
          comparisonLine(line, { asJson: this.#request.asJson, label: sides.before.label }),
        );
      }
    }
    const failed = this.#scenarios.filter(({ problem }) => problem !== null);
    for (const { name, problem } of failed) console.error(`Not compared: ${name}: ${problem}`);
    return isWorse || failed.length > 0 ? 1 : 0;
  }

  async #leaveOutUnknown(): Promise<void> {
    const { before } = this.#parts.sides;
    const { stdout } = await this.#bench(before, ["--help"]);
    const known = [...stdout.matchAll(/^ {2}([a-z][a-z0-9-]*) {2,}\S/gm)].map(([, name]) => name);
    const hasIt = ({ name }: PairedScenario) => known.includes(name);
    for (const { name } of this.#scenarios.filter((each) => !hasIt(each))) {
      console.error(`Not compared: ${name}: ${before.label} has no such scenario`);
    }
    this.#scenarios = this.#scenarios.filter(hasIt);
  }

  // The side that begins changes: what comes second may find the machine warmer, or slower.
  async #measurePair(scenario: PairedScenario): Promise<void> {
    const { before, now } = this.#parts.sides;
    const isBeforeFirst = scenario.pairCount % 2 === 0;
    const first = await this.#measure(isBeforeFirst ? before : now, scenario.name);
    const second = await this.#measure(isBeforeFirst ? now : before, scenario.name);
    if (isBeforeFirst) scenario.add(first, second);
    else scenario.add(second, first);
  }

  async #measure(side: Side, name: string): Promise<SideRun> {
    const { store, jobs, workers, isQuick } = this.#request.settings;
    const { stdout, processorMs } = await this.#bench(side, [
      ...[name, "--json", "--runs=1", `--store=${store}`, `--jobs=${jobs}`],
      ...[`--workers=${workers}`, ...isQuick ? ["--quick"] : []],
    ]);
    const [report] = readReports(stdout);
    if (report?.name !== name) {
      throw new JobError("unavailable", `Cannot measure ${name} in ${side.dir}: no report`);
    }
    return { report, processorMs };
  }

  #bench({ dir }: Side, args: readonly string[]) {
    const { programs, temp } = this.#parts;
    const bun = join(dir, "node_modules", ".bin", "bun");
    return programs.run(bun, ["scripts/bench/main.ts", ...args], {
      ...{ cwd: dir, env: { TMPDIR: temp }, limitMs: RUN_MS_MAX },
    });
  }
}
