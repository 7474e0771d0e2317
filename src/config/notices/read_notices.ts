import { resolve } from "node:path";
import { type PresetName, presetNeeds } from "../../core/notices/presets.ts";
import {
  CHANNELS_MAX,
  type ChannelSettings,
  type ChannelTarget,
  isChannelName,
  type MailTarget,
  NOTICE_LIMIT,
  type NoticeRules,
  type WebhookTarget,
} from "../../core/notices/settings.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import { NOTICE_KEYS, NOTICE_SCHEMA, RULE_KEYS, TARGET_KEYS } from "./notice_keys.ts";
import { hide, type HookUrl, usualTls } from "./notice_readers.ts";
import { checkPublicUrl } from "./public_url.ts";
import { collectFields, readFields, type Values } from "../values/schema.ts";
import { type Field, Report } from "../values/source.ts";

type NoticeValues = Partial<Values<typeof NOTICE_KEYS>>;

/** A table while it is read. */
interface NoticeTable {
  readonly field: Field;
  readonly fields: ReadonlyMap<string, Field>;
  readonly values: NoticeValues;
  readonly report: Report;
}

/** Read the tables `[notices.NAME]`, each under its name. Problems are in `report`. */
export function readNotices(tables: readonly Field[], report: Report): readonly ChannelSettings[] {
  if (tables.length > CHANNELS_MAX) {
    report.key(
      tables[CHANNELS_MAX]!,
      `found ${tables.length} channels, wanted at most ${CHANNELS_MAX}`,
    );
  }
  return tables.slice(0, CHANNELS_MAX).flatMap((table) => readNotice(table, report) ?? []);
}

function readNotice(field: Field, report: Report): ChannelSettings | null {
  const name = String(field.path[1]);
  if (!isObject(field.value)) return report.mismatch(field, "a table") ?? null;
  const own = new Report();
  if (!isChannelName(name)) {
    const wanted = "wanted a lower-case letter, then at most 62 of a-z, 0-9, _ and -";
    own.key(field, `found an invalid channel name, ${wanted}`);
  }
  const fields = collectFields(NOTICE_SCHEMA, field, own);
  const values: NoticeValues = readFields(NOTICE_SCHEMA, fields, own);
  const table: NoticeTable = { field, fields, values, report: own };
  checkKeys(table);
  checkSystem(table);
  const rules = readRules(table);
  const target = readTarget(table);
  report.addAll(own);
  if (own.problems.length > 0 || target === null) return null;
  return { name, rules, target, timeoutMs: values.timeout ?? 30_000 };
}

/** Report keys that this type of channel does not have. */
function checkKeys({ field, fields, values: { to }, report }: NoticeTable): void {
  if (to === undefined) {
    if (!fields.has("to")) {
      report.missing(
        field,
        [...field.path, "to"],
        "the key `to` is missing",
        'Write to = "mail", "webhook", "exec" or "syslog"',
      );
    }
    return;
  }
  for (const [name, found] of fields) {
    if (Object.hasOwn(RULE_KEYS, name) || Object.hasOwn(TARGET_KEYS[to], name)) continue;
    const kinds = Object.entries(TARGET_KEYS).filter(([, keys]) => Object.hasOwn(keys, name));
    const list = kinds.map(([kind]) => `to = "${kind}"`).join(" or ");
    report.key(found, `works only with ${list}`);
  }
}

function readRules({ fields, values, report }: NoticeTable): NoticeRules {
  const rate = fields.get("rate");
  if (rate !== undefined && fields.has("after")) {
    report.key(rate, "rate and after exclude each other", "Keep one of them");
  }
  return {
    on: [...new Set(values.on ?? RULE_KEYS.on.initial as NoticeRules["on"])],
    jobs: values.jobs ?? RULE_KEYS.jobs.initial as string[],
    after: values.after ?? 1,
    rate: values.rate ?? null,
    repeatMs: values.repeat ?? null,
    digestMs: values.digest ?? null,
    quiet: values.quiet ?? [],
    limit: values.limit ?? NOTICE_LIMIT,
  };
}

/** Report a channel that needs what Windows does not have. */
function checkSystem({ fields, values, report }: NoticeTable): void {
  if (!isWindows()) return;
  const { to, sendmail = null, address = { type: "local" } } = values;
  const isLocalLog = to === "syslog" && ["local", "socket"].includes(address.type);
  const key = to === "exec" || isLocalLog ? "to" : to === "mail" && sendmail ? "sendmail" : null;
  if (key === null) return;
  const hint = 'Use a mail server (smtp), to = "webhook", or syslog with the address of a server';
  report.key(fields.get(key)!, "does not work on Windows", hint);
}

function readTarget(table: NoticeTable): ChannelTarget | null {
  const { values, field } = table;
  switch (values.to) {
    case "mail":
      return readMail(table);
    case "webhook":
      return readWebhook(table);
    case "exec": {
      const command = needed(table, "command");
      if (command === undefined) return null;
      const [program, ...rest] = command;
      const isRelative = /^\.{1,2}\//.test(program!);
      const path = isRelative ? resolve(field.source.baseDir, program!) : program!;
      return { to: "exec", command: [path, ...rest], env: values.env?.values ?? {} };
    }
    case "syslog": {
      const { address = { type: "local" }, facility = "daemon" } = values;
      return { to: "syslog", address, facility };
    }
    case undefined:
      return null;
  }
}

/** The value of a key that must be there; undefined if it is not, after a report. */
function needed<Name extends keyof NoticeValues & string>(
  { field, fields, values, report }: NoticeTable,
  name: Name,
): NoticeValues[Name] {
  if (!fields.has(name)) {
    const { wanted } = NOTICE_KEYS[name].reader;
    const message = `the key \`${name}\` is missing, wanted ${wanted}`;
    report.missing(field, [...field.path, name], message);
  }
  return values[name];
}

function readMail(table: NoticeTable): MailTarget | null {
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
  { field, fields, values, report }: NoticeTable,
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

function readWebhook(table: NoticeTable): WebhookTarget | null {
  const { fields, values, report } = table;
  const { preset = null, token = null, chat = null, body = null, ca: caFile = null } = values;
  const needs = preset === null ? null : presetNeeds(preset);
  if (preset !== null) checkPreset(table, preset);
  else {
    for (const name of ["token", "chat"]) {
      const field = fields.get(name);
      if (field !== undefined) report.key(field, "works only with a preset that uses it");
    }
  }
  const hasDefault = needs !== null && needs.url !== null && !fields.has("url");
  const given: HookUrl | undefined = hasDefault
    ? { url: new URL(needs.url!), authorization: null, isReference: false }
    : needed(table, "url");
  if (given === undefined) return null;
  const { url, authorization, isReference } = given;
  const allowPrivate = values.allow_private ?? false;
  const isUrlSecret = isReference || needs?.isUrlSecret === true;
  const field = fields.get("url");
  if (field !== undefined) {
    checkPublicUrl(url, { field, allowPrivate, report });
    if (isUrlSecret) {
      // The end of the path is the key, and words before it are none.
      for (const text of [url.href, url.pathname + url.search, url.pathname.split("/").at(-1)!]) {
        hide(field, text, report);
      }
    }
  }
  return {
    to: "webhook",
    url: url.href,
    isUrlSecret,
    preset,
    token,
    chat,
    secret: values.secret ?? null,
    headers: {
      ...(authorization === null ? {} : { Authorization: authorization }),
      ...values.headers,
    },
    body,
    allowHosts: values.allow_hosts ?? [],
    allowPrivate,
    caFile,
  };
}

function checkPreset({ field, fields, report }: NoticeTable, preset: PresetName): void {
  const needs = presetNeeds(preset);
  for (const name of ["token", "chat"] as const) {
    const found = fields.get(name);
    if (found === undefined && needs[name] === "needed") {
      const message = `the key \`${name}\` is missing, which preset = "${preset}" needs`;
      report.missing(field, [...field.path, name], message);
    }
    if (found !== undefined && needs[name] === "unused") {
      report.key(found, `preset = "${preset}" does not use it`, "Remove it");
    }
  }
  const body = fields.get("body");
  if (body !== undefined) {
    report.key(body, "preset and body exclude each other", "Keep one of them");
  }
  if (!needs.hasIncidents) return;
  for (const name of ["digest", "quiet"]) {
    const found = fields.get(name);
    if (found === undefined) continue;
    report.key(
      found,
      `cannot be used with preset = "${preset}"`,
      "A digest cannot open or close an incident there: remove it",
    );
  }
}
