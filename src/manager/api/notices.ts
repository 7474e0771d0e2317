import type { Incident, NoticePreview, Silence, TestOptions } from "../../core/notices/incident.ts";
import type { NoticeSubject } from "../../core/notices/notice.ts";
import type { ChannelSummary } from "../../core/notices/settings.ts";
import type {
  AcknowledgeOptions,
  Acknowledgment,
  IncidentQuery,
} from "../../notices/incidents/incidents.ts";
import type { SilenceOptions } from "../../notices/incidents/silences.ts";
import type { Page, PageRequest } from "../../store/store.ts";

/** Incidents, silences and channels. */
export interface NoticeApi {
  /** Incidents by subject: open ones, and on request the last closed one of each. */
  listIncidents(query: IncidentQuery, page?: PageRequest): Promise<Page<Incident>>;
  /**
   * Acknowledge the open incident of a subject, which stops its reminders, or revoke that, or close
   * it without a notice.
   *
   * @throws JobError `not_found` without an incident, `conflict` if a different one is open
   */
  acknowledgeIncident(subject: NoticeSubject, options: AcknowledgeOptions): Promise<Acknowledgment>;
  /**
   * Send no notices about a kind, or about anything for null, until a time.
   *
   * @throws JobError `not_found`; `invalid_argument` for a time that is past or over 31 days ahead
   */
  silence(kind: string | null, options: SilenceOptions): Promise<Silence>;
  /** End a silence. Returns false without one. @throws JobError `not_found` */
  removeSilence(kind: string | null): Promise<boolean>;
  /** The silences in force. */
  listSilences(): Promise<readonly Silence[]>;
  /** The configured channels. */
  listChannels(): readonly ChannelSummary[];
  /**
   * Send a test notice, or an event's sample, through a channel; a dry run only returns it.
   *
   * @throws JobError `not_found`; `conflict` while another test is sent
   */
  testNotice(channel: string, options: TestOptions): Promise<NoticePreview>;
}
