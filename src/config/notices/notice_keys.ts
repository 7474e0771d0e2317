import { isKindPattern, PATTERN_WANTED, PATTERNS_MAX } from "../../core/job/job_scope.ts";
import { NOTICE_EVENTS } from "../../core/notices/notice.ts";
import { PRESET_NAMES } from "../../core/notices/presets.ts";
import {
  MAIL_STYLES,
  RECIPIENTS_MAX,
  SYSLOG_FACILITIES,
  type SyslogFacility,
} from "../../core/notices/settings.ts";
import * as notice from "./notice_readers.ts";
import {
  accepted,
  BOOLEAN,
  choice,
  duration,
  integer,
  list,
  PATH,
  string,
  TEXT,
} from "../readers.ts";
import { key, schemaOf } from "../schema.ts";
import { ENVIRONMENT, SECRET } from "../secrets.ts";
import { ARGV, BLACKOUT } from "../special_readers.ts";

const PATTERN = accepted(
  PATTERN_WANTED,
  TEXT,
  (value) => isKindPattern(value) ? value : undefined,
);
const FACILITIES = Object.keys(SYSLOG_FACILITIES) as SyslogFacility[];
/** Most windows, and most host patterns, of one channel. */
const ENTRIES_MAX = 100;

/** The keys of a channel that every kind of channel has. */
export const RULE_KEYS = {
  to: key(choice(["mail", "webhook", "exec", "syslog"]), "How it delivers."),
  on: key(
    list(choice(NOTICE_EVENTS), { minLength: 1 }),
    "The events that it is told. `dead` and `output` have to be named.",
    NOTICE_EVENTS.filter((event) => event !== "dead" && event !== "output"),
  ),
  jobs: key(
    list(PATTERN, { maxLength: PATTERNS_MAX }),
    "The jobs whose events it is told. `*` matches any characters; `[]` for only those that name it in `notify`.",
    ["*"],
  ),
  after: key(integer(1, 1_000), "`failed` is told from this many failures in a row.", 1),
  rate: key(
    notice.RATE,
    "`failed` is told if that many of the last runs failed, instead of by `after`.",
  ),
  repeat: key(
    duration({ minMs: 10_000 }),
    "While an incident is open and nobody has acknowledged it, it is told again after each such time. By default it is told once.",
  ),
  digest: key(
    duration({ minMs: 1_000 }),
    "Notices are collected for this long, and delivered as one. By default each is delivered at once.",
  ),
  quiet: key(
    list(BLACKOUT, { maxLength: ENTRIES_MAX }),
    "Windows, in `timezone`, in which notices are collected. They are delivered as one when the window ends.",
    [],
  ),
  timeout: key(
    duration({ minMs: 100 }),
    "Longest time of one delivery; then it is tried again.",
    "30s",
  ),
};

/** The keys of `to = "mail"`. */
const MAIL_KEYS = {
  smtp: key(
    notice.SMTP_URL,
    "The server that takes the mail. `smtps://` is TLS from the start, by default at port 465; `smtp://` is STARTTLS as `tls` says, by default at port 587.",
  ),
  sendmail: key(
    notice.SENDMAIL,
    "The program of this host that takes the mail, in place of `smtp`; true for `/usr/sbin/sendmail`.",
  ),
  from: key(
    notice.MAIL_ADDRESS,
    "Address of the sender. With `sendmail` it may be left out, and is that of the daemon's user.",
  ),
  recipients: key(
    list(notice.MAIL_ADDRESS, { minLength: 1, maxLength: RECIPIENTS_MAX }),
    "Addresses of those who get the mail; with `sendmail` also names of this host's users.",
  ),
  user: key(string({ lengthMax: 300 }), "User at the server, in place of one in the URL."),
  password: key(SECRET, "Password at the server. Prefer `{ file = … }` to the password itself."),
  tls: key(
    choice(["required", "opportunistic", "off"]),
    'STARTTLS with `smtp://`: "required" sends nothing without it, "opportunistic" uses it if it works, with any certificate. By default it is required with a login, and otherwise used if the server offers it.',
  ),
  style: key(
    choice(MAIL_STYLES),
    "Form of the mails: the others have the subject and the headers of cronie, Debian's cron and busybox crond, and for `output` the whole output of a run.",
    "notice",
  ),
};

/** The keys of `to = "webhook"`. */
const WEBHOOK_KEYS = {
  url: key(
    notice.HOOK_URL,
    "Where requests go. A preset may have a default, and many services have keys in it: prefer `{ file = … }` then.",
  ),
  preset: key(
    choice(PRESET_NAMES),
    "The service that the requests are for. By default the body is the notice as JSON.",
  ),
  token: key(SECRET, "Key or token of the service, where its preset needs one."),
  chat: key(string({ lengthMax: 200 }), "Chat or channel of Telegram, such as `-1001234567890`."),
  secret: key(
    notice.SIGNING_SECRET,
    "Key with which requests are signed, in the form of Standard Webhooks: `whsec_` and base64, or any other text.",
  ),
  headers: key(
    notice.HEADERS,
    "Headers in addition to those that every request has. They are not sent to another host after a redirect.",
    {},
  ),
  body: key(
    notice.TEMPLATE,
    "Body in place of the notice as JSON, with placeholders such as `{{title}}`.",
  ),
  allow_hosts: key(
    list(notice.HOST_PATTERN, { maxLength: ENTRIES_MAX }),
    "Hosts that a redirect may lead to, in addition to that of `url`.",
    [],
  ),
  allow_private: key(
    BOOLEAN,
    "Allow addresses that are not public, such as those of this host and of the local network, and `http://`.",
    false,
  ),
};

/** The key of those that connect with TLS. */
const TLS_KEYS = {
  ca: key(
    PATH,
    "File of the authority that the server's certificate must be from (PEM); by default, the authorities that the system trusts.",
  ),
};

/** The keys of `to = "exec"`. */
const EXEC_KEYS = {
  command: key(
    ARGV,
    "A program and its arguments, run without a shell, that reads the notice from its standard input.",
  ),
  env: key(
    ENVIRONMENT,
    "Variables in addition to the minimal environment and those of the notice.",
    {},
  ),
};

/** The keys of `to = "syslog"`. */
const SYSLOG_KEYS = {
  address: key(
    notice.SYSLOG_ADDRESS,
    "Where the log is. By default that of this host, also if it is journald's.",
  ),
  facility: key(choice(FACILITIES), "Facility of the messages.", "daemon"),
};

/** Every key of a table `[notices.NAME]`. */
export const NOTICE_KEYS = {
  ...RULE_KEYS,
  ...MAIL_KEYS,
  ...WEBHOOK_KEYS,
  ...TLS_KEYS,
  ...EXEC_KEYS,
  ...SYSLOG_KEYS,
};

/** The schema of a table `[notices.NAME]`. */
export const NOTICE_SCHEMA = schemaOf(NOTICE_KEYS, {});

/** The keys that one kind of channel has in addition to {@link RULE_KEYS}. */
export const TARGET_KEYS = {
  mail: { ...MAIL_KEYS, ...TLS_KEYS },
  webhook: { ...WEBHOOK_KEYS, ...TLS_KEYS },
  exec: EXEC_KEYS,
  syslog: SYSLOG_KEYS,
};
