import { orElseIf } from "../../../core/or_else.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { ENDED, findInstance, resolveId } from "../../lookup/find_instance.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { OptionSpecs } from "../../parsing/options.ts";
import type { Verb } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import type { RequestOf } from "../../io/wire.ts";
import { argumentsText } from "./argument_hints.ts";
import {
  ARGUMENT_OPTIONS,
  type GivenArguments,
  JOB_WORDS,
  readArguments,
  requestArguments,
} from "./schedule_arguments.ts";

const KIND_COMMAND = "jobctl retry last:KIND";
/** A word that may be another id, whole or as in tables; a date such as 20260131 is not. */
const ID_LIKE = /^(?=.*[a-f])[0-9a-f]{8,12}$|^[0-9a-f]{8}-[0-9a-f-]+$/;

const PART_OPTIONS: OptionSpecs = {
  from: {
    value: "STEP",
    describe: "Only from this step on, by its name or key; the results of those before it are kept",
  },
  only: {
    describe: "With --from: only this step, and keep the results of those after it",
    isFlag: true,
  },
  set: {
    value: "STEP=JSON",
    describe: "The result that a step has instead of running; repeatable",
  },
};

/** `jobctl retry ID [ARGS…]` */
export const RETRY: Verb = {
  name: "retry",
  summary: "Run a finished instance again, as a new instance with the same or other arguments",
  details: [
    "You can retry an instance whatever its outcome, and as often as you like; last is the last one",
    "that has ended. Arguments are given as to jobctl run. Those that are not given stay as they were.",
    'To run dead letters again, each once, use "jobctl redrive". "jobctl list dead" lists them.',
  ].join(" "),
  words: [
    {
      name: "ID",
      describe: "Id of the instance, any unambiguous part of it, last, or last:KIND",
      offers: "dead",
    },
    { ...JOB_WORDS[1]!, describe: "Arguments in place of its own, by position" },
  ],
  options: { ...ARGUMENT_OPTIONS, ...PART_OPTIONS },
  examples: [
    ["jobctl retry 01938f2c-7d3e", "Prints the new instance; its retry_of is the old one"],
    ["jobctl retry last:report --day 2026-01-31", "The last run again, for another day"],
    ["jobctl retry last:order --from ship", "A function with steps again, from one of them on"],
  ],
  takesNamed: true,
  async run(args, { client, printer }) {
    const given = readArguments(args);
    const connection = await client();
    const word = args.word("ID");
    await refuseIds(connection, given.words);
    const kindCommand = KIND_COMMAND + argumentsText(given);
    const uuid = await resolveId(connection, word, kindCommand, { last: ENDED });
    const changed = await newArguments(connection, uuid, given);
    const part = readPart(args);
    const { instance } = await connection.retryInstance({ uuid, ...changed, ...part });
    await printer.made(INSTANCE_VIEW, present(instance, `Cannot retry instance "${uuid}"`));
  },
};

/** The arguments for the new instance; by name, to keep the others. */
async function newArguments(
  client: JobClient,
  uuid: string,
  given: GivenArguments,
): Promise<Pick<RequestOf<"retryInstance">, "arguments" | "argumentsJson">> {
  const { words, named, json } = given;
  if (json === undefined && words.length === 0 && named.length === 0) return {};
  const { kind } = await findInstance(client, uuid, KIND_COMMAND);
  const options = Object.keys({ ...ARGUMENT_OPTIONS, ...PART_OPTIONS });
  return await requestArguments(given, { kind, client, options, isByName: true });
}

/** The part of a function with steps that runs again. */
function readPart(args: Args): Pick<RequestOf<"retryInstance">, "fromStep" | "only" | "setJson"> {
  const fromStep = args.text("from");
  if (args.flag("only") && fromStep === undefined) {
    throw usageError("Cannot use --only without --from", "Name the step: --from STEP --only");
  }
  const results = args.all("set").map((text) => {
    const [, name, json] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    try {
      return [name!, JSON.parse(json!) as unknown] as const;
    } catch {
      throw usageError(
        `Cannot read --set "${makeVisible(text)}": wanted a step and its result as JSON`,
        `Write --set 'charge={"id": "c1"}', or a text with quotes: --set 'name="x"'`,
      );
    }
  });
  return {
    ...(fromStep === undefined ? {} : { fromStep }),
    ...(args.flag("only") ? { only: true } : {}),
    ...(results.length === 0 ? {} : { setJson: JSON.stringify(Object.fromEntries(results)) }),
  };
}

/** Refuse further ids, as from `xargs jobctl retry`, which would be taken for arguments. */
async function refuseIds(client: JobClient, words: readonly string[]): Promise<void> {
  for (const word of words.filter((each) => ID_LIKE.test(each))) {
    if (!await isId(client, word)) continue;
    throw usageError(
      `Cannot retry with the argument "${makeVisible(word)}": it is the id of an instance`,
      "Retry one at a time, such as with xargs -n1; for an argument use --arg NAME=VALUE",
    );
  }
}

async function isId(client: JobClient, word: string): Promise<boolean> {
  // In a very large store, some are not compared.
  const codes = ["not_found", "timeout"] as const;
  return await orElseIf(client.getInstance({ uuid: word }), codes, null) !== null;
}
