import { JobError } from "../core/errors.ts";
import { includesKind } from "../core/job_scope.ts";
import type { Page } from "../store/store.ts";

/** The jobs that a caller may use: those whose kind one of some patterns stands for. */
export class Scope {
  readonly #patterns: readonly string[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns;
  }

  /** The kind of the only job, if the scope is one job by name. */
  get only(): string | null {
    const [only] = this.#patterns;
    return this.#patterns.length === 1 && !only!.includes("*") ? only! : null;
  }

  allows(kind: string): boolean {
    return includesKind(this.#patterns, kind);
  }

  /** Whether something of a job is the caller's. */
  readonly has = ({ kind }: { readonly kind: string }): boolean => this.allows(kind);

  /** A page without what is not the caller's. */
  pageOf<T extends { readonly kind: string }>(page: Page<T>): Page<T> {
    return { ...page, items: page.items.filter(this.has) };
  }

  /** @throws JobError `permission_denied` for another job */
  check(kind: string): void {
    if (this.allows(kind)) return;
    throw new JobError(
      "permission_denied",
      `Cannot use job "${kind}": the caller may use ${this.#patterns.join(", ")} only`,
      { path: "kind", hint: "Use a token that includes this job" },
    );
  }

  /** The refusal of what concerns more than these jobs. */
  tooWide(action: string): JobError {
    return new JobError(
      "permission_denied",
      `Cannot ${action}: the caller may use ${this.#patterns.join(", ")} only`,
      { hint: "Name one of these jobs, or use a token without a list of jobs" },
    );
  }
}
