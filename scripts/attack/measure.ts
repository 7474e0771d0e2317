import { wait } from "../bench/wait.ts";
import { quantile } from "../bench/statistics.ts";
import type { Attack } from "./attack.ts";
import { startAttacker, type Tally } from "./attacker.ts";
import { MemoryWatch } from "./memory.ts";
import { type FilledStores, startWorld, type Tick, type World } from "./world.ts";

/** What must hold under attack. */
export interface Bounds {
  readonly lostMax: number;
  readonly lateMsMax: number;
  readonly peakMax: number;
  readonly afterMax: number;
  /** Time allowed for memory to fall again, in ms. */
  readonly restMs: number;
}

/** The property, as the documentation promises it. */
export const BOUNDS: Bounds = {
  ...{ lostMax: 0, lateMsMax: 250, peakMax: 350, afterMax: 90, restMs: 30_000 },
};

/** The outcome of an attack. */
export interface Report {
  readonly name: string;
  readonly ticks: number;
  readonly lost: number;
  readonly p50: number;
  readonly p99: number;
  readonly peak: number;
  readonly after: number;
  /** How long the memory took to fall, in ms. */
  readonly afterMs: number;
  readonly tally: Tally;
  /** The parts of the property that do not hold. */
  readonly problems: readonly string[];
}

/** How attacks are measured. */
export interface MeasureOptions {
  readonly seconds: number;
  readonly scale: number;
  readonly bounds: Bounds;
  /** Trouble within this time after an attack also counts as its effect. */
  readonly lookAfterMs?: number;
}

const LOOK_AFTER_MS = 5_000;
/** A tick that has not started by now is late. */
const BEGIN_MS = 1_500;
/** For an attack that could not run. */
const BROKEN: Tally = {};

/** Attack a fresh daemon and measure its schedules; without an attack, measure a quiet daemon. */
export async function measure(
  attack: Attack | null,
  options: MeasureOptions,
  filled: FilledStores,
): Promise<Report> {
  const world = await startWorld(attack?.needs ?? {}, filled);
  try {
    return await measureIn(world, attack, options);
  } finally {
    await world.end();
  }
}

/** Attack a running daemon. */
export async function measureIn(
  world: World,
  attack: Attack | null,
  { seconds, scale, bounds, lookAfterMs = LOOK_AFTER_MS }: MeasureOptions,
): Promise<Report> {
  const { daemon } = world;
  let hasEnded = false;
  void daemon.exited.then(() => hasEnded = true);
  const memory = new MemoryWatch(daemon.pid);
  const beginMs = Date.now();
  try {
    const { tally, problems } = await attackIn(world, attack, { seconds, scale });
    const endMs = Date.now();
    let after = memory.now();
    const isOver = () => {
      const passedMs = Date.now() - endMs;
      return hasEnded || passedMs > bounds.restMs ||
        passedMs > lookAfterMs && after < bounds.afterMax;
    };
    while (!isOver()) {
      await wait(200);
      after = memory.now();
    }
    const lastMs = Date.now();
    await lastTick(world, lastMs);
    const long = world.longJobProblem();
    return judge({
      ...{
        name: attack?.name ?? "quiet",
        peak: memory.peak,
        after,
        afterMs: lastMs - endMs,
        tally,
      },
      ...countTicks(world.ticks(), beginMs, lastMs),
    }, [
      ...problems,
      ...hasEnded ? [`the daemon ended: ${daemon.log().slice(-500)}`] : [],
      ...long === null ? [] : [`the running job ${long}`],
    ], bounds);
  } finally {
    memory.stop();
  }
}

/** The tick of this time may be about to start. */
async function lastTick(world: World, lastMs: number): Promise<void> {
  const last = Math.floor(lastMs / 1_000);
  while (world.ticks().at(-1)!.second < last && Date.now() < lastMs + BEGIN_MS) await wait(50);
}

async function attackIn(
  { target, daemon }: World,
  attack: Attack | null,
  { seconds, scale }: { readonly seconds: number; readonly scale: number },
): Promise<{ readonly tally: Tally; readonly problems: readonly string[] }> {
  const ms = seconds * 1_000;
  if (attack === null) {
    await wait(ms);
    return { tally: {}, problems: [] };
  }
  const attacker = startAttacker(attack, { target, ms, scale });
  void daemon.exited.then(() => attacker.kill());
  const ask = async (question: Attack["probe"]): Promise<string[]> => {
    try {
      const problem = await question?.(target) ?? null;
      return problem === null ? [] : [problem];
    } catch (error) {
      return [(error as Error).message];
    }
  };
  const [tally, probed] = await Promise.all([
    attacker.done.catch((error: Error): Tally => {
      console.error(error.message);
      return BROKEN;
    }),
    wait(ms / 2).then(() => ask(attack.probe)),
  ]);
  const problems = [...probed, ...await ask(attack.after)];
  return { tally, problems: tally === BROKEN ? ["the attack broke off", ...problems] : problems };
}

function countTicks(ticks: readonly Tick[], beginMs: number, endMs: number) {
  const first = Math.ceil(beginMs / 1_000);
  const last = Math.floor(endMs / 1_000);
  const within = ticks.filter(({ second }) => second >= first && second <= last);
  const seconds = new Set(within.map(({ second }) => second));
  const late = within.map(({ lateMs }) => lateMs);
  return {
    ticks: last - first + 1,
    lost: last - first + 1 - seconds.size,
    p50: quantile(late, 0.5),
    p99: quantile(late, 0.99),
  };
}

function judge(
  report: Omit<Report, "problems">,
  problems: readonly string[],
  bounds: Bounds,
): Report {
  const { lost, p99, peak, after } = report;
  const found = [
    ...lost > bounds.lostMax ? [`${lost} ticks lost`] : [],
    // Without any ticks there is no lateness, but ticks were lost.
    ...p99 > bounds.lateMsMax ? [`${Math.round(p99)} ms late`] : [],
    ...peak > bounds.peakMax ? [`${Math.round(peak)} MB`] : [],
    ...after > bounds.afterMax ? [`${Math.round(after)} MB afterwards`] : [],
    ...problems,
  ];
  return { ...report, problems: found };
}
