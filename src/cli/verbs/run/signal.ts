import { JobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { quoteValue } from "../../../core/text/quote_value.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { findInstance, resolveId } from "../../lookup/find_instance.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { OptionSpecs, WordSpec } from "../../parsing/options.ts";
import { isFinalState } from "../../io/wire.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

const ID: WordSpec = {
  name: "ID",
  describe:
    "Id of the instance, any unambiguous part of it, last, or last:KIND. With --unique-key, " +
    "the kind of its job",
  offers: "instance",
};
const NAME: WordSpec = { name: "NAME", describe: "The name that the job waits for" };

const TO_OPTIONS: OptionSpecs = {
  "unique-key": {
    value: "KEY",
    describe: "Send it to the unfinished instance of the job with this unique key",
  },
  "signal-id": { value: "TEXT", describe: "Count the same id once, so that a repeat does nothing" },
};

/** The fate of a signal, for people. */
const FATES: Readonly<Record<string, string>> = {
  woke: "It waited for the signal, and continues",
  stored: "It does not wait for the signal yet; it will find it",
  duplicate: "A signal with this id came before: nothing was sent",
};

interface Signal {
  readonly name: string;
  readonly value: unknown;
}

async function send(
  args: Args,
  { client, printer }: VerbContext,
  signal: Signal,
  verb: string,
): Promise<void> {
  const connection = await client();
  const word = args.word("ID");
  const uniqueKey = args.text("unique-key");
  const to = uniqueKey === undefined
    ? { uuid: await resolveId(connection, word, `jobctl ${verb} last:KIND`) }
    : { kind: word, uniqueKey };
  const { instance, status } = await connection.signalInstance({
    ...to,
    name: signal.name,
    valueJson: JSON.stringify(signal.value),
    signalId: args.text("signal-id"),
  });
  const found = present(instance, `Cannot send "${makeVisible(signal.name)}"`);
  if (status === "ended") {
    throw new JobError(
      "conflict",
      `Cannot send "${
        makeVisible(signal.name)
      }" to instance "${found.uuid}": it has already finished`,
      { hint: `See jobctl get instance ${found.uuid}` },
    );
  }
  await printer.one(INSTANCE_VIEW, found);
  await printer.remark(FATES[status] ?? makeVisible(status));
}

/** `jobctl signal ID NAME [JSON]` */
export const SIGNAL: Verb = {
  name: "signal",
  summary: "Send a signal to an instance that waits for one, or will",
  details: [
    "A job waits for a signal with ctx.waitFor(NAME). A signal that comes earlier is kept for it.",
    "Without JSON its value is null. The answer says whether the instance continues now.",
  ].join(" "),
  words: [ID, NAME, { name: "JSON", describe: "Its value, as JSON", isOptional: true }],
  options: TO_OPTIONS,
  examples: [
    ["jobctl signal 01938f2c approved '{\"ok\": true}'", "An instance by its id"],
    [
      "jobctl signal order paid --unique-key order-17",
      "The unfinished one of job order by its key",
    ],
  ],
  async run(args, context) {
    const [text] = args.words("JSON");
    await send(args, context, { name: args.word("NAME"), value: valueOf(text) }, "signal");
  },
};

/** A verb that answers a question with `{ ok, note }`. */
function answerVerb(name: "approve" | "reject", ok: boolean): Verb {
  const does = ok ? "Approve" : "Reject";
  return {
    name,
    summary: `${does} what an instance waits for: a signal with { ok: ${ok} }`,
    details: [
      `Sends the signal { "ok": ${ok}, "note": TEXT }. Without NAME it is the signal that the`,
      "instance waits for, if that is only one.",
    ].join(" "),
    words: [ID, { ...NAME, isOptional: true }],
    options: { note: { value: "TEXT", describe: "A note for the job" }, ...TO_OPTIONS },
    examples: [[`jobctl ${name} last:order --note 'seen'`, "The question of the last order"]],
    async run(args, context) {
      const note = args.text("note");
      const value = note === undefined ? { ok } : { ok, note };
      const [given] = args.words("NAME");
      const signalName = given ?? await awaitedSignal(args, context, name);
      await send(args, context, { name: signalName, value }, name);
    },
  };
}

/** `jobctl approve ID [NAME]` */
export const APPROVE = answerVerb("approve", true);
/** `jobctl reject ID [NAME]` */
export const REJECT = answerVerb("reject", false);

/** The only signal that an instance waits for. */
async function awaitedSignal(
  args: Args,
  { client }: VerbContext,
  verb: string,
): Promise<string> {
  const word = args.word("ID");
  if (args.text("unique-key") !== undefined) {
    throw usageError(`Cannot ${verb} by a unique key without NAME`, "Name the signal");
  }
  const instance = await findInstance(await client(), word, `jobctl ${verb} last:KIND`);
  const names = [...new Set(signalsOf(instance))];
  if (names.length === 1) return names[0]!;
  if (isFinalState(instance.state)) {
    throw new JobError(
      "conflict",
      `Cannot ${verb} instance "${instance.uuid}": it has already finished`,
      { hint: `See jobctl get instance ${instance.uuid}` },
    );
  }
  const which = names.length === 0
    ? "it waits for no signal"
    : `it waits for several: ${names.map((one) => quoteValue(one)).join(", ")}`;
  throw usageError(
    `Cannot ${verb} instance "${makeVisible(word)}": ${makeVisible(which)}`,
    `Name the signal, or see jobctl describe instance ${instance.uuid}`,
  );
}

function signalsOf({ waits }: JobInstance): readonly string[] {
  return waits.filter(({ type }) => type === "signal").map(({ name }) => name);
}

function valueOf(text: string | undefined): unknown {
  if (text === undefined) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(
      `Cannot read "${makeVisible(text)}": it is not JSON`,
      "Write a text with quotes of its own: '\"yes\"'",
    );
  }
}
