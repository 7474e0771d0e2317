import { JobError } from "../../../core/errors.ts";
import { UNDO_SIGNAL } from "../../../core/wait.ts";
import { findInstance } from "../../lookup/find_instance.ts";
import { present } from "../../lookup/lookup.ts";
import { usageError } from "../../parsing/args.ts";
import type { Verb } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

/** `jobctl undo ID --retry | --abandon` */
export const UNDO: Verb = {
  name: "undo",
  summary: "Decide on the undo of a step that failed for good",
  details: [
    "An instance that failed, or was canceled, takes back its steps by their undos. One that fails",
    'for good stops there (state "undo failed"): the instance waits until you decide. Exit code 6',
    "if no undo of it waits for a decision.",
  ].join(" "),
  words: [{
    name: "ID",
    describe: "Id of the instance, any unambiguous part of it, last, or last:KIND",
    offers: "unfinished",
  }],
  options: {
    retry: { describe: "Try the undo again, with all of its retries", isFlag: true },
    abandon: { describe: "Leave this step as it is, and undo the others", isFlag: true },
  },
  examples: [
    ["jobctl undo last:order --retry", "The bank is open again"],
    ["jobctl undo last:order --abandon", "Somebody has refunded it by hand"],
  ],
  async run(args, { client, printer }) {
    const isRetry = args.flag("retry");
    if (isRetry === args.flag("abandon")) {
      throw usageError(
        "Cannot decide on an undo: give one of --retry and --abandon",
        "--retry tries it again, --abandon leaves the step as it is",
      );
    }
    const connection = await client();
    const word = args.word("ID");
    const { uuid, waits } = await findInstance(connection, word, "jobctl undo last:KIND", {
      isExact: true,
    });
    const stuck = waits.find(({ type }) => type === "undo");
    if (stuck === undefined) {
      throw new JobError(
        "conflict",
        `Cannot decide on an undo of instance "${uuid}": none of them waits for a decision`,
        { hint: `See jobctl get steps ${uuid}` },
      );
    }
    const { instance } = await connection.signalInstance({
      uuid,
      name: UNDO_SIGNAL,
      valueJson: JSON.stringify({ retry: isRetry }),
    });
    await printer.one(INSTANCE_VIEW, present(instance, "Cannot decide on an undo"));
    await printer.note(
      isRetry
        ? `The undo of step "${stuck.name}" is tried again`
        : `Step "${stuck.name}" stays as it is`,
    );
  },
};
