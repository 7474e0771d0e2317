import { present, resolveId } from "../../lookup.ts";
import type { Verb } from "../../verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

/** `jobctl retry ID` */
export const RETRY: Verb = {
  name: "retry",
  summary: "Run a final instance again, as a new instance with the same arguments",
  details: [
    "You can retry an instance whatever its outcome, and as often as you like. To run dead",
    'letters again, each once, use "jobctl redrive". "jobctl list dead" lists them.',
  ].join(" "),
  words: [{ name: "ID", describe: "Id of the instance, or an unambiguous prefix of it" }],
  examples: [[
    "jobctl retry 01938f2c-7d3e",
    "Prints the new instance; its retry_of is the old one",
  ]],
  async run(args, { client, printer }) {
    const connection = await client();
    const uuid = await resolveId(connection, args.word("ID"), "jobctl list instances --kind");
    const { instance } = await connection.retryInstance({ uuid });
    await printer.one(INSTANCE_VIEW, present(instance, `Cannot retry instance "${uuid}"`));
    return 0;
  },
};
