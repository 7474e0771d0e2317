import { type Block, unservedBlock, workersBlock } from "../../core/job/limits.ts";
import type { NodeRecord, NodeReport } from "../../store/store.ts";
import type { PartContext } from "../context/part_context.ts";
import type { NodeState, NodeStatus } from "../api/nodes.ts";

/** Age after which the list of nodes is read again. */
const FRESH_MS = 500;
/** Most differences that are logged. */
const WARNINGS_MAX = 1_000;

interface PeersOptions
  extends Pick<PartContext, "store" | "clock" | "logger" | "node" | "registry"> {
  readonly report: () => NodeReport;
  /** A node whose clock is further off is "skewed". */
  readonly maxSkewMs: number;
}

/** The nodes on the store, including this one, as last read. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #warned = new Set<string>();
  #nodes: readonly NodeRecord[] = [];
  #readMs = -Infinity;
  #reading: Promise<readonly NodeRecord[]> | null = null;
  #others: readonly NodeRecord[] = [];
  /** The store's clock minus our monotonic one; null while unknown. */
  #storeAheadMs: number | null = null;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** True if the last read found other live nodes: their changes cause no events here. */
  get hasOthers(): boolean {
    return this.#others.length > 0;
  }

  /** A live node that has a job, as last read; undefined for none. */
  holderOf(kind: string): NodeRecord | undefined {
    return this.#others.find((node) => hasKind(node, kind));
  }

  /** Note the store's time, epoch ms. */
  synchronize(storeAt: number): void {
    this.#storeAheadMs = storeAt - this.#options.clock.now().monotonicMs;
  }

  /** The nodes of the last hour, by id. */
  async list(): Promise<readonly NodeStatus[]> {
    const isFresh = this.#options.clock.now().monotonicMs - this.#readMs < FRESH_MS;
    const nodes = isFresh ? this.#nodes : await this.#read();
    const nowMs = this.#storeNow();
    const { maxSkewMs } = this.#options;
    return nodes.map((node) => ({ ...node, state: stateOf(node, { nowMs, maxSkewMs }) }));
  }

  /** The given kinds that no live node can run, and the tag that each waits for. */
  async unservedKinds(kinds: Iterable<string>): Promise<ReadonlyMap<string, Block>> {
    const { registry } = this.#options;
    const left = new Set([...kinds].filter((kind) => !registry.kinds.has(kind)));
    if (left.size === 0) return new Map();
    await this.list();
    const others = this.#others.filter(({ isDraining }) => !isDraining);
    for (const node of others) for (const kind of node.kinds) left.delete(kind);
    const tags = [registry.tags, ...others.map((node) => new Set(node.tags))];
    return new Map(
      [...left].map((kind) =>
        [kind, unservedBlock(kind, registry.find(kind)?.options.needs, tags)] as const
      ),
    );
  }

  /** The block of a kind if all nodes that run it have 0 workers; else null. */
  async workersBlockOf(kind: string): Promise<Block | null> {
    const { registry, report } = this.#options;
    if (registry.kinds.has(kind) && report().workers > 0) return null;
    await this.list();
    const hasWorkers = this.#others.some(({ kinds, isDraining, workers }) =>
      kinds.includes(kind) && !isDraining && workers > 0
    );
    return hasWorkers ? null : workersBlock(kind);
  }

  async isKnown(kind: string): Promise<boolean> {
    if (this.#options.registry.find(kind)) return true;
    return (await this.list()).some((node) => hasKind(node, kind));
  }

  /** @throws JobError `not_found` if no node seen within the last hour has the job */
  async assertKnown(kind: string): Promise<void> {
    if (!await this.isKnown(kind)) this.#options.registry.get(kind);
  }

  /** Read again, after a read under way. @throws JobError if the store does not respond */
  async refresh(): Promise<readonly NodeStatus[]> {
    await this.#reading?.catch(() => {});
    this.#readMs = -Infinity;
    return await this.list();
  }

  #read(): Promise<readonly NodeRecord[]> {
    return this.#reading ??= this.#readNow().finally(() => this.#reading = null);
  }

  async #readNow(): Promise<readonly NodeRecord[]> {
    const { store, clock, node } = this.#options;
    const at = clock.now();
    this.#nodes = await store.listNodes({ at });
    this.#readMs = at.monotonicMs;
    const nowMs = this.#storeNow();
    this.#others = this.#nodes.filter(({ id, until }) => id !== node && until > nowMs);
    for (const other of this.#others) this.#compare(other);
    return this.#nodes;
  }

  // Leases go by the store's clock, and our own may be far off.
  #storeNow(): number {
    const { monotonicMs, wallMs } = this.#options.clock.now();
    return this.#storeAheadMs === null ? wallMs : monotonicMs + this.#storeAheadMs;
  }

  // Each difference is logged once: it may last through a rolling upgrade.
  #compare({ id, tzVersion, limits, kinds }: NodeRecord): void {
    const own = this.#options.report();
    if (tzVersion !== own.tzVersion) {
      this.#warn(
        `zone ${tzVersion}`,
        "Another node has another time zone database: use one version on all of them",
        { node: id, theirs: tzVersion, ours: own.tzVersion },
      );
    }
    const theirKinds = new Set(kinds);
    for (const kind of own.kinds) {
      if (!theirKinds.has(kind) || own.limits[kind] === limits[kind]) continue;
      this.#warn(
        `limits ${kind} ${limits[kind]}`,
        `Another node has other limits for job "${kind}": each keeps to its own`,
        { node: id, theirs: limits[kind] ?? "none", ours: own.limits[kind] ?? "none" },
      );
    }
  }

  #warn(key: string, message: string, fields: Readonly<Record<string, string>>): void {
    if (this.#warned.has(key) || this.#warned.size >= WARNINGS_MAX) return;
    this.#warned.add(key);
    this.#options.logger.warn(message, fields);
  }
}

/** True if a node has a job, even if it cannot run it. */
function hasKind({ kinds, idle }: NodeRecord, kind: string): boolean {
  return kinds.includes(kind) || idle.includes(kind);
}

function stateOf(
  { until, leftAt, isDraining, skewMs }: NodeRecord,
  { nowMs, maxSkewMs }: { readonly nowMs: number; readonly maxSkewMs: number },
): NodeState {
  if (until <= nowMs) return leftAt === null ? "lost" : "left";
  if (isDraining) return "draining";
  return Math.abs(skewMs ?? 0) > maxSkewMs ? "skewed" : "live";
}
