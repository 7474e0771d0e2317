import type { NoticeEvent, NoticeIncident, NoticeSubject } from "./notice.ts";

/** Something that is wrong with a job, a node, the daemon or the store, until it is well again. */
export interface Incident {
  /** UUID; the same in all notices of the incident. */
  readonly id: string;
  readonly subject: NoticeSubject;
  /** The events that it consists of, in the order in which each came first. */
  readonly events: readonly NoticeEvent[];
  /** Epoch ms. */
  readonly openedAt: number;
  /** Epoch ms; null while it is open. */
  readonly closedAt: number | null;
  /** Why it was closed although nothing recovered; absent if it was not. */
  readonly closedReason?: string;
  /** How many bad events it has had. */
  readonly count: number;
  /** When the last of them came, epoch ms. */
  readonly lastAt: number;
  readonly lastError: string | null;
  /** The instance of the last of them; null if it was of none. */
  readonly lastInstanceId: string | null;
  /** Version of the code and exit code that the last failure had; null if unknown. */
  readonly lastVersion: string | null;
  readonly lastExitCode: number | null;
  readonly acknowledgedBy: string | null;
  /** Epoch ms. */
  readonly acknowledgedAt: number | null;
  /** Names of the channels that were notified of it. */
  readonly notified: readonly string[];
}

/** What a notice says of its incident. */
export function noticeIncidentOf(incident: Incident): NoticeIncident {
  const { id, openedAt, closedAt, count, lastError, acknowledgedBy } = incident;
  return { id, openedAt, closedAt, count, lastError, acknowledgedBy };
}

/** Planned work: until its end nobody is notified about a job, or about anything. */
export interface Silence {
  /** The kind, or null for everything. */
  readonly kind: string | null;
  /** Epoch ms. */
  readonly since: number;
  readonly until: number;
  readonly reason: string;
  /** Who asked for it: the caller's name, or `config`. */
  readonly by: string;
}

/** What `notices test` is to send. */
export interface TestOptions {
  /** True to send nothing. */
  readonly isDryRun: boolean;
  /** The event of which a sample is sent; absent: a notice that only says that it is a test. */
  readonly event?: NoticeEvent;
}

/** What `notices test` sent, or would send. */
export interface NoticePreview {
  readonly channel: string;
  /** The whole request or mail as text, with secrets masked. */
  readonly text: string;
  readonly isSent: boolean;
  /** What the other side answered; absent if it says nothing, as a program. */
  readonly answer?: string;
  /** Why it could not be delivered, or to whom; absent if it was, or if nobody tried. */
  readonly problem?: string;
  /** How the problem may be solved, if that is known. */
  readonly hint?: string;
}
