import { NOTICE_EVENTS } from "../../../core/notices/notice.ts";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { callTimeoutMs } from "../../parsing/connection.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { CHANNEL_VIEW } from "../../views/notice_views.ts";

/** Time limit of a test: mail servers can be slow. */
const DELIVERY_MS = 60_000;

const LIST: Verb = {
  name: "list",
  summary: "List the channels that send notices, without addresses and secrets",
  options: FIELDS_OPTION,
  examples: [["jobctl notices list", "Which channel reports which events"]],
  async run(_args, { client, printer }) {
    const { channels } = await (await client()).listChannels({});
    await printer.list(CHANNEL_VIEW, channels, "No channels. Add one as [notices.NAME]");
  },
};

const TEST: Verb = {
  name: "test",
  summary: "Send a test notice through a channel, and show what was sent",
  details: [
    "Requires admin. The request or mail is shown as it is sent, with secrets masked. It is tried",
    "once, for at most a minute. If it cannot be delivered, the exit code is 3.",
  ].join(" "),
  words: [{
    name: "NAME",
    describe: "Name of the channel, as in [notices.NAME]",
    offers: "channel",
  }],
  options: {
    event: {
      value: "EVENT",
      describe: `A word of on: send what this event would send, with an invented job: ${
        NOTICE_EVENTS.join(", ")
      }`,
      choices: NOTICE_EVENTS,
    },
    "dry-run": { describe: "Only show it; send nothing", isFlag: true },
  },
  examples: [
    ["jobctl notices test ops", "Does a notice arrive?"],
    ["jobctl notices test ops --dry-run", "Only show the exact request or mail"],
    ["jobctl notices test ops --event failed", "What does the notice of a failure look like?"],
  ],
  async run(args, { client, printer, io }) {
    const channel = args.word("NAME");
    const dryRun = args.flag("dry-run");
    const event = args.text("event");
    const timeoutMs = Math.max(DELIVERY_MS, callTimeoutMs(args));
    const connection = await client();
    const request = { channel, dryRun, event };
    const response = await connection.testNotice(request, { timeoutMs });
    const { text, isSent, problem, hint, answer } = response;
    const record = { channel, is_sent: isSent, answer, problem, hint, text };
    const said = answer === undefined ? "" : `: ${makeVisible(answer)}`;
    const result = isSent ? [`Delivered${said}`] : dryRun ? ["Nothing was sent"] : [];
    const lines = [...makeLinesVisible(text).split("\n"), ...result];
    await printer.details(record, channel, lines);
    if (!printer.isHuman) { for (const line of result) await printer.note(line); }
    // Some recipients of a mail may be refused.
    if (problem === undefined && (isSent || dryRun)) return EXIT.ok;
    const why = problem === undefined ? "" : `: ${makeVisible(problem)}`;
    const to = isSent ? "to all recipients through" : "through";
    await io.stderr.write(
      `jobctl: Cannot deliver ${to} channel "${makeVisible(channel)}"${why}\n` +
        (hint === undefined ? "" : `hint: ${makeVisible(hint)}\n`),
    );
    return EXIT.conditionNotMet;
  },
};

/** `jobctl notices …` */
export const NOTICES: VerbGroup = {
  name: "notices",
  summary: "List the channels that send notices, or test one",
  verbs: [LIST, TEST],
  initial: LIST,
};
