import { isBlackedOut } from "../../core/time/blackout.ts";
import { decidedPart } from "../../core/time/clock_correction.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { JobError } from "../../core/errors.ts";
import { isTick, neighboursOf, tickRule, whyNoTick } from "../../core/time/explain_tick.ts";
import { formatLocal } from "../../core/time/local_time.ts";
import { type Instance, isElsewhere } from "../../core/instance.ts";
import {
  isFinished,
  REBOOT,
  type ScheduleRecord,
  type TickFate,
} from "../../core/time/schedule.ts";
import { NEVER_DUE, type OpenChildren, openKey, stepMemoKey } from "../../core/wait.ts";
import type { WaitWords } from "../../core/flow/wait_text.ts";
import { isFinal } from "../../core/state.ts";
import { nextTickOf } from "../../core/time/ticks.ts";
import type { Pause } from "../../store/store.ts";
import {
  correctionNote,
  earlyNote,
  fateWhy,
  finishedWhy,
  instanceWhy,
  neverWhy,
} from "./explain_text.ts";
import { findInstance } from "../instances/find_instance.ts";
import { listAllSchedules } from "../schedules/stored_schedules.ts";
import { Slices } from "../../platform/slices.ts";
import { didYouMean } from "../../core/text/nearest.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { TimelineParts } from "./tick_forecast.ts";
import type { ExplainQuery, TickOutcome, TickReport } from "../api/schedules.ts";

/** Ticks of each schedule that are reported by default. */
const LIMIT_DEFAULT = 5;
const LIMIT_MAX = 1_000;
/** Most reports of one call. */
const REPORTS_MAX = 1_000;
/** Most schedules reported if none has a tick at the requested time. */
const NEAREST_MAX = 3;
/** Number of runs before a skipped tick that are searched for the overlapped one. */
const OPEN_LOOKED_AT = 100;
const SPAN_MS = 60_000;

/** Sources of {@link explain}. */
export type ExplainParts = Omit<TimelineParts, "histories">;

/** Explain why something ran or did not, by instance, kind or time. @throws JobError */
export async function explain(
  query: ExplainQuery,
  parts: ExplainParts,
): Promise<readonly TickReport[]> {
  const pauses = await parts.facts.listPauses();
  const explainer = new Explainer(parts, pauses);
  const { instanceId, kind, at, spanMs = SPAN_MS, limit = LIMIT_DEFAULT, scheduleId } = query;
  if (!(limit >= 1 && limit <= LIMIT_MAX) || !(spanMs >= 1)) {
    throw new JobError("invalid_argument", `Cannot explain ${limit} ticks: 1 to ${LIMIT_MAX}`, {
      options: ["limit"],
    });
  }
  if (instanceId !== undefined) return [await explainer.instance(instanceId)];
  let records = await listAllSchedules(parts.store, kind === undefined ? {} : { kind });
  if (kind !== undefined && records.length === 0) {
    records = await listAllSchedules(parts.store, { kind, withRemoved: true });
    // Without a schedule, the runs of a job are explained.
    if (records.length === 0) return await explainer.runs(kind, { limit, at, spanMs });
  }
  if (scheduleId !== undefined) records = [ofSchedule(records, scheduleId, kind)];
  if (at !== undefined) return await explainer.at(records, { at, spanMs });
  if (kind === undefined) {
    throw new JobError("invalid_argument", "Cannot explain: no kind, instance or time given", {
      hint: "Give an instance, a kind or a time",
    });
  }
  return await explainer.latest(records, limit, query.before);
}

function ofSchedule(
  records: readonly ScheduleRecord[],
  id: string,
  kind: string | undefined,
): ScheduleRecord {
  const found = records.find((record) => record.id === id);
  if (found !== undefined) return found;
  const [subject, option] = kind === undefined
    ? ["the schedules", ""]
    : [`"${kind}"`, ` --kind ${shellWord(kind)}`];
  throw new JobError("not_found", `Cannot explain ${subject}: there is no schedule ${id}`, {
    options: ["scheduleId"],
    hint: didYouMean(id, records.map((record) => record.id)) ??
      `List them with: jobctl list schedules${option}`,
  });
}

class Explainer {
  readonly #parts: ExplainParts;
  readonly #pauses: readonly Pause[];
  readonly #nowMs: number;
  readonly #slices: Slices;

  constructor(parts: ExplainParts, pauses: readonly Pause[]) {
    this.#parts = parts;
    this.#pauses = pauses;
    this.#nowMs = parts.clock.now().wallMs;
    this.#slices = new Slices(parts.clock);
  }

  async instance(id: string): Promise<TickReport> {
    const instance = await findInstance(id, this.#parts);
    const { scheduleId, scheduledFor } = instance;
    const found = scheduleId === null ? null : await this.#parts.store.getSchedule(scheduleId);
    const record = found?.removedAt === undefined ? found : null;
    if (record !== null && scheduledFor !== null) {
      const report = await this.#tick(record, scheduledFor);
      if (!isElsewhere(instance) || report.instance?.id === instance.id) return report;
      // Another run was of this tick before.
      const { reason } = instance;
      const why = await this.#instanceWhy(instance, record);
      return { ...report, outcome: outcomeOf(instance), reason, why, instance };
    }
    const timezone = await this.#parts.facts.timezoneOf(instance.kind);
    const asked = formatLocal(instance.createdAt, timezone);
    const rule = scheduleId === null
      ? `requested at ${asked}${instance.retryOf === null ? "" : `, again for ${instance.retryOf}`}`
      : `schedule ${scheduleId}, which is gone, at ${formatLocal(scheduledFor!, timezone)}`;
    return {
      ...NOTHING,
      kind: instance.kind,
      timezone,
      at: scheduledFor ?? (instance.dueAt === NEVER_DUE ? instance.createdAt : instance.dueAt),
      outcome: outcomeOf(instance),
      reason: instance.reason,
      rule,
      why: await this.#instanceWhy(instance),
      instance,
      decidedAt: instance.createdAt,
    };
  }

  /** The last runs of a job without a schedule, even a removed one. @throws JobError `not_found` */
  async runs(
    kind: string,
    what: { readonly limit: number; readonly at: number | undefined; readonly spanMs: number },
  ): Promise<readonly TickReport[]> {
    const { limit, at, spanMs } = what;
    const span = at === undefined ? {} : { after: at, before: at + spanMs };
    const page = { limit, order: "newest" } as const;
    const { items } = await this.#parts.store.list({ kinds: [kind], ...span }, page);
    const reports: TickReport[] = [];
    for (const { id } of items.toReversed()) reports.push(await this.instance(id));
    if (reports.length > 0) return reports;
    if (at === undefined) await this.#parts.facts.assertKnown(kind);
    const then = at === undefined ? "" : " at that time";
    throw new JobError(
      "not_found",
      `Cannot explain "${kind}": it has no schedule, and no runs${then}`,
      { hint: `Run it once with: jobctl schedule ${shellWord(kind)}` },
    );
  }

  /** The ticks of a span of time, or the nearest ones. */
  async at(
    records: readonly ScheduleRecord[],
    span: { readonly at: number; readonly spanMs: number },
  ): Promise<readonly TickReport[]> {
    const found: { readonly record: ScheduleRecord; readonly tick: number }[] = [];
    for (const record of records) {
      for (const tick of await this.#ticksIn(record, span)) {
        if (found.length < REPORTS_MAX) found.push({ record, tick });
      }
      if (found.length === REPORTS_MAX) break;
      await this.#slices.pause();
    }
    if (found.length > 0) {
      found.sort((a, b) => a.tick - b.tick || (a.record.id < b.record.id ? -1 : 1));
      const reports: TickReport[] = [];
      for (const { record, tick } of found) {
        reports.push(await this.#tick(record, tick));
        await this.#slices.pause();
      }
      return withoutRepeats(reports);
    }
    const none: TickReport[] = [];
    for (const record of records) {
      none.push(this.#noTick(record, span.at));
      await this.#slices.pause();
    }
    return none.sort((a, b) => distance(a) - distance(b)).slice(0, NEAREST_MAX);
  }

  /** The last ticks of each schedule and the next one, or the last ones before a time. */
  async latest(
    records: readonly ScheduleRecord[],
    limit: number,
    end: number | undefined,
  ): Promise<readonly TickReport[]> {
    const reports: TickReport[] = [];
    for (const record of records) {
      // Ticks that a fast clock ran early are reported when their time is requested.
      const before = end ?? Math.max(record.cursor, this.#nowMs) + 1;
      const query = { scheduleId: record.id, before };
      const { items } = await this.#parts.store.listFates(query, { limit, order: "newest" });
      const fates = items.map((fate) => decidedPart(record, fate)).filter((fate) => fate !== null);
      for (const fate of fates.toReversed()) reports.push(await this.#tick(record, fate.to, fate));
      if (end !== undefined) continue;
      if (record.nextAt !== null) reports.push(await this.#tick(record, this.#nextOf(record)));
      else if (isFinished(record)) reports.push(this.#noTick(record, this.#nowMs));
      if (reports.length >= REPORTS_MAX) break;
      await this.#slices.pause();
    }
    return reports.sort((a, b) => a.at - b.at).slice(-REPORTS_MAX);
  }

  // A schedule postponed because its job was missing is due by its expression.
  #nextOf({ spec, startAt, cursor, nextAt }: ScheduleRecord): number {
    return nextTickOf(spec, startAt, cursor) ?? nextAt!;
  }

  // Ticks of the expression, and ticks recorded under an earlier one.
  async #ticksIn(
    record: ScheduleRecord,
    { at, spanMs }: { readonly at: number; readonly spanMs: number },
  ): Promise<readonly number[]> {
    const { spec, startAt, id } = record;
    const ticks = new Set<number>();
    let tick = nextTickOf(spec, startAt, at - 1);
    while (tick !== null && tick < at + spanMs && ticks.size < REPORTS_MAX) {
      ticks.add(tick);
      tick = nextTickOf(spec, startAt, tick);
    }
    const query = { scheduleId: id, after: at, before: at + spanMs };
    const { items } = await this.#parts.store.listFates(query, { limit: LIMIT_MAX });
    for (const fate of items) if (decidedPart(record, fate) !== null) ticks.add(fate.from);
    // Before the last change, only the two ends of a longer range are known.
    if (ticks.size === 0 && at < startAt && await this.#fateOf(record, at) !== null) ticks.add(at);
    return [...ticks];
  }

  async #tick(record: ScheduleRecord, at: number, known?: TickFate): Promise<TickReport> {
    const fate = known ?? await this.#fateOf(record, at);
    const { kind, spec: { timezone } } = record;
    const base = { ...NOTHING, schedule: record, kind, timezone, at };
    const isByRule = record.spec.cron === REBOOT || isTick(record.spec, record.startAt, at);
    const rule = isByRule || fate === null
      ? tickRule(record.spec, at)
      : `${formatLocal(at, timezone)}, by the schedule's rule at that time`;
    if (fate === null) {
      return { ...base, rule, ...await this.#undecided(record, at) };
    }
    const { reason, at: decidedAt } = fate;
    const instance = fate.instanceId === null ? null : await this.#parts.store.get(fate.instanceId);
    if (fate.fate === "fired") {
      const how = reason === "backfill" ? "By a backfill. " : earlyNote(record, at, this.#nowMs);
      const why = instance === null
        ? "It ran; its instance was deleted when its retention ended"
        : await this.#instanceWhy(instance, record);
      const outcome = instance === null ? "ran" : outcomeOf(instance);
      return { ...base, rule, outcome, reason, why: how + why, instance, decidedAt };
    }
    const before = reason === "overlap" ? await this.#openAt(record.id, decidedAt) : null;
    const why = fateWhy(record, fate, { at, before, pauses: this.#pauses });
    return { ...base, rule, outcome: fate.fate, reason, why, decidedAt };
  }

  async #undecided(
    record: ScheduleRecord,
    at: number,
  ): Promise<Pick<TickReport, "outcome" | "why">> {
    if (isOver(record, at)) return { outcome: "none", why: finishedWhy(record) };
    const isPast = at <= record.cursor || at <= record.startAt;
    if (isPast) return { outcome: "none", why: neverWhy(record, at) };
    const { spec, skipUntil = -Infinity, skipNext = 0, nextAt } = record;
    const holds = !await this.#parts.facts.isKnown(record.kind)
      ? await this.#unloaded(record.kind)
      : at < skipUntil || (skipNext > 0 && at === nextAt)
      ? "it will be skipped on request"
      : isBlackedOut(spec.blackout ?? [], spec.timezone, at)
      ? "it will be skipped: it is in a blackout window"
      : this.#pauseOf(record.kind) !== null
      ? "it will be skipped if the pause has not ended by then"
      : spec.jitterMs > 0
      ? `it starts up to ${formatDuration(spec.jitterMs)} later (jitter)`
      : null;
    const due = at > this.#nowMs
      ? `It is due at ${formatLocal(at, spec.timezone)}`
      : "It is due now";
    const note = correctionNote(record, at);
    const why = [due, holds, note].filter((part) => part !== null).join("; ");
    return { outcome: "pending", why };
  }

  #noTick(record: ScheduleRecord, at: number): TickReport {
    const { kind, spec, startAt, lastRunAt = null } = record;
    const { timezone } = spec;
    const report = { ...NOTHING, schedule: record, kind, timezone, at, rule: tickRule(spec, at) };
    if (isOver(record, at)) return { ...report, why: finishedWhy(record), previousAt: lastRunAt };
    const why = `No tick: ${whyNoTick(spec, startAt, at)}`;
    return { ...report, why, ...neighboursOf(spec, startAt, at) };
  }

  async #instanceWhy(instance: Instance, record?: ScheduleRecord): Promise<string> {
    const ahead = instance.reason === "queued" && !isFinal(instance.state)
      ? await this.#firstOpen(instance.scheduleId!)
      : null;
    const pause = this.#pauseOf(instance.kind);
    const { jitterMs = 0 } = record?.spec ?? {};
    const timezone = record?.spec.timezone ?? await this.#parts.facts.timezoneOf(instance.kind);
    const block = await this.#parts.facts.blockOf(instance);
    const nowMs = this.#nowMs;
    const waits = await this.#countedWaits(instance);
    return instanceWhy(instance, { nowMs, timezone, ahead, pause, jitterMs, block, waits });
  }

  /** The waits of an instance, those for several children with their count. */
  async #countedWaits({ id, waits }: Instance): Promise<readonly WaitWords[]> {
    return await Promise.all((waits ?? []).map(async (wait) => {
      if (wait.type !== "children" || wait.key === null) return wait;
      const prefix = stepMemoKey(id, openKey(wait.key));
      const [memo] = await this.#parts.store.listMemos({ prefix, after: null, limit: 1 });
      return memo === undefined ? wait : { ...wait, count: JSON.parse(memo.data) as OpenChildren };
    }));
  }

  async #unloaded(kind: string): Promise<string> {
    const reason = await this.#parts.facts.disabledBecause(kind);
    return reason === null
      ? `no node has a job "${kind}"`
      : `it will be skipped: its job is disabled: ${reason}`;
  }

  /** The pause of a kind, else of all kinds; null without one. */
  #pauseOf(kind: string): Pause | null {
    return this.#pauses.find((pause) => pause.kind === kind) ??
      this.#pauses.find((pause) => pause.kind === null) ?? null;
  }

  async #fateOf(record: ScheduleRecord, at: number): Promise<TickFate | null> {
    const query = { scheduleId: record.id, before: at + 1 };
    const { items } = await this.#parts.store.listFates(query, { limit: 1, order: "newest" });
    const fate = items[0] && items[0].to >= at ? decidedPart(record, items[0]) : null;
    return fate && fate.to >= at ? fate : null;
  }

  /** The oldest run that was unfinished at a time; null if no longer known. */
  async #openAt(scheduleId: string, at: number): Promise<Instance | null> {
    const query = { scheduleId, before: at + 1 };
    const page = { limit: OPEN_LOOKED_AT, order: "newest" } as const;
    const { items } = await this.#parts.store.list(query, page);
    return items.findLast(({ settledAt }) => settledAt === null || settledAt >= at) ?? null;
  }

  async #firstOpen(scheduleId: string): Promise<Instance | null> {
    const states = ["created", "scheduled", "processing"] as const;
    const page = { limit: 1, order: "oldest" } as const;
    return (await this.#parts.store.list({ scheduleId, states }, page)).items[0] ?? null;
  }
}

/** True if a schedule has no tick left at a time. */
function isOver(record: ScheduleRecord, at: number): boolean {
  const { cursor, removedAt } = record;
  if (removedAt !== undefined) return at >= cursor;
  return isFinished(record) && at > cursor;
}

const NOTHING = {
  schedule: null,
  outcome: "none",
  reason: null,
  instance: null,
  decidedAt: null,
  previousAt: null,
  nextAt: null,
} as const;

function outcomeOf(instance: Instance): TickOutcome {
  if (instance.state === "processing") return "running";
  if (!isFinal(instance.state)) return "waiting";
  return instance.attempt === 0 ? "skipped" : "ran";
}

// If many ticks lack a record for the same reason, the first report has it and their number.
function withoutRepeats(reports: readonly TickReport[]): readonly TickReport[] {
  const alike = Map.groupBy(reports, (report) => {
    const { schedule, outcome, why } = report;
    return outcome === "none" ? `${schedule?.id} ${why}` : report;
  });
  return [...alike.values()].map(([first, ...others]) => {
    const report = first!;
    if (others.length === 0) return report;
    return { ...report, why: `${report.why}; and ${others.length} more like it` };
  });
}

function distance({ at, previousAt, nextAt }: TickReport): number {
  return Math.min(at - (previousAt ?? -Infinity), (nextAt ?? Infinity) - at);
}
