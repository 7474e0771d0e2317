import { bareHost, isLoopback } from "../../core/address.ts";
import { isJobError } from "../../core/errors.ts";
import { isMailAddress, MAIL_ADDRESS_WANTED } from "../../core/mail_address.ts";
import { PRESET_NAMES } from "../../core/notices/presets.ts";
import {
  type ChannelTarget,
  type NoticeLimit,
  type NoticeRules,
  SENDMAIL_PATH,
  type SmtpTransport,
  type SyslogAddress,
} from "../../core/notices/settings.ts";
import { parseTemplate } from "../../core/notices/template.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { SECRET_LENGTH_MIN } from "../../core/text/secret_forms.ts";
import { accepted, choice, mapped, parsedText, type Reader, TEXT } from "../values/readers.ts";
import { namedTexts, SECRET } from "../values/secrets.ts";
import type { Field, Report } from "../values/source.ts";

/** Longest sample of runs for a rate. */
const RATE_RUNS_MAX = 100;

/** Names of channels that somebody may take for the types of channels, and what to write. */
const MEANT_TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["email", "smtp", "sendmail"].map((name) => [name, 'to = "mail"'])),
  ...Object.fromEntries(["http", "https", "url"].map((name) => [name, 'to = "webhook"'])),
  ...Object.fromEntries(["command", "script"].map((name) => [name, 'to = "exec"'])),
  ...Object.fromEntries(["journald", "journal"].map((name) => [name, 'to = "syslog"'])),
  ...Object.fromEntries(
    PRESET_NAMES.map((name) => [name, `to = "webhook" and preset = "${name}"`]),
  ),
};

const TYPES: Reader<ChannelTarget["to"]> = choice(["mail", "webhook", "exec", "syslog"]);

/** How a channel delivers notices. */
export const CHANNEL_TYPE: Reader<ChannelTarget["to"]> = {
  ...TYPES,
  read(field, report) {
    const { value } = field;
    if (typeof value !== "string" || !Object.hasOwn(MEANT_TYPES, value)) {
      return TYPES.read(field, report);
    }
    return report.mismatch(field, TYPES.wanted, `Write: ${MEANT_TYPES[value]}`);
  },
};

/** How many of the last runs failed. */
export const RATE: Reader<NonNullable<NoticeRules["rate"]>> = parsedText(
  `a text "FAILURES/RUNS" such as "3/10", of at most ${RATE_RUNS_MAX} runs and not more failures than runs`,
  (text) => {
    const match = /^(\d{1,3})\/(\d{1,3})$/.exec(text.trim());
    if (match === null) return undefined;
    const [failures, of] = [Number(match[1]), Number(match[2])];
    return failures >= 1 && failures <= of && of <= RATE_RUNS_MAX ? { failures, of } : undefined;
  },
);

/** Most notices of one window. */
const LIMIT_MAX = 10_000;
/** Shortest and longest window. */
const [LIMIT_MS_MIN, LIMIT_MS_MAX] = [10_000, 86_400_000];

/** How many notices are sent each by itself. */
export const LIMIT: Reader<NoticeLimit> = parsedText(
  `a text "NOTICES/DURATION" such as "100/10m", of 1 to ${LIMIT_MAX} notices in 10 s to 24 hours`,
  (text) => {
    const match = /^(\d{1,5})\/(\S+)$/.exec(text.trim());
    if (match === null) return undefined;
    const [most, perMs] = [Number(match[1]), readSpan(match[2]!)];
    const isRight = most >= 1 && most <= LIMIT_MAX && perMs >= LIMIT_MS_MIN &&
      perMs <= LIMIT_MS_MAX;
    return isRight ? { most, perMs } : undefined;
  },
);

/** Milliseconds of a duration; NaN for any other text. */
function readSpan(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    return NaN;
  }
}

/** One mail address; with a domain, or of a user of this host. */
export const MAIL_ADDRESS: Reader<string> = accepted(
  MAIL_ADDRESS_WANTED,
  TEXT,
  (value) =>
    typeof value === "string" && isMailAddress(value, { isLocalAllowed: true }) ? value : undefined,
);

/** The program that takes mail. */
export const SENDMAIL: Reader<string | null> = accepted(
  "true, or the absolute path of a program such as sendmail",
  { anyOf: [{ type: "boolean" }, TEXT] },
  (value) => {
    if (typeof value === "boolean") return value ? SENDMAIL_PATH : null;
    return typeof value === "string" && /^\/[^\0]+$/.test(value) ? value : undefined;
  },
);

/** What the URL of a mail server says. */
export interface SmtpUrl {
  readonly host: string;
  readonly port: number;
  readonly isImplicitTls: boolean;
  readonly user: string | null;
  readonly password: string | null;
}

/** The URL of a mail server. */
export const SMTP_URL: Reader<SmtpUrl> = {
  schema: TEXT,
  wanted: 'a URL such as "smtps://user@mail.example.com:465" or "smtp://mail.example.com"',
  read(field, report) {
    const url = readUrl(field.value);
    const isWhole = url !== null && /^smtps?:$/.test(url.protocol) && url.hostname !== "" &&
      /^\/?$/.test(url.pathname) && url.search === "" && url.hash === "";
    // Not shown: it may have a password.
    if (!isWhole) return report.value(field, `found other text, wanted ${this.wanted}`);
    const password = plain(url.password);
    if (password !== null) report.secret(field, password);
    const isImplicitTls = url.protocol === "smtps:";
    return {
      host: bareHost(url.hostname),
      port: url.port === "" ? (isImplicitTls ? 465 : 587) : Number(url.port),
      isImplicitTls,
      user: plain(url.username),
      password,
    };
  },
};

/** How a server that does not begin with TLS is asked for it, if the configuration does not say. */
export function usualTls(
  { host, isImplicitTls }: SmtpUrl,
  hasLogin: boolean,
): SmtpTransport["tls"] {
  if (isImplicitTls) return "implicit";
  if (hasLogin) return "required";
  // A mail server on this host often has a self-signed certificate, and nobody is in between.
  return isLoopback(host) ? "opportunistic" : "offered";
}

/** The URL of a webhook, perhaps a secret. */
export interface HookUrl {
  /** Without user information. */
  readonly url: URL;
  /** The value of `Authorization` that its user information stands for; null for none. */
  readonly authorization: string | null;
  /** True if it was given as a reference. */
  readonly isReference: boolean;
}

/** Names of headers and parameters whose values are secret. */
const KEY_NAME = /auth|token|key|secret|cookie|pass|sig/i;
/** Parameters of this length are keys, whatever their names. */
const KEY_LENGTH = 20;

/** The URL of a webhook, given directly or as a secret. */
export const HOOK_URL: Reader<HookUrl> = {
  schema: SECRET.schema,
  wanted:
    'a URL such as "https://hooks.example.com/x", { file = "PATH" }, { env = "NAME" } or { credential = "NAME" }',
  read(field, report) {
    // Written directly, only parts of it may be secret.
    const isReference = typeof field.value !== "string";
    const text = isReference ? SECRET.read(field, report) : field.value as string;
    if (text === undefined) return undefined;
    const url = readUrl(text);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      return report.value(field, `found other text, wanted ${this.wanted}`);
    }
    const authorization = url.username === "" && url.password === ""
      ? null
      : `Basic ${base64(`${plain(url.username) ?? ""}:${plain(url.password) ?? ""}`)}`;
    if (plain(url.password) !== null) report.secret(field, plain(url.password)!);
    if (authorization !== null) report.secret(field, authorization.slice("Basic ".length));
    for (const [name, value] of url.searchParams) {
      if (KEY_NAME.test(name) || value.length >= KEY_LENGTH) hide(field, value, report);
    }
    url.username = "";
    url.password = "";
    url.hash = "";
    return { url, authorization, isReference };
  },
};

/** Mask a text in all output, unless it is too short to be a key. */
export function hide(field: Field, text: string, report: Report): void {
  if (text.length >= SECRET_LENGTH_MIN) report.secret(field, text);
}

/** Bytes of a secret of a signature: at least this many. */
const SIGNING_BYTES_MIN = 16;

/** The key of the signature of a webhook. */
export const SIGNING_SECRET: Reader<string> = mapped(SECRET, (text, field, report) => {
  const encoded = /^whsec_(.*)$/s.exec(text)?.[1];
  if (encoded === undefined) {
    if (text.length >= SIGNING_BYTES_MIN) return text;
    return report.value(
      field,
      `found a secret of ${text.length} characters, wanted at least ${SIGNING_BYTES_MIN}`,
      'Make one: echo "whsec_$(openssl rand -base64 24)"',
    );
  }
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(encoded) && encoded.length % 4 === 0 &&
    encoded.length * 3 / 4 >= SIGNING_BYTES_MIN;
  return isBase64 ? text : report.value(
    field,
    `found "whsec_" followed by other text, wanted ${SIGNING_BYTES_MIN} bytes or more in base64`,
    'Make one: echo "whsec_$(openssl rand -base64 24)"',
  );
});

/** Headers that every request has, or that change where it ends. */
const OWN_HEADERS =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|idempotency-key|webhook-.*)$/i;

/** Headers of requests. */
export const HEADERS: Reader<Readonly<Record<string, string>>> = mapped(
  namedTexts({
    wanted: "a table of headers",
    nameProblem: (name) => {
      if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name)) {
        return "found an invalid header name";
      }
      return OWN_HEADERS.test(name) ? "found a header that jobctl sets itself" : null;
    },
    isSecret: (name) => KEY_NAME.test(name),
  }),
  ({ values }, field, report) => {
    const wrong = Object.entries(values).find(([, value]) =>
      !/^[\x20-\x7e\x80-\xff]*$/.test(value)
    );
    if (wrong === undefined) return values;
    return report.value(field, `found an invalid character in ${wrong[0]}`);
  },
);

/** A pattern of host names. */
export const HOST_PATTERN: Reader<string> = accepted(
  'a host such as "hooks.example.com", or "*.example.com" for all hosts below it',
  TEXT,
  (value) => {
    const isPattern = typeof value === "string" && value.length <= 253 &&
      /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$|^[0-9a-f:.]+$/i.test(value);
    return isPattern ? value.toLowerCase() : undefined;
  },
);

/** A template with placeholders. */
export const TEMPLATE: Reader<string> = {
  schema: TEXT,
  wanted: 'a text with placeholders such as "{{title}}", JSON or any other text',
  read(field, report) {
    const { value } = field;
    if (typeof value !== "string" || value === "") return report.mismatch(field, this.wanted);
    try {
      parseTemplate(value);
      return value;
    } catch (error) {
      if (!isJobError(error)) throw error;
      return report.value(field, error.message, error.hint);
    }
  },
};

/** Where a log is. */
export const SYSLOG_ADDRESS: Reader<SyslogAddress> = parsedText(
  '"udp://HOST:514", "tcp://HOST:514", or "unix:/PATH" of a socket',
  (text) => {
    const path = /^unix:(\/[^\0]+)$/.exec(text)?.[1];
    if (path !== undefined) return { type: "socket", path };
    const url = readUrl(text);
    const type = url?.protocol.slice(0, -1);
    if (url === null || (type !== "udp" && type !== "tcp")) return undefined;
    const isWhole = url.hostname !== "" && /^\/?$/.test(url.pathname) && url.search === "" &&
      url.username === "";
    if (!isWhole) return undefined;
    return { type, host: bareHost(url.hostname), port: url.port === "" ? 514 : Number(url.port) };
  },
);

function readUrl(value: unknown): URL | null {
  // Removed silently otherwise: it would be another URL than the one that is written.
  if (typeof value !== "string" || /[\s\0]/.test(value)) return null;
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && /^[\w.:[\]-]*$/.test(url.hostname) ? url : null;
}

/** A part of a URL as it is meant; null if it is empty. */
function plain(part: string): string | null {
  if (part === "") return null;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
