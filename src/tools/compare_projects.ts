import type { Config } from "../config/config.ts";
import type { JobDefinition } from "../core/job.ts";

/** Sections of a configuration that a running daemon keeps as they were, where they differ. */
export function fixedDifferences(before: Config, after: Config): readonly string[] {
  const sections = ["log", "store", "server"] as const;
  // Targets of a move are only looked up, so they can be reloaded.
  const store = { ...after.store, targets: before.store.targets };
  // So can the credentials, but not the way callers authenticate.
  const { tokens, clients, tokensFile, revokedFile } = before.server.auth;
  const auth = { ...after.server.auth, tokens, clients, tokensFile, revokedFile };
  const there = { ...after, store, server: { ...after.server, auth } };
  const different: string[] = sections.filter((name) => !isSame(before[name], there[name]));
  const { count: _, ...workerBefore } = before.worker;
  const { count: __, ...workerAfter } = after.worker;
  return isSame(workerBefore, workerAfter) ? different : [...different, "worker"];
}

/** How many jobs are new, changed and gone. */
export function countChanges(
  before: readonly JobDefinition[],
  after: readonly JobDefinition[],
): { readonly added: number; readonly changed: number; readonly removed: number } {
  const old = new Map(before.map((job) => [job.kind, job]));
  const plain = ({ registeredAt: _, ...job }: JobDefinition) => job;
  let [added, changed] = [0, 0];
  for (const job of after) {
    const there = old.get(job.kind);
    old.delete(job.kind);
    if (!there) added += 1;
    else if (!isSame(plain(there), plain(job))) changed += 1;
  }
  return { added, changed, removed: old.size };
}

/** The kinds of jobs that a configuration no longer names, not even as disabled. */
export function removedKinds(
  before: readonly JobDefinition[],
  after: readonly JobDefinition[],
  disabled: ReadonlyMap<string, string>,
): readonly string[] {
  const kept = new Set(after.map(({ kind }) => kind));
  return before.map(({ kind }) => kind).filter((kind) => !kept.has(kind) && !disabled.has(kind));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
