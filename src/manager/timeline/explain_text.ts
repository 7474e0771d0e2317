import { countText } from "../../core/text/count_text.ts";
import { isBlackedOut } from "../../core/time/blackout.ts";
import { formatDuration, runText } from "../../core/time/duration.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { type Instance, isElsewhere } from "../../core/instance.ts";
import { waitsText, type WaitWords } from "../../core/flow/wait_text.ts";
import { NEVER_DUE } from "../../core/wait.ts";
import { type Block, blockWords } from "../../core/job/limits.ts";
import { CHANGED, type ScheduleRecord, type TickFate } from "../../core/time/schedule.ts";
import { CORRECTION_MS } from "../../core/time/ticks.ts";
import { type Pause, UNREPORTED } from "../../store/store.ts";

/** Facts about an instance that it does not have itself. */
interface InstanceFacts {
  readonly nowMs: number;
  /** The zone of the times in the sentence. */
  readonly timezone: string;
  /** The oldest unfinished instance of the same schedule, if this one is queued. */
  readonly ahead: Instance | null;
  /** A pause of its kind, or of all kinds; null without one. */
  readonly pause: Pause | null;
  /** The longest jitter of its schedule. */
  readonly jitterMs: number;
  /** The limit that keeps it from running. */
  readonly block: Block | null;
  /** Its waits. */
  readonly waits: readonly WaitWords[];
}

/** Explain the state of an instance in one sentence. */
export function instanceWhy(instance: Instance, facts: InstanceFacts): string {
  const { state, reason, attempt, node, processedAt, dueAt, cancelRequestedAt } = instance;
  const at = timesIn(facts.timezone);
  const run = isElsewhere(instance)
    ? `on host "${node ?? "?"}", as it was reported`
    : `attempt ${attempt} on node "${node ?? "?"}"`;
  switch (state) {
    case "processing": {
      const since = `It has been running since ${at(processedAt!)}: ${run}`;
      return cancelRequestedAt === null
        ? since
        : `${since}. Its cancel was requested at ${
          at(cancelRequestedAt)
        }, and it has not ended yet`;
    }
    case "created":
    case "scheduled":
      return waitingWhy(instance, facts);
    case "completed":
      if (processedAt === null) return `It ran and completed at ${at(instance.settledAt!)}: ${run}`;
      return `It ran and completed after ${span(instance)}: began ${at(processedAt!)}${
        jitterNote(instance, facts.jitterMs)
      }, ${run}`;
    case "timedOut":
      if (reason === "deadline") return deadlineWhy(instance, run, at);
      if (isElsewhere(instance)) {
        return `It began at ${at(processedAt!)}, and nobody reported its end within ${
          formatDuration(instance.timeoutMs)
        }: ${run}`;
      }
      return `It ran and was stopped at its time limit, after ${span(instance)}: ${run}`;
    case "canceled": {
      const other = instance.scheduleId === null ? "instance with its unique key" : "tick";
      const why = reason === "replaced" ? `a later ${other} replaced it` : "somebody canceled it";
      return attempt === 0
        ? `It never ran: ${why} at ${at(instance.settledAt!)}`
        : isElsewhere(instance)
        ? `It may still run, but ${why} here: began ${at(processedAt!)}, ${run}`
        : `It was stopped, as ${why}: began ${at(processedAt!)}, ${run}`;
    }
    case "terminated": {
      const what = instance.error === null ? "" : `: ${instance.error.message.slice(0, 200)}`;
      if (attempt === 0) return `It never ran: ${reason ?? "terminated"}, due ${at(dueAt)}`;
      if (reason === "discarded") return `It ran, and its job discarded it${what}; ${run}`;
      if (reason === "lost") return `It was lost with its worker or node too often: ${run}`;
      if (reason === "drained") {
        return `It was stopped with its daemon, and its job says not to run it again: ${run}`;
      }
      return `It ran and failed (${reason})${what}; ${run}`;
    }
  }
}

function deadlineWhy(
  { deadlineAt, attempt }: Instance,
  run: string,
  at: (ms: number) => string,
): string {
  const passed = `its deadline ${at(deadlineAt!)} left no time for it`;
  return attempt === 0
    ? `It never ran: ${passed}`
    : `It did not complete, as ${passed}; last ${run}`;
}

function waitingWhy(instance: Instance, facts: InstanceFacts): string {
  const { nowMs, ahead, pause, block } = facts;
  const { dueAt, attempt, reason, waits, scheduledAt, cancelRequestedAt, deadlineAt } = instance;
  const at = timesIn(facts.timezone);
  const isStuck = waits?.some(({ type }) => type === "undo") ?? false;
  if (reason === "unwinding") {
    return `It failed, and runs once more at ${at(dueAt)} to take back what its steps did`;
  }
  if (cancelRequestedAt !== null && !isStuck) {
    const end = `until ${at(deadlineAt ?? dueAt)} at the latest; another cancel ends it at once`;
    return `It was canceled at ${
      at(cancelRequestedAt)
    }, and runs once more for its cleanup, ${end}`;
  }
  if (waits !== null && dueAt > nowMs) {
    const last = Math.min(dueAt, deadlineAt ?? Infinity);
    const end = last >= NEVER_DUE ? "" : `, until ${at(last)} at the latest`;
    return `It is parked and waits for ${waitsText(facts.waits)}, since ${at(scheduledAt)}${end}`;
  }
  if (reason === "queued" && ahead !== null && ahead.id !== instance.id) {
    return `It waits until ${ahead.id} of the same schedule has ended`;
  }
  if (pause !== null) return `It waits: ${pausedWords(pause, at)}`;
  if (dueAt > nowMs) {
    return attempt > 0
      ? `It waits until ${at(dueAt)} for its next attempt; attempt ${attempt} ended: ${reason}`
      : `It waits until ${at(dueAt)}`;
  }
  const since = `${lastEndWords(instance)}It has been waiting since ${at(dueAt)} for`;
  if (block === null) return `${since} a free worker`;
  const until = block.opensAt === null ? "" : `, until ${at(block.opensAt)}`;
  return `${since} ${blockWords(block)}${until}`;
}

/** The end of the last attempt that counts as no failure, as a sentence; else empty. */
function lastEndWords({ reason, attempt }: Instance): string {
  if (attempt === 0) return "";
  if (reason === "released") return `Attempt ${attempt} was stopped with its daemon. `;
  return reason === "lost" ? `Attempt ${attempt} was lost with its worker or node. ` : "";
}

/** Explain in one sentence why a tick has no instance. */
export function fateWhy(
  record: ScheduleRecord,
  fate: TickFate,
  facts: {
    readonly at: number;
    /** The run that it would have overlapped, if known. */
    readonly before: Instance | null;
    readonly pauses: readonly Pause[];
  },
): string {
  const { spec, correction } = record;
  const local = (ms: number) => formatLocal(ms, spec.timezone);
  // By the correct clock, it was decided before its time.
  const isAhead = correction !== undefined && fate.from <= correction.at &&
    fate.at > correction.at + CORRECTION_MS;
  if (fate.fate === "coalesced" || fate.fate === "missed") {
    const during = isAhead
      ? `while the clock was ahead, at ${local(fate.at)}, until it was set back to ${
        local(correction.at)
      }`
      : `while no daemon could start ${fate.count === 1 ? "it" : "them"}, until ${local(fate.at)}`;
    const what = `${passed(fate, local)} ${during}`;
    if (fate.fate === "coalesced") return `${what}; misfire "latest" runs only the last tick`;
    if (isAhead) return `It was missed. ${what}`;
    if (fate.reason === UNREPORTED) {
      return `It did not run, or nobody reported it: no report had come by ${local(fate.at)}`;
    }
    if (fate.reason === CHANGED) {
      return `It was missed. ${what}, when the schedule was changed: it starts afresh at that time`;
    }
    const limit = spec.misfire === "skip"
      ? 'misfire "skip" runs nothing late'
      : `misfire_within is ${formatDuration(spec.misfireWithinMs)}, and at most 100 run late`;
    return `It was missed. ${what}; ${limit}`;
  }
  if (fate.fate === "expected") {
    return "It runs elsewhere, and no run has been reported yet";
  }
  switch (fate.reason) {
    case "overlap": {
      const { before } = facts;
      const run = before === null
        ? "a run before it"
        : `the run of ${local(before.scheduledFor ?? before.createdAt)} (${before.id})`;
      const more = spec.overlap === "queue" ? ", and its queue was full" : "";
      return `It was skipped: ${run} had not ended${more} (overlap "${spec.overlap}")`;
    }
    case "paused":
      return `It was skipped: the job, or everything, was paused${pauseNote(record, facts.pauses)}`;
    case "blackout": {
      const window = spec.blackout?.find((text) => isBlackedOut([text], spec.timezone, facts.at));
      return `It was skipped: it is in a blackout window${window ? ` ("${window}")` : ""}`;
    }
    case "skip requested":
      return "It was skipped on request (jobctl skip)";
    case "runs_max":
      return `It was skipped: the schedule was finished after ${
        countText(spec.runsMax ?? 0, "run")
      }`;
    case "disabled":
      return "It was skipped: its job was disabled or could not be loaded";
    default:
      return `It was skipped: ${fate.reason ?? "no reason was recorded"}`;
  }
}

/** A note on a tick that comes again because a clock was ahead; null without one. */
export function correctionNote({ correction, spec }: ScheduleRecord, tick: number): string | null {
  if (correction === undefined || tick > correction.cursor || tick <= correction.at) return null;
  const [at, cursor] = [correction.at, correction.cursor].map((ms) =>
    formatLocal(ms, spec.timezone)
  );
  return `the clock was ahead until ${cursor} and was set back to ${at}: the schedule continues from there`;
}

/** A note on a tick that ran early because the clock was ahead; else empty. */
export function earlyNote(
  { correction, spec }: ScheduleRecord,
  tick: number,
  nowMs: number,
): string {
  if (correction === undefined || tick > correction.cursor || tick <= nowMs) return "";
  const at = formatLocal(correction.at, spec.timezone);
  return `It ran early: the clock was ahead until it was set back to ${at}. `;
}

/** Explain why a past tick has no record. */
export function neverWhy(record: ScheduleRecord, tick: number): string {
  const { startAt, createdAt, spec } = record;
  const local = (ms: number) => formatLocal(ms, spec.timezone);
  if (tick <= startAt) {
    return startAt > createdAt
      ? `It did not run: the schedule has had these times only since ${local(startAt)}`
      : `It did not run: the schedule did not exist before ${local(startAt)}`;
  }
  return "There is no record of it any more: what became of a tick is kept for 400 days";
}

/** Explain in one sentence why a schedule has no more ticks. */
export function finishedWhy({ spec, runs = 0, removedAt }: ScheduleRecord): string {
  if (removedAt !== undefined) {
    return `The schedule is no longer in the configuration: it was removed at ${
      formatLocal(removedAt, spec.timezone)
    }`;
  }
  const { runsMax = Infinity, endsAt, timezone } = spec;
  if (runs >= runsMax) return `The schedule is finished: runs_max ${runsMax} is reached`;
  return endsAt === undefined
    ? "The schedule is finished: no tick comes any more"
    : `The schedule is finished: it ended at ${formatLocal(endsAt, timezone)} (ends_at)`;
}

function passed({ count, from, to }: TickFate, local: (ms: number) => string): string {
  return count === 1 ? "It passed" : `${count} ticks from ${local(from)} to ${local(to)} passed`;
}

/** A pause in words: `its job is paused until 2026-11-24 09:00:00 +01:00: "new disk"`. */
function pausedWords({ kind, until, reason }: Pause, at: (ms: number) => string): string {
  const what = kind === null ? "everything" : "its job";
  const end = until === null ? "somebody resumes it" : at(until);
  return `${what} is paused until ${end}${reason === "" ? "" : `: "${reason}"`}`;
}

function pauseNote(record: ScheduleRecord, pauses: readonly Pause[]): string {
  const pause = pauses.find(({ kind }) => kind === null || kind === record.kind);
  return pause?.reason ? `; it is paused now: "${pause.reason}"` : "";
}

/** A note on the delay of a run by jitter. */
function jitterNote({ scheduledFor, dueAt, attempt }: Instance, jitterMs: number): string {
  const laterMs = scheduledFor === null || attempt > 1 ? 0 : dueAt - scheduledFor;
  return laterMs <= 0 || laterMs > jitterMs
    ? ""
    : `, ${formatDuration(laterMs)} after its tick by jitter`;
}

function span({ processedAt, settledAt }: Instance): string {
  return runText(Math.max(0, (settledAt ?? 0) - (processedAt ?? 0)));
}

function timesIn(timezone: string): (ms: number) => string {
  return (ms) => formatLocal(ms, timezone);
}
