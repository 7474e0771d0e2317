import type { Instance } from "../instance.ts";

/** Every event that a channel can report, in the order of the documentation. */
export const NOTICE_EVENTS = [
  "failed",
  "recovered",
  "late",
  "missed",
  "long",
  "short",
  "dead",
  "lost",
  "disabled",
  "reload-refused",
  "node-lost",
  "store",
  "workers-busy",
  "port-closed",
  "output",
] as const;

/** An event, as named in a channel's settings (`on`) and a webhook's body. */
export type NoticeEvent = (typeof NOTICE_EVENTS)[number];

/** Prefix of the kinds that decide on notices and deliver them. Pauses do not affect them. */
export const NOTICE_KINDS = "system.notice";

/** The type of a notice: one event, several (a digest), or that the channel works (a test). */
export type NoticeType = NoticeEvent | "digest" | "test";

/** Most lines of output in a notice. */
export const NOTICE_LINES_MAX = 50;

/** The subject of a notice. */
export interface NoticeSubject {
  readonly type: "job" | "node" | "daemon" | "store" | "channel";
  /** Kind of a job, name of a channel, or else the id of a node. */
  readonly name: string;
}

/** The run that a notice is about. Times are epoch ms; absent is null. */
export interface NoticeRun
  extends
    Pick<Instance, "id" | "state" | "reason" | "attempt" | "scheduleId" | "scheduledFor" | "dueAt">,
    Pick<Instance, "error" | "version" | "node"> {
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly durationMs: number | null;
}

/** The incident that a notice belongs to. Times are epoch ms; absent is null. */
export interface NoticeIncident {
  /** UUID; the same in all notices of one incident. */
  readonly id: string;
  readonly openedAt: number;
  /** Null while it is open. */
  readonly closedAt: number | null;
  /** Number of its bad events so far. */
  readonly count: number;
  readonly lastError: string | null;
  readonly acknowledgedBy: string | null;
}

/** One line of a digest: the events of one subject since the last one. */
export interface DigestItem {
  readonly event: NoticeEvent;
  readonly subject: NoticeSubject;
  /** Number of occurrences. */
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** One line: the last error or another detail; null for none. */
  readonly detail: string | null;
  readonly instanceId: string | null;
}

/** Facts about the command that a cron-style mail needs. */
export interface NoticeCommand {
  /** Its user. */
  readonly user: string;
  /** The line of the crontab. */
  readonly line: string;
  /** Its variables, without secrets. */
  readonly env: Readonly<Record<string, string>>;
}

/** One message to people, through one channel. Texts are plain, masked, and bounded in size. */
export interface Notice {
  /** UUID of the delivery: the same in every attempt to deliver it. */
  readonly id: string;
  readonly type: NoticeType;
  /** When it happened, epoch ms. */
  readonly at: number;
  readonly subject: NoticeSubject;
  /** Host name and node id of the daemon that sends it. */
  readonly host: string;
  readonly node: string;
  /** One line: the event and its subject. */
  readonly title: string;
  /** Further facts, one sentence each. */
  readonly facts: readonly string[];
  /** True for a reminder of an open incident. */
  readonly isReminder: boolean;
  readonly run: NoticeRun | null;
  readonly incident: NoticeIncident | null;
  /** The last lines of output, at most {@link NOTICE_LINES_MAX}, oldest first. */
  readonly output: readonly string[];
  /** A command that shows more; null for none. */
  readonly command: string | null;
  /** For digests, else empty. */
  readonly items: readonly DigestItem[];
  /** Only for channels whose mails are in cron's style; absent: they name the job. */
  readonly cron?: NoticeCommand;
}
