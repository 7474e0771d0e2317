import type { Instance, StoredLogEntry } from "../../core/instance.ts";
import { pagesOf } from "../../core/query.ts";
import { isFinal } from "../../core/state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { StoreReads } from "../../store/store.ts";
import { Semaphore } from "./semaphore.ts";

/** Most instances that are kept for the other followers. */
const KEPT_MAX = 1_000;
/** Time for which one is kept: changes by other nodes cause no event here. */
const KEPT_MS = 200;
/** Time for which a followed or awaited one is kept. */
const FOLLOWED_MS = 50;
/** Most followed or awaited instances that are kept: each may be megabytes. */
const FOLLOWED_MAX = 8;
/** Followers that read their instance at once. */
const LOOKS_MAX = 4;
/** Followers that are sent a large instance at once: each has several copies of it. */
const LARGE_MAX = 2;
/** Longest part of an error that is sent. */
const ERROR_LENGTH_MAX = 300;

/** Most instances reported in one step. */
const STEP_MAX = 50;
/** Most changed instances that wait to be reported, and most remembered reported ones. */
const WAITING_MAX = 1_000;
/** The same for all followers together. */
const WAITING_OF_ALL_MAX = 50_000;

/** Instances by id, without arguments and results. */
type Found = ReadonlyMap<string, Instance>;

interface Kept {
  readonly found: Promise<Found>;
  /** Infinity while it is read. */
  untilMs: number;
}

/**
 * Shared by the followers of one manager: their number, and the changed instances that one of them
 * reads or has just read. Hundreds may follow the same instance, with megabytes of arguments.
 */
export class Followers {
  count = 0;
  readonly looks = new Semaphore(LOOKS_MAX);
  readonly larges = new Semaphore(LARGE_MAX);
  /** Oldest first. */
  readonly #kept = new Map<string, Kept>();

  /** Followed instances that were read last, oldest first. */
  readonly #followed = new Map<string, Promise<Instance>>();

  /** The instance, with its arguments and results. Calls shortly afterwards share the object. */
  get(
    id: string,
    { get, clock }: { readonly get: (id: string) => Promise<Instance>; readonly clock: Clock },
  ): Promise<Instance> {
    const known = this.#followed.get(id);
    if (known) return known;
    const instance = get(id);
    this.#followed.set(id, instance);
    if (this.#followed.size > FOLLOWED_MAX) {
      this.#followed.delete(this.#followed.keys().next().value!);
    }
    const forget = () => {
      if (this.#followed.get(id) === instance) this.#followed.delete(id);
    };
    instance.then(() => clock.timer(FOLLOWED_MS, forget, { unref: true }), forget);
    return instance;
  }

  /** Note that an instance has changed: it must be read again. */
  forget(id: string): void {
    this.#followed.delete(id);
    this.#kept.delete(id);
  }

  /** Note that any instance may have changed. */
  forgetAll(): void {
    this.#followed.clear();
    this.#kept.clear();
  }

  /** The existing ones of the instances, by id, without arguments and results. */
  async read(
    ids: readonly string[],
    { store, clock }: { readonly store: Pick<StoreReads, "list">; readonly clock: Clock },
  ): Promise<readonly Instance[]> {
    const { monotonicMs } = clock.now();
    const isKept = (id: string) => (this.#kept.get(id)?.untilMs ?? 0) > monotonicMs;
    const missing = ids.filter((id) => !isKept(id));
    if (missing.length > 0) {
      const kept: Kept = { found: readWithoutValues(missing, store), untilMs: Infinity };
      kept.found.then(
        () => kept.untilMs = clock.now().monotonicMs + KEPT_MS,
        () => kept.untilMs = 0,
      );
      for (const id of missing) this.#keep(id, kept);
    }
    const sources = ids.toSorted().map((id) => [id, this.#kept.get(id)?.found] as const);
    const instances: Instance[] = [];
    for (const [id, found] of sources) {
      const instance = (await found)?.get(id);
      if (instance !== undefined) instances.push(instance);
    }
    return instances;
  }

  #keep(id: string, kept: Kept): void {
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

async function readWithoutValues(
  ids: readonly string[],
  store: Pick<StoreReads, "list">,
): Promise<Found> {
  const found = new Map<string, Instance>();
  // A page with large arguments has fewer instances.
  const page = { limit: ids.length, order: "oldest" } as const;
  for await (const items of pagesOf((token) => store.list({ ids }, { ...page, token }))) {
    for (const instance of items) found.set(instance.id, withoutValues(instance));
  }
  return found;
}

function withoutValues(instance: Instance): Instance {
  const { error } = instance;
  return {
    ...instance,
    argumentsJson: "[]",
    resultsJson: null,
    error: error && {
      name: error.name.slice(0, ERROR_LENGTH_MAX),
      message: error.message.slice(0, ERROR_LENGTH_MAX),
    },
  };
}

/** Note that something was committed for an instance. */
export interface ChangeOfInstance {
  /** As in `ManagerEvent`; for "log" and "attempt" the instance itself has not changed. */
  readonly type: "state" | "progress" | "attempt" | "log";
  readonly instance: Pick<Instance, "id" | "kind">;
}

interface ChangesContext {
  readonly store: Pick<StoreReads, "list">;
  readonly clock: Clock;
  readonly followers: Followers;
}

/** The instances that have changed since the last step of a follower, limited in number. */
export class FollowChanges {
  readonly #context: ChangesContext;
  readonly #waiting = new Set<string>();
  /** The last report of each instance, by id, oldest first. */
  readonly #reported = new Map<string, string>();
  /** Reported unfinished instances, least recently read first. */
  readonly #unfinished = new Set<string>();
  #hasMissed = false;

  constructor(context: ChangesContext) {
    this.#context = context;
  }

  /** Forget events missed until now. */
  begin(): void {
    this.#hasMissed = false;
  }

  note({ type, instance: { id } }: ChangeOfInstance): void {
    if (type === "log" || type === "attempt") return;
    this.#context.followers.forget(id);
    this.#wait(id);
  }

  /** Note instances that wrote lines: another node may have changed them without an event here. */
  noteLines(lines: readonly StoredLogEntry[]): void {
    for (const { instanceId } of lines) this.#wait(instanceId);
  }

  /** Read some of the unfinished instances again: another node may have changed them. */
  recheck(): void {
    for (const id of this.#unfinished) {
      if (this.#waiting.size >= STEP_MAX) return;
      this.#waiting.add(id);
    }
  }

  /** Note that unknown instances have changed. */
  miss(): void {
    this.#context.followers.forgetAll();
    this.#hasMissed = true;
  }

  /** True if more instances wait than the last step had room for. */
  get hasMore(): boolean {
    return this.#waiting.size > 0;
  }

  /** Take the next changed instances, in their current state. */
  async take(): Promise<{ readonly changed: readonly Instance[]; readonly hasMissed: boolean }> {
    const hasMissed = this.#hasMissed;
    this.#hasMissed = false;
    const ids = [...this.#waiting].slice(0, STEP_MAX);
    for (const id of ids) {
      this.#waiting.delete(id);
      this.#unfinished.delete(id);
    }
    const found = await this.#context.followers.read(ids, this.#context);
    const changed = found.filter((instance) => this.#isNews(instance));
    return { changed, hasMissed };
  }

  #isNews(instance: Instance): boolean {
    const { id } = instance;
    const room = this.#room;
    if (!isFinal(instance.state) && this.#unfinished.size < room) this.#unfinished.add(id);
    const state = newsOf(instance);
    if (this.#reported.get(id) === state) return false;
    this.#reported.delete(id);
    this.#reported.set(id, state);
    // More than one over when there are more followers than before.
    for (const [oldest] of this.#reported) {
      if (this.#reported.size <= room) break;
      this.#reported.delete(oldest);
    }
    return true;
  }

  #wait(id: string): void {
    if (this.#waiting.has(id)) return;
    if (this.#waiting.size >= this.#room) this.#hasMissed = true;
    else this.#waiting.add(id);
  }

  get #room(): number {
    const share = Math.floor(WAITING_OF_ALL_MAX / Math.max(1, this.#context.followers.count));
    return Math.max(STEP_MAX, Math.min(WAITING_MAX, share));
  }
}

/** The parts of an instance that a report depends on: everything else follows from these. */
export function newsOf(instance: Instance): string {
  const { state, attempt, progress, cancelRequestedAt, dueAt } = instance;
  return JSON.stringify([state, attempt, progress, cancelRequestedAt, dueAt]);
}
