import type { Notice } from "../../../core/notices/notice.ts";
import type { ChannelSettings, MailTarget, SmtpTransport } from "../../../core/notices/settings.ts";
import {
  type ChannelDeps,
  type Deliverer,
  type DeliveryContext,
  DeliveryError,
} from "../channel.ts";
import { runProgram } from "../run_program.ts";
import { envelopeSender } from "./cron_mail.ts";
import { composeMail } from "./message.ts";
import { sendBySmtp } from "./smtp.ts";

/** Mails that did not reach some recipients; the oldest are forgotten. */
const PARTIAL_MAX = 100;

/** Encryption of a mail, in words. */
const TLS_TEXTS: Readonly<Record<SmtpTransport["tls"], string>> = {
  implicit: "TLS from the start",
  required: "STARTTLS required",
  offered: "STARTTLS if the server offers it",
  opportunistic: "STARTTLS if it works, with any certificate",
  off: "no TLS",
};

/** Delivers by mail. */
export class MailChannel implements Deliverer {
  readonly #settings: ChannelSettings<MailTarget>;
  readonly #deps: ChannelDeps;
  /** Recipients that a later attempt has to reach, by the id of the notice. */
  readonly #left = new Map<string, readonly string[]>();

  constructor(settings: ChannelSettings<MailTarget>, deps: ChannelDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async deliver(notice: Notice, context: DeliveryContext): Promise<void> {
    const message = await this.#compose(notice);
    const { transport } = this.#settings.target;
    if (transport.type === "sendmail") {
      const { recipients } = this.#settings.target;
      const from = envelopeSender(notice, this.#settings.target);
      await runProgram({
        // Without -i, a line with only a dot would end the mail. No address begins with a dash, and
        // some of these programs do not know "--".
        argv: [transport.path, "-i", ...(from === null ? [] : ["-f", from]), ...recipients],
        env: {},
        input: Buffer.from(message.toString("latin1").replaceAll("\r\n", "\n"), "latin1"),
        clock: this.#deps.clock,
        signal: context.signal,
      });
      return;
    }
    const to = this.#left.get(notice.id) ?? this.#settings.target.recipients;
    const from = this.#settings.target.from!;
    const { refused, deferred, answer } = await sendBySmtp(transport, { from, to, message }, {
      clock: this.#deps.clock,
      timeoutMs: this.#settings.timeoutMs,
      signal: context.signal,
    });
    if (answer !== "") context.log?.("info", `${transport.host} responded with ${answer}`);
    if (refused.length > 0) {
      context.log?.("warn", `The server refused ${refused.join(", ")} permanently`);
    }
    this.#left.delete(notice.id);
    if (deferred.length === 0) return;
    this.#left.set(notice.id, deferred);
    if (this.#left.size > PARTIAL_MAX) this.#left.delete(this.#left.keys().next().value!);
    throw new DeliveryError(
      `${transport.host} accepted the mail, but deferred ${deferred.join(", ")}`,
    );
  }

  async preview(notice: Notice): Promise<string> {
    const { recipients, transport } = this.#settings.target;
    const message = await this.#compose(notice);
    const by = transport.type === "smtp"
      ? `smtp://${transport.host}:${transport.port} (${TLS_TEXTS[transport.tls]})`
      : transport.path;
    const text = message.toString("utf8").replaceAll("\r\n", "\n");
    return `By: ${by}\nFor: ${recipients.join(", ")}\n\n${text}`;
  }

  #compose(notice: Notice): Promise<Buffer> {
    const { timezone } = this.#deps;
    return composeMail(notice, this.#settings.target, { channel: this.#settings.name, timezone });
  }
}
