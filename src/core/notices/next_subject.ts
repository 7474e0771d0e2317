import type { ErrorInfo } from "../instance.ts";
import type { Incident } from "./incident.ts";
import type { NoticeEvent, NoticeSubject } from "./notice.ts";
import type { NoticeRules } from "./settings.ts";
import {
  closeIncident,
  countFailures,
  type SubjectState,
  withRun,
  withSeen,
} from "./subject_state.ts";

/** Most characters of an incident's error: a memo has room for them in any encoding. */
const ERROR_CHARS_MAX = 2_000;

/** Why the incident of a job that left the configuration was closed. */
const REMOVED_REASON = "removed from the configuration";

/** Something that happened to a subject. */
export interface SubjectNews {
  readonly id: string;
  /**
   * A final state of an instance; `well`, which ends an incident that has only the event in
   * {@link detail}; `removed`, which ends any incident without a recovery; or an event of notices.
   */
  readonly event: string;
  readonly at: number;
  readonly instanceId: string | null;
  readonly detail: string | null;
  /** The error of the instance, if still known. */
  readonly error: ErrorInfo | null;
  readonly version: string | null;
  /** True for a success that took less than expected, which does not count as a recovery. */
  readonly isShort?: boolean;
}

/** A channel that may report a subject. */
export interface SubjectChannel {
  readonly name: string;
  readonly rules: Pick<NoticeRules, "on" | "after" | "rate">;
}

/** One notice to send. */
export interface PlannedNotice {
  readonly channel: string;
  readonly event: NoticeEvent;
  readonly news: SubjectNews;
  /** The channel's view of the incident; null for an event without one. */
  readonly incident: Incident | null;
  /** Number of earlier recoveries of the subject for the channel. */
  readonly round: number;
}

/** A subject after some news, and the notices that follow. */
export interface SubjectStep {
  readonly state: SubjectState;
  readonly notices: readonly PlannedNotice[];
  /** Events that channels have heard before in this incident: only summaries count them. */
  readonly repeats?: readonly PlannedNotice[];
}

/** Dependencies of a step. */
export interface SubjectContext {
  readonly subject: NoticeSubject;
  readonly channels: readonly SubjectChannel[];
  /** Makes the id of a new incident. */
  readonly newId: () => string;
}

/**
 * The state of a subject after some news, and the channels to notify: once of each event of an
 * incident, and once of its end. A channel that counts failures may still see a problem when
 * another sees a recovery: the incident then stays open, and the other is notified anew.
 */
export function nextSubject(
  before: SubjectState,
  news: SubjectNews,
  context: SubjectContext,
): SubjectStep {
  if (before.seen.includes(news.id)) return { state: before, notices: [] };
  const state = countRun(withSeen(before, news.id), news, context.channels);
  switch (news.event) {
    case "completed":
      return news.isShort ? { state, notices: [] } : recover(state, news, context);
    case "well": {
      const { incident } = state;
      const others = incident?.events.filter((event) => event !== news.detail) ?? [];
      if (incident !== null && others.length === 0) return recover(state, news, context);
      // The problems of a daemon end one by one; a job recovers with its next success.
      const isLess = isOpen(incident) && context.subject.type === "daemon";
      return {
        state: isLess ? { ...state, incident: { ...incident, events: others } } : state,
        notices: [],
      };
    }
    case "removed": {
      const { incident } = state;
      const closing = { at: news.at, reason: REMOVED_REASON };
      return {
        state: isOpen(incident) ? closeIncident({ ...state, incident }, closing) : state,
        notices: [],
      };
    }
    case "terminated":
    case "timedOut": {
      const isLost = news.detail === "lost";
      const failed = { ...state, streak: state.streak + 1 };
      const step = worsen(failed, news, context, isLost ? ["lost", "failed"] : ["failed"]);
      const singles = noticesToAll("dead", step.state.incident, news, context);
      // A channel that was notified of the failure need not hear it twice.
      const isNew = ({ channel }: PlannedNotice) =>
        step.notices.every((one) => one.channel !== channel);
      return { ...step, notices: [...step.notices, ...singles.filter(isNew)] };
    }
    case "output":
      return { state, notices: noticesToAll("output", null, news, context) };
    default:
      return worsen(state, news, context, [news.event as NoticeEvent]);
  }
}

/** The state with the end of a run counted, if some channel counts recent failures. */
function countRun(
  state: SubjectState,
  { event }: SubjectNews,
  channels: readonly SubjectChannel[],
): SubjectState {
  if (!["completed", "terminated", "timedOut"].includes(event)) return state;
  const most = Math.max(0, ...channels.map(({ rules }) => rules.rate?.of ?? 0));
  return withRun(state, event !== "completed", most);
}

/** The events that a failed run can be reported as. */
const FAILURES: ReadonlySet<NoticeEvent> = new Set<NoticeEvent>(["failed", "lost"]);

function isOpen(incident: Incident | null): incident is Incident {
  return incident !== null && incident.closedAt === null;
}

/** @param words the names of the event, the most specific first */
function worsen(
  before: SubjectState,
  news: SubjectNews,
  { channels, subject, newId }: SubjectContext,
  words: readonly NoticeEvent[],
): SubjectStep {
  const previous = isOpen(before.incident) ? before.incident : null;
  const notified: Record<string, readonly NoticeEvent[]> = previous ? { ...before.notified } : {};
  const events: { readonly channel: string; readonly event: NoticeEvent }[] = [];
  const repeated: { readonly channel: string; readonly event: NoticeEvent }[] = [];
  for (const channel of channels) {
    const event = words.find((word) => channel.rules.on.includes(word));
    const earlier = notified[channel.name] ?? [];
    if (event === undefined) continue;
    if (isNotified(earlier, event)) {
      repeated.push({ channel: channel.name, event });
      continue;
    }
    // `often` counts the runs of a job; a delivery has failed many times when this is known.
    if (subject.type === "job" && FAILURES.has(event) && !isOften(channel, before)) continue;
    notified[channel.name] = [...earlier, event];
    events.push({ channel: channel.name, event });
  }
  const incident = incidentAfter(previous, news, words[0]!, {
    subject,
    newId,
    notified: namesOf(previous, notified),
  });
  return {
    state: {
      ...before,
      incident,
      notified,
      reminders: previous ? before.reminders : {},
      previousId: previous ? before.previousId : before.incident?.id ?? null,
    },
    notices: events.map((each) => ({
      ...each,
      news,
      incident,
      round: before.rounds[each.channel] ?? 0,
    })),
    repeats: repeated.map((each) => ({
      ...each,
      news,
      incident,
      round: before.rounds[each.channel] ?? 0,
    })),
  };
}

/** All channels that were notified of an incident. */
function namesOf(previous: Incident | null, notified: SubjectState["notified"]): readonly string[] {
  return [...new Set([...previous?.notified ?? [], ...Object.keys(notified)])].sort();
}

/** A channel is notified of a failed run once, either as `failed` or as `lost`. */
function isNotified(earlier: readonly NoticeEvent[], event: NoticeEvent): boolean {
  return earlier.includes(event) ||
    (FAILURES.has(event) && earlier.some((one) => FAILURES.has(one)));
}

/** True if a job has failed often enough for a channel to report it. */
function isOften({ rules: { rate, after } }: SubjectChannel, state: SubjectState): boolean {
  return rate === null ? state.streak >= after : countFailures(state, rate.of) >= rate.failures;
}

function incidentAfter(
  previous: Incident | null,
  news: SubjectNews,
  event: NoticeEvent,
  more: {
    readonly subject: NoticeSubject;
    readonly newId: () => string;
    readonly notified: readonly string[];
  },
): Incident {
  const events = previous?.events ?? [];
  return {
    id: previous?.id ?? more.newId(),
    subject: more.subject,
    events: events.includes(event) ? events : [...events, event],
    openedAt: previous?.openedAt ?? news.at,
    closedAt: null,
    count: (previous?.count ?? 0) + 1,
    lastAt: news.at,
    lastError: (news.error?.message ?? news.detail)?.slice(0, ERROR_CHARS_MAX) ?? null,
    lastInstanceId: news.instanceId,
    lastVersion: news.version ?? previous?.lastVersion ?? null,
    lastExitCode: news.error?.exitCode ?? null,
    acknowledgedBy: previous?.acknowledgedBy ?? null,
    acknowledgedAt: previous?.acknowledgedAt ?? null,
    notified: more.notified,
  };
}

function recover(
  before: SubjectState,
  news: SubjectNews,
  { channels }: SubjectContext,
): SubjectStep {
  const state = { ...before, streak: 0 };
  if (!isOpen(before.incident)) return { state, notices: [] };
  const wasNotified = ({ name }: SubjectChannel) => (before.notified[name]?.length ?? 0) > 0;
  // A job that still fails too often has not recovered for a channel with a rate.
  const isUnwell = ({ rules: { rate } }: SubjectChannel) =>
    rate !== null && countFailures(state, rate.of) >= rate.failures;
  const unwell = channels.filter((channel) => wasNotified(channel) && isUnwell(channel));
  const well = channels.filter((channel) => wasNotified(channel) && !unwell.includes(channel));
  const closed: Incident = { ...before.incident, closedAt: news.at };
  const notices = well.filter(({ rules }) => rules.on.includes("recovered"))
    .map(({ name: channel }): PlannedNotice => ({
      channel,
      event: "recovered",
      news,
      incident: closed,
      round: before.rounds[channel] ?? 0,
    }));
  const names = new Set(well.map(({ name }) => name));
  const rounds = { ...before.rounds };
  for (const name of names) rounds[name] = (rounds[name] ?? 0) + 1;
  if (unwell.length === 0) {
    const isChannel = ([found]: readonly [string, number]) =>
      channels.some(({ name }) => name === found);
    const known = Object.fromEntries(Object.entries(rounds).filter(isChannel));
    return {
      state: { ...state, incident: closed, notified: {}, reminders: {}, rounds: known },
      notices,
    };
  }
  const isOther = ([name]: readonly [string, unknown]) => !names.has(name);
  return {
    state: {
      ...state,
      rounds,
      notified: Object.fromEntries(Object.entries(before.notified).filter(isOther)),
      reminders: Object.fromEntries(Object.entries(before.reminders).filter(isOther)),
    },
    notices,
  };
}

function noticesToAll(
  event: NoticeEvent,
  incident: Incident | null,
  news: SubjectNews,
  { channels }: SubjectContext,
): readonly PlannedNotice[] {
  return channels.filter(({ rules }) => rules.on.includes(event))
    .map(({ name: channel }) => ({ channel, event, news, incident, round: 0 }));
}
