import { bareHost, isLoopback } from "../../../core/address.ts";
import { isMailAddress, MAIL_ADDRESS_WANTED } from "../../../core/mail_address.ts";
import {
  MAIL_STYLES,
  type MailTarget,
  RECIPIENTS_MAX,
  SENDMAIL_PATH,
  type SmtpTransport,
} from "../../../core/notices/settings.ts";
import { accepted, choice, oneOrMany, type Reader, string, TEXT } from "../../values/readers.ts";
import { key } from "../../values/schema.ts";
import { SECRET } from "../../values/secrets.ts";
import { CA, type ChannelTable, type ChannelType, needed } from "../channel_type.ts";
import { decodedPart, readUrl } from "../notice_url.ts";

/** One mail address; with a domain, or of a user of this host. */
const MAIL_ADDRESS: Reader<string> = accepted(
  MAIL_ADDRESS_WANTED,
  TEXT,
  (value) =>
    typeof value === "string" && isMailAddress(value, { isLocalAllowed: true }) ? value : undefined,
);

const SENDMAIL: Reader<string | null> = accepted(
  "true, or the absolute path of a program such as sendmail",
  { anyOf: [{ type: "boolean" }, TEXT] },
  (value) => {
    if (typeof value === "boolean") return value ? SENDMAIL_PATH : null;
    return typeof value === "string" && /^\/[^\0]+$/.test(value) ? value : undefined;
  },
);

interface SmtpUrl {
  readonly host: string;
  readonly port: number;
  readonly isImplicitTls: boolean;
  readonly user: string | null;
  readonly password: string | null;
}

const SMTP_URL: Reader<SmtpUrl> = {
  schema: TEXT,
  wanted: 'a URL such as "smtps://user@mail.example.com:465" or "smtp://mail.example.com"',
  read(field, report) {
    const url = readUrl(field.value);
    const isWhole = url !== null && /^smtps?:$/.test(url.protocol) && url.hostname !== "" &&
      /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "";
    // Not shown: it may have a password.
    if (!isWhole) return report.value(field, `found other text, wanted ${this.wanted}`);
    const password = decodedPart(url.password);
    if (password !== null) report.secret(field, password);
    const isImplicitTls = url.protocol === "smtps:";
    return {
      host: bareHost(url.hostname),
      port: url.port === "" ? (isImplicitTls ? 465 : 587) : Number(url.port),
      isImplicitTls,
      user: decodedPart(url.username),
      password,
    };
  },
};

/** Use of STARTTLS with a server that does not begin with TLS, unless the configuration sets it. */
function usualTls(
  { host, isImplicitTls }: SmtpUrl,
  hasLogin: boolean,
): SmtpTransport["tls"] {
  if (isImplicitTls) return "implicit";
  if (hasLogin) return "required";
  // A mail server on this host often has a self-signed certificate, and nobody is in between.
  return isLoopback(host) ? "opportunistic" : "offered";
}

const KEYS = {
  smtp: key(
    SMTP_URL,
    "The mail server. `smtps://` uses TLS from the start, by default on port 465. `smtp://` uses STARTTLS according to `tls`, by default on port 587.",
  ),
  sendmail: key(
    SENDMAIL,
    "The program on this host that takes the mail, instead of `smtp`; true means `/usr/sbin/sendmail`.",
  ),
  from: key(
    MAIL_ADDRESS,
    "Address of the sender. With `sendmail` it defaults to the daemon's user.",
  ),
  recipients: key(
    oneOrMany(MAIL_ADDRESS, { maxLength: RECIPIENTS_MAX }),
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
  ca: CA,
};

const SERVER = 'Write the mail server as a URL: smtp = "smtps://mail.example.com:465"';

/** By mail: through a server, or the `sendmail` of this host. */
export const MAIL: ChannelType<typeof KEYS, MailTarget> = {
  keys: KEYS,
  aliases: ["email", "smtp", "sendmail"],
  meant: {
    mailto: "recipients",
    emails: "recipients",
    email: "recipients",
    username: "user",
    host: SERVER,
    server: SERVER,
    port: SERVER,
  },
  unixKey: ({ sendmail }) => sendmail ? "sendmail" : null,
  read: readMail,
  uses({ transport }) {
    if (transport.type === "sendmail") {
      const hint =
        'Install one, such as postfix or msmtp-mta, or name a mail server: smtp = "smtps://…"';
      return { program: { key: "sendmail", path: transport.path, hint } };
    }
    const { host, port, caFile, tls } = transport;
    const isTls = tls === "implicit";
    return {
      server: { key: "smtp", host, port, isTls, caFile, isPublic: false, isGreeting: true },
    };
  },
  async load() {
    const { MailChannel } = await import("../../../notices/channels/mail/mail_channel.ts");
    return (settings, deps) => new MailChannel(settings, deps);
  },
};

function readMail(table: ChannelTable<typeof KEYS>): MailTarget | null {
  const { fields, values, report, field } = table;
  const recipients = needed(table, "recipients");
  const transport = readTransport(table);
  const smtp = fields.get("smtp");
  if (smtp !== undefined) {
    if (!fields.has("from")) {
      report.missing(
        field,
        [...field.path, "from"],
        "the key `from` is missing",
        'Add the address of the sender, such as from = "jobctl@example.com"',
      );
    }
    for (const name of ["from", "recipients"]) {
      const found = [values[name as "from" | "recipients"] ?? []].flat();
      const local = found.find((address) => !address.includes("@"));
      if (local === undefined) continue;
      report.value(
        fields.get(name)!,
        `found "${local}", wanted an address with a domain`,
        "User names of this host work only with sendmail",
      );
    }
  }
  if (recipients === undefined || transport === null) return null;
  const { from = null, style = "notice" } = values;
  return { to: "mail", transport, from, recipients, style };
}

function readTransport(
  { field, fields, values, report }: ChannelTable<typeof KEYS>,
): MailTarget["transport"] | null {
  const { smtp, sendmail = null, user = smtp?.user ?? null, ca: caFile = null } = values;
  const password = values.password ?? smtp?.password ?? null;
  if (fields.has("smtp") === (sendmail !== null)) {
    if (fields.has("smtp")) {
      report.key(
        fields.get("sendmail")!,
        "smtp and sendmail exclude each other",
        "Keep one of them",
      );
    } else if (!fields.has("sendmail") || values.sendmail === null) {
      report.key(
        field,
        "found neither smtp nor sendmail",
        'Add smtp = "smtps://mail.example.com", or sendmail = true',
      );
    }
    return null;
  }
  if (sendmail !== null) {
    for (const name of ["user", "password", "tls", "ca"]) {
      const found = fields.get(name);
      if (found !== undefined) report.key(found, "works only with smtp");
    }
    return { type: "sendmail", path: sendmail };
  }
  if (smtp === undefined) return null;
  const secret = fields.get("password");
  if (user !== null && password === null && !fields.has("password")) {
    report.key(fields.get("user") ?? fields.get("smtp")!, "found a user, but no password");
  }
  if (user === null && password !== null) {
    report.key(secret ?? fields.get("smtp")!, "found a password, but no user", 'Add user = "…"');
  }
  const tls = fields.get("tls");
  if (tls !== undefined && smtp.isImplicitTls) {
    report.key(tls, "works only with smtp://, because smtps:// always uses TLS");
  }
  const login = user === null || password === null ? null : { user, password };
  if (login !== null && values.tls !== undefined && values.tls !== "required") {
    report.warn(
      tls!,
      "the password may be sent without TLS, or to another server",
      'Use tls = "required"',
    );
  }
  return {
    type: "smtp",
    host: smtp.host,
    port: smtp.port,
    tls: smtp.isImplicitTls ? "implicit" : values.tls ?? usualTls(smtp, login !== null),
    login,
    caFile,
  };
}
