import type { Instance, StoredLogEntry } from "../core/instance.ts";
import { isFinal } from "../core/state.ts";
import type { StoreReads } from "../store/store.ts";
import type { ChangeOfInstance } from "./follow.ts";

/** Most instances reported in one step. */
const STEP_MAX = 50;
/** Most changed instances waiting to be reported, and most reported ones that are remembered. */
const WAITING_MAX = 1_000;
/** Longest part of an error that is told. */
const ERROR_LENGTH_MAX = 300;

/** The instances that have changed since the last step of a follower, limited in number. */
export class FollowChanges {
  readonly #store: Pick<StoreReads, "list">;
  readonly #waiting = new Set<string>();
  /** The last report of each instance, by id, oldest first. */
  readonly #told = new Map<string, string>();
  /** Reported unfinished instances, least recently read first. */
  readonly #unfinished = new Set<string>();
  #hasMissed = false;

  constructor(store: Pick<StoreReads, "list">) {
    this.#store = store;
  }

  /** Forget what was missed until now. */
  begin(): void {
    this.#hasMissed = false;
  }

  note({ type, instance: { id } }: ChangeOfInstance): void {
    if (type === "log" || type === "attempt" || this.#waiting.has(id)) return;
    if (this.#waiting.size >= WAITING_MAX) this.#hasMissed = true;
    else this.#waiting.add(id);
  }

  /** Note instances that wrote lines: another node may have changed them without an event here. */
  noteLines(lines: readonly StoredLogEntry[]): void {
    for (const { instanceId: id, kind } of lines) {
      this.note({ type: "state", instance: { id, kind } });
    }
  }

  /** Read some of the unfinished instances again: another node may have changed them. */
  recheck(): void {
    for (const id of this.#unfinished) {
      if (this.#waiting.size >= STEP_MAX) return;
      this.#waiting.add(id);
    }
  }

  /** Note that there are changes that are not known individually. */
  miss(): void {
    this.#hasMissed = true;
  }

  /** True if more instances wait than the last step had room for. */
  get hasMore(): boolean {
    return this.#waiting.size > 0;
  }

  /** Take the next changed instances, as they are now. */
  async take(): Promise<{ readonly changed: readonly Instance[]; readonly hasMissed: boolean }> {
    const hasMissed = this.#hasMissed;
    this.#hasMissed = false;
    const ids = [...this.#waiting].slice(0, STEP_MAX);
    for (const id of ids) {
      this.#waiting.delete(id);
      this.#unfinished.delete(id);
    }
    const changed: Instance[] = [];
    let token: string | undefined;
    // A page with large arguments has fewer instances.
    while (ids.length > 0) {
      const page = await this.#store.list({ ids }, { limit: ids.length, token, order: "oldest" });
      changed.push(...page.items.map(withoutValues).filter((instance) => this.#isNews(instance)));
      if (page.nextToken === null) break;
      token = page.nextToken;
    }
    return { changed, hasMissed };
  }

  #isNews(instance: Instance): boolean {
    const { id } = instance;
    if (!isFinal(instance.state) && this.#unfinished.size < WAITING_MAX) this.#unfinished.add(id);
    const state = newsOf(instance);
    if (this.#told.get(id) === state) return false;
    this.#told.delete(id);
    this.#told.set(id, state);
    if (this.#told.size > WAITING_MAX) this.#told.delete(this.#told.keys().next().value!);
    return true;
  }
}

/** What a report depends on: everything else in an instance follows from these. */
export function newsOf(instance: Instance): string {
  const { state, attempt, progress, cancelRequestedAt, dueAt } = instance;
  return JSON.stringify([state, attempt, progress, cancelRequestedAt, dueAt]);
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
