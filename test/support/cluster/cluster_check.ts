import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { HistoryEntry, JobInstance } from "../../../src/rpc/gen/job_pb.ts";
import type { ClusterRun, Fault } from "./cluster.ts";
import { FAILURES, KINDS, TICK_KINDS } from "./cluster_jobs.ts";
import { linesOf } from "../wait.ts";

const SECOND = 1_000;
/** How long a daemon may take to find a server again that was away. */
const RECONNECT_MS = 3_000;
/** Beyond its lease, until a dead node's instance is scheduled again. */
const TAKEOVER_MS = 2_000;
const VIOLATIONS_SHOWN = 20;

/** What a run showed. */
export interface ClusterReport {
  /** What did not hold, with the invariant's id of INVARIANTS.md where it has one. */
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number | string>>;
}

/** Check what a cluster left against what must hold. */
export async function checkCluster(run: ClusterRun): Promise<ClusterReport> {
  const instances = await readInstances(run);
  const history = await readHistory(run);
  const checker = new Checker(run, instances, history);
  checker.accepted();
  checker.effects();
  checker.attempts();
  checker.ticks();
  const takeovers = checker.takeovers();
  const verified = await run.daemon.jobctl(["store", "verify"]);
  if (verified.code !== 0) {
    checker.report(
      `D2: the store does not agree with itself: ${verified.stdout}${verified.stderr}`,
    );
  }
  for (const line of run.unexpected) checker.report(`a daemon ended by itself: ${line}`);
  const faults = (type: Fault["type"]) => run.faults.filter((fault) => fault.type === type).length;
  return {
    violations: checker.violations,
    figures: {
      store: run.options.store,
      seed: run.options.seed,
      instances: instances.length,
      accepted: run.accepted.size,
      // Acknowledged and gone, or not ended well; an outcome of another attempt than the last; two
      // at one time.
      lost: checker.countOf("D1"),
      stale: checker.countOf("E2", "F1"),
      overlaps: checker.countOf("E3", "X1"),
      attempts: history.filter(({ state }) => state === JobState.PROCESSING).length,
      kills: faults("kill"),
      stops: faults("stop"),
      server_restarts: faults("server"),
      takeovers: takeovers.length,
      takeover_ms_median: percentile(takeovers, 0.5),
      takeover_ms_max: percentile(takeovers, 1),
      seconds: Math.round(run.spentMs / SECOND),
    },
  };
}

async function readInstances({ daemon, ticksUntil }: ClusterRun): Promise<readonly JobInstance[]> {
  const found: JobInstance[] = [];
  let pageToken: string | undefined;
  do {
    const kinds = [...KINDS.map(([kind]) => kind), ...TICK_KINDS];
    const page = await daemon.client().lookupInstances({ query: { kinds, pageToken } });
    // Later ticks may still run.
    found.push(
      ...page.instances.filter(({ scheduledFor }) =>
        scheduledFor === undefined || Number(scheduledFor.seconds) * SECOND <= ticksUntil
      ),
    );
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return found;
}

async function readHistory({ daemon }: ClusterRun): Promise<readonly HistoryEntry[]> {
  const found: HistoryEntry[] = [];
  let pageToken: string | undefined;
  do {
    const query = { pageToken, oldestFirst: true };
    const page = await daemon.client().lookupInstanceHistory({ query });
    found.push(...page.entries.filter(({ kind }) => !kind.startsWith("system.")));
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return found;
}

class Checker {
  readonly violations: string[] = [];
  readonly #run: ClusterRun;
  readonly #instances: readonly JobInstance[];
  readonly #histories = new Map<string, HistoryEntry[]>();
  readonly #codes: string[] = [];

  constructor(
    run: ClusterRun,
    instances: readonly JobInstance[],
    history: readonly HistoryEntry[],
  ) {
    this.#run = run;
    this.#instances = instances;
    for (const entry of history) {
      const entries = this.#histories.get(entry.uuid);
      if (entries) entries.push(entry);
      else this.#histories.set(entry.uuid, [entry]);
    }
  }

  report(line: string): void {
    this.#codes.push(line.split(":", 1)[0]!);
    if (this.#codes.length <= VIOLATIONS_SHOWN) this.violations.push(line);
    else if (this.#codes.length === VIOLATIONS_SHOWN + 1) this.violations.push("and more");
  }

  /** How many violations of some invariants there are, those not shown too. */
  countOf(...codes: readonly string[]): number {
    return this.#codes.filter((code) => codes.includes(code)).length;
  }

  /** D1, S1: every accepted instance is there once and ended well, and nothing else is there. */
  accepted(): void {
    const seen = new Map<string, JobInstance>();
    const ticks: readonly string[] = TICK_KINDS;
    for (const instance of this.#instances) {
      if (seen.has(instance.uuid)) this.report(`S1: ${instance.uuid} is listed twice`);
      seen.set(instance.uuid, instance);
      if (instance.state !== JobState.COMPLETED) {
        this.report(
          `D1: ${instance.kind} ${instance.uuid} is ${
            JobState[instance.state]
          }, ${instance.reason}: ${instance.error}`,
        );
      }
      if (!ticks.includes(instance.kind) && !this.#run.accepted.has(instance.uuid)) {
        this.report(`S3: ${instance.uuid} is there and was never acknowledged`);
      }
    }
    for (const [uuid, kind] of this.#run.accepted) {
      if (!seen.has(uuid)) this.report(`D1: ${kind} ${uuid} was acknowledged and is lost`);
    }
  }

  /**
   * E3, X1: a fence runs once, and nothing is done under a lower one after a higher one; F1: its
   * outcome is recorded.
   */
  effects(): void {
    const highest = new Map<string, number>();
    const seen = new Set<string>();
    const ended = new Set<string>();
    for (const line of linesOf(this.#run.effects)) {
      const [what, uuid, text] = line.split(" ");
      const fence = Number(text);
      if (seen.has(line)) this.report(`E3: "${line}" was done twice`);
      seen.add(line);
      if (fence < (highest.get(uuid!) ?? 0)) {
        this.report(`X1: "${line}" was done after fence ${highest.get(uuid!)}`);
      }
      highest.set(uuid!, Math.max(fence, highest.get(uuid!) ?? 0));
      if (what === "E") ended.add(`${uuid} ${fence}`);
    }
    for (const { uuid, fence, results } of this.#instances) {
      // The job answers its fence: the outcome that was recorded is that of the last claim, which
      // ran to its end.
      if (Number(results[0]) !== Number(fence)) {
        this.report(`F1: ${uuid} has fence ${fence} and the outcome of ${results[0]}`);
      }
      if (!ended.has(`${uuid} ${fence}`)) this.report(`F1: ${uuid} never ran under ${fence}`);
      if (highest.get(uuid) !== Number(fence)) {
        this.report(`E2: ${uuid} has fence ${fence} and ran under ${highest.get(uuid)}`);
      }
    }
  }

  /**
   * A1, E2: attempts are 1, 2, 3 … and their fences rise; a job that fails is tried as often as it
   * says.
   */
  attempts(): void {
    for (const { uuid, kind, failures, attempts } of this.#instances) {
      const claims = (this.#histories.get(uuid) ?? [])
        .filter(({ state }) => state === JobState.PROCESSING);
      for (const [index, claim] of claims.entries()) {
        if (claim.attempt !== index + 1) {
          this.report(`A1: ${uuid} has attempt ${claim.attempt} in place of ${index + 1}`);
        }
        const before = claims[index - 1];
        if (before && claim.fence <= before.fence) this.report(`E2: fence of ${uuid} fell`);
      }
      if (claims.length !== attempts) {
        this.report(`D2: ${uuid} has ${attempts} attempts and a history of ${claims.length}`);
      }
      // A lost attempt counts among those that the job counts itself.
      if (kind === "failing" && failures > FAILURES) {
        this.report(`A2: ${uuid} failed ${failures} times`);
      }
    }
  }

  /** C1, C2: every second has exactly one instance. */
  ticks(): void {
    for (const kind of TICK_KINDS) {
      const ticks = this.#instances.filter((instance) => instance.kind === kind)
        .map(({ scheduledFor }) => Number(scheduledFor!.seconds) * SECOND)
        .sort((a, b) => a - b);
      const until = this.#run.ticksUntil;
      if (ticks.length === 0 || ticks.at(-1)! <= until - SECOND) {
        this.report(`C1: ${kind} has no tick after ${new Date(ticks.at(-1) ?? 0).toISOString()}`);
      }
      for (const [index, tick] of ticks.entries()) {
        const gapMs = index === 0 ? SECOND : tick - ticks[index - 1]!;
        if (gapMs === 0) this.report(`C2: ${kind} ran twice for ${new Date(tick).toISOString()}`);
        else if (gapMs !== SECOND) {
          this.report(
            `C1: ${kind} has a gap of ${gapMs} ms before ${new Date(tick).toISOString()}`,
          );
        }
      }
    }
  }

  /** How long after a node's fault each of its instances was scheduled again, in milliseconds. */
  takeovers(): readonly number[] {
    const { leaseMs } = this.#run.options;
    const found: number[] = [];
    for (const [uuid, entries] of this.#histories) {
      for (const [index, lost] of entries.entries()) {
        if (lost.reason !== "lost") continue;
        const claim = entries[index - 1]!;
        const lostAt = msOf(lost);
        const fault = this.#run.faults.findLast(({ node, at, endAt }) =>
          node === claim.node && at <= lostAt && endAt >= msOf(claim)
        );
        if (!fault) continue;
        const fromMs = Math.max(fault.at, msOf(claim));
        const tookMs = Math.max(0, lostAt - fromMs - this.#outageMs(fromMs, lostAt));
        found.push(tookMs);
        if (tookMs > leaseMs + TAKEOVER_MS) {
          this.report(
            `takeover: ${uuid} of ${claim.node} came ${tookMs} ms after its ${fault.type}`,
          );
        }
      }
    }
    return found;
  }

  /** How long the server was away within a span, until it was found again. */
  #outageMs(from: number, to: number): number {
    return this.#run.faults.filter(({ type }) => type === "server")
      .map(({ at, endAt }) => Math.max(0, Math.min(to, endAt + RECONNECT_MS) - Math.max(from, at)))
      .reduce((sum, ms) => sum + ms, 0);
  }
}

function msOf({ at }: HistoryEntry): number {
  return Number(at!.seconds) * SECOND + at!.nanos / 1e6;
}

function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!);
}
