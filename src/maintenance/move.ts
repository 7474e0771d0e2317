import { countText } from "../core/text/count_text.ts";
import { JobError } from "../core/errors.ts";
import { sleep } from "../platform/clock.ts";
import { configOf, type MovedTo, placeOf } from "../core/settings/store_address.ts";
import type { StoreMark } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { checkSignal, type Content, contentOf } from "./content.ts";
import { copyRecords, type Pass } from "./copy.ts";
import type { StoreStep, StoreWorkContext } from "./step.ts";

/** Most passes while jobs run. Changes that come faster than copies are left for the cut. */
const PASSES_MAX = 6;
/** Copying while jobs run stops when a pass finds at most this many changes. */
const CHANGES_LEFT = 200;
/** Validity of a draining mark unless renewed, in ms: the mover may have died. */
const DRAINING_MS = 30_000;
const POLL_MS = 100;
/** Interval between progress reports. */
const REPORT_MS = 1_000;

/** Moves everything in a store to another one, which then replaces it. */
export class Move {
  readonly #context: StoreWorkContext;
  readonly #source: Store;
  readonly #target: Store;
  readonly #place: MovedTo;
  /** Identifies this move on the target: of two moves, the later one continues. */
  readonly #id: string;
  readonly #steps: StoreStep[] = [];
  #release: (() => void) | null = null;
  /** True once this move has marked the target, and so owns the source's mark. */
  #isBegun = false;
  /** True once the copy was verified: from then on the target is in use, even after errors. */
  #isSettled = false;

  constructor(
    context: StoreWorkContext,
    work: { readonly to: string; readonly prefix: string | null },
  ) {
    const { store, url: to, prefix } = context.openTarget(work.to, work.prefix);
    this.#context = context;
    this.#source = context.store;
    this.#target = store;
    this.#place = prefix === undefined ? { to } : { to, prefix };
    this.#id = Buffer.from(context.random.bytes(8)).toString("hex");
  }

  /** The last step is the report. If the move fails before its end, the source stays in use. */
  async *run(): AsyncGenerator<StoreStep> {
    const { clock, node } = this.#context;
    const info = await this.#target.open({ at: clock.now(), node, isMaintenance: true });
    try {
      if (info.storeId === this.#context.info.storeId) {
        throw this.#conflict("it is the same store");
      }
      if (await this.#isDone()) {
        this.#isSettled = true;
        yield { type: "report", report: { ...this.#place, is_repeated: true } };
        return;
      }
      yield* this.#begin();
      yield* this.#copyWhileOthersWrite();
      yield* this.#cut();
      yield { type: "report", report: yield* this.#finish() };
    } finally {
      await this.#giveUp();
      await this.#target.close();
    }
  }

  get #from(): string {
    return `store ${this.#context.info.storeId}`;
  }

  get #name(): string {
    return placeOf(this.#place);
  }

  /** True if an earlier move finished. @throws JobError `conflict` if its target is now empty */
  async #isDone(): Promise<boolean> {
    const mark = await this.#source.records.getMark();
    if (mark?.type !== "moved" || placeOf(mark) !== this.#name) return false;
    if ((await this.#target.records.getMark()) !== null) return false;
    if (await isEmpty(this.#target) && !(await isEmpty(this.#source))) {
      throw this.#conflict(
        "it was moved there before, and that store is empty now",
        "Recover the data of the new store; or to use this older copy: jobctl store migrate --undo",
      );
    }
    return true;
  }

  async *#begin(): AsyncGenerator<StoreStep> {
    await this.#checkSource();
    const there = await this.#target.records.getMark();
    if (there?.type === "receiving" && there.from === this.#from) {
      yield progress("Continuing the interrupted move");
    } else {
      if (there !== null) throw this.#unusable(there);
      await checkEmpty(this.#target, this.#name);
    }
    await this.#mark(this.#target, { type: "receiving", from: this.#from, by: this.#id });
    this.#isBegun = true;
  }

  /** @throws JobError `conflict` if the source is moving, or has moved, to another place */
  async #checkSource(): Promise<StoreMark | null> {
    const mark = await this.#source.records.getMark();
    if (mark === null) return null;
    if (mark.type === "receiving") {
      throw this.#conflict(
        `it is being filled from ${mark.from}`,
        "Run the command that fills it again: it continues where it stopped",
      );
    }
    if (placeOf(mark) !== this.#name) throw this.#movedElsewhere(mark);
    return mark;
  }

  /** @throws JobError `conflict` if another move fills the target, or did */
  async #checkTarget(): Promise<void> {
    const mark = await this.#target.records.getMark();
    if (mark?.type === "receiving" && mark.by === this.#id) return;
    throw this.#conflict(
      "another move is running",
      "Wait for that one; if it was interrupted, run the command again",
    );
  }

  async *#copyWhileOthersWrite(): AsyncGenerator<StoreStep> {
    for (let count = 1; count <= PASSES_MAX; count++) {
      const pass = yield* this.#pass(`pass ${count}`, this.#context.signal);
      if (pass.written + pass.removed <= CHANGES_LEFT) return;
    }
  }

  async *#pass(name: string, signal?: AbortSignal): AsyncGenerator<StoreStep, Pass> {
    const { clock } = this.#context;
    const steps = this.#steps;
    const pass = copyRecords(this.#source.records, this.#target.records, {
      now: () => clock.now(),
      signal,
      read: (count) => void (steps[0] = progress(`${name}: ${count} records read`)),
      beforeWrite: () => this.#checkTarget(),
    });
    const done = yield* this.#whileWorking(pass);
    const { read, written, removed } = done;
    yield progress(`${name}: ${read} records read, ${written} written, ${removed} removed`);
    return done;
  }

  /** Report the latest progress about once a second until `work` ends. */
  async *#whileWorking<T>(work: Promise<T>): AsyncGenerator<StoreStep, T> {
    const done = new AbortController();
    work.then(() => done.abort(), () => done.abort());
    while (!done.signal.aborted) {
      await sleep(this.#context.clock, REPORT_MS, done.signal);
      const step = this.#steps.pop();
      if (step && !done.signal.aborted) yield step;
    }
    this.#steps.length = 0;
    return await work;
  }

  /** From here to the end nothing new begins on the source. */
  async *#cut(): AsyncGenerator<StoreStep> {
    const mark = await this.#checkSource();
    if (mark?.type !== "moved") {
      yield progress("Cut-over: accepting nothing new; waiting for running attempts to end");
      await this.#drain();
      const suspended = this.#whileDraining(this.#context.suspend());
      this.#release = yield* this.#whileWorking(suspended);
      yield* this.#whileWorking(this.#whileDraining(this.#othersEnded()));
      checkSignal(this.#context.signal);
      await this.#checkTarget();
      await this.#checkSource();
      await this.#mark(this.#source, { type: "moved", ...this.#place });
    } else {
      this.#release = await this.#context.suspend();
    }
    yield* this.#pass("last pass");
  }

  async #drain(): Promise<void> {
    const until = this.#context.clock.now().wallMs + DRAINING_MS;
    await this.#mark(this.#source, { type: "draining", ...this.#place, until });
  }

  /** Renew the mark of draining until `work` ends. */
  async #whileDraining<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController();
    work.then(() => done.abort(), () => done.abort());
    for (;;) {
      await sleep(this.#context.clock, DRAINING_MS / 3, done.signal);
      if (done.signal.aborted) return await work;
      await this.#drain();
    }
  }

  /** Wait until attempts of other nodes have settled or lost their leases, up to `drainMs`. */
  async #othersEnded(): Promise<void> {
    const { clock, drainMs, signal } = this.#context;
    const endMs = clock.now().monotonicMs + drainMs;
    for (;;) {
      checkSignal(signal);
      const { kinds } = await this.#source.stats();
      const running = [...kinds.values()].reduce((sum, { processing }) => sum + processing, 0);
      if (running === 0) return;
      await this.#source.reap({ at: clock.now(), limit: 100 });
      if (clock.now().monotonicMs > endMs) {
        throw new JobError(
          "conflict",
          `Cannot move the store: ${
            countText(running, "attempt still runs", "attempts still run")
          }`,
          { hint: "Wait for them, cancel them, or stop their daemons; then run the command again" },
        );
      }
      await sleep(clock, POLL_MS, signal);
    }
  }

  async *#finish(): AsyncGenerator<StoreStep, Readonly<Record<string, unknown>>> {
    yield progress("Comparing both sides");
    const source = yield* this.#whileWorking(this.#contentOf(this.#source, "source"));
    const target = yield* this.#whileWorking(this.#contentOf(this.#target, "target"));
    if (source.hash !== target.hash) {
      throw new JobError(
        "internal",
        `Cannot move the store: its copy differs (${textOf(source)}; copy ${textOf(target)})`,
        { hint: "The old store stays in use; run the command again" },
      );
    }
    await this.#checkTarget();
    if ((await this.#checkSource())?.type !== "moved") {
      throw this.#conflict("it was taken into use again", "Run the command again");
    }
    this.#isSettled = true;
    const head = (await this.#source.records.readRecords({ after: null, limit: 1 })).records;
    await this.#target.records.writeRecords({ at: this.#context.clock.now(), records: head });
    await this.#mark(this.#target, null);
    return { from: this.#context.info.location, ...this.#place, source, target };
  }

  #contentOf(store: Store, name: string): Promise<Content> {
    return contentOf(store.records, (count) => {
      this.#steps[0] = progress(`${name}: ${count} records compared`);
    });
  }

  /** Keep the source in use, unless the target is in use or another move has taken over. */
  async #giveUp(): Promise<void> {
    if (this.#isSettled) return;
    try {
      if (!this.#isBegun || await this.#isTakenOver()) return;
      const mark = await this.#source.records.getMark();
      if (mark === null || mark.type === "receiving") return;
      if (placeOf(mark) === this.#name) await this.#mark(this.#source, null);
    } finally {
      this.#release?.();
    }
  }

  async #isTakenOver(): Promise<boolean> {
    // An unreachable target cannot have been taken over.
    const there = await this.#target.records.getMark().catch(() => undefined);
    return there !== undefined && !(there?.type === "receiving" && there.by === this.#id);
  }

  #conflict(found: string, hint?: string): JobError {
    return new JobError("conflict", `Cannot move the store to ${this.#name}: ${found}`, { hint });
  }

  #movedElsewhere(mark: StoreMark & MovedTo): JobError {
    if (mark.type !== "moved") {
      return this.#conflict(
        `it is already moving to ${placeOf(mark)}`,
        "Wait until that has ended",
      );
    }
    const undo = "to use this older copy: jobctl store migrate --undo";
    return this.#conflict(
      `it has already moved to ${placeOf(mark)}`,
      `Write ${configOf(mark)}, restart, and move that one; ${undo}`,
    );
  }

  /** The target has a mark that keeps it from being filled. */
  #unusable(mark: StoreMark): JobError {
    if (mark.type === "receiving") {
      return this.#conflict(
        `it is being filled from ${mark.from}`,
        "Name another store, or finish that first",
      );
    }
    return this.#conflict(
      `it is an older copy, whose data moved to ${placeOf(mark)}`,
      "Name an empty store: a new file, or another --prefix; an older copy is never overwritten",
    );
  }

  async #mark(store: Store, mark: StoreMark | null): Promise<void> {
    await store.records.setMark({ at: this.#context.clock.now(), mark });
  }
}

async function isEmpty(store: Store): Promise<boolean> {
  const { records } = await store.records.readRecords({ after: { type: "head" }, limit: 1 });
  return records.length === 0;
}

/** @throws JobError `conflict` if a store is not empty */
export async function checkEmpty(store: Store, name: string): Promise<void> {
  if (await isEmpty(store)) return;
  const { kinds, schedules } = await store.stats();
  const count = [...kinds.values()].flatMap((states) => Object.values(states))
    .reduce((sum, one) => sum + one, 0);
  throw new JobError(
    "conflict",
    `Cannot fill ${name}: it has ${countText(count, "instance")} and ${
      countText(schedules, "schedule")
    }`,
    { hint: "Name an empty store, or another prefix on the same server" },
  );
}

function progress(text: string): StoreStep {
  return { type: "progress", text };
}

function textOf({ counts, hash }: Content): string {
  const parts = Object.entries(counts).map(([type, count]) => `${count} ${type}`);
  return `${parts.join(", ")}, hash ${hash.slice(0, 12)}`;
}
