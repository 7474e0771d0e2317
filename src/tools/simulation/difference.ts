import type { SimulatedTick } from "./engine.ts";

/** Most ticks listed for one kind and side. */
const EXAMPLES_MAX = 3;

/** Differences between two configurations in the runs of one kind. */
export interface KindDifference {
  readonly kind: string;
  /** Ticks that ran only with the first configuration, and the first one. */
  readonly onlyBefore: number;
  readonly onlyBeforeAt: readonly number[];
  /** Ticks that ran only with the second, and the first one. */
  readonly onlyAfter: number;
  readonly onlyAfterAt: readonly number[];
  /** Ticks that ran with both. */
  readonly both: number;
}

/** Collects when each kind ran. */
export class RunTimesByKind {
  readonly #times = new Map<string, number[]>();

  add(tick: SimulatedTick): void {
    if (tick.fate !== "ran" && tick.fate !== "pending") return;
    const times = this.#times.get(tick.kind);
    if (times) times.push(tick.at);
    else this.#times.set(tick.kind, [tick.at]);
  }

  get kinds(): Iterable<string> {
    return this.#times.keys();
  }

  /** Ticks of a kind that ran, in the order of time. */
  of(kind: string): readonly number[] {
    return (this.#times.get(kind) ?? []).sort((left, right) => left - right);
  }
}

/** The kinds whose runs differ, by name. */
export function differences(before: RunTimesByKind, after: RunTimesByKind): KindDifference[] {
  const kinds = [...new Set([...before.kinds, ...after.kinds])].sort();
  return kinds.map((kind) => differenceOf(kind, before.of(kind), after.of(kind)))
    .filter(({ onlyBefore, onlyAfter }) => onlyBefore + onlyAfter > 0);
}

function differenceOf(
  kind: string,
  before: readonly number[],
  after: readonly number[],
): KindDifference {
  const only = { before: [] as number[], after: [] as number[] };
  let both = 0;
  let left = 0;
  let right = 0;
  while (left < before.length || right < after.length) {
    const [first, second] = [before[left] ?? Infinity, after[right] ?? Infinity];
    if (first === second) both += 1;
    else if (first < second) only.before.push(first);
    else only.after.push(second);
    if (first <= second) left += 1;
    if (second <= first) right += 1;
  }
  return {
    kind,
    onlyBefore: only.before.length,
    onlyBeforeAt: only.before.slice(0, EXAMPLES_MAX),
    onlyAfter: only.after.length,
    onlyAfterAt: only.after.slice(0, EXAMPLES_MAX),
    both,
  };
}
