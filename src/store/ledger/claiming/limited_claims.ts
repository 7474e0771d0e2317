import type { Instance } from "../../../core/instance.ts";
import type { Gate } from "./gate.ts";
import { compareReady, isKeyed, type ReadyKey, readyKeyOf, type Row } from "../tables/row.ts";
import type { LedgerState } from "../state.ts";

/** Rows of the first read of a kind; each further read is twice as long. */
const READ_ROWS_MIN = 4;
const READ_ROWS_MAX = 512;

/** Claim the first rows of several kinds in claim order, within limits. */
export function claimLimited(
  state: LedgerState,
  kinds: readonly string[],
  options: { readonly gate: Gate; readonly limit: number; readonly take: (row: Row) => Instance },
): readonly Instance[] {
  const { gate, limit, take } = options;
  const all = kinds.map((kind) => new ReadyQueues(state, gate, kind));
  const claimed: Instance[] = [];
  while (claimed.length < limit) {
    let best: ReadyQueues | null = null;
    let bestRow: Row | null = null;
    for (const ready of all) {
      const row = ready.peek();
      if (!row || (bestRow && compareReady(readyKeyOf(bestRow), readyKeyOf(row)) < 0)) continue;
      [best, bestRow] = [ready, row];
    }
    if (!best || !bestRow) break;
    claimed.push(take(bestRow));
    gate.started(bestRow.instance);
    best.taken();
  }
  for (const ready of all) ready.end();
  return claimed;
}

/**
 * Time when an instance of a kind can be claimed, epoch ms: `wallMs` for now, Infinity if a slot
 * must be freed. The kind has ready rows and is not paused.
 */
export function claimableAt(
  state: LedgerState,
  gate: Gate,
  kind: string,
  wallMs: number,
): number {
  const block = gate.blockOfKind(kind);
  if (block) return block.opensAt ?? Infinity;
  const ready = new ReadyQueues(state, gate, kind);
  if (ready.peek()) return wallMs;
  return Math.min(ready.opensAt, state.queues.opensAt(kind, gate.stampOf(kind), wallMs));
}

/**
 * Ready rows of one kind in claim order: the default queue's, and the first of each unblocked queue
 * with a key. Slots block at most one queue per claim.
 */
class ReadyQueues {
  readonly #state: LedgerState;
  readonly #gate: Gate;
  readonly #kind: string;
  #rows: readonly Row[] = [];
  #next = 0;
  #size = READ_ROWS_MIN;
  #last: ReadyKey | undefined;
  #isWhole = false;
  /** The next rows of the touched queues, in claim order. */
  readonly #followers: Row[] = [];
  #best: Row | null | undefined;
  /** Queues that a row was taken from. */
  readonly #touched = new Set<string>();
  readonly #blocked: { readonly queueKey: string; readonly until: number }[] = [];
  /** When the first queue delayed by a rate opens. */
  opensAt = Infinity;

  constructor(state: LedgerState, gate: Gate, kind: string) {
    this.#state = state;
    this.#gate = gate;
    this.#kind = kind;
  }

  /** The next row that may be claimed. */
  peek(): Row | null {
    if (this.#gate.blockOfKind(this.#kind)) return null;
    // Only claims made here change the blocks of a queue, and each checks again.
    if (this.#best !== undefined) return this.#best;
    for (;;) {
      const row = this.#first();
      if (!row) return this.#best = null;
      const block = this.#gate.blockOfQueue(row.instance);
      if (!block) return this.#best = row;
      this.#drop(row);
      if (block.opensAt === null) continue;
      this.opensAt = Math.min(this.opensAt, block.opensAt);
      this.#blocked.push({ queueKey: row.instance.queueKey, until: block.opensAt });
    }
  }

  /** The row that {@link peek} returned was claimed. */
  taken(): void {
    const row = this.#best!;
    this.#best = undefined;
    this.#drop(row);
    if (!isKeyed(row.instance)) return;
    this.#touched.add(row.instance.queueKey);
    const follower = this.#state.tables.waiting.firstOfQueue(row.instance, true);
    if (!follower) return;
    const place = this.#followers.findIndex((one) =>
      compareReady(readyKeyOf(follower), readyKeyOf(one)) < 0
    );
    this.#followers.splice(place < 0 ? this.#followers.length : place, 0, follower);
  }

  /** Leave each queue with its first row offered, or delayed until its rate opens. */
  end(): void {
    const { queues } = this.#state;
    const stamp = this.#gate.stampOf(this.#kind);
    for (const { queueKey, until } of this.#blocked) {
      this.#touched.delete(queueKey);
      queues.delay({ kind: this.#kind, queueKey, until, stamp });
    }
    for (const queueKey of this.#touched) queues.settle({ kind: this.#kind, queueKey });
  }

  #first(): Row | null {
    if (this.#next === this.#rows.length && !this.#isWhole) this.#read();
    const row = this.#rows[this.#next] ?? null;
    const follower = this.#followers[0];
    if (!follower) return row;
    return row && compareReady(readyKeyOf(row), readyKeyOf(follower)) < 0 ? row : follower;
  }

  #drop(row: Row): void {
    if (this.#followers[0] === row) this.#followers.shift();
    else this.#next += 1;
  }

  #read(): void {
    this.#rows = this.#state.tables.waiting.ready(this.#kind, this.#size, this.#last);
    this.#next = 0;
    this.#isWhole = this.#rows.length < this.#size;
    this.#size = Math.min(this.#size * 2, READ_ROWS_MAX);
    const last = this.#rows.at(-1);
    if (last) this.#last = readyKeyOf(last);
  }
}
