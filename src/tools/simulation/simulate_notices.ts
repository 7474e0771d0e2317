import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { type Hold, holdOf, isRunning, silenceZoneOf } from "../../core/notices/holding.ts";
import { isChannelOf } from "../../core/notices/job_channels.ts";
import {
  nextSubject,
  type PlannedNotice,
  type SubjectNews,
} from "../../core/notices/next_subject.ts";
import type { NoticeEvent } from "../../core/notices/notice.ts";
import { quietUntil } from "../../core/notices/quiet_time.ts";
import type { ChannelSettings } from "../../core/notices/settings.ts";
import { EMPTY_SUBJECT, type SubjectState } from "../../core/notices/subject_state.ts";

/** A run of the past. */
export interface PastRun {
  readonly id: string;
  readonly kind: string;
  readonly state: "completed" | "terminated" | "timedOut";
  readonly reason: string;
  readonly error: ErrorInfo | null;
  /** When it ended, epoch ms. */
  readonly endedAt: number;
}

/** A notice that the runs would have caused. */
export interface SimulatedNotice {
  readonly channel: string;
  /** When it would have been sent, epoch ms. */
  readonly at: number;
  readonly event: NoticeEvent | "digest";
  readonly kind: string;
  readonly isReminder: boolean;
  /** Why it would have waited; null if it would have been sent at once. */
  readonly collectedFor: "digest" | "quiet" | "silence" | null;
  /** Number of its events. */
  readonly count: number;
}

/** Inputs of {@link simulateNotices}. */
export interface NoticeSimulation {
  readonly channels: readonly ChannelSettings[];
  readonly jobs: readonly JobDefinition[];
  readonly timezone: string;
  /** End of the simulation, epoch ms: reminders of open incidents end then. */
  readonly toMs: number;
}

/** Reminders of one incident for one channel. */
interface Reminding {
  readonly notice: PlannedNotice;
  readonly everyMs: number;
}

/** Most reminders of one incident that are listed. */
const REMINDERS_MAX = 1_000;

/**
 * The notices that past runs would have caused with these channels, in order. Only their ends are
 * known: no run is late, and there are no silences.
 */
export function simulateNotices(
  runs: readonly PastRun[],
  simulation: NoticeSimulation,
): readonly SimulatedNotice[] {
  return new Simulation(simulation).run(runs);
}

/** A notice before the decision whether it is collected. */
type PlannedSend = Pick<SimulatedNotice, "channel" | "at" | "kind" | "isReminder"> & {
  readonly event: NoticeEvent;
};

class Simulation {
  readonly #given: NoticeSimulation;
  readonly #jobs: ReadonlyMap<string, JobDefinition>;
  readonly #channels: ReadonlyMap<string, ChannelSettings>;
  readonly #states = new Map<string, SubjectState>();
  readonly #reminding = new Map<string, Reminding[]>();
  readonly #planned: PlannedSend[] = [];

  constructor(given: NoticeSimulation) {
    this.#given = given;
    this.#jobs = new Map(given.jobs.map((job) => [job.kind, job]));
    this.#channels = new Map(given.channels.map((channel) => [channel.name, channel]));
  }

  run(runs: readonly PastRun[]): readonly SimulatedNotice[] {
    for (const run of runs.toSorted((left, right) => left.endedAt - right.endedAt)) this.#end(run);
    for (const kind of [...this.#reminding.keys()]) this.#remind(kind, this.#given.toMs);
    return this.#collect(this.#planned.sort((left, right) => left.at - right.at));
  }

  #end(run: PastRun): void {
    const { kind, state: event, reason, error, endedAt: at, id } = run;
    const news: SubjectNews = {
      id,
      event,
      at,
      instanceId: id,
      detail: reason,
      error,
      version: null,
    };
    const before = this.#states.get(kind) ?? EMPTY_SUBJECT;
    const { state, notices } = nextSubject(before, news, {
      subject: { type: "job", name: kind },
      channels: this.#channelsOf(kind),
      newId: () => id,
    });
    // Reminders come before the end of the incident.
    if (state.incident?.closedAt != null) this.#remind(kind, at);
    for (const channel of Object.keys(before.notified)) {
      if (state.notified[channel] === undefined) this.#remind(kind, at, channel);
    }
    this.#states.set(kind, state);
    for (const notice of notices) {
      const { channel } = notice;
      this.#planned.push({ channel, kind, event: notice.event, at, isReminder: false });
      const everyMs = this.#channels.get(channel)!.rules.repeatMs;
      if (everyMs === null || notice.incident?.closedAt !== null) continue;
      const reminding = this.#reminding.get(kind) ?? [];
      if (reminding.some((one) => one.notice.channel === channel)) continue;
      this.#reminding.set(kind, [...reminding, { notice, everyMs }]);
    }
  }

  #channelsOf(kind: string): readonly ChannelSettings[] {
    const notify = this.#jobs.get(kind)?.options.notify;
    return this.#given.channels.filter(({ name, rules: { jobs } }) =>
      isChannelOf({ kind, notify }, { name, jobs })
    );
  }

  /** @param only the channel that gets no more of them; by default all */
  #remind(kind: string, untilMs: number, only?: string): void {
    const all = this.#reminding.get(kind) ?? [];
    const isMeant = (one: Reminding) => only === undefined || one.notice.channel === only;
    for (const { notice: { channel, event, news }, everyMs } of all.filter(isMeant)) {
      let count = 0;
      for (let at = news.at + everyMs; at < untilMs && count < REMINDERS_MAX; at += everyMs) {
        this.#planned.push({ channel, kind, event, at, isReminder: true });
        count += 1;
      }
    }
    const rest = all.filter((one) => !isMeant(one));
    if (rest.length === 0) this.#reminding.delete(kind);
    else this.#reminding.set(kind, rest);
  }

  /** @param planned in the order of time, since digest windows begin with their first notice */
  #collect(planned: readonly PlannedSend[]): readonly SimulatedNotice[] {
    const sent: SimulatedNotice[] = [];
    const collected = new Map<string, SimulatedNotice>();
    const windows = new Map<string, number>();
    for (const one of planned) {
      const { channel, kind } = one;
      const hold = this.#holdOf(one);
      if (hold === null) {
        sent.push({ ...one, collectedFor: null, count: 1 });
        continue;
      }
      const until = hold.why === "digest" ? windowEnd(windows, one, hold.windowMs) : hold.until;
      const key = `${channel} ${hold.why} ${until}`;
      const before = collected.get(key);
      collected.set(key, {
        channel,
        at: until,
        event: "digest",
        isReminder: false,
        collectedFor: hold.why,
        kind: before && before.kind !== kind ? "*" : kind,
        count: (before?.count ?? 0) + 1,
      });
    }
    return [...sent, ...collected.values()].sort((left, right) => left.at - right.at);
  }

  #holdOf({ channel, kind, at: atMs }: PlannedSend): Hold | null {
    const { timezone } = this.#given;
    const job = this.#jobs.get(kind);
    const silence = job && quietUntil(job.options.silence, silenceZoneOf(job, timezone), atMs);
    return holdOf(this.#channels.get(channel)!.rules, silence ?? null, { timezone, atMs });
  }
}

/** The end of a digest's running window, or of a new one at a notice. */
function windowEnd(
  windows: Map<string, number>,
  { channel, at }: PlannedSend,
  windowMs: number,
): number {
  const until = windows.get(channel) ?? 0;
  if (isRunning(until, windowMs, at)) return until;
  windows.set(channel, at + windowMs);
  return at + windowMs;
}
