import assert from "node:assert/strict";
import type { ClaimLimits } from "../../src/core/job/limits.ts";
import type { HistoryEntry, Instance } from "../../src/core/instance.ts";
import type { Instant } from "../../src/platform/clock.ts";
import type { StoreProblem } from "../../src/store/records.ts";
import type { ChangeHint, ClaimRequest, Page, PageRequest, Store } from "../../src/store/store.ts";
import { changeTimes, claimableNow } from "./model_limits.ts";
import { TICK_MS } from "./model_rules.ts";
import { limitsOf, type Step } from "./model_turns.ts";
import { matches, type ModelFate, type StoreModel } from "./store_model.ts";

/** Lease of claims. */
export const LEASE_MS = 15_000;

/** The claims of a node. */
export type Claimer = Omit<ClaimRequest, "at"> & { readonly limits: ClaimLimits };

/** When a node would claim, by its last claim and the hints since. */
interface Watcher {
  claimer: Claimer;
  limitsNumber: number;
  /** Monotonic. */
  wakeMs: number;
  /** True if its last claim returned everything, and nothing happened since. */
  isDone: boolean;
}

/** A store with its claiming nodes. They sleep until a hint, so every change must send one. */
export class WatchedStore {
  readonly store: Store;
  rev = 0;
  #now: Instant = { wallMs: 0, monotonicMs: 0 };
  readonly #watchers = new Map<string, Watcher>();

  constructor(store: Store) {
    this.store = store;
  }

  /** Open it. @returns the instances taken back */
  async open(at: Instant): Promise<readonly Instance[]> {
    this.#now = at;
    const { recovered } = await this.store.open({ at, node: "n1" });
    this.store.subscribe((hint) => this.#hinted(hint));
    return recovered;
  }

  close(): Promise<void> {
    return this.store.close();
  }

  /** Problems found by the store's own check. */
  problems(): Promise<readonly StoreProblem[]> {
    return this.store.records.findProblems({ limit: 10 });
  }

  /** The claim of a step; its objects stay the same while they do not change. */
  claimerOf(step: Step & { readonly type: "claim" }, at: Instant): Claimer {
    this.#now = at;
    const { node, kinds, limits: limitsNumber, limit } = step;
    const there = this.#watchers.get(node);
    const isSame = there?.limitsNumber === limitsNumber;
    const limits = isSame ? there.claimer.limits : limitsOf(limitsNumber);
    const claimer = { node, kinds: new Set(kinds), limits, limit, leaseMs: LEASE_MS };
    this.#watchers.set(node, { claimer, limitsNumber, wakeMs: -Infinity, isDone: false });
    return claimer;
  }

  /** A step has a result: the nodes react. */
  answered(step: Step, value: unknown): void {
    for (const watcher of this.#watchers.values()) watcher.isDone = false;
    const watcher = "node" in step ? this.#watchers.get(step.node) : undefined;
    if (!watcher) return;
    const taken = value as readonly unknown[];
    if (step.type === "claim") watcher.isDone = taken.length < step.limit;
    // A worker is free again, or instances were taken back, so the node claims.
    else if (step.type === "settle" || (step.type === "reap" && taken.length > 0)) {
      watcher.wakeMs = -Infinity;
    }
  }

  #hinted(hint: ChangeHint): void {
    for (const watcher of this.#watchers.values()) {
      const { wallMs, monotonicMs } = this.#now;
      if (hint.type === "pauses") watcher.wakeMs = -Infinity;
      else if (hint.type === "instances") {
        watcher.wakeMs = Math.min(watcher.wakeMs, monotonicMs + hint.dueAt - wallMs);
      }
    }
  }

  /** Compare all reads with the model, and what the nodes know with what they could do. */
  async check(model: StoreModel, now: Instant): Promise<void> {
    this.#now = now;
    const { store } = this;
    const instances = model.rows.map(({ instance }) => instance);
    const read = (limit: number, order: PageRequest["order"]) =>
      readAll((page) => store.list({}, { ...page, limit, order }));
    assert.deepEqual(await read(1_000, "oldest"), instances, "list");
    assert.deepEqual(await read(7, "newest"), instances.toReversed(), "list in pages");
    const history = await readAll<HistoryEntry>((page) => store.history({}, page));
    assert.deepEqual(history, model.rows.flatMap((row) => row.history), "history");
    const { kinds, schedules } = await store.stats();
    assert.deepEqual(kinds, model.counts(), "stats");
    assert.equal(schedules, model.schedules.size, "stats of schedules");
    await this.#checkSchedules(model);
    for (const watcher of this.#watchers.values()) await this.#checkWatcher(watcher, model);
  }

  /** Compare the pages of a query, in both orders, and its history. */
  async checkList(model: StoreModel, step: Step & { readonly type: "list" }): Promise<void> {
    const { query, limit } = step;
    const expected = model.rows.filter(({ instance }) => matches(instance, query));
    const instances = expected.map(({ instance }) => instance);
    for (const order of ["oldest", "newest"] as const) {
      const found = await readAll((page) => this.store.list(query, { ...page, limit, order }));
      const wanted = order === "oldest" ? instances : instances.toReversed();
      assert.deepEqual(found, wanted, `list ${order} by ${JSON.stringify(query)}`);
    }
    const { after = -Infinity, before = Infinity, kinds: [kind] = [] } = query;
    const entries = model.rows.flatMap(({ history }) => history).filter((entry) =>
      (kind === undefined || entry.kind === kind) && entry.at >= after && entry.at < before
    );
    const asked = { after: query.after, before: query.before, kind };
    const given = Object.fromEntries(
      Object.entries(asked).filter(([, value]) => value !== undefined),
    );
    const history = await readAll((page) => this.store.history(given, { ...page, limit }));
    assert.deepEqual(history, entries, `history by ${JSON.stringify(given)}`);
    for (const { instance } of expected.slice(0, 3)) {
      assert.deepEqual(await this.store.get(instance.id), instance, "get");
      const part = instance.id.slice(-5);
      const found = await this.store.findIds({ part, limit: 1_000 });
      const wanted = model.rows.map((row) => row.instance.id).filter((id) => id.includes(part));
      assert.deepEqual(found.toSorted(), wanted.toSorted(), `ids with "${part}"`);
    }
  }

  async #checkSchedules(model: StoreModel): Promise<void> {
    const { store } = this;
    const records = await readAll((page) => store.listSchedules({}, page));
    const expected = [...model.schedules.values()].sort((left, right) =>
      left.id < right.id ? -1 : 1
    );
    assert.deepEqual(records, expected, "schedules");
    const due = await store.dueSchedules({ at: this.#now, limit: 1_000 });
    const late = expected.filter(({ nextAt }) => nextAt !== null && nextAt <= this.#now.wallMs);
    assert.deepEqual(due.map(({ id }) => id).sort(), late.map(({ id }) => id), "due schedules");
    for (const [scheduleId, fates] of model.fates) {
      const found: [number, ModelFate][] = [];
      for (const one of await readAll((page) => store.listFates({ scheduleId }, page))) {
        const { from, to, count, fate, reason, instanceId } = one;
        assert.equal(count, (to - from) / TICK_MS + 1, `ticks from ${from} to ${to}`);
        for (let tick = from; tick <= to; tick += TICK_MS) {
          found.push([tick, { fate, reason, instanceId }]);
        }
      }
      const wanted = [...fates].sort(([left], [right]) => left - right);
      assert.deepEqual(found, wanted, `fates of ${scheduleId}`);
    }
    // Whether a pause has expired depends on the clock of the last request that wrote.
    const isNow = ({ until }: { readonly until: number | null }) =>
      until === null || until > Math.max(model.wallMs, model.at);
    const byKind = new Map((await store.listPauses()).filter(isNow).map((one) => [one.kind, one]));
    const pauses = [...model.pauses].filter(([, pause]) => isNow(pause));
    assert.deepEqual(byKind, new Map(pauses), "pauses");
  }

  async #checkWatcher(watcher: Watcher, model: StoreModel): Promise<void> {
    const { claimer, isDone } = watcher;
    const { wallMs, monotonicMs } = this.#now;
    const request = { ...claimer, at: this.#now };
    const { instanceAt, scheduleAt } = await this.store.nextDue(request);
    const nextAts = [...model.schedules.values()].map(({ nextAt }) => nextAt ?? Infinity);
    assert.equal(scheduleAt ?? Infinity, Math.min(...nextAts, Infinity), "when a schedule is due");
    const dueAt = instanceAt ?? Infinity;
    const isLate = model.hasLate(wallMs);
    if (isDone && !isLate) {
      assert.ok(dueAt > wallMs, `a claim gave all there was, and is told to come at ${dueAt}`);
    }
    if (isDone) watcher.wakeMs = monotonicMs + dueAt - wallMs;
    watcher.isDone = false;
    const [first] = isLate ? [] : claimableNow(model, claimer, wallMs);
    if (first) {
      const what = `instance ${first.instance.id} can be claimed by ${claimer.node}`;
      assert.ok(dueAt <= wallMs, `${what}, and is told to be due at ${dueAt}`);
      assert.ok(watcher.wakeMs <= monotonicMs, `${what}, and nobody told it`);
    }
    for (const time of changeTimes(model, claimer, wallMs)) {
      if (time >= dueAt || model.hasLate(time)) break;
      const [later] = claimableNow(model, claimer, time);
      const what = `what ${claimer.node} can claim at ${time}, before ${dueAt}`;
      assert.equal(later?.instance.id, undefined, what);
    }
    for (const { instance: { id }, isHeld, isSeenDue } of model.rows) {
      if (isHeld || !isSeenDue) continue;
      const block = await this.store.blockOf({ ...request, id });
      const expected = model.blockOf(id, claimer.node, claimer.limits);
      assert.equal(block === null, expected === null, `what blocks ${id} for ${claimer.node}`);
    }
  }
}

async function readAll<T>(
  read: (page: PageRequest) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const items: T[] = [];
  let token: string | undefined;
  do {
    const page = { limit: 1_000, order: "oldest" as const };
    const { items: more, nextToken } = await read(token === undefined ? page : { ...page, token });
    items.push(...more);
    token = nextToken ?? undefined;
  } while (token !== undefined);
  return items;
}
