import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError } from "../../core/errors.ts";
import type { Silence } from "../../core/notices/incident.ts";
import { checkText, TEXT_LENGTH_MAX } from "../../core/text/text_limits.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import type { Memo } from "../../store/store.ts";
import { memosOf, readMemo, SILENCE_MEMO, tryPutMemo } from "../context/memos.ts";
import type { MemoStore } from "./incidents.ts";

/**
 * Longest silence, in days: a forgotten one hides failures. Longer exceptions belong in the
 * configuration, which others review.
 */
const DAYS_MAX = 31;
const DAY_MS = 86_400_000;
/** Time for which an ended silence stays, so that its summary is sent even after a downtime. */
const KEPT_MS = DAY_MS;
/** Most tries of a change after others have changed the same silence. */
const TRIES_MAX = 20;

/** Options of a caller's silence. */
export interface SilenceOptions {
  /** Epoch ms. */
  readonly until: number;
  readonly reason?: string;
  /** The caller's name. */
  readonly by: string;
}

/** The silences of a store: of single jobs, and of everything. */
export class Silences {
  readonly #store: MemoStore;
  readonly #clock: Clock;

  constructor({ store, clock }: { readonly store: MemoStore; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Silence a kind, or everything for null. A new silence replaces the one in force. It keeps its
   * beginning, so that everything collected since is in one summary at the end, and its reason
   * unless a new one is given.
   *
   * @throws JobError `invalid_argument` for a time that is past or too far ahead, or a long reason
   */
  async set(kind: string | null, { until, reason, by }: SilenceOptions): Promise<Silence> {
    const lengthMax = TEXT_LENGTH_MAX.pauseReason;
    checkText(reason ?? "", { what: "reason of a silence", path: "reason", lengthMax });
    checkUntil(until, this.#clock.now().wallMs);
    const changed = await this.#change(kind, "silence", (before, nowMs) => {
      const inForce = before !== null && before.until > nowMs ? before : null;
      const { since = nowMs, reason: known = "" } = inForce ?? {};
      return { kind, since, until, reason: reason ?? known, by };
    });
    return changed!;
  }

  /** End the silence of a kind, or the general one for null. @returns false without one */
  async remove(kind: string | null): Promise<boolean> {
    // It ends now instead of vanishing, so that its summary is sent.
    const changed = await this.#change(kind, "end the silence of", (before, nowMs) => {
      return before !== null && before.until > nowMs ? { ...before, until: nowMs } : null;
    });
    return changed !== null;
  }

  /** Silences in force, the general one first. */
  async list(): Promise<readonly Silence[]> {
    const nowMs = this.#clock.now().wallMs;
    const found: Silence[] = [];
    for await (const { silence } of this.#stored()) if (silence.until > nowMs) found.push(silence);
    return found;
  }

  /** Delete silences that ended a day ago. */
  async deleteOld(): Promise<void> {
    const at = this.#clock.now();
    for await (const { memo: { key, version }, silence } of this.#stored()) {
      if (silence.until + KEPT_MS > at.wallMs) continue;
      await this.#put(at, { key, version, value: null });
    }
  }

  /**
   * Replace the stored data about a kind; tried again if another caller was first.
   *
   * @param next computes the new value from the stored one; null changes nothing
   */
  async #change(
    kind: string | null,
    action: string,
    next: (before: Silence | null, nowMs: number) => Silence | null,
  ): Promise<Silence | null> {
    const key = SILENCE_MEMO + (kind ?? "");
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const memo = await readMemo(key, { store: this.#store });
      const at = this.#clock.now();
      const after = next(memo && silenceOf(memo), at.wallMs);
      if (after === null) return null;
      const value = { watch: "never", data: JSON.stringify(after) } as const;
      if (await this.#put(at, { key, version: memo?.version ?? null, value })) return after;
    }
    throw new JobError(
      "conflict",
      `Cannot ${action} "${kind ?? "everything"}": others keep changing it`,
      {
        hint: "Try again",
      },
    );
  }

  /** @returns false if another caller was first */
  #put(
    at: Instant,
    { key, version, value }: {
      readonly key: string;
      readonly version: number | null;
      readonly value: { readonly watch: "never"; readonly data: string } | null;
    },
  ): Promise<boolean> {
    const change = { key, expectedVersion: version, value, isProcessed: false, instances: [] };
    return tryPutMemo({ at, ...change }, { store: this.#store });
  }

  async *#stored(): AsyncGenerator<{ readonly memo: Memo; readonly silence: Silence }> {
    for await (const memo of memosOf(SILENCE_MEMO, { store: this.#store })) {
      const silence = silenceOf(memo);
      if (silence !== null) yield { memo, silence };
    }
  }
}

function silenceOf({ data }: Memo): Silence | null {
  try {
    return JSON.parse(data) as Silence;
  } catch {
    return null;
  }
}

function checkUntil(until: number, nowMs: number): void {
  const date = new Date(until);
  const shown = Number.isNaN(date.getTime()) ? quoteValue(until) : date.toISOString();
  const problem = !(until > nowMs)
    ? "it is not in the future"
    : until > nowMs + DAYS_MAX * DAY_MS
    ? `at most ${DAYS_MAX} days ahead are allowed`
    : null;
  if (problem === null) return;
  throw new JobError("invalid_argument", `Cannot silence until ${shown}: ${problem}`, {
    path: "until",
    hint: "Give a time in the next 31 days. To stop notices for good, change the configuration",
  });
}
