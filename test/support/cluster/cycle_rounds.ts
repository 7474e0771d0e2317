import { messageOf } from "../../../src/core/errors.ts";
import { checkCycles, type CycleReport } from "./cycle_check.ts";
import {
  type CyclePlan,
  type CycleStore,
  endedWhileDownPlan,
  randomPlan,
  supervisorAtStartPlan,
  timeoutWhileDownPlan,
} from "./cycle_plan.ts";
import { withCycles } from "./cycle_run.ts";

/** Most cycles that share a daemon and a store, so that a seed shows what it showed in minutes. */
const CYCLES_MAX = 10;
const OTHERS = [12, 40];
const DOWN_MS = [3_000, 8_000, 20_000, 120_000];

/** What can be done to processes under commands, by name. */
const PLANS = {
  "random": (seed, cycles) => randomPlan(seed, cycles),
  "supervisor-at-start": supervisorAtStartPlan,
  "timeout-while-down": (seed) => timeoutWhileDownPlan(seed, OTHERS[seed % OTHERS.length]!),
  "ended-while-down": (seed) => endedWhileDownPlan(seed, DOWN_MS[seed % DOWN_MS.length]!),
} satisfies Readonly<Record<string, (seed: number, cycles: number) => CyclePlan>>;

/** The name of a kind of cycles. */
export type CycleKind = keyof typeof PLANS;

export const CYCLE_KINDS = Object.keys(PLANS) as readonly CycleKind[];

/** True if cycles can be of this kind. */
export function isCycleKind(name: string): name is CycleKind {
  return Object.hasOwn(PLANS, name);
}

/** What to run. */
export interface RoundsOptions {
  readonly how: CycleKind;
  readonly stores: readonly CycleStore[];
  /** On each store. */
  readonly cycles: number;
  /** Of the first round; each further one has the next number. */
  readonly seed: number;
  /** Rounds at once. */
  readonly beside: number;
  readonly builds: readonly string[];
  readonly log: (line: string) => void;
}

interface Round {
  readonly store: CycleStore;
  readonly plan: CyclePlan;
}

/** What all rounds showed, with figures by store. */
export interface RoundsReport {
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Run rounds of cycles, each with a daemon and a store of its own, and add up what they showed. */
export async function runRounds(options: RoundsOptions): Promise<RoundsReport> {
  const waiting = roundsOf(options);
  const violations: string[] = [];
  const figures: Record<string, Record<string, number>> = {};
  const work = async () => {
    for (let round = waiting.shift(); round !== undefined; round = waiting.shift()) {
      const report = await runRound(round, options);
      violations.push(...report.violations);
      const sums = figures[round.store] ??= {};
      for (const [name, figure] of Object.entries(report.figures)) {
        const before = sums[name] ?? 0;
        sums[name] = name.endsWith("_max") ? Math.max(before, figure) : before + figure;
      }
    }
  };
  await Promise.all(Array.from({ length: options.beside }, work));
  return { violations, figures };
}

/** The stores take turns. */
function roundsOf({ how, stores, cycles, seed }: RoundsOptions): Round[] {
  const rounds: Round[] = [];
  for (let done = 0, next = seed; done < cycles; next++) {
    const plan = PLANS[how](next, Math.min(CYCLES_MAX, cycles - done));
    done += plan.cycles.length;
    for (const store of stores) rounds.push({ store, plan });
  }
  return rounds;
}

async function runRound(
  { store, plan }: Round,
  { how, builds, log }: RoundsOptions,
): Promise<CycleReport> {
  const { seed, cycles: { length } } = plan;
  const name = `${store}, seed ${seed}`;
  const say = (line: string) => log(`${name}: ${line}`);
  const turns = builds.length > 0 ? " --turns" : "";
  const again = `--commands --how ${how} --store ${store} --seed ${seed} --kills ${length}${turns}`;
  const found = await withCycles({ plan, store, builds, log: say }, checkCycles)
    .catch((error): CycleReport => ({
      violations: [`the round broke off: ${messageOf(error)}`],
      figures: {},
    }));
  const { violations, figures } = found;
  say(violations.length === 0 ? "everything held" : `${violations.length} violations`);
  const heading = `${name}; again with: npm run kills -- ${again}`;
  return {
    violations: violations.length === 0 ? [] : [heading, ...violations],
    figures: { rounds: 1, rounds_with_violations: violations.length === 0 ? 0 : 1, ...figures },
  };
}
