import { countPrinted, isPrinted } from "../../core/instance.ts";
import type { AbortCause } from "../../worker/executor.ts";
import type { FoundRun, FromSupervisor, SealedClaim } from "../protocol.ts";

type LogMessage = Extract<FromSupervisor, { readonly type: "log" }>;
type EndedMessage = Extract<FromSupervisor, { readonly type: "ended" }>;

/** Memory of a kept line beyond its text, in bytes. */
const LINE_BYTES = 200;

/** Facts about a run without its command. */
export type KeptRunFacts = Omit<FoundRun, "isFrozen" | "frozenMs">;

/** A run that has ended, and its unrecorded data. */
export interface EndedRun {
  readonly facts: KeptRunFacts;
  readonly messages: readonly FromSupervisor[];
}

interface KeptRun {
  readonly claim: SealedClaim;
  readonly beginMs: number;
  /** Monotonic ms until which it may run; afterwards the claim is no longer its own. */
  deadlineMs: number;
  pid: number | null;
  /** Why a daemon has signaled it; null without a signal. */
  aborted: AbortCause | null;
  /** Output that no daemon has recorded. */
  readonly logs: LogMessage[];
  ended: EndedMessage | null;
  /** When it ended, in monotonic ms. */
  endMs: number;
}

/**
 * The commands of a supervisor until a daemon has recorded their ends, and their output meanwhile:
 * if the daemon ends, the next one is sent all of it again.
 */
export class KeptRuns {
  readonly #runs = new Map<number, KeptRun>();
  #bytes = 0;

  /** Memory of the kept data, approximately. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  /** Monotonic ms after which the last of them may no longer run. */
  get lastDeadlineMs(): number {
    return Math.max(...[...this.#runs.values()].map(({ deadlineMs }) => deadlineMs));
  }

  begin(
    run: number,
    { claim, nowMs }: Pick<FoundRun, "claim"> & { readonly nowMs: number },
  ): void {
    const times = { beginMs: nowMs, deadlineMs: nowMs };
    const known = { pid: null, aborted: null, logs: [], ended: null, endMs: 0 };
    this.#runs.set(run, { claim, ...times, ...known });
  }

  started(run: number, pid: number): void {
    const kept = this.#runs.get(run);
    if (kept !== undefined) kept.pid = pid;
  }

  /** A daemon aborts a run whose command has not exited yet. */
  abort(run: number, cause: AbortCause): void {
    const kept = this.#runs.get(run);
    if (kept?.ended === null) kept.aborted ??= cause;
  }

  extend(run: number, deadlineMs: number): void {
    const kept = this.#runs.get(run);
    if (kept !== undefined) kept.deadlineMs = deadlineMs;
  }

  /** @returns the message, with the reason for an abort: another daemon may receive it */
  keep(message: LogMessage | EndedMessage, nowMs: number): LogMessage | EndedMessage {
    const kept = this.#runs.get(message.run);
    if (kept === undefined) return message;
    this.#bytes += bytesOf(message);
    if (message.type === "log") {
      kept.logs.push(message);
      return message;
    }
    kept.ended = { ...message, aborted: kept.aborted };
    kept.endMs = nowMs;
    return kept.ended;
  }

  /** The first `lines` printed lines of a run are recorded. */
  recorded(run: number, lines: number): void {
    const logs = this.#runs.get(run)?.logs ?? [];
    const from = logs.findIndex((message) => !isRecorded(message, lines));
    for (const log of logs.splice(0, from < 0 ? logs.length : from)) this.#bytes -= bytesOf(log);
  }

  done(run: number): void {
    const { logs = [], ended = null } = this.#runs.get(run) ?? {};
    for (const message of ended === null ? logs : [...logs, ended]) this.#bytes -= bytesOf(message);
    this.#runs.delete(run);
  }

  /** All runs, oldest first. */
  list(nowMs: number): readonly KeptRunFacts[] {
    return [...this.#runs].map(([run, kept]) => this.#factsOf(run, kept, nowMs));
  }

  #factsOf(run: number, kept: KeptRun, nowMs: number): KeptRunFacts {
    const { claim, pid, aborted, beginMs, deadlineMs, ended, endMs } = kept;
    return {
      run,
      claim,
      pid,
      aborted,
      ageMs: wholeMs(nowMs - beginMs),
      endedAgoMs: ended && wholeMs(nowMs - endMs),
      leftMs: wholeMs(deadlineMs - nowMs),
    };
  }

  /** The runs that have ended, or one of them, with their unrecorded data. */
  *ended(nowMs: number, only: number | null = null): Iterable<EndedRun> {
    for (const facts of this.list(nowMs)) {
      const { logs, ended } = this.#runs.get(facts.run)!;
      const isWanted = ended !== null && (only === null || only === facts.run);
      if (isWanted) yield { facts, messages: [...logs, ended] };
    }
  }

  /** Unrecorded messages, in an order that preserves each run's. */
  *messages(nowMs: number): Iterable<LogMessage | EndedMessage> {
    for (const { logs, ended, endMs } of this.#runs.values()) {
      yield* logs;
      if (ended !== null) yield { ...ended, agoMs: wholeMs(nowMs - endMs) };
    }
  }
}

function wholeMs(ms: number): number {
  return Math.max(0, Math.floor(ms));
}

/** True if the first `lines` printed lines include all of a message. */
function isRecorded({ first, entries }: LogMessage, lines: number): boolean {
  // A line of our own behind them may not be recorded.
  return first + countPrinted(entries) <= lines && isPrinted(entries.at(-1)!);
}

function bytesOf(message: LogMessage | EndedMessage): number {
  if (message.type === "log") {
    return message.entries.reduce((sum, { message: text }) => sum + text.length + LINE_BYTES, 0);
  }
  const { result, stderrTail } = message;
  const resultLength = result?.type === "ok"
    ? result.resultsJson.length
    : result?.type === "error"
    ? result.error.message.length + (result.error.stack?.length ?? 0)
    : 0;
  return resultLength + stderrTail.length + LINE_BYTES;
}
