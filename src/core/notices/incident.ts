import type { NoticeEvent, NoticeIncident, NoticeSubject } from "./notice.ts";

/** A problem of a job, a node, the daemon or the store, until it is solved. */
export interface Incident {
  /** UUID; the same in all notices of the incident. */
  readonly id: string;
  readonly subject: NoticeSubject;
  /** Its events, in the order of their first occurrence. */
  readonly events: readonly NoticeEvent[];
  /** Epoch ms. */
  readonly openedAt: number;
  /** Epoch ms; null while it is open. */
  readonly closedAt: number | null;
  /** Why it was closed without a recovery; absent otherwise. */
  readonly closedReason?: string;
  /** Number of its bad events. */
  readonly count: number;
  /** When the last of them came, epoch ms. */
  readonly lastAt: number;
  readonly lastError: string | null;
  /** The instance of the last one; null if that had no instance. */
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

/** A notice's view of its incident. */
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
  /** Its author: the caller's name, or `config`. */
  readonly by: string;
}

/** Options of `notices test`. */
export interface TestOptions {
  /** True to send nothing. */
  readonly isDryRun: boolean;
  /** The event of the sample; absent: a notice that only announces a test. */
  readonly event?: NoticeEvent;
}

/** The notice that `notices test` sent, or would send. */
export interface NoticePreview {
  readonly channel: string;
  /** The whole request or mail as text, with secrets masked. */
  readonly text: string;
  readonly isSent: boolean;
  /** The other side's answer; absent if it gives no answer, like a program. */
  readonly answer?: string;
  /** Why, or to whom, it could not be delivered; absent after a delivery or without an attempt. */
  readonly problem?: string;
  /** A possible remedy for the problem, if known. */
  readonly hint?: string;
}
