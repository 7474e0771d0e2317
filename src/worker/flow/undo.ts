import type { StepCall } from "../../core/flow/flow_context.ts";
import { signalKey, UNDO_KEY, UNDO_SIGNAL, UNDONE_KEY, type Wait } from "../../core/wait.ts";
import type { Flow } from "./flow.ts";
import { StepOperation, type StepRun } from "./operations.ts";
import { type OpenName, StepNames } from "./step_names.ts";
import type { SignalRecord, StepRecord } from "./step_records.ts";

/** Takes back what a step did. */
export interface Undo extends Omit<StepRun, "run" | "hasUndo"> {
  readonly run: (value: unknown, call: StepCall) => unknown;
}

/** The undo of one step. If it fails for good, it waits until somebody decides. */
class UndoOperation extends StepOperation {
  override readonly isUndo = true;
  readonly #step: string;

  constructor(
    flow: Flow,
    names: StepNames,
    { open, step, how }: { readonly open: OpenName; readonly step: string; readonly how: StepRun },
  ) {
    super(flow, names, open, how);
    this.#step = step;
  }

  /** Its end counts, also one without success: somebody gave it up. */
  protected override replay(): void {
    this.succeed(undefined);
  }

  override run(nowMs: number): boolean {
    return this.stored?.isStuck === undefined && super.run(nowMs);
  }

  override satisfiedAt(): number | null {
    return this.#decision?.at ?? null;
  }

  override conclude(order: number): void {
    const { value } = this.#decision!;
    const { isStuck: _, ...stored } = this.stored!;
    this.flow.keep({ key: UNDO_KEY, data: { decisions: this.#decisions + 1 } });
    if ((value as { readonly retry?: unknown } | null)?.retry === true) {
      this.flow.keep({ key: this.key, data: { ...stored, tries: 0 } });
      return this.flow.poke();
    }
    this.flow.keep({ key: this.key, data: { ...stored, order } });
    this.replay();
  }

  override waits(): readonly Wait[] {
    if (this.stored?.isStuck === undefined) return super.waits();
    return [{ key: this.#decisionKey, type: "undo", name: this.#step, until: null }];
  }

  protected override giveUp(data: StepRecord): Promise<void> {
    this.flow.keep({ key: this.key, data: { ...data, isStuck: true } });
    const { id } = this.flow.host.instance;
    this.flow.host.note(
      "error",
      `The undo of step "${this.#step}" failed for good: ${data.error!.message}. Decide with ` +
        `jobctl undo ${id} --retry, or --abandon`,
    );
    return Promise.resolve();
  }

  /** The decision on it, if it has come. */
  get #decision(): SignalRecord | undefined {
    return this.stored?.isStuck && this.flow.record<SignalRecord>(this.#decisionKey);
  }

  get #decisionKey(): string {
    return signalKey(UNDO_SIGNAL, this.#decisions + 1);
  }

  /** Decisions that were taken so far. */
  get #decisions(): number {
    return this.flow.record<{ readonly decisions?: number }>(UNDO_KEY)?.decisions ?? 0;
  }
}

/**
 * Take back what the finished steps did, the last one first.
 *
 * @param undos those that job code gave in this run, by the keys of the steps
 */
export async function takeBack(flow: Flow, undos: ReadonlyMap<string, Undo>): Promise<void> {
  flow.unwind();
  const steps = flow.undoable;
  const names = new StepNames("");
  if (!steps.some(([key]) => flow.record(undoKey(key)) !== undefined)) {
    const list = steps.map(([, { name }]) => `"${name}"`).join(", ");
    flow.host.note("info", `Takes back what its steps did: ${list}`);
  }
  for (const [key, { name, value }] of steps) {
    const undo = undos.get(key) ?? missingUndo(name);
    const open = names.beginAs(undoKey(key), `${name}!undo`);
    const how = { ...undo, run: (call: StepCall) => undo.run(value, call) };
    await new UndoOperation(flow, names, { open, step: name, how }).begin();
  }
  await flow.put({ key: UNDONE_KEY, data: { at: flow.host.clock.now().wallMs } });
}

function undoKey(key: string): string {
  return `${key}!undo`;
}

/** Stands for an undo that the code does not have any more. */
function missingUndo(name: string): Undo {
  return {
    run: () => {
      throw new Error(`The code did not come to step "${name}" with an undo`);
    },
    retryMax: 0,
    delayMs: 0,
    capMs: 0,
    timeoutMs: Infinity,
  };
}
