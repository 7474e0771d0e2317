import type { ErrorInfo, Reason } from "../../core/instance.ts";
import type { StepFailure } from "../../core/flow/step_error.ts";

/** The state of a step, a pause or a wait, as it is stored. */
export interface StepRecord {
  readonly type: "step" | "sleep" | "wait" | "children" | "now";
  readonly name: string;
  /** Place among the outcomes of the instance, from 1; absent without an outcome. */
  readonly order?: number;
  /** When it was recorded, epoch ms. */
  readonly at: number;
  /** The result of a step. */
  readonly value?: unknown;
  readonly error?: StepFailure;
  /** Tries so far. */
  readonly tries?: number;
  /** True if it can be taken back. */
  readonly hasUndo?: true;
  /** True for an undo that failed for good and waits for a decision. */
  readonly isStuck?: true;
  /** End of a pause or a timeout, or the next try of a step, epoch ms. */
  readonly dueAt?: number | null;
  /** Of a wait: the key of the signal that it took; null if it timed out. */
  readonly signal?: string | null;
}

/** The end that an instance has once it has taken back what its steps did. */
export interface EndingRecord {
  readonly reason: Reason | null;
  readonly error: ErrorInfo | null;
}

/** The outcome of a child, as the store records it. */
export interface ChildRecord {
  readonly id: string;
  readonly state: string;
  readonly reason: Reason | null;
  readonly resultsJson: string | null;
  readonly error: StepFailure | null;
  readonly at: number;
}

/** A signal, as the store records it. */
export interface SignalRecord {
  readonly value: unknown;
  readonly by: string | null;
  /** Epoch ms. */
  readonly at: number;
}

/** A record to write. */
export interface RecordPut {
  readonly key: string;
  readonly data: unknown;
  readonly isNew?: boolean;
}

/** Key of the place of an outcome that the store recorded itself. */
export function orderKey(key: string): string {
  return `order/${key}`;
}

/** Key of the record that a cancel ended a step or a wait. */
export function canceledKey(key: string): string {
  return `canceled/${key}`;
}

/** The result that a child's results are for its parent: the only one, else all. */
export function resultOfChild({ resultsJson }: ChildRecord): unknown {
  const results = JSON.parse(resultsJson ?? "[]") as readonly unknown[];
  return results.length <= 1 ? results[0] : results;
}

/** The failure of a child that did not complete. */
export function failureOfChild({ state, reason, error }: ChildRecord): StepFailure {
  return error ?? { name: "Error", message: `The child ended as ${state}: ${reason ?? "unknown"}` };
}
