import type { Notice } from "../../../core/notices/notice.ts";
import type { MailStyle, MailTarget } from "../../../core/notices/settings.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { isRoot, userName } from "../../../platform/system/accounts.ts";

/** Most variables in a mail, and the longest one. */
const VARIABLES_MAX = 100;
const VARIABLE_LENGTH_MAX = 900;
/** A type of content without parameters. */
const CONTENT_TYPE = /^\s*([\w.+-]+\/[\w.+-]+)\s*(?:;|$)/;
/** Encodings in which a command may have written its output itself. */
const ENCODING = /^(?:7bit|8bit|binary|base64|quoted-printable)$/i;

/** Parts of a cron-style mail that replace our own. */
export interface CronMail {
  readonly from: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
  readonly contentType: string;
  /** Encoding that the command has applied to its output; null to let us encode it. */
  readonly encoding: string | null;
}

/** A mail in a cron's style. */
export function cronMail(notice: Notice, target: MailTarget): CronMail {
  const { cron, output, title, facts, type } = notice;
  const { CONTENT_TYPE: content = "", CONTENT_TRANSFER_ENCODING: encoding = "" } = cron?.env ?? {};
  const isOutput = type === "output" && output.length > 0;
  return {
    from: senderOf(notice, target),
    subject: makeVisible(type === "output" ? subjectOf(notice, target.style) : title),
    headers: headersOf(notice, target.style),
    body: `${(isOutput ? output : [title, ...facts]).join("\n")}\n`,
    // Its charset is the one in our log's output.
    contentType: (isOutput && CONTENT_TYPE.exec(content)?.[1]) || "text/plain",
    encoding: isOutput && ENCODING.test(encoding.trim()) ? encoding.trim() : null,
  };
}

/** Sender of a mail for the servers between: the user of the command, as with cron. */
export function envelopeSender(notice: Notice, { from, style }: MailTarget): string | null {
  if (from !== null || style === "notice" || !isRoot()) return from;
  const user = notice.cron?.user ?? "";
  return /^[A-Za-z_][\w.-]*$/.test(user) ? user : null;
}

function senderOf({ cron }: Notice, { from, style }: MailTarget): CronMail["from"] {
  const daemon = userName(process.getuid?.() ?? 0);
  switch (style) {
    case "cron-debian":
      return from === null ? { name: "Cron Daemon", address: "root" } : { name: "", address: from };
    case "cron-busybox":
      return { name: "", address: from ?? daemon };
    default:
      return { name: "(Cron Daemon)", address: from ?? cron?.user ?? daemon };
  }
}

function subjectOf({ cron, subject, host, run }: Notice, style: MailStyle): string {
  const line = cron?.line ?? subject.name;
  if (style === "cron-busybox") return `cron: ${line}`;
  const user = cron?.user ?? userName(process.getuid?.() ?? 0);
  const hasFailed = run !== null && run.state !== "completed";
  const end = style === "cron-debian" && hasFailed ? " (failed)" : "";
  return `Cron <${user}@${host.split(".", 1)[0]}> ${line}${end}`;
}

function headersOf({ cron }: Notice, style: MailStyle): CronMail["headers"] {
  if (style === "cron-busybox") return {};
  const variables = Object.entries(cron?.env ?? {}).slice(0, VARIABLES_MAX)
    .map(([name, value]) => makeVisible(`<${name}=${value}>`.slice(0, VARIABLE_LENGTH_MAX)));
  return { ...(style === "cron" ? { Precedence: "bulk" } : {}), "X-Cron-Env": variables };
}
