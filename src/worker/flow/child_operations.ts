import { createHash } from "node:crypto";
import { isJobError, JobError } from "../../core/errors.ts";
import type { ChildrenCall, FlowMethod, RecordPage } from "../../core/flow/flow_calls.ts";
import type {
  CallAllOptions,
  ChildCounts,
  ChildOutcome,
  ChildResults,
} from "../../core/flow/flow_context.ts";
import { StepError, type StepFailure } from "../../core/flow/step_error.ts";
import { type ChildrenEnd, madeKey, type Wait } from "../../core/wait.ts";
import type { Flow } from "./flow.ts";
import { Awaited } from "./operations.ts";
import type { OpenName, StepNames } from "./step_names.ts";
import { type ChildRecord, failureOfChild, orderKey, resultOfChild } from "./step_records.ts";

/** Errors of a node that accepts no children now, and the time before the next try. */
const AWAY: readonly string[] = ["unavailable", "timeout"];
const AGAIN_MS = 1_000;

/** A request to accept children. */
type ChildrenRequest = readonly [method: FlowMethod, args: readonly unknown[]];

/** The common part of calls: a node accepts their children, once. */
abstract class Calling<Value> extends Awaited<Value> {
  readonly kind: string;
  #state: "new" | "calling" | "called" = "new";
  #againAt = -Infinity;

  constructor(flow: Flow, names: StepNames, open: OpenName, kind: string) {
    super(flow, names, open);
    this.kind = kind;
  }

  protected override get outcomeOrder(): number | null {
    return this.flow.orderOf(this.key);
  }

  protected abstract get request(): ChildrenRequest;
  protected abstract get wait(): Wait;

  /** Repeated in each run until the children have ended. @returns true while it runs */
  protected accept(nowMs: number): boolean {
    if (this.#state === "called" || nowMs < this.#againAt) return false;
    if (this.#state === "new") {
      this.#state = "calling";
      void this.#request();
    }
    return true;
  }

  waits(): readonly Wait[] {
    if (this.#state === "called" || this.#againAt === -Infinity) return [this.wait];
    return [{ key: null, type: "time", name: this.kind, until: this.#againAt }];
  }

  async #request(): Promise<void> {
    try {
      await this.flow.writeSeen();
      await this.flow.host.call(...this.request);
      this.#state = "called";
    } catch (error) {
      if (isJobError(error, "stale_fence")) return this.flow.abort(error);
      if (!isJobError(error) || !AWAY.includes(error.code)) return this.fail(error);
      // A failure that job code saw would be another outcome in the next run.
      this.#state = "new";
      this.#againAt = this.nowMs + AGAIN_MS;
    }
    this.flow.poke();
  }
}

/** One child. */
export class CallOperation extends Calling<unknown> {
  readonly #args: readonly unknown[];

  constructor(
    flow: Flow,
    names: StepNames,
    open: OpenName,
    { kind, args }: { readonly kind: string; readonly args: readonly unknown[] },
  ) {
    super(flow, names, open, kind);
    this.#args = args;
  }

  get #child(): ChildRecord | undefined {
    return this.flow.record<ChildRecord>(this.key);
  }

  protected replay(): void {
    const child = this.#child!;
    if (child.state === "completed") return this.succeed(resultOfChild(child));
    this.fail(new StepError(this.kind, failureOfChild(child), { childId: child.id }));
  }

  override run(nowMs: number): boolean {
    return this.#child === undefined && this.accept(nowMs);
  }

  satisfiedAt(): number | null {
    return this.#child?.at ?? null;
  }

  conclude(order: number): void {
    this.flow.keep({ key: orderKey(this.key), data: { order } });
    this.replay();
  }

  protected get request(): ChildrenRequest {
    return ["flow.call", [this.key, this.kind, this.#args]];
  }

  protected get wait(): Wait {
    return { key: this.key, type: "child", name: this.kind, until: null };
  }
}

/** A call of several children. */
export interface ChildrenOf {
  readonly kind: string;
  readonly args: readonly (readonly unknown[])[];
  readonly onFailure: NonNullable<CallAllOptions["onFailure"]>;
  readonly inFlight: number | undefined;
  readonly failuresMax: number | undefined;
  readonly results: boolean;
}

/** The failure of a child that its parent gets. */
interface ChildFailure {
  readonly childId: string;
  readonly failure: StepFailure;
}

/** The order record of a call of several children. */
interface ChildrenOrder {
  readonly order: number;
  /** Absent if it is not thrown. */
  readonly failed?: ChildFailure;
}

/** Several children. */
export class CallAllOperation extends Calling<ChildCounts> {
  readonly #call: ChildrenOf;
  /** The failure to throw; null while it is read. */
  #failed: ChildFailure | null | undefined;

  constructor(flow: Flow, names: StepNames, open: OpenName, call: ChildrenOf) {
    super(flow, names, open, call.kind);
    this.#call = call;
  }

  get #end(): ChildrenEnd | undefined {
    return this.flow.record(this.key);
  }

  protected replay(): void {
    const { failed } = this.flow.record<ChildrenOrder>(orderKey(this.key))!;
    if (failed !== undefined) {
      const { failure, childId } = failed;
      return this.fail(new StepError(this.kind, failure, { childId }));
    }
    const total = this.#call.args.length;
    const failures = this.#end?.failed ?? 0;
    this.succeed({ completed: total - failures, failed: failures });
  }

  override run(nowMs: number): boolean {
    if (this.#call.args.length === 0) return false;
    if (this.#end !== undefined) return this.#readFailure(this.#end);
    return this.flow.record(madeKey(this.key)) === undefined && this.accept(nowMs);
  }

  satisfiedAt(): number | null {
    return this.#call.args.length === 0 ? 0 : this.#end?.at ?? null;
  }

  conclude(order: number): void {
    const failed = this.#failed ?? undefined;
    const data: ChildrenOrder = { order, ...(failed ? { failed } : {}) };
    this.flow.keep({ key: orderKey(this.key), data });
    if (failed !== undefined && this.#end!.open > 0) return void this.#cancel();
    this.replay();
  }

  protected get wait(): Wait {
    return { key: this.key, type: "children", name: this.kind, until: null };
  }

  /** The results of its children, once all have ended. */
  async *results(): AsyncGenerator<unknown> {
    if (this.#call.args.length === 0) return;
    const read = this.#call.onFailure === "collect" ? outcomeOf : resultOfChild;
    for await (const child of childrenOf(this.flow, this.key)) yield read(child);
  }

  protected get request(): ChildrenRequest {
    const { kind, args, onFailure, inFlight = null, failuresMax = null, results } = this.#call;
    const isFast = onFailure === "cancel";
    const isBare = !results;
    const call: ChildrenCall = { key: this.key, kind, args, isFast, failuresMax, inFlight, isBare };
    return ["flow.callAll", [call]];
  }

  /** Read the failure that is to be thrown, if any. @returns true until it is known */
  #readFailure({ failed, by }: ChildrenEnd): boolean {
    const { onFailure, failuresMax = Infinity } = this.#call;
    const isThrown = failed > (onFailure === "collect" ? failuresMax : 0);
    if (!isThrown || this.#failed) return false;
    if (this.#failed === undefined) {
      this.#failed = null;
      void this.#findFailure(onFailure === "drain" ? null : by);
    }
    return true;
  }

  /** @param id null for the first child that failed, by its place */
  async #findFailure(id: string | null): Promise<void> {
    for await (const child of childrenOf(this.flow, this.key)) {
      if (child.state === "completed" || (id !== null && child.id !== id)) continue;
      this.#failed = { childId: child.id, failure: failureOfChild(child) };
      return this.flow.poke();
    }
    // Job code can forge any record of its own instance.
    this.fail(new JobError("internal", `Cannot find the child that failed, of ${this.key}`));
  }

  async #cancel(): Promise<void> {
    await this.flow.reading(this.flow.host.call("flow.cancel", [this.key]));
    this.replay();
  }
}

/** Outcomes of several children, in the order of their places: read when they are needed. */
async function* childrenOf(flow: Flow, key: string): AsyncGenerator<ChildRecord> {
  let after: string | null = null;
  do {
    const read = flow.host.call("flow.children", [key, after]) as Promise<RecordPage>;
    const page: RecordPage = await flow.reading(read);
    for (const [, data] of page.records) yield JSON.parse(data) as ChildRecord;
    after = page.after;
  } while (after !== null);
}

/** The results of several children: a promise of all, or one by one. */
export class ChildrenResults implements ChildResults<unknown> {
  readonly [Symbol.toStringTag] = "ChildResults";
  readonly #ended: Promise<ChildCounts>;
  readonly #operation: CallAllOperation | null;
  #all: Promise<readonly unknown[]> | null = null;

  /** @param operation null if the call was refused */
  constructor(ended: Promise<ChildCounts>, operation: CallAllOperation | null) {
    this.#ended = ended;
    this.#operation = operation;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    await this.#ended;
    yield* this.#operation!.results();
  }

  readonly then: ChildResults<unknown>["then"] = (fulfilled, rejected) =>
    this.#list.then(fulfilled, rejected);
  readonly catch: ChildResults<unknown>["catch"] = (rejected) => this.#list.catch(rejected);
  readonly finally: ChildResults<unknown>["finally"] = (settled) => this.#list.finally(settled);

  get #list(): Promise<readonly unknown[]> {
    return this.#all ??= this.#read();
  }

  async #read(): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    for await (const one of this) all.push(one);
    return all;
  }
}

function outcomeOf(child: ChildRecord): ChildOutcome<unknown> {
  const { id: childId, state } = child;
  if (state === "completed") return { ok: true, childId, value: resultOfChild(child) };
  const { name, message } = failureOfChild(child);
  return { ok: false, childId, state, error: { name, message } };
}

/** A text that stands for arguments in a key. */
export function digestOf(args: unknown): string {
  return createHash("sha256").update(JSON.stringify(args) ?? "").digest("hex").slice(0, 16);
}
