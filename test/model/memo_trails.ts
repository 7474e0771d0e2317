import assert from "node:assert/strict";
import { plainInstance } from "../../src/conformance/world/plain_instance.ts";
import { isJobError } from "../../src/core/errors.ts";
import type { Instance } from "../../src/core/instance.ts";
import type { ScheduleRecord } from "../../src/core/time/schedule.ts";
import type { Instant } from "../../src/platform/clock.ts";
import type { Random } from "../../src/platform/random.ts";
import {
  type Memo,
  type NewInstance,
  type News,
  NEWS_KIND,
  type Settlement,
  type Store,
} from "../../src/store/store.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { START } from "./draw_turns.ts";
import { MemoModel } from "./memo_model.ts";
import { canReopen, type Fixture, fixtureOf, type ModelledStore } from "./model_run.ts";

const LEASE_MS = 15_000;
const KINDS = ["a", "ä"] as const;
const KEYS = ["job:a", "job:ä", "watcher:1", "watcher:2", "z"] as const;
const SCHEDULE = "config:a:0";

/** A request of one turn; its result is compared with that of the model. */
interface Request {
  readonly sent: Promise<unknown>;
  /** Called in order if the medium did not fail; undefined for a conflict. */
  readonly expect: (result: unknown) => unknown;
}

/**
 * Run a trail of requests about memos, ends and ticks on a store and on the model.
 *
 * @throws AssertionError if they differ
 */
export async function runMemoTrail(type: ModelledStore, seed: number, turns: number) {
  const fixture = await fixtureOf(type);
  const trail = new Trail(type, fixture, seededRandom(seed));
  try {
    await trail.open();
    for (let turn = 0; turn < turns; turn++) await trail.turn();
    await trail.end();
  } finally {
    await trail.store.close().catch(() => {});
    fixture.end();
  }
}

class Trail {
  readonly model = new MemoModel();
  store: Store;
  readonly #type: ModelledStore;
  readonly #fixture: Fixture;
  readonly #random: Random;
  #now: Instant = { wallMs: START, monotonicMs: 1_000 };
  #count = 0;
  #cursor = START;
  #running: Instance[] = [];

  constructor(type: ModelledStore, fixture: Fixture, random: Random) {
    this.#type = type;
    this.#fixture = fixture;
    this.#random = random;
    this.#fixture.setTime?.(this.#now);
    this.store = fixture.open();
  }

  async open(): Promise<void> {
    await this.store.open({ at: this.#now, node: "n1" });
    const record: ScheduleRecord = {
      ...{ id: SCHEDULE, kind: "a", origin: "config" as const, specHash: "", generation: 1 },
      ...{ cursor: START, startAt: START, nextAt: null, argumentsJson: "[]", priority: null },
      ...{ timeoutMs: null, retryMax: null, createdAt: START, updatedAt: START },
      spec: {
        ...{
          cron: null,
          everyMs: 1,
          timezone: "UTC",
          overlap: "skip" as const,
          misfire: "all" as const,
        },
        ...{ misfireWithinMs: 1_000, jitterMs: 0 },
      },
    };
    await this.store.putSchedule({ at: this.#now, record, expectedGeneration: null });
  }

  async turn(): Promise<void> {
    this.#pass(this.#pick([0, 1, 50]));
    const alone = this.#below(10);
    if (alone === 0) await this.#reap();
    else if (alone === 1) await this.#reopen();
    else if (alone < 5) await this.#start();
    else {
      const requests = Array.from({ length: 1 + this.#below(4) }, () => this.#request());
      await this.#send(requests);
    }
    await this.#check();
  }

  /** Compare with a store that loads everything, if there is one. */
  async end(): Promise<void> {
    const loaded = await this.#fixture.reload?.();
    if (!loaded) return;
    this.store = loaded;
    await this.#check();
  }

  async #send(requests: readonly Request[]): Promise<void> {
    const { faults } = this.#fixture;
    const fails = this.#below(10) === 0 ? this.#pick(["commit", "write"] as const) : null;
    Object.assign(faults, { fails, hasFailed: false });
    const outcomes = await Promise.allSettled(requests.map(({ sent }) => sent));
    faults.fails = null;
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "rejected") {
        const code = isJobError(outcome.reason) ? outcome.reason.code : outcome.reason;
        if (faults.hasFailed) assert.equal(code, "unavailable");
        else if (code !== "conflict") throw outcome.reason;
        else assert.equal(requests[index]!.expect(undefined), undefined, "not a conflict");
      } else assert.deepEqual(requests[index]!.expect(outcome.value), outcome.value);
    }
  }

  #request(): Request {
    switch (this.#below(8)) {
      case 0:
      case 1:
        return this.#put();
      case 2:
        return this.#add();
      case 3:
        return this.#below(4) === 0 ? this.#remove() : this.#put();
      case 4:
        return this.#miss();
      case 5:
        return this.#cancel();
      default:
        return this.#settle();
    }
  }

  #put(): Request {
    const key = this.#pick(KEYS);
    const there = this.model.memos.get(key);
    const isStale = this.#below(8) === 0;
    const data = this.#pick(["", "{}", '"ü"']);
    const value = { watch: this.#pick(["failures", "ends", "never"] as const), data };
    const request = {
      key,
      expectedVersion: isStale ? this.#pick([null, 1, 7]) : there?.version ?? null,
      value: this.#below(6) === 0 ? null : value,
      isProcessed: this.#below(2) === 0,
      droppedNews: this.#below(3),
      instances: this.#below(4) === 0 ? [this.#newInstance({ kind: "b" })] : [],
    };
    const sent = this.store.putMemo({ at: this.#now, ...request });
    return {
      sent: valueOf(sent).then((memo) => memo && comparable(memo)),
      expect: (memo) => {
        const expected = this.model.put(request);
        return this.model.loose.has(key) ? memo : expected && comparable(expected);
      },
    };
  }

  #add(): Request {
    const count = this.#pick([0, 1, 1, 3, 90]);
    const news = Array.from({ length: count }, (): News => {
      const id = `n${this.#below(count === 90 ? 400 : 6)}`;
      return { id, event: "late", at: START, instanceId: null, detail: null };
    });
    const noticeId = this.#below(10) === 0 ? this.#pick([...this.model.ids, "x"]) : this.#id();
    const request = { key: this.#pick(KEYS), news, noticeId };
    const sent = this.store.addNews({ at: this.#now, ...request });
    return { sent: valueOf(sent), expect: () => this.model.add(request) };
  }

  #remove(): Request {
    const request = {
      prefix: this.#pick(["", "job:", "watcher:", "z"]),
      limit: this.#pick([1, 2, 9]),
    };
    const sent = this.store.removeMemos({ at: this.#now, ...request });
    return {
      sent: valueOf(sent),
      expect: () => this.model.remove(request.prefix, request.limit),
    };
  }

  #miss(): Request {
    const expectedCursor = this.#cursor;
    const cursor = expectedCursor + 1;
    this.#cursor = cursor;
    const fate = this.#pick(["missed", "missed", "coalesced"] as const);
    const fates = [{ from: cursor, to: cursor, count: 1, fate, reason: null, instanceId: null }];
    const advance = {
      ...{ scheduleId: SCHEDULE, generation: 1, expectedCursor, cursor, nextAt: null, fates },
      ...{ fires: [], overlap: "skip" as const },
    };
    const at = this.#now;
    const sent = valueOf(this.store.advance({ at, advances: [advance] })).then((results) => {
      return results[0]!.status;
    });
    return {
      sent,
      expect: (status) => {
        // A turn that failed leaves the cursor, so those after it conflict until it is read.
        if (status !== "advanced") return "conflict";
        if (fate === "missed") this.model.miss("a", SCHEDULE, cursor, at.wallMs);
        return "advanced";
      },
    };
  }

  #settle(): Request {
    const claimed = this.#running.splice(0, this.#pick([1, 2, 12]));
    const settlements = claimed.map(({ id, fence }): Settlement => {
      const outcome = this.#outcome();
      const message = { at: START, level: "info", message: "x", source: "job" } as const;
      return { id, fence, outcome, logs: this.#below(4) === 0 ? [message] : [] };
    });
    const sent = valueOf(this.store.settle({ at: this.#now, node: "n1", settlements }));
    // Which have ended is left to the other model.
    return {
      sent: sent.then((results) => results.map(({ instance }) => instance!)),
      expect: (instances) => {
        this.model.end(instances as readonly Instance[]);
        return instances;
      },
    };
  }

  #outcome(): Settlement["outcome"] {
    const error = { name: "Error", message: "boom" };
    const final = { type: "final", resultsJson: null, error: null, isFailure: false } as const;
    const done = { ...final, state: "completed", reason: "ok" } as const;
    return this.#pick<Settlement["outcome"]>([
      ...[done, done, done],
      { ...final, state: "terminated", reason: "discarded" },
      { ...final, state: "terminated", reason: "error", error, isFailure: true },
      { ...final, state: "timedOut", reason: "timeout", error, isFailure: true },
      { type: "retry", dueAt: START + 1e9, reason: "error", error },
      { type: "crash", dueAt: START + 1e9, error },
    ]);
  }

  #cancel(): Request {
    const ids = this.#running.slice(0, 1).map(({ id }) => id);
    const sent = valueOf(this.store.cancel({ at: this.#now, query: { ids }, limit: 1 }));
    return { sent: sent.then(() => null), expect: () => null };
  }

  /** Accept instances and claim them. */
  async #start(): Promise<void> {
    const kind = this.#pick([...KINDS, ...KINDS, NEWS_KIND]);
    const count = this.#pick([1, 2, 12]);
    const instances = Array.from({ length: count }, () => this.#newInstance({ kind }));
    await this.store.enqueue({ at: this.#now, instances });
    for (const { id } of instances) this.model.ids.add(id);
    if (kind === NEWS_KIND) return;
    const rest = { node: "n1", kinds: new Set([kind]), limit: 100, leaseMs: LEASE_MS };
    const { value } = await this.store.claim({ at: this.#now, ...rest });
    this.#running.push(...value);
  }

  async #reap(): Promise<void> {
    this.#pass(LEASE_MS);
    const { value } = await this.store.reap({ at: this.#now, limit: 1_000 });
    this.#running = [];
    this.model.end(value);
  }

  async #reopen(): Promise<void> {
    if (!canReopen(this.#type)) return;
    await this.store.close();
    this.store = this.#fixture.open();
    const { recovered } = await this.store.open({ at: this.#now, node: "n1" });
    this.#running = [];
    this.model.end(recovered);
  }

  async #check(): Promise<void> {
    const memos = await this.store.listMemos({ prefix: "", after: null, limit: 100 });
    for (const key of this.model.loose) {
      const memo = memos.find((one) => one.key === key);
      const there = this.model.memos.get(key);
      if (!memo || !there) continue;
      const sure = there.news.filter(({ event }) => event !== "completed");
      if (there.droppedNews === 0) {
        const found = new Set(memo.news.map(({ id }) => id));
        assert.ok(sure.every(({ id }) => found.has(id)), `news of ${key}`);
        const known = new Set(there.news.map(({ id }) => id));
        assert.ok(memo.news.every(({ id }) => known.has(id)), `news of ${key}`);
      } else assert.ok(memo.news.length === there.news.length, `news of ${key}`);
      const { version, droppedNews, news } = memo;
      this.model.memos.set(key, { ...there, version, droppedNews, news });
    }
    this.model.loose.clear();
    assert.deepEqual(
      memos.map(comparable),
      [...this.model.memos.values()].map(comparable).sort(
        (left, right) => left.key < right.key ? -1 : 1,
      ),
    );
    const page = { limit: 1_000, order: "oldest" } as const;
    const { items } = await this.store.list({ kinds: [NEWS_KIND] }, page);
    const notices = new Map<string, number>();
    for (const { argumentsJson } of items) {
      const [key] = JSON.parse(argumentsJson) as [string | undefined];
      if (key !== undefined) notices.set(key, (notices.get(key) ?? 0) + 1);
    }
    assert.deepEqual([...notices].sort(), [...this.model.notices].sort(), "notices by memo");
    this.#cursor = (await this.store.getSchedule(SCHEDULE))!.cursor;
    if (!this.#fixture.tables) {
      assert.deepEqual(await this.store.records.findProblems({ limit: 9 }), []);
    }
  }

  #pass(ms: number): void {
    this.#now = { wallMs: this.#now.wallMs + ms, monotonicMs: this.#now.monotonicMs + ms };
    this.#fixture.setTime?.(this.#now);
  }

  #id(): string {
    this.#count += 1;
    return `019b76da-a800-7000-8000-${this.#count.toString(16).padStart(12, "0")}`;
  }

  #newInstance(given: Partial<NewInstance>): NewInstance {
    return plainInstance({
      id: this.#id(),
      dueAt: this.#now.wallMs,
      keepSuccessMs: 1e9,
      keepFailureMs: 1e9,
      crashesMax: this.#below(2),
      ...given,
    });
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }
}

async function valueOf<T>(sent: Promise<{ readonly value: T }>): Promise<T> {
  return (await sent).value;
}

/** A memo without what is not promised: the order of what one operation ended. */
function comparable(memo: Memo): Memo {
  return { ...memo, news: memo.news.toSorted((left, right) => left.id < right.id ? -1 : 1) };
}
