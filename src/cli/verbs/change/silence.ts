import { makeVisible } from "../../../core/text/safe_text.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import { jobTimeMs, zoneOfJob } from "../../lookup/job_time.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { SILENCE_VIEW, silenceText } from "../../views/notice_views.ts";
import { timestampOf } from "../../io/wire.ts";

const NAMED_MAX = 5;

/** The job on the command line, or everything for --all. */
function readSubject(args: Args): { readonly kind?: string; readonly all: boolean } {
  const [kind] = args.words("KIND");
  const all = args.flag("all");
  if (kind !== undefined && all) {
    throw usageError("Cannot use --all with a kind: they exclude each other", "Keep one of them");
  }
  if (kind === undefined && !all) {
    throw usageError(
      "Cannot silence: KIND is missing",
      "Name a job, or add --all for everything",
    );
  }
  return kind === undefined ? { all } : { kind, all };
}

/** `jobctl silence KIND` */
export const SILENCE: Verb = {
  name: "silence",
  summary: "Hold back notices about a job, or about everything, until a time",
  details: [
    "For planned work. When the silence ends, one summary is sent. Incidents still open and close,",
    "and jobctl incidents lists them. A silence lasts at most 31 days, survives restarts, and shows",
    "who set it. Silencing again replaces the silence in force. --all requires admin.",
  ].join(" "),
  words: [{ name: "KIND", describe: "Kind of the job", offers: "kind", isOptional: true }],
  options: {
    all: { describe: "Everything: all jobs, nodes, channels and the daemon", isFlag: true },
    until: { value: "TIME", describe: 'When it ends, in the job\'s zone: "tomorrow 9:00", "+2h"' },
    reason: {
      value: "TEXT",
      describe: "The reason, shown by jobctl list silences and in the summary",
    },
    end: { describe: "End the silence now", isFlag: true },
  },
  examples: [
    ["jobctl silence backup --until +2h --reason 'disk is being replaced'", "One job"],
    ["jobctl silence --all --until 'tomorrow 6:00'", "Everything"],
    ["jobctl silence --end backup", "The work is done early"],
  ],
  async run(args, context) {
    assertOneOf(args, ["end", "until"]);
    assertOneOf(args, ["end", "reason"]);
    const subject = readSubject(args);
    await (args.flag("end") ? endSilence(subject, context) : setSilence(subject, args, context));
  },
};

async function setSilence(
  { kind, all }: ReturnType<typeof readSubject>,
  args: Args,
  context: VerbContext,
): Promise<void> {
  if (args.timeMs("until", "future") === undefined) {
    throw usageError("Cannot silence without an end", 'Add --until, such as --until "+2h"');
  }
  const { client, printer } = context;
  const connection = await client();
  const zone = async () => kind === undefined ? null : await zoneOfJob(connection, kind);
  const untilMs = await jobTimeMs("until", { args, context, direction: "future", zone });
  const { silence } = await connection.setSilence({
    kind,
    all,
    until: timestampOf(untilMs),
    reason: args.text("reason"),
  });
  const set = present(silence, "Cannot silence");
  await printer.one(SILENCE_VIEW, set);
  await printer.note(`Silenced ${silenceText(set, printer.nowMs)}`);
}

async function endSilence(
  { kind, all }: ReturnType<typeof readSubject>,
  { client, printer }: VerbContext,
): Promise<void> {
  const connection = await client();
  const { wasSilenced } = await connection.removeSilence({ kind, all });
  const record = { kind: kind ?? null, was_silenced: wasSilenced };
  const text = wasSilenced ? "Ended the silence" : `${kind ?? "Everything"} was not silenced`;
  await printer.value(record, makeVisible(text));
  const { silences } = await connection.listSilences({});
  // Silences of the configuration can only be ended there.
  const others = silences.filter((silence) =>
    silence.kind === undefined || kind === undefined || silence.kind === kind
  );
  if (others.length > 0) {
    const names = others.slice(0, NAMED_MAX).map(({ kind: name = "everything", by }) =>
      makeVisible(by === "config" ? `${name} (by the configuration)` : name)
    );
    const more = others.length > NAMED_MAX ? ` and ${others.length - NAMED_MAX} more` : "";
    await printer.note(`Still silenced: ${names.join(", ")}${more}`);
  }
}
