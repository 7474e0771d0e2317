import type { Config } from "../config/config.ts";
import type { JobDefinition } from "../core/job/job.ts";

/** Sections that differ and that a running daemon cannot change. */
export function fixedDifferences(before: Config, after: Config): readonly string[] {
  const sections = ["log", "node", "store", "server"] as const;
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

/** The jobs of a configuration, and the kinds that it names but does not load. */
export interface NamedJobs {
  readonly jobs: readonly JobDefinition[];
  /** The reason by kind. */
  readonly disabled: ReadonlyMap<string, string>;
}

/** How many jobs are new, changed (also disabled, or enabled again) and gone. */
export function countChanges(
  before: NamedJobs,
  after: NamedJobs,
): { readonly added: number; readonly changed: number; readonly removed: number } {
  const old = new Map(before.jobs.map((job) => [job.kind, job]));
  const plain = ({ registeredAt: _, ...job }: JobDefinition) => job;
  let [added, changed] = [0, 0];
  for (const job of after.jobs) {
    const there = old.get(job.kind);
    old.delete(job.kind);
    if (there ? !isSame(plain(there), plain(job)) : before.disabled.has(job.kind)) changed += 1;
    else if (!there) added += 1;
  }
  const removed = [...old.keys()].filter((kind) => !after.disabled.has(kind)).length;
  return { added, changed: changed + old.size - removed, removed };
}

/** The kinds of jobs that a configuration no longer loads. */
export function goneKinds(
  before: readonly JobDefinition[],
  after: readonly JobDefinition[],
): readonly string[] {
  const kept = new Set(after.map(({ kind }) => kind));
  return before.map(({ kind }) => kind).filter((kind) => !kept.has(kind));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
