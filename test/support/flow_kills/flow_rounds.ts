import { messageOf } from "../../../src/core/errors.ts";
import { checkFlows, type FlowReport } from "./flow_check.ts";
import { type FlowKills, type FlowStore, withFlowKills } from "./flow_run.ts";

/** Most kills that share their daemons and a store, so that a seed shows soon what it showed. */
const KILLS_MAX = 40;

/** What to run. */
export interface FlowRounds extends Omit<FlowKills, "store"> {
  /** Each has as many kills; SQLite always has one daemon. */
  readonly stores: readonly FlowStore[];
}

/** What all rounds showed, with figures by store. */
export interface FlowRoundsReport {
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Run rounds of kills, each with daemons and a store of its own, and add up what they showed. */
export async function killFlows(options: FlowRounds): Promise<FlowRoundsReport> {
  const { stores, kills, seed } = options;
  const violations: string[] = [];
  const figures: Record<string, Record<string, number>> = {};
  for (let done = 0, round = 0; done < kills; done += KILLS_MAX, round++) {
    for (const store of stores) {
      const daemons = store === "sqlite" ? 1 : options.daemons;
      const part = { store, daemons, seed: seed + round, kills: Math.min(KILLS_MAX, kills - done) };
      const report = await runRound(part, options.log);
      violations.push(...report.violations);
      const sums = figures[store] ??= {};
      for (const [name, figure] of Object.entries(report.figures)) {
        sums[name] = (sums[name] ?? 0) + figure;
      }
    }
  }
  return { violations, figures };
}

async function runRound(part: FlowKills, log: FlowKills["log"]): Promise<FlowReport> {
  const { store, daemons, seed, kills } = part;
  const say = (line: string) => log?.(`${store}, seed ${seed}: ${line}`);
  const found = await withFlowKills({ ...part, log: say }, checkFlows)
    .catch((error): FlowReport => ({
      violations: [`the round broke off: ${messageOf(error)}`],
      figures: {},
    }));
  const { violations, figures } = found;
  for (const violation of violations) say(violation);
  const { accepted = 0, seconds = 0 } = figures;
  const end = violations.length === 0 ? "everything held" : `${violations.length} violations`;
  say(`${accepted} instances in ${seconds} s: ${end}`);
  const again = `--flows --store ${store} --daemons ${daemons} --seed ${seed} --kills ${kills}`;
  const heading = `${store}, seed ${seed}; again with: npm run kills -- ${again}`;
  return {
    violations: violations.length === 0 ? [] : [heading, ...violations],
    figures: { rounds: 1, rounds_with_violations: violations.length === 0 ? 0 : 1, ...figures },
  };
}
