/** One sample's labels. */
export type Labels = Readonly<Record<string, string>>;

/** Buckets of a histogram, upper bounds in seconds: from a millisecond to a day. */
const SECONDS_BUCKETS = [
  0.001,
  0.005,
  0.01,
  0.05,
  0.1,
  0.5,
  1,
  5,
  10,
  60,
  300,
  1_800,
  3_600,
  14_400,
  43_200,
  86_400,
];

/** Counts of observed values by upper bound. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[] = SECONDS_BUCKETS) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    const bounds = this.#bounds;
    for (let index = 0; index < bounds.length; index++) {
      if (value > bounds[index]!) continue;
      this.#counts[index]! += 1;
      return;
    }
  }

  /** Add the values of another one with the same bounds. */
  add(other: Histogram): void {
    this.#count += other.#count;
    this.#sum += other.#sum;
    other.#counts.forEach((count, index) => this.#counts[index]! += count);
  }

  /** Its samples, cumulative as Prometheus expects them. */
  write(page: MetricsPage, name: string, labels: Labels): void {
    let total = 0;
    this.#bounds.forEach((bound, index) => {
      total += this.#counts[index]!;
      page.sample(`${name}_bucket`, total, { ...labels, le: String(bound) });
    });
    page.sample(`${name}_bucket`, this.#count, { ...labels, le: "+Inf" });
    page.sample(`${name}_sum`, this.#sum, labels);
    page.sample(`${name}_count`, this.#count, labels);
  }
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** A page of metrics in Prometheus' text format (version 0.0.4), written line by line. */
export class MetricsPage {
  readonly #lines: string[] = [];

  /** Begin a metric; its samples follow. */
  metric(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  /** One sample of the metric begun last. */
  sample(name: string, value: number, labels: Labels = {}): void {
    const text = Object.entries(labels).map(([key, label]) => `${key}="${escapeLabel(label)}"`)
      .join(",");
    this.#lines.push(text === "" ? `${name} ${value}` : `${name}{${text}} ${value}`);
  }

  gauge(name: string, help: string, value: number): void {
    this.metric(name, "gauge", help);
    this.sample(name, value);
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}
