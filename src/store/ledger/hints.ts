import type { ChangeHint, ClaimKey } from "../store.ts";

/** Listeners to changes. */
export class Listeners {
  readonly #listeners = new Set<(hint: ChangeHint) => void>();

  /** @returns a function that stops it */
  add(listener: (hint: ChangeHint) => void): () => void {
    const entry = (hint: ChangeHint) => listener(hint);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /**
   * Notify each listener separately, after the operations have resolved: one that throws affects no
   * other.
   */
  notify(hints: readonly ChangeHint[]): void {
    for (const hint of mergeHints(hints)) {
      for (const listener of this.#listeners) queueMicrotask(() => listener(hint));
    }
  }
}

/** One hint of each type for a whole group. */
function mergeHints(hints: readonly ChangeHint[]): readonly ChangeHint[] {
  if (hints.length < 2) return hints;
  let dueAt = Infinity;
  let hasSchedules = false;
  let hasPauses = false;
  let hasDeadlines = false;
  let hasNodes = false;
  const claims: ClaimKey[] = [];
  for (const hint of hints) {
    if (hint.type === "instances") dueAt = Math.min(dueAt, hint.dueAt);
    else if (hint.type === "cancel") claims.push(...hint.claims);
    else if (hint.type === "schedules") hasSchedules = true;
    else if (hint.type === "deadlines") hasDeadlines = true;
    else if (hint.type === "nodes") hasNodes = true;
    else hasPauses = true;
  }
  const merged: ChangeHint[] = [];
  if (dueAt !== Infinity) merged.push({ type: "instances", dueAt });
  if (hasSchedules) merged.push({ type: "schedules" });
  if (claims.length > 0) merged.push({ type: "cancel", claims });
  if (hasPauses) merged.push({ type: "pauses" });
  if (hasDeadlines) merged.push({ type: "deadlines" });
  if (hasNodes) merged.push({ type: "nodes" });
  return merged;
}
