import { isMailAddress } from "../../core/mail_address.ts";
import { isChannelName, type MailStyle, RECIPIENTS_MAX } from "../../core/notices/settings.ts";
import { countText } from "../../core/text/count_text.ts";
import type { CrontabLine } from "./crontab_reader.ts";
import type { Dialect } from "./dialect.ts";
import { kindPart } from "./kind_names.ts";

/** Text that cron accepts as an address: it goes to a program. Everything else gets no mail. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9@!:%.,_+-]*$/;
const STYLES: Readonly<Record<Exclude<Dialect, "supercronic">, MailStyle>> = {
  debian: "cron-debian",
  cronie: "cron",
  busybox: "cron-busybox",
};

/** Mail settings for the output of a line. */
export interface LineMail {
  readonly recipients: readonly string[];
  /** Null for the user of the job. */
  readonly from: string | null;
  readonly style: MailStyle;
}

type AddNote = (text: string, isLoss: boolean) => void;

/**
 * Mail settings for the output of a line under its daemon; null if it sends no mail.
 *
 * @param user owner of the mailbox without MAILTO
 */
export function mailOf(
  line: CrontabLine,
  { dialect, user }: { readonly dialect: Dialect; readonly user: string },
  addNote: AddNote,
): LineMail | null {
  const { mailTo, env } = line;
  const isAnacron = line.anacronId !== undefined;
  if (dialect === "supercronic" && !isAnacron) {
    if (mailTo) addNote(`MAILTO=${mailTo}: supercronic sends no mail, and so it is here`, false);
    return null;
  }
  if (mailTo === undefined && dialect === "busybox" && !isAnacron) return null;
  const given = mailTo ?? user;
  const recipients = recipientsOf(given, dialect, addNote);
  if (recipients.length === 0) return null;
  const { MAILFROM = "" } = env;
  const isSender = SAFE.test(MAILFROM) && isMailAddress(MAILFROM, { isLocalAllowed: true });
  const hasSender = isSender && dialect !== "busybox" && !isAnacron;
  return {
    recipients,
    from: hasSender ? MAILFROM : null,
    style: isAnacron || dialect === "supercronic" ? "cron" : STYLES[dialect],
  };
}

function recipientsOf(given: string, dialect: Dialect, addNote: AddNote): readonly string[] {
  if (given === "") return [];
  if (dialect === "cronie" && given.includes("$")) {
    addNote(
      `MAILTO=${given} is not carried over: crond takes variables from where it starts`,
      true,
    );
    return [];
  }
  if (!SAFE.test(given) && dialect !== "busybox") {
    addNote(
      `MAILTO=${given}: cron refuses this address and sends no mail, and so it is here`,
      false,
    );
    return [];
  }
  const names = [...new Set(given.split(",").filter((name) => name !== ""))];
  const known = names.filter((name) => isMailAddress(name, { isLocalAllowed: true }));
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    addNote(`no mail goes to ${unknown.join(", ")}: wanted an address or a user`, true);
  }
  if (known.length > RECIPIENTS_MAX) {
    addNote(`mail goes to the first ${RECIPIENTS_MAX} of ${known.length} recipients`, true);
  }
  return known.slice(0, RECIPIENTS_MAX);
}

/** The channels of an import: one for each sender, style and list of recipients. */
export class MailChannels {
  readonly #channels = new Map<string, { readonly name: string; readonly mail: LineMail }>();
  readonly #counts = new Map<string, number>();

  /** The name of the channel of a line. */
  nameOf(mail: LineMail): string {
    const key = JSON.stringify([mail.style, mail.from, mail.recipients]);
    const known = this.#channels.get(key);
    const name = known?.name ?? this.#newName(mail);
    if (!known) this.#channels.set(key, { name, mail });
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return name;
  }

  /** The tables of the channels, as lines without comment signs. */
  tables(): readonly (readonly string[])[] {
    return [...this.#channels.values()].map(({ name, mail: { recipients, from, style } }) => [
      `[notices.${name}]`,
      'to = "mail"',
      "sendmail = true",
      `style = "${style}"`,
      `recipients = [${recipients.map((one) => JSON.stringify(one)).join(", ")}]`,
      ...(from === null ? [] : [`from = ${JSON.stringify(from)}`]),
      'on = ["output"]',
      "jobs = []",
    ]);
  }

  /** Purpose of each channel, in a sentence. */
  summaries(): readonly { readonly channel: string; readonly text: string }[] {
    return [...this.#channels.values()].map(({ name, mail }) => {
      const jobs = countText(this.#counts.get(name)!, "job");
      const to = mail.recipients.join(", ");
      const text = `the output of ${jobs} is mailed to ${to}, as by cron: see [notices.${name}]`;
      return { channel: name, text };
    });
  }

  #newName({ recipients: [first = ""] }: LineMail): string {
    const taken = new Set([...this.#channels.values()].map(({ name }) => name));
    const part = kindPart(first.split("@", 1)[0]!).toLowerCase().slice(0, 40);
    const base = isChannelName(`mail-${part}`) ? `mail-${part}` : "mail";
    if (!taken.has(base)) return base;
    for (let number = 2;; number++) {
      if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
    }
  }
}
