import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { matchesPattern } from "../../core/job/job_scope.ts";
import {
  nextSubject,
  type PlannedNotice,
  type SubjectChannel,
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
  /** How many events it has. */
  readonly count: number;
}

/** What {@link simulateNotices} works with. */
export interface NoticeSimulation {
  readonly channels: readonly ChannelSettings[];
  readonly jobs: readonly JobDefinition[];
  readonly timezone: string;
  /** When the simulation ends, epoch ms: what is open then is reminded of until then. */
  readonly toMs: number;
}

/** Reminders of one incident for one channel. */
interface Reminding {
  readonly notice: PlannedNotice;
  readonly everyMs: number;
  readonly kind: string;
}

/** Most reminders of one incident that are listed. */
const REMINDERS_MAX = 1_000;

/**
 * The notices that runs of the past would have caused with these channels, in order. Only their
 * ends are known: nobody is late, and no silence was asked for.
 */
export function simulateNotices(
  runs: readonly PastRun[],
  simulation: NoticeSimulation,
): readonly SimulatedNotice[] {
  return new Simulation(simulation).run(runs);
}

class Simulation {
  readonly #given: NoticeSimulation;
  readonly #jobs: ReadonlyMap<string, JobDefinition>;
  readonly #states = new Map<string, SubjectState>();
  /** The last outcomes of each kind, newest last: true for a failure. */
  readonly #outcomes = new Map<string, boolean[]>();
  readonly #reminding = new Map<string, Reminding[]>();
  readonly #sent: SimulatedNotice[] = [];
  /** What is collected, by channel, cause and time. */
  readonly #collected = new Map<string, SimulatedNotice>();
  readonly #windows = new Map<string, number>();

  constructor(given: NoticeSimulation) {
    this.#given = given;
    this.#jobs = new Map(given.jobs.map((job) => [job.kind, job]));
  }

  run(runs: readonly PastRun[]): readonly SimulatedNotice[] {
    for (const run of runs.toSorted((left, right) => left.endedAt - right.endedAt)) this.#end(run);
    for (const kind of [...this.#reminding.keys()]) this.#remind(kind, this.#given.toMs);
    const all = [...this.#sent, ...this.#collected.values()];
    return all.sort((left, right) => left.at - right.at);
  }

  #end(run: PastRun): void {
    const { kind, state: event, reason, error, endedAt: at, id } = run;
    const outcomes = this.#outcomes.get(kind) ?? [];
    outcomes.push(event !== "completed");
    this.#outcomes.set(kind, outcomes.slice(-100));
    const news: SubjectNews = {
      ...{ id, event, at, instanceId: id, detail: reason, error, version: null },
    };
    const channels = this.#channelsOf(kind);
    const step = nextSubject(this.#states.get(kind) ?? EMPTY_SUBJECT, news, {
      subject: { type: "job", name: kind },
      channels: channels.map((settings) => this.#counted(settings, kind)),
      newId: () => id,
    });
    // Reminders come before the end of the incident.
    if (step.state.incident?.closedAt != null) this.#remind(kind, at);
    const notifiedBefore = this.#states.get(kind)?.notified ?? {};
    for (const channel of Object.keys(notifiedBefore)) {
      if (step.state.notified[channel] === undefined) this.#remind(kind, at, channel);
    }
    this.#states.set(kind, step.state);
    for (const notice of step.notices) {
      this.#send(notice.channel, kind, notice.event, at, false);
      const everyMs = channels.find(({ name }) => name === notice.channel)!.rules.repeatMs;
      if (everyMs === null || notice.incident?.closedAt !== null) continue;
      const before = this.#reminding.get(kind) ?? [];
      if (before.some((one) => one.notice.channel === notice.channel)) continue;
      this.#reminding.set(kind, [...before, { notice, everyMs, kind }]);
    }
  }

  #channelsOf(kind: string): readonly ChannelSettings[] {
    const notify = this.#jobs.get(kind)?.options.notify;
    return this.#given.channels.filter(({ name, rules }) =>
      notify === undefined
        ? rules.jobs.some((pattern) => matchesPattern(pattern, kind))
        : notify.includes(name)
    );
  }

  #counted({ name, rules }: ChannelSettings, kind: string): SubjectChannel {
    const last = rules.rate === null ? [] : this.#outcomes.get(kind)!.slice(-rules.rate.of);
    return { name, rules, failures: rules.rate === null ? null : last.filter(Boolean).length };
  }

  /** @param only the channel that hears no more of them; all by default */
  #remind(kind: string, untilMs: number, only?: string): void {
    const all = this.#reminding.get(kind) ?? [];
    const isMeant = (one: Reminding) => only === undefined || one.notice.channel === only;
    for (const { notice: { channel, event, news }, everyMs } of all.filter(isMeant)) {
      let count = 0;
      for (let at = news.at + everyMs; at < untilMs && count < REMINDERS_MAX; at += everyMs) {
        this.#send(channel, kind, event, at, true);
        count += 1;
      }
    }
    const rest = all.filter((one) => !isMeant(one));
    if (rest.length === 0) this.#reminding.delete(kind);
    else this.#reminding.set(kind, rest);
  }

  #send(
    channel: string,
    kind: string,
    event: NoticeEvent,
    at: number,
    isReminder: boolean,
  ): void {
    const collecting = this.#collecting(channel, kind, at);
    if (collecting === null) {
      const sent = { channel, at, event, kind, isReminder, collectedFor: null, count: 1 };
      this.#sent.push(sent);
      return;
    }
    const { why: collectedFor, until } = collecting;
    const key = `${channel} ${collectedFor} ${until}`;
    const before = this.#collected.get(key);
    this.#collected.set(key, {
      ...{ channel, at: until, event: "digest", isReminder: false, collectedFor },
      kind: before && before.kind !== kind ? "*" : kind,
      count: (before?.count ?? 0) + 1,
    });
  }

  #collecting(
    channel: string,
    kind: string,
    at: number,
  ): { readonly why: "digest" | "quiet" | "silence"; readonly until: number } | null {
    const { channels, timezone } = this.#given;
    const job = this.#jobs.get(kind);
    const zone = job?.schedules[0]?.spec.timezone ?? timezone;
    const silence = job ? quietUntil(job.options.silence, zone, at) : null;
    if (silence !== null) return { why: "silence", until: silence };
    const { rules } = channels.find(({ name }) => name === channel)!;
    const quiet = quietUntil(rules.quiet, timezone, at);
    if (quiet !== null) return { why: "quiet", until: quiet };
    if (rules.digestMs === null) return null;
    let until = this.#windows.get(channel) ?? 0;
    if (until <= at) this.#windows.set(channel, until = at + rules.digestMs);
    return { why: "digest", until };
  }
}
