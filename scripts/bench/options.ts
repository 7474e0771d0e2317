import { parseArgs } from "node:util";
import { JobError } from "../../src/core/errors.ts";
import { nearest } from "../../src/core/text/nearest.ts";
import { type AgainstRequest, RELEASE_FIGURES } from "./against/against.ts";
import { PAIRS_MAX } from "./against/verdict.ts";
import type { Scenario, Settings } from "./scenario.ts";

const PEERS = "peers";
const ALL = "all";

/** The parsed command line. */
export interface BenchRequest {
  readonly scenarios: readonly Scenario[];
  readonly settings: Settings;
  /** Whether some scenarios are measured on the other stores too. */
  readonly withStores: boolean;
  /** Whether the peers are measured too. */
  readonly withPeers: boolean;
  /** Parts of the comparison with peers; all if none is given. */
  readonly only: readonly string[];
  readonly asJson: boolean;
  /** Write the tables into docs/performance.md. */
  readonly mustWrite: boolean;
  /** A comparison with a commit instead of measuring; null for none. */
  readonly against: AgainstRequest | null;
  readonly isHelp: boolean;
}

const OPTIONS = {
  store: { type: "string", default: "sqlite:" },
  jobs: { type: "string", default: "10000" },
  workers: { type: "string", default: "16" },
  runs: { type: "string", default: "3" },
  only: { type: "string", default: "" },
  against: { type: "string" },
  pairs: { type: "string", default: String(PAIRS_MAX) },
  minutes: { type: "string", default: "90" },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/**
 * Read the arguments of `npm run bench`.
 *
 * @param known every scenario
 * @throws JobError `invalid_argument` for an unknown option or scenario, or an invalid number
 */
export function parseBenchArgs(args: readonly string[], known: readonly Scenario[]): BenchRequest {
  const { values, positionals } = parse(args);
  const names = positionals.filter((name) => name !== PEERS && name !== ALL);
  const isAll = positionals.includes(ALL);
  const isEvery = isAll || positionals.length === 0;
  const every = known.filter(({ isExtra }) => !isExtra);
  const scenarios = isEvery ? every : names.flatMap((name) => find(name, known));
  if (values.write && !isEvery && scenarios.length > 0) {
    throw new JobError("invalid_argument", "Cannot write a table of some scenarios only", {
      hint: `Leave their names out: npm run bench -- ${ALL} --write`,
    });
  }
  const settings = {
    store: values.store,
    jobs: numberOf("jobs", values.jobs, 10_000_000),
    workers: numberOf("workers", values.workers, 10_000),
    runs: numberOf("runs", values.runs, 100),
    isQuick: values.quick,
  };
  const compared = positionals.length === 0 ? every.filter(isCompared) : scenarios;
  return {
    scenarios: known.filter((scenario) => scenarios.includes(scenario)),
    settings,
    withStores: isAll,
    withPeers: isAll || positionals.includes(PEERS),
    only: values.only.split(",").filter((name) => name !== ""),
    asJson: values.json,
    mustWrite: values.write,
    against: againstOf(values, settings, compared),
    isHelp: values.help,
  };
}

/** True if it is compared unless others are named. */
function isCompared({ name }: Scenario): boolean {
  return Object.hasOwn(RELEASE_FIGURES, name);
}

function againstOf(
  values: Values,
  settings: Settings,
  scenarios: readonly Scenario[],
): AgainstRequest | null {
  if (values.against === undefined) return null;
  if (values.write) {
    throw new JobError("invalid_argument", "Cannot write tables of a comparison");
  }
  return {
    ...{ commit: values.against, settings, asJson: values.json },
    names: scenarios.map(({ name }) => name),
    pairsMax: numberOf("pairs", values.pairs, PAIRS_MAX),
    minutesMax: numberOf("minutes", values.minutes, 1_440),
  };
}

type Values = ReturnType<typeof parse>["values"];

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new JobError(
      "invalid_argument",
      `Cannot run the benchmark: ${(error as Error).message}`,
      {
        hint: "See npm run bench -- --help",
      },
    );
  }
}

/** The scenario of that name, else those of that group, or that begin with `name` and a dash. */
function find(name: string, known: readonly Scenario[]): readonly Scenario[] {
  const exact = known.filter((scenario) => scenario.name === name);
  if (exact.length > 0) return exact;
  const found = known.filter((scenario) => {
    return scenario.group === name || scenario.name.startsWith(`${name}-`);
  });
  if (found.length > 0) return found;
  const families = known.map((scenario) => scenario.group ?? scenario.name.split("-")[0]!);
  const names = known.map((scenario) => scenario.name);
  const near = nearest(name, [...names, ...families, PEERS, ALL]);
  throw new JobError("invalid_argument", `Cannot run scenario "${name}": there is none`, {
    hint: near === null ? "See npm run bench -- --help" : `Did you mean "${near}"?`,
  });
}

function numberOf(name: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new JobError(
    "invalid_argument",
    `Cannot use --${name} ${text}: it is not a whole number from 1 to ${max}`,
  );
}

/** The text of `--help`. */
export function helpText(known: readonly Scenario[]): string {
  const width = Math.max(...known.map(({ name }) => name.length));
  const lines = known.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return `Usage: npm run bench -- [SCENARIO…] [options]

Measures the given scenarios, or all if none is given. A name also selects those that begin with it: "late" selects
all five. "throughput" selects the first seven.

${lines.join("\n")}
  ${PEERS.padEnd(width)}  the same beside other products, in turns (see docs/performance.md)
  ${ALL.padEnd(width)}  every scenario, some of them on every store, then ${PEERS}

Options:
  --store URL     memory:, sqlite: (the default, a file in a temporary folder), sqlite:PATH, the URL of a running server
                  (keys under a prefix of their own, removed afterwards), or valkey, etcd: a server started for the run
  --jobs N        jobs of a throughput run (10000)
  --workers W     attempts at once (16)
  --runs N        runs of each scenario (3)
  --quick         small counts: shows that it works, not how fast
  --json          one object per scenario, a line each
  --against COMMIT
                  build that commit, and measure it and the working tree in alternating pairs until the interval of their
                  ratio is narrower than ±4 %. Without scenarios: the ten figures to compare before a release. Exits with 1
                  if one is worse
  --pairs N       with --against: most pairs of a scenario (40)
  --minutes N     with --against: begin no pair after so many minutes (90)
  --only PARTS    of ${PEERS}: some of its parts, with commas between
  --write         write the tables into docs/performance.md
`;
}
