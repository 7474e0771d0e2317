import { isJobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import { newsDetail } from "../../core/notices/news_detail.ts";
import { leftOutOf } from "../../core/notices/notice_text.ts";
import {
  nextSubject,
  type PlannedNotice,
  type SubjectNews,
} from "../../core/notices/next_subject.ts";
import { readSubject, type SubjectState, writeSubject } from "../../core/notices/subject_state.ts";
import { idOfText } from "../../platform/text_ids.ts";
import {
  JOB_MEMO,
  type Memo,
  type MemoWatch,
  type NewInstance,
  type News,
} from "../../store/store.ts";
import { isGone, liveNodes } from "./gone_incidents.ts";
import { channelsOf, subjectOfKey } from "./subject_channels.ts";
import { Deliveries } from "../deliveries/deliveries.ts";
import type { Channel } from "../channels/channel.ts";
import type { NoticeContext } from "../context/notice_context.ts";
import { readMemo } from "../context/memos.ts";
import { newNewsTask, type NewsTask, type Reminder, reminderId } from "../context/notice_kinds.ts";

/** Most times that a memo is read again because others changed it meanwhile. */
const TRIES_MAX = 200;
/** Most instances that are accepted with a memo. */
const INSTANCES_MAX = 900;

/**
 * Process the news of a memo: its subject's incident, and the resulting notices, are written in one
 * transaction, so that a crash repeats all or nothing.
 */
export async function processNews(task: NewsTask, context: NoticeContext): Promise<void> {
  for (let tries = 1;; tries++) {
    const memo = await readMemo(task.key, context);
    const step = memo && await stepOf(memo, task, context);
    if (!step) return;
    try {
      const { value: after } = await context.store.putMemo({
        at: context.clock.now(),
        key: task.key,
        expectedVersion: memo.version,
        isProcessed: true,
        droppedNews: memo.droppedNews,
        value: { watch: step.watch, data: writeSubject(step.state) },
        instances: step.instances,
      });
      // More came meanwhile than could be kept.
      if ((after?.droppedNews ?? 0) === 0) return;
    } catch (error) {
      if (!isJobError(error, "conflict") || tries === TRIES_MAX) throw error;
    }
  }
}

interface Step {
  readonly state: SubjectState;
  readonly watch: MemoWatch;
  readonly instances: readonly NewInstance[];
}

/** The next step for a memo; null for nothing. */
async function stepOf(memo: Memo, task: NewsTask, context: NoticeContext): Promise<Step | null> {
  const subject = subjectOfKey(memo.key);
  if (subject === null) return null;
  const channels = channelsOf(subject, memo.key, context);
  if (channels === "nobody" && memo.data === "" && memo.news.length > 0) {
    return { state: readSubject(""), watch: "never", instances: [] };
  }
  const listed = channels === "nobody" ? [] : channels;
  let state = readSubject(memo.data);
  const runs = new Map<string, Instance | null>();
  const planned: (PlannedNotice & { readonly previousId: string | null })[] = [];
  const repeats: PlannedNotice[] = [];
  const all = memo.droppedNews === 0 ? memo.news : [
    ...memo.news,
    ...await droppedEnds(memo, state, context),
  ];
  for (const news of await withEnds(all, runs, context)) {
    const instance = await instanceOf(news, runs, context);
    if (isOutdated(news, instance)) continue;
    const step = nextSubject(state, await subjectNews(news, instance, context), {
      subject,
      channels: listed.map(({ settings }) => settings),
      newId: () => idOfText(`incident ${memo.key} ${news.id}`),
    });
    state = step.state;
    const { previousId } = state;
    planned.push(...step.notices.map((notice) => ({ ...notice, previousId })));
    repeats.push(...step.repeats ?? []);
  }
  const dropped = memo.droppedNews - (all.length - memo.news.length);
  state = withDropped(state, dropped);
  const hasNews = memo.news.length + memo.droppedNews > 0;
  const deliveries = new Deliveries(context, { key: memo.key, subject, runs });
  const last = dropped > 0 ? lastOf(planned) : new Set();
  for (const notice of planned) {
    const leftOut = last.has(notice) ? leftOutOf(subject, dropped) : null;
    await deliveries.add(notice, { previousId: notice.previousId, leftOut });
  }
  for (const repeat of repeats) await deliveries.addRepeat(repeat);
  const reminders = remindersOf(planned, listed, memo.key, context);
  const reminded = task.reminder &&
    await remind(state, task.reminder, { memo, deliveries, context });
  if (reminded) {
    state = reminded.state;
    reminders.push(...reminded.next);
  } else if (!hasNews) return null;
  const instances = [...deliveries.instances, ...reminders];
  // Their ids come from the news, so that a repeated step has the same ids.
  const early = instances.splice(INSTANCES_MAX);
  for (let from = 0; from < early.length; from += INSTANCES_MAX) {
    const some = early.slice(from, from + INSTANCES_MAX);
    await context.store.enqueue({ at: context.clock.now(), instances: some });
  }
  const isOpen = state.incident !== null && state.incident.closedAt === null;
  // Successes count while a failure is among the runs that channels count.
  const isWatched = isOpen || state.recent !== "";
  return { state, watch: isWatched ? "ends" : "failures", instances };
}

/** Events that are reported one by one, so that each dropped one matters. */
const EACH: ReadonlySet<string> = new Set(["output", "missed"]);

/** Each channel's last notice, which states the number of further events. */
function lastOf(planned: readonly PlannedNotice[]): ReadonlySet<unknown> {
  const found = planned.filter(({ event }) => EACH.has(event));
  return new Set(new Map(found.map((notice) => [notice.channel, notice])).values());
}

async function instanceOf(
  { instanceId }: News,
  runs: Map<string, Instance | null>,
  { store }: NoticeContext,
): Promise<Instance | null> {
  if (instanceId === null) return null;
  let instance = runs.get(instanceId);
  if (instance === undefined) runs.set(instanceId, instance = await store.get(instanceId));
  return instance;
}

/** True if a node, unaware of a run's end, reported it afterwards as late or long. */
function isOutdated({ event, at }: News, instance: Instance | null): boolean {
  const settledAt = instance?.settledAt ?? null;
  return (event === "late" || event === "long") && settledAt !== null && settledAt < at;
}

/**
 * News, and the success of late or long runs, if all of them have succeeded: a success before the
 * report is not among the news.
 */
async function withEnds(
  all: readonly News[],
  runs: Map<string, Instance | null>,
  context: NoticeContext,
): Promise<readonly News[]> {
  const found: News[] = [];
  for (const news of all.filter(({ event }) => event === "late" || event === "long")) {
    const instance = await instanceOf(news, runs, context);
    if (instance?.state !== "completed") return all;
    const { settledAt: at, reason: detail } = instance;
    found.push({ ...news, id: `${news.id}:end`, event: "completed", at: at!, detail });
  }
  return [...all, ...found.slice(-1)];
}

async function subjectNews(
  news: News,
  instance: Instance | null,
  { isShort, timezone }: NoticeContext,
): Promise<SubjectNews> {
  const isSuccess = news.event === "completed" && instance !== null;
  const isFailure = news.event === "terminated" || news.event === "timedOut";
  return {
    ...news,
    detail: newsDetail(news, timezone),
    // A late run may have failed before, for reasons unrelated to its delay.
    error: isFailure ? instance?.error ?? null : null,
    version: instance?.version ?? null,
    ...(isSuccess && await isShort(instance) ? { isShort: true } : {}),
  };
}

/**
 * More ends came than a memo keeps: the last failure and the last success are looked up, so that
 * the incident matches its job's current state.
 */
async function droppedEnds(
  { key, news }: Memo,
  { incident, seen }: SubjectState,
  { store }: NoticeContext,
): Promise<readonly News[]> {
  if (!key.startsWith(JOB_MEMO)) return [];
  const known = new Set([...seen, ...news.map(({ id }) => id)]);
  const sinceMs = Math.max(news.at(-1)?.at ?? 0, incident?.lastAt ?? 0, incident?.closedAt ?? 0);
  const ends: News[] = [];
  for (const states of [["terminated", "timedOut"], ["completed"]] as const) {
    const query = { kinds: [key.slice(JOB_MEMO.length)], states };
    const [last] = (await store.list(query, { limit: 1 })).items;
    if (!last || known.has(last.id) || (last.settledAt ?? 0) < sinceMs) continue;
    const { id, state: event, reason: detail } = last;
    ends.push({ id, event, at: last.settledAt!, instanceId: id, detail });
  }
  return ends.sort((left, right) => left.at - right.at);
}

/** Count the news that a memo had no room for; the list of instances shows them. */
function withDropped(state: SubjectState, dropped: number): SubjectState {
  const { incident } = state;
  if (dropped <= 0 || incident === null || incident.closedAt !== null) return state;
  return { ...state, incident: { ...incident, count: incident.count + dropped } };
}

/** The first reminders of the incidents that channels were notified of. */
function remindersOf(
  planned: readonly PlannedNotice[],
  channels: readonly Channel[],
  key: string,
  context: NoticeContext,
): NewInstance[] {
  const found = new Map<string, NewInstance>();
  for (const { channel, incident, round } of planned) {
    const repeatMs = channels.find(({ settings }) => settings.name === channel)!
      .settings.rules.repeatMs;
    if (repeatMs === null || incident === null || incident.closedAt !== null) continue;
    const reminder: Reminder = { incidentId: incident.id, channel, number: 1, round };
    const id = reminderId(key, reminder);
    const dueAt = context.clock.now().wallMs + repeatMs;
    if (!found.has(id)) found.set(id, newNewsTask({ key, reminder }, id, dueAt));
  }
  return [...found.values()];
}

/** Remind a channel of an open incident; null without a reason. */
async function remind(
  state: SubjectState,
  reminder: Reminder,
  { memo, deliveries, context }: {
    readonly memo: Memo;
    readonly deliveries: Deliveries;
    readonly context: NoticeContext;
  },
): Promise<{ readonly state: SubjectState; readonly next: readonly NewInstance[] } | null> {
  const { incident } = state;
  const { channel, number, incidentId } = reminder;
  const repeatMs = context.channels.get(channel)?.settings.rules.repeatMs ?? null;
  if (incident?.id !== incidentId || incident.closedAt !== null || repeatMs === null) return null;
  const told = state.notified[channel] ?? [];
  const event = told.find((one) => incident.events.includes(one)) ?? told[0];
  if (event === undefined || (state.reminders[channel] ?? 0) >= number) return null;
  // One of before the recovery of the channel.
  if ((state.rounds[channel] ?? 0) !== (reminder.round ?? 0)) return null;
  // No reminder of an acknowledged incident, nor of a job or channel that is gone, which cannot
  // recover. Later there may be one: an acknowledgment can be revoked, and a job can return.
  if (incident.acknowledgedBy === null && !isGone(memo.key, await liveNodes(context), context)) {
    // Only runs of jobs are counted: a failing channel has no streak.
    const isWell = incident.subject.type === "job" && state.streak === 0;
    await deliveries.addReminder(reminder, event, incident, isWell);
  }
  const following = { ...reminder, number: number + 1 };
  const id = reminderId(memo.key, following);
  const dueAt = context.clock.now().wallMs + repeatMs;
  return {
    state: { ...state, reminders: { ...state.reminders, [channel]: number } },
    next: [newNewsTask({ key: memo.key, reminder: following }, id, dueAt)],
  };
}
