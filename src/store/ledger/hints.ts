import type { ChangeHint, ClaimKey } from "../store.ts";

/** Listeners to changes. */
export class Listeners {
  readonly #listeners = new Set<(hint: ChangeHint) => void>();

  /** @returns a function that ends it */
  add(listener: (hint: ChangeHint) => void): () => void {
    const entry = (hint: ChangeHint) => listener(hint);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Notify each listener separately, once the operations have resolved: errors stay local. */
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
  const claims: ClaimKey[] = [];
  const others = new Map<ChangeHint["type"], ChangeHint>();
  for (const hint of hints) {
    if (hint.type === "instances") dueAt = Math.min(dueAt, hint.dueAt);
    else if (hint.type === "cancel") claims.push(...hint.claims);
    else others.set(hint.type, hint);
  }
  const merged: ChangeHint[] = [];
  if (dueAt !== Infinity) merged.push({ type: "instances", dueAt });
  if (claims.length > 0) merged.push({ type: "cancel", claims });
  return [...merged, ...others.values()];
}
