/** `npm run bench`: see `--help` and docs/performance.md. */
import { isJobError } from "../../src/core/errors.ts";
import { compareWithCommit } from "./against/against.ts";
import { machine } from "./machine.ts";
import { type BenchRequest, helpText, parseBenchArgs } from "./options.ts";
import { measurePeers } from "./peers/peers.ts";
import { peersMarkdown } from "./peers/peers_text.ts";
import { headline, reportOf, reportText, type ScenarioReport } from "./report.ts";
import type { Figures, Scenario, Settings } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { machineMarkdown, storesMarkdown, targetsMarkdown } from "./tables.ts";
import { writeSection } from "./write_docs.ts";

/** Scenarios that `all` also measures on the other stores. */
const STORES = ["memory:", "valkey", "etcd"];
const STORE_SCENARIOS = [
  ...["enqueue-one", "enqueue-callers", "enqueue-batches", "end-to-end", "end-to-end-workers"],
  ...["pick-up", "pick-up-grpc", "late-at"],
];

async function measure(scenario: Scenario, settings: Settings): Promise<ScenarioReport> {
  const runs: Figures[] = [];
  while (runs.length < settings.runs) runs.push(await scenario.run(settings));
  return reportOf(scenario, runs, { settings, machine: machine() });
}

/** Measure and print the scenarios of one store. */
async function measureAll(
  scenarios: readonly Scenario[],
  settings: Settings,
  asJson: boolean,
): Promise<readonly ScenarioReport[]> {
  console.error(headline(machine(), settings));
  const reports: ScenarioReport[] = [];
  for (const scenario of scenarios) {
    const report = await measure(scenario, settings);
    console.log(asJson ? JSON.stringify(report) : reportText(report));
    reports.push(report);
  }
  return reports;
}

/** Run the command line; returns the exit code. */
async function bench(request: BenchRequest): Promise<number> {
  const { settings, asJson, mustWrite, against } = request;
  if (against !== null) return await compareWithCommit(against);
  const reports = await measureAll(request.scenarios, settings, asJson);
  if (mustWrite && reports.length > 0) {
    writeSection("machine", machineMarkdown(machine()));
    writeSection("targets", targetsMarkdown(reports));
  }
  if (request.withStores) {
    const some = SCENARIOS.filter(({ name }) => STORE_SCENARIOS.includes(name));
    const all = reports.filter(({ name }) => STORE_SCENARIOS.includes(name));
    for (const store of STORES) {
      all.push(...await measureAll(some, { ...settings, store }, asJson));
    }
    if (mustWrite) writeSection("stores", storesMarkdown(all));
  }
  if (request.withPeers) {
    const report = await measurePeers(settings, request.only);
    console.log(asJson ? JSON.stringify(report) : peersMarkdown(report));
    if (mustWrite) writeSection("peers", peersMarkdown(report));
  }
  return 0;
}

try {
  const request = parseBenchArgs(process.argv.slice(2), SCENARIOS);
  if (request.isHelp) console.log(helpText(SCENARIOS));
  else process.exitCode = await bench(request);
} catch (error) {
  if (!isJobError(error)) throw error;
  console.error(`${error.message}${error.hint ? `\n${error.hint}` : ""}`);
  process.exitCode = 2;
}
process.exit();
