import type { Notice } from "../../../core/notices/notice.ts";
import type { MailTarget } from "../../../core/notices/settings.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { userName } from "../../../platform/system/accounts.ts";
import { renderHtml } from "../../render/html.ts";
import { severityOf } from "../../render/severity.ts";
import { renderText } from "../../render/text.ts";
import { type RenderOptions, viewOf } from "../../render/view.ts";
import { type CronMail, cronMail } from "./cron_mail.ts";

/** Longest subject, in characters. */
const SUBJECT_LENGTH_MAX = 200;
/** Longest subject of a mail in a cron's style, which has the whole command. */
const CRON_SUBJECT_LENGTH_MAX = 998;
/** Longest value of a header. */
const VALUE_LENGTH_MAX = 900;

/** A mail as it is sent, with CRLF. */
export async function composeMail(
  notice: Notice,
  target: MailTarget,
  options: RenderOptions,
): Promise<Buffer> {
  // Only senders of mail need it and its dependencies.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const view = viewOf(notice, options);
  const cron = target.style === "notice" ? null : cronMail(notice, target);
  const from = cron?.from ?? { name: "jobctl", address: target.from ?? senderOf(target) };
  const subject = cron
    ? cut(cron.subject, CRON_SUBJECT_LENGTH_MAX)
    : cut(view.title, SUBJECT_LENGTH_MAX);
  // Quotes would be encoded too, which filters for cron's mails do not expect.
  const isPlain = /^[\x20-\x7e]+$/.test(subject) && !subject.includes("=?");
  const content = cron
    ? { alternatives: [contentOf(cron)] }
    : { text: renderText(view), html: renderHtml(view, severityOf(notice)) };
  const composer = new MailComposer({
    from,
    to: target.recipients.map((address) => ({ name: "", address })),
    ...(isPlain ? {} : { subject }),
    messageId: messageId(notice.id, notice, from.address),
    ...(notice.incident === null ? {} : threadOf(notice.incident.id, notice, from.address)),
    // The same in every attempt, which is the same mail.
    date: new Date(notice.at),
    baseBoundary: notice.id,
    ...content,
    headers: {
      ...commonHeaders(notice, options.channel),
      ...cron?.headers,
      ...(isPlain ? { Subject: { prepared: true, foldLines: true, value: subject } } : {}),
    },
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const message = await composer.compile().build();
  return cron?.encoding ? withBody(message, cron.body, cron.encoding) : message;
}

/** For an encoded body, only the headers: it must not be encoded again. */
function contentOf({ contentType, body, encoding }: CronMail) {
  return {
    contentType: `${contentType}; charset=utf-8`,
    content: encoding === null ? body : "",
  };
}

function withBody(message: Buffer, body: string, encoding: string): Buffer {
  const [head = ""] = message.toString("latin1").split("\r\n\r\n", 1);
  const name = "Content-Transfer-Encoding";
  const others = head.split("\r\n").filter((line) => !line.startsWith(`${name}:`));
  const headers = [...others, `${name}: ${encoding}`].join("\r\n");
  const text = body.replaceAll(/\r?\n/g, "\r\n");
  return Buffer.concat([Buffer.from(`${headers}\r\n\r\n`, "latin1"), Buffer.from(text)]);
}

/** Default sender of mails: the daemon's user. */
function senderOf({ transport }: MailTarget): string {
  const uid = process.getuid?.();
  return transport.type === "sendmail" && uid !== undefined ? userName(uid) : "jobctl";
}

function commonHeaders(notice: Notice, channel: string) {
  const { subject, incident } = notice;
  return {
    // Nobody wants an answer of a robot to a robot.
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "All",
    "X-Jobctl-Event": notice.type,
    "X-Jobctl-Notice": notice.id,
    "X-Jobctl-Channel": channel,
    [`X-Jobctl-${subject.type === "job" ? "Job" : "Subject"}`]: headerText(subject.name),
    "X-Jobctl-Host": headerText(notice.host),
    ...(notice.run === null ? {} : { "X-Jobctl-Run": notice.run.id }),
    ...(incident === null ? {} : { "X-Jobctl-Incident": incident.id }),
  };
}

/** A value of a header on one line. */
function headerText(text: string): string {
  return makeVisible(text.slice(0, VALUE_LENGTH_MAX));
}

/** Mail programs group mails that refer to the same id, although that mail never existed. */
function threadOf(incident: string, notice: Notice, from: string) {
  const root = messageId(`incident-${incident}`, notice, from);
  return { inReplyTo: root, references: root };
}

/** Unique per mail, even if another node sends it again. */
function messageId(id: string, { host }: Notice, from: string): string {
  const domain = from.includes("@") ? from.slice(from.lastIndexOf("@") + 1) : host;
  return `<${id}@${domain.replaceAll(/[^A-Za-z0-9.-]/g, "-") || "localhost"}>`;
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`;
}
