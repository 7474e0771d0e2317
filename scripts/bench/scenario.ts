/** The kinds of store that targets tell apart. */
export type StoreKind = "memory" | "sqlite" | "valkey" | "etcd" | "other";

/** How scenarios are run. */
export interface Settings {
  /**
   * Store URL; "sqlite:" is a file in a temporary folder, "valkey" and "etcd" are servers started
   * for each run.
   */
  readonly store: string;
  /** Jobs of one run of a throughput scenario. */
  readonly jobs: number;
  /** Attempts at once. */
  readonly workers: number;
  readonly runs: number;
  /** Small counts and short times: shows that a scenario works, not how fast. */
  readonly isQuick: boolean;
}

/** One figure that a scenario gives. */
export interface FigureSpec {
  readonly name: string;
  /** What it counts, as printed: "jobs/s", "ms". */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What it must reach, by kind of store; `any` where the store does not matter. */
  readonly target?: Readonly<Partial<Record<StoreKind | "any", number>>>;
}

/** The figures of one run, by name. */
export type Figures = Readonly<Record<string, number>>;

/** Something to measure. */
export interface Scenario {
  readonly name: string;
  /** A name for several scenarios, beside the beginning that they share. */
  readonly group?: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Whether `--store` changes it. */
  readonly usesStore: boolean;
  /** True if it is measured only when it is named: it needs what few hosts have. */
  readonly isExtra?: boolean;
  readonly figures: readonly FigureSpec[];
  run(settings: Settings): Promise<Figures>;
}

/** The kind of store that a `--store` names. */
export function storeKind(store: string): StoreKind {
  const scheme = /^[a-z]+/.exec(store)?.[0] ?? "";
  if (scheme === "memory" || scheme === "sqlite" || scheme === "etcd") return scheme;
  return ["valkey", "valkeys", "redis", "rediss"].includes(scheme) ? "valkey" : "other";
}

/** `full`, or with `--quick` a small part of it, at least `least`. */
export function scaled(settings: Settings, full: number, least: number): number {
  return settings.isQuick ? Math.max(least, Math.round(full / 50)) : full;
}
