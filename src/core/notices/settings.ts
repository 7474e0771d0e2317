import { didYouMean } from "../text/nearest.ts";
import type { NoticeEvent } from "./notice.ts";

/** The notices that a channel gets, and their times. Times are in the configuration's time zone. */
export interface NoticeRules {
  readonly on: readonly NoticeEvent[];
  /** Patterns of kinds, with `*`; they restrict only notices about jobs. */
  readonly jobs: readonly string[];
  /** Report failures only after this many in a row. */
  readonly after: number;
  /** Report failures only if this many of the last runs failed; replaces {@link after}. */
  readonly rate: { readonly failures: number; readonly of: number } | null;
  /** Time between reminders of an open, unacknowledged incident, in ms. */
  readonly repeatMs: number | null;
  /** Time for collecting notices before they are sent as one, in ms. */
  readonly digestMs: number | null;
  /** Windows such as `22:00-07:00` in which notices are collected, to be sent as one at the end. */
  readonly quiet: readonly string[];
  /** Most notices that are sent singly; the rest is sent as one. */
  readonly limit: NoticeLimit;
}

/** Number of notices that a channel sends in a window that begins with the first one. */
export interface NoticeLimit {
  /** Ten times higher for the event `output`: cron mails every minute's output. */
  readonly most: number;
  /** Length of the window, in milliseconds. */
  readonly perMs: number;
}

/** The default limit of a channel. */
export const NOTICE_LIMIT: NoticeLimit = { most: 100, perMs: 600_000 };

/** A channel to people, as configured in `[notices.NAME]`. */
export interface ChannelSettings<T extends ChannelTarget = ChannelTarget> {
  readonly name: string;
  readonly rules: NoticeRules;
  readonly target: T;
  /** Longest time of one delivery, in milliseconds. */
  readonly timeoutMs: number;
}

/** A channel for callers: without its addresses and secrets. */
export interface ChannelSummary extends NoticeRules {
  readonly name: string;
  readonly to: string;
}

/** The delivery of a channel, with resolved secrets and absolute paths; each type adds members. */
export interface ChannelTarget {
  readonly to: string;
}

/** Forms of a mail: our own, or a cron's with its subject and headers; "cron": cronie's. */
export const MAIL_STYLES = ["notice", "cron", "cron-debian", "cron-busybox"] as const;

/** Form of a mail. */
export type MailStyle = (typeof MAIL_STYLES)[number];

/** True if a channel delivers all of a run's output, and nothing else, like cron does. */
export function hasWholeOutput({ target }: Pick<ChannelSettings, "target">): boolean {
  return isMail(target) && target.style !== "notice";
}

/** True if a channel delivers by mail. */
export function isMail(target: ChannelTarget): target is MailTarget {
  return target.to === "mail";
}

/** By mail. */
export interface MailTarget extends ChannelTarget {
  readonly to: "mail";
  readonly transport: SmtpTransport | SendmailTransport;
  /** Null for the default address of the host's sendmail: only without SMTP. */
  readonly from: string | null;
  readonly recipients: readonly string[];
  readonly style: MailStyle;
}

/** A server that takes mail. */
export interface SmtpTransport {
  readonly type: "smtp";
  readonly host: string;
  readonly port: number;
  /**
   * `implicit`: from the first byte on. `required`: by STARTTLS, or nothing is sent. `offered`: by
   * STARTTLS if the server offers it. `opportunistic`: the same with any certificate. `off`: never.
   */
  readonly tls: "implicit" | "required" | "offered" | "opportunistic" | "off";
  /** Login; null for none. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** File of the authority that the server's certificate must be from; null for the system's. */
  readonly caFile: string | null;
}

/** Usual path of `sendmail` on hosts, for any program of that name. */
export const SENDMAIL_PATH = "/usr/sbin/sendmail";

/** The program of the host that takes mail on its standard input. */
export interface SendmailTransport {
  readonly type: "sendmail";
  readonly path: string;
}

/** Facilities of syslog by their number. */
export const SYSLOG_FACILITIES = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

/** Name of a facility. */
export type SyslogFacility = keyof typeof SYSLOG_FACILITIES;

/** Most channels of a configuration. */
export const CHANNELS_MAX = 50;
/** Most recipients of a channel. */
export const RECIPIENTS_MAX = 50;

/** True if a name is valid for a channel. */
export function isChannelName(name: string): boolean {
  return /^[a-z][a-z0-9_-]{0,62}$/.test(name);
}

/** In `notify`: all channels whose `jobs` match, like without names. */
export const MATCHING_CHANNELS = "*";

/** The meaning of `notify` while it names channels that do not exist. */
export interface CheckedNotify {
  /** Existing ones; undefined for all whose `jobs` match, if none exists. */
  readonly notify: readonly string[] | undefined;
  /** Its fault; null if valid. */
  readonly problem: { readonly message: string; readonly hint: string } | null;
}

/**
 * Check that the channels in `notify` exist. A wrong name must neither keep the job from running
 * nor silence its notices.
 */
export function checkNotify(
  notify: readonly string[] | undefined,
  channels: readonly string[],
): CheckedNotify {
  const isKnown = (name: string) => name === MATCHING_CHANNELS || channels.includes(name);
  const unknown = notify?.find((name) => !isKnown(name));
  if (unknown === undefined) return { notify, problem: null };
  const known = notify!.filter(isKnown);
  const near = didYouMean(unknown, channels) ?? `Add it to the configuration: [notices.${unknown}]`;
  const others = known.length > 0
    ? "only the others are notified"
    : "all channels whose jobs match are notified instead";
  const message = `there is no channel "${unknown}": ${others}`;
  return { notify: known.length > 0 ? known : undefined, problem: { message, hint: near } };
}
