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
  oneOrMany,
  PATH,
  string,
  TEXT,
} from "../values/readers.ts";
import { key, schemaOf } from "../values/schema.ts";
import { ENVIRONMENT, SECRET } from "../values/secrets.ts";
import { ARGV, BLACKOUT } from "../values/special_readers.ts";

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
  to: key(notice.CHANNEL_TYPE, "How the channel delivers notices."),
  on: key(
    oneOrMany(choice(NOTICE_EVENTS)),
    "The events that it reports. By default all but `dead` and `output`.",
    NOTICE_EVENTS.filter((event) => event !== "dead" && event !== "output"),
  ),
  jobs: key(
    oneOrMany(PATTERN, { minLength: 0, maxLength: PATTERNS_MAX }),
    "The jobs whose events it reports. `*` matches any characters; `[]` means only jobs that name it in `notify`. Events of the daemon, nodes, the store and other channels are reported regardless: leave them out of `on` if you do not want them.",
    ["*"],
  ),
  after: key(integer(1, 1_000), "Report `failed` only after this many failures in a row.", 1),
  rate: key(
    notice.RATE,
    "Report `failed` only if this many of the last runs failed. It replaces `after`.",
  ),
  repeat: key(
    duration({ minMs: 10_000 }),
    "How often a reminder is sent while an incident is open and not acknowledged. By default none is sent.",
  ),
  digest: key(
    duration({ minMs: 1_000 }),
    "Collect notices for this long, and deliver them as one. By default each is delivered immediately.",
  ),
  quiet: key(
    oneOrMany(BLACKOUT, { minLength: 0, maxLength: ENTRIES_MAX }),
    "Windows, in `timezone`, in which notices are collected, and delivered as one at the end.",
    [],
  ),
  limit: key(
    notice.LIMIT,
    "How many notices are sent one by one in this time, and ten times as many of `output`. Any more are sent as one when it is over. It does not apply to what `digest` or `quiet` collect.",
    "100/10m",
  ),
  timeout: key(
    duration({ minMs: 100 }),
    "Time limit of one attempt to deliver. After that, the delivery is tried again.",
    "30s",
  ),
};

/** The keys of `to = "mail"`. */
const MAIL_KEYS = {
  smtp: key(
    notice.SMTP_URL,
    "The mail server. `smtps://` uses TLS from the start, by default on port 465. `smtp://` uses STARTTLS according to `tls`, by default on port 587.",
  ),
  sendmail: key(
    notice.SENDMAIL,
    "The program on this host that takes the mail, instead of `smtp`; true means `/usr/sbin/sendmail`.",
  ),
  from: key(
    notice.MAIL_ADDRESS,
    "Address of the sender. With `sendmail` it defaults to the daemon's user.",
  ),
  recipients: key(
    oneOrMany(notice.MAIL_ADDRESS, { maxLength: RECIPIENTS_MAX }),
    "Addresses that get the mail. With `sendmail` they may also be users of this host.",
  ),
  user: key(string({ lengthMax: 300 }), "User name for the server, instead of the one in the URL."),
  password: key(SECRET, "Password for the server. Prefer `{ file = … }` to the password itself."),
  tls: key(
    choice(["required", "opportunistic", "off"]),
    'STARTTLS with `smtp://`: "required" sends nothing without it, "opportunistic" uses it if it works, with any certificate. By default it is required with a login, and otherwise used if the server offers it.',
  ),
  style: key(
    choice(MAIL_STYLES),
    'Form of the mails. "cron" (cronie), "cron-debian" and "cron-busybox" have the subject and headers of that cron and, for `output`, the whole output of a run.',
    "notice",
  ),
};

/** The keys of `to = "webhook"`. */
const WEBHOOK_KEYS = {
  url: key(
    notice.HOOK_URL,
    "Where requests go. Some presets have a default. If the URL contains a key, prefer `{ file = … }`.",
  ),
  preset: key(
    choice(PRESET_NAMES),
    "The service that gets the requests. By default the body is the notice as JSON.",
  ),
  token: key(SECRET, "Key or token of the service, if its preset needs one."),
  chat: key(string({ lengthMax: 200 }), "The Telegram chat or channel, such as `-1001234567890`."),
  secret: key(
    notice.SIGNING_SECRET,
    "Key that signs the requests according to Standard Webhooks: `whsec_` and base64, or any other text.",
  ),
  headers: key(
    notice.HEADERS,
    "Additional headers. They are not sent to another host after a redirect.",
    {},
  ),
  body: key(
    notice.TEMPLATE,
    "Body with placeholders such as `{{title}}`, instead of the notice as JSON.",
  ),
  allow_hosts: key(
    list(notice.HOST_PATTERN, { maxLength: ENTRIES_MAX }),
    "Hosts that a redirect may lead to, in addition to the host of `url`.",
    [],
  ),
  allow_private: key(
    BOOLEAN,
    "Allow `http://`, and addresses that are not public, such as those of this host and the local network.",
    false,
  ),
};

/** The key of channels that connect with TLS. */
const TLS_KEYS = {
  ca: key(
    PATH,
    "PEM file of the CA that must have signed the server's certificate. By default, any CA that the system trusts.",
  ),
};

/** The keys of `to = "exec"`. */
const EXEC_KEYS = {
  command: key(
    ARGV,
    "The program and its arguments. It runs without a shell, with the notice on its standard input.",
  ),
  env: key(
    ENVIRONMENT,
    "Additional environment variables.",
    {},
  ),
};

/** The keys of `to = "syslog"`. */
const SYSLOG_KEYS = {
  address: key(
    notice.SYSLOG_ADDRESS,
    "Where messages go. By default to the log of this host: syslog or journald.",
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

const MAIL_SERVER = 'Write the mail server as a URL: smtp = "smtps://mail.example.com:465"';

/** The schema of a table `[notices.NAME]`. */
export const NOTICE_SCHEMA = schemaOf(NOTICE_KEYS, {
  meant: {
    type: "to",
    events: "on",
    event: "on",
    mailto: "recipients",
    emails: "recipients",
    email: "recipients",
    username: "user",
    method: "A webhook is always a POST request: remove the key",
    host: MAIL_SERVER,
    server: MAIL_SERVER,
    port: MAIL_SERVER,
  },
});

/** The keys that one kind of channel has in addition to {@link RULE_KEYS}. */
export const TARGET_KEYS = {
  mail: { ...MAIL_KEYS, ...TLS_KEYS },
  webhook: { ...WEBHOOK_KEYS, ...TLS_KEYS },
  exec: EXEC_KEYS,
  syslog: SYSLOG_KEYS,
};
