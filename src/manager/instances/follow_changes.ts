import type { Instance, StoredLogEntry } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import type { StoreReads } from "../../store/store.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Followers } from "./followers.ts";

/** Most instances reported in one step. */
const STEP_MAX = 50;
/** Most changed instances that wait to be reported, and most reported ones that are remembered. */
const WAITING_MAX = 1_000;
/** The same for all followers together. */
const WAITING_OF_ALL_MAX = 50_000;

/** Note that something was committed for an instance. */
export interface ChangeOfInstance {
  /** As of `ManagerEvent`; for "log" and "attempt" the instance itself has not changed. */
  readonly type: "state" | "progress" | "attempt" | "log";
  readonly instance: Pick<Instance, "id" | "kind">;
}

/** Sources of {@link FollowChanges}. */
export interface ChangesContext {
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

  /** Forget what was missed until now. */
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

  /** Note that there are changes that are not known individually. */
  miss(): void {
    this.#context.followers.forgetAll();
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
