import type { FigureReport, ScenarioReport } from "../report.ts";
import { isSettled, type Pair, PAIRS_MAX } from "./verdict.ts";

/** What one side measured in one run of a scenario. */
export interface SideRun {
  readonly report: ScenarioReport;
  readonly processorMs: number | null;
}

/** A figure with its pairs. */
export interface PairedFigure extends Pick<FigureReport, "name" | "unit" | "better"> {
  readonly pairs: readonly Pair[];
}

/** The name of a run's processor time among the figures of its scenario. */
const PROCESSOR = { name: "processor", unit: "ms", better: "lower" } as const;

/** The pairs of one scenario so far. */
export class PairedScenario {
  readonly name: string;
  readonly #deciding: readonly string[];
  readonly #pairsMax: number;
  readonly #figures = new Map<string, PairedFigure & { readonly pairs: Pair[] }>();
  #pairCount = 0;
  /** Time that its pairs took, in ms. */
  spentMs = 0;
  /** Why it has no more pairs; null while it may have some. */
  problem: string | null = null;

  /**
   * @param deciding the figures that decide when there are enough pairs; the first if none is
   *   named
   */
  constructor(name: string, deciding: readonly string[], pairsMax: number = PAIRS_MAX) {
    this.name = name;
    this.#deciding = deciding;
    this.#pairsMax = pairsMax;
  }

  get pairCount(): number {
    return this.#pairCount;
  }

  /** All figures that both sides have, with the processor time of whole runs at the end. */
  get figures(): readonly PairedFigure[] {
    return [...this.#figures.values()];
  }

  /** The figures that decide when there are enough pairs. */
  get deciding(): readonly PairedFigure[] {
    const named = this.figures.filter(({ name }) => this.#deciding.includes(name));
    return named.length > 0 ? named : this.figures.slice(0, 1);
  }

  get isDone(): boolean {
    if (this.problem !== null || this.#pairCount >= this.#pairsMax) return true;
    return this.#pairCount > 0 && this.deciding.every(({ pairs }) => isSettled(pairs));
  }

  add(before: SideRun, now: SideRun): void {
    this.#pairCount += 1;
    for (const figure of now.report.figures) {
      const earlier = before.report.figures.find(({ name }) => name === figure.name);
      if (earlier) this.#add(figure, { before: earlier.median, now: figure.median });
    }
    if (before.processorMs === null || now.processorMs === null) return;
    this.#add(PROCESSOR, { before: before.processorMs, now: now.processorMs });
  }

  #add({ name, unit, better }: Omit<PairedFigure, "pairs">, pair: Pair): void {
    const figure = this.#figures.get(name) ?? { name, unit, better, pairs: [] };
    figure.pairs.push(pair);
    this.#figures.set(name, figure);
  }
}
