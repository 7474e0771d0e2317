import type { Notice } from "../../../core/notices/notice.ts";
import type { MailTarget } from "../../../core/notices/settings.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { userName } from "../../../platform/process/accounts.ts";
import { renderHtml } from "../../render/html.ts";
import { severityOf } from "../../render/severity.ts";
import { renderText } from "../../render/text.ts";
import { type NoticeView, type RenderOptions, viewOf } from "../../render/view.ts";

/** Longest subject, in characters. */
const SUBJECT_LENGTH_MAX = 200;
/** Most variables that a mail of cron names, and the longest of them. */
const VARIABLES_MAX = 100;
const VARIABLE_LENGTH_MAX = 900;

/** A mail as it is sent, with CRLF. */
export async function composeMail(
  notice: Notice,
  target: MailTarget,
  options: RenderOptions,
): Promise<Buffer> {
  // It and what it loads are needed only by those who send mail.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const view = viewOf(notice, options);
  const isCron = target.style === "cron";
  const from = target.from ?? senderOf(target);
  const subject = cut(isCron ? cronSubject(notice) : view.title);
  // Also quotes would be encoded, which filters for cron's mails do not expect.
  const isPlain = /^[\x20-\x7e]+$/.test(subject) && !subject.includes("=?");
  const content = isCron ? { text: cronText(view) } : {
    text: renderText(view),
    html: renderHtml(view, severityOf(notice)),
  };
  const composer = new MailComposer({
    from: { name: isCron ? "(Cron Daemon)" : "jobctl", address: from },
    to: target.recipients.map((address) => ({ name: "", address })),
    ...(isPlain ? {} : { subject }),
    messageId: messageId(notice.id, notice, from),
    ...(notice.incident === null ? {} : threadOf(notice.incident.id, notice, from)),
    // The same in every attempt: it is one mail.
    date: new Date(notice.at),
    baseBoundary: notice.id,
    ...content,
    headers: {
      ...commonHeaders(notice, options.channel),
      ...(isCron ? cronHeaders(notice) : {}),
      ...(isPlain ? { Subject: { prepared: true, foldLines: true, value: subject } } : {}),
    },
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await composer.compile().build();
}

/** Who mails are from if the configuration does not say: as with cron, the daemon's user. */
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
  return makeVisible(text.slice(0, VARIABLE_LENGTH_MAX));
}

/** Mail programs group mails that refer to the same one, although it was never sent. */
function threadOf(incident: string, notice: Notice, from: string) {
  const root = messageId(`incident-${incident}`, notice, from);
  return { inReplyTo: root, references: root };
}

/** Different only for different mails, also if another node sends them again. */
function messageId(id: string, { host }: Notice, from: string): string {
  const domain = from.includes("@") ? from.slice(from.lastIndexOf("@") + 1) : host;
  return `<${id}@${domain.replaceAll(/[^A-Za-z0-9.-]/g, "-") || "localhost"}>`;
}

function cronSubject({ cron, subject, host, title, type }: Notice): string {
  if (type !== "output") return makeVisible(title);
  const user = cron?.user ?? userName(process.getuid?.() ?? 0);
  return makeVisible(`Cron <${user}@${host}> ${cron?.line ?? subject.name}`);
}

function cronHeaders({ cron }: Notice) {
  const variables = Object.entries(cron?.env ?? {}).slice(0, VARIABLES_MAX);
  return {
    Precedence: "bulk",
    "X-Cron-Env": variables.map(([name, value]) => headerText(`<${name}=${value}>`)),
  };
}

/** Only the output, as cron mails it, and where to find all of it. */
function cronText(view: NoticeView): string {
  const output = view.output.length > 0 ? view.output : [view.title, ...view.facts];
  const more = view.command === null ? [] : [`See more: ${view.command}`];
  return [...output, "", "-- ", ...more, view.footer, ""].join("\n");
}

function cut(text: string): string {
  return text.length <= SUBJECT_LENGTH_MAX ? text : `${text.slice(0, SUBJECT_LENGTH_MAX)}…`;
}
