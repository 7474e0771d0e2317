import { BACKUP_KIND } from "../../core/settings/backup_settings.ts";
import { JobError } from "../../core/errors.ts";
import type { JobHook } from "../../core/hooks/hook.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { isExternal } from "../../core/job/external.ts";
import { type ClaimLimits, hasLimits } from "../../core/job/limits.ts";
import { hasExpectations } from "../../core/notices/expectations.ts";
import { includesKind } from "../../core/job/job_scope.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { kindOfReference } from "../../core/job/schedule_options.ts";
import { kindsNeeding, missingTags } from "../../core/job/tags.ts";
import { isNoticeKind } from "../../notices/context/notice_kinds.ts";

/** Most kinds that an error lists. */
const LISTED_KINDS_MAX = 10;

/** Kinds whose attempts take a worker of the node, and slotless kinds. */
interface KindsBySlot {
  readonly taking: ReadonlySet<string>;
  readonly slotless: ReadonlySet<string>;
}

/** True for jobs of the manager itself that take no worker: notices and backups. */
export function isOwnWork({ source, options }: JobDefinition): boolean {
  return source.type === "system" && options.workerSlot === false;
}

/** The jobs that this node knows, by kind. */
export class Registry {
  readonly #jobs = new Map<string, JobDefinition>();
  readonly #refresh: (job: JobDefinition) => JobDefinition;
  readonly #pools: Readonly<Record<string, number>>;
  readonly tags: ReadonlySet<string>;
  /** Finds another node that has a job, for the error about a job missing here. */
  holderOf: (kind: string) => { readonly id: string; readonly host: string } | undefined = () =>
    undefined;
  #disabled: ReadonlyMap<string, string> = new Map();
  // Built on demand: thousands of jobs may be added one by one.
  #kinds: ReadonlySet<string> | null = null;
  #bySlot: { readonly some: KindsBySlot; readonly none: KindsBySlot } | null = null;
  #limits: ClaimLimits | null = null;
  #hasExpectations: boolean | null = null;
  #hooks: ReadonlyMap<string, JobHook> | null = null;

  constructor(
    options: {
      readonly pools?: Readonly<Record<string, number>> | undefined;
      readonly refresh?: ((job: JobDefinition) => JobDefinition) | undefined;
      readonly tags?: readonly string[] | undefined;
    } = {},
  ) {
    this.#pools = options.pools ?? {};
    this.#refresh = options.refresh ?? ((job) => job);
    this.tags = new Set(options.tags ?? []);
  }

  /**
   * The kinds that this node can run: kinds of jobs whose tags it has, except external ones. The
   * set is a new object after each change, and only then.
   */
  get kinds(): ReadonlySet<string> {
    return this.#kinds ??= new Set(
      [...this.#jobs.values()]
        .filter((job) => !isExternal(job) && this.missing(job).length === 0)
        .map(({ kind }) => kind),
    );
  }

  /**
   * The kinds to claim with this many workers: without any, only notices and backups. The sets are
   * new objects after each change, and only then.
   */
  kindsBySlot(workers: number): KindsBySlot {
    this.#bySlot ??= this.#readSlots();
    return workers > 0 ? this.#bySlot.some : this.#bySlot.none;
  }

  #readSlots() {
    const jobs = [...this.kinds].map((kind) => this.#jobs.get(kind)!);
    const kindsOf = (isWanted: (job: JobDefinition) => boolean) =>
      new Set(jobs.filter(isWanted).map(({ kind }) => kind));
    const slotless = kindsOf(({ options }) => options.workerSlot === false);
    const taking = slotless.size === 0 ? this.kinds : kindsOf(({ kind }) => !slotless.has(kind));
    return {
      some: { taking, slotless },
      none: { taking: new Set<string>(), slotless: kindsOf(isOwnWork) },
    };
  }

  /** The kinds of all jobs that run on a node, even if this one lacks their tags. */
  get repeatable(): readonly string[] {
    return [...this.#jobs.values()].filter((job) => !isExternal(job)).map(({ kind }) => kind);
  }

  /** Tags that a job needs and this node lacks. */
  missing({ options }: JobDefinition): readonly string[] {
    return missingTags(options.needs, this.tags);
  }

  /** The limits of the kinds; a new object after each change, and only then. */
  get limits(): ClaimLimits {
    return this.#limits ??= this.#readLimits();
  }

  /** True if some job has expectations of its runs. */
  get hasExpectations(): boolean {
    return this.#hasExpectations ??= [...this.#jobs.values()].some(hasExpectations);
  }

  get hooks(): ReadonlyMap<string, JobHook> {
    return this.#hooks ??= new Map(
      [...this.#jobs.values()].flatMap(({ kind, hook }) => hook ? [[kind, hook] as const] : []),
    );
  }

  /** Add a job, or replace the one of its kind. */
  set(job: JobDefinition): void {
    this.#jobs.set(job.kind, job);
    this.#changed();
  }

  /** Set the kinds configured but not loaded, with the reason. Returns the previous ones. */
  disable(reasons: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const before = this.#disabled;
    this.#disabled = reasons;
    return before;
  }

  get disabled(): ReadonlyMap<string, string> {
    return this.#disabled;
  }

  /** Why a kind is not loaded; undefined if it is loaded or not configured. */
  disabledBecause(kind: string): string | undefined {
    return this.#jobs.has(kind) ? undefined : this.#disabled.get(kind);
  }

  timezoneOf(kind: string): string {
    return this.#jobs.get(kind)?.timezone ?? "UTC";
  }

  /** Replace all jobs except the system's, which are not configured. Returns the previous ones. */
  replace(jobs: readonly JobDefinition[]): readonly JobDefinition[] {
    const before = [...this.#jobs.values()].filter(({ kind, source }) =>
      source.type !== "system" || kind === BACKUP_KIND
    );
    for (const { kind } of before) this.#jobs.delete(kind);
    for (const job of jobs) this.#jobs.set(job.kind, job);
    this.#changed();
    return before;
  }

  /** Replace the system jobs of notices. */
  setNoticeJobs(jobs: readonly JobDefinition[]): void {
    for (const { kind, source } of [...this.#jobs.values()]) {
      if (source.type === "system" && isNoticeKind(kind)) this.#jobs.delete(kind);
    }
    for (const job of jobs) this.#jobs.set(job.kind, job);
    this.#changed();
  }

  #changed(): void {
    this.#kinds = null;
    this.#bySlot = null;
    this.#limits = null;
    this.#hasExpectations = null;
    this.#hooks = null;
  }

  #readLimits(): ClaimLimits {
    const jobs = [...this.#jobs.values()];
    const pools = Object.entries(this.#pools).map(([name, max]) => ({
      name,
      max,
      kinds: new Set(jobs.filter(({ options }) => options.pool === name).map(({ kind }) => kind)),
    }));
    const kinds = jobs.filter(({ options }) => hasLimits(options)).map(({ kind, options }) => {
      const { concurrency, rate } = options;
      return [kind, { concurrency, rate }] as const;
    });
    return { kinds: new Map(kinds), pools: pools.filter(({ kinds }) => kinds.size > 0) };
  }

  find(kind: string): JobDefinition | undefined {
    const job = this.#jobs.get(kind);
    if (job === undefined) return undefined;
    const current = this.#refresh(job);
    if (current !== job) {
      this.#jobs.set(kind, current);
      this.#hasExpectations = null;
    }
    return current;
  }

  /** @throws JobError `not_found` naming the nearest kind */
  get(kind: string): JobDefinition {
    const job = this.find(kind);
    if (job) return job;
    kindOfReference(kind, "find a job");
    const problem = this.disabledBecause(kind);
    if (problem !== undefined) {
      throw new JobError("not_found", `Cannot find job "${kind}": it is disabled: ${problem}`, {
        path: "kind",
        hint: "Fix its configuration (see jobctl check), then run jobctl reload",
      });
    }
    const holder = this.holderOf(kind);
    if (holder) {
      throw new JobError("not_found", `Cannot find job "${kind}": this node does not have it`, {
        path: "kind",
        hint: `Ask node "${holder.id}" on host "${holder.host}", which has it`,
      });
    }
    const kinds = [...this.#jobs.keys()].filter((known) => !known.startsWith("system."));
    const more = kinds.length - LISTED_KINDS_MAX;
    const listed = kinds.slice(0, LISTED_KINDS_MAX).join(", ") +
      (more > 0 ? `, and ${more} more: jobctl list jobs` : "");
    throw new JobError("not_found", `Cannot find job "${kind}": no such kind`, {
      path: "kind",
      hint: didYouMean(kind, this.#jobs.keys()) ??
        (/[\s/]/.test(kind)
          ? 'To run a command, add it to the configuration as a job: [jobs.NAME] with run = "…"'
          : `Known kinds: ${listed || "none"}`),
    });
  }

  /** The kinds in `patterns` of the jobs that need a tag. @throws JobError */
  kindsOfTag(tag: string, patterns: readonly string[] = ["*"]): readonly string[] {
    const jobs = this.list().filter(({ kind }) => includesKind(patterns, kind));
    return kindsNeeding(tag, jobs.map(({ kind, options: { needs } }) => ({ kind, needs })));
  }

  /** All jobs, by kind. */
  list(): readonly JobDefinition[] {
    return [...this.#jobs.values()].sort((a, b) => (a.kind < b.kind ? -1 : 1));
  }
}
