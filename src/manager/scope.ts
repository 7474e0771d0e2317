import { isJobError, JobError, type JobErrorOptions } from "../core/errors.ts";
import { includesKind, onlyKindOf } from "../core/job/job_scope.ts";
import { kindOfWord } from "../core/job/kind.ts";
import type { Block } from "../core/job/limits.ts";
import { isNoticeKind } from "../notices/context/notice_kinds.ts";
import type { Page } from "../store/store.ts";

/** The kind in a key that a job makes from arguments; null for any other text. */
function kindOfKey(key: string): string | null {
  const word = /^(\S+) (?:#|[^\s=]+=)/.exec(key)?.[1];
  return word === undefined ? null : kindOfWord(word);
}

/**
 * Throw an error to a caller limited to certain jobs: the hint about an unknown kind names other
 * jobs, so it is replaced.
 */
export function throwScoped(thrown: unknown): never {
  // With several requests it is `requests[0].kind`.
  const isUnknownKind = isJobError(thrown, "not_found") && /(?:^|\.)kind$/.test(thrown.path ?? "");
  if (!isUnknownKind) throw thrown;
  const { code, message, path, cause } = thrown;
  throw new JobError(code, message, { path, cause, hint: "List yours with: jobctl list jobs" });
}

/** The jobs that a caller may use: kinds that match a pattern. */
export class Scope {
  readonly patterns: readonly string[];

  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
  }

  /** The kind of the only job, if the scope is one job by name. */
  get only(): string | null {
    const [only] = this.patterns;
    return this.patterns.length === 1 ? onlyKindOf(only!) : null;
  }

  /** True for the caller's jobs. Notices concern all jobs, so they belong to nobody. */
  allows(kind: string): boolean {
    return includesKind(this.patterns, kind) && !isNoticeKind(kind);
  }

  /** True if something belongs to one of the caller's jobs. */
  readonly has = ({ kind }: { readonly kind: string }): boolean => this.allows(kind);

  /** A page reduced to the caller's items. */
  pageOf<T extends { readonly kind: string }>(page: Page<T>): Page<T> {
    return { ...page, items: page.items.filter(this.has) };
  }

  /** @throws JobError `permission_denied` for another job */
  check(kind: string): void {
    if (this.allows(kind)) return;
    const hint = "Use a token or a certificate that includes this job";
    throw this.#denied(`Cannot use job "${kind}":`, { path: "kind", hint });
  }

  /** True if a block belongs to one of the caller's jobs; false for a pool, which jobs share. */
  readonly hasBlock = ({ limit, name }: Block): boolean =>
    limit !== "pool" && this.allows(kindOfKey(name) ?? name);

  /** @throws JobError always, `permission_denied`, for an action that affects other jobs too */
  refuse(action: string): never {
    const hint = "Name one of these jobs, or use a token without a list of jobs";
    throw this.#denied(`Cannot ${action}:`, { hint });
  }

  #denied(problem: string, options: JobErrorOptions): JobError {
    const limit = `the caller is limited to ${this.patterns.join(", ")}`;
    return new JobError("permission_denied", `${problem} ${limit}`, options);
  }
}
