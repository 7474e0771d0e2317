import { isJobError } from "../../../core/errors.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { findNamed } from "../../lookup/find_instance.ts";
import type { Printer } from "../../output/printer.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb } from "../../verb/verb.ts";
import { showOther } from "./get_others.ts";

/**
 * The verb for a word that is not a group's noun: it shows the kind, or else the id, of that name.
 */
export function namedVerb(
  { name, summary, examples, showJob, showInstance }:
    & Pick<Verb, "name" | "summary" | "examples">
    & {
      showJob(kind: string, client: JobClient, printer: Printer): Promise<void>;
      showInstance(instance: JobInstance, client: JobClient, printer: Printer): Promise<void>;
    },
): Verb {
  return {
    name,
    summary,
    examples,
    watches: "named",
    options: FIELDS_OPTION,
    words: [{
      name: "NAME",
      describe:
        "A kind; the id of an instance or a part of it, last or last:KIND; or the id of a " +
        "schedule or a node",
      offers: "kind",
    }],
    async run(args, { client, printer }) {
      const connection = await client();
      const word = args.word("NAME");
      try {
        const named = await findNamed(connection, word);
        if (named.type === "kind") return await showJob(named.kind, connection, printer);
        await showInstance(named.instance, connection, printer);
      } catch (error) {
        const isMissing = isJobError(error, "not_found");
        if (!isMissing || !await showOther(word, connection, printer)) throw error;
      }
    },
  };
}
