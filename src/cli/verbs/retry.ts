import { present, resolveId } from "../lookup.ts";
import type { Verb } from "../verb.ts";
import { INSTANCE_VIEW } from "../views/instance_view.ts";

/** `jobctl retry ID` */
export const RETRY: Verb = {
  name: "retry",
  summary: "Run a final instance again, as a new instance with the same arguments",
  details: [
    "Whatever it came to, and as often as it is asked. Of what failed for good, see also",
    '"jobctl list dead" and "jobctl redrive", which runs each once.',
  ].join(" "),
  words: [{ name: "ID", describe: "Id of the instance, or a beginning that no other has" }],
  options: {},
  examples: [[
    "jobctl retry 01938f2c-7d3e",
    "Prints the new instance; its retry_of is the old one",
  ]],
  isClient: true,
  async run(args, { client, printer }) {
    const connection = await client();
    const uuid = await resolveId(connection, args.word("ID"), "jobctl list instances --kind");
    const { instance } = await connection.retryInstance({ uuid });
    await printer.one(INSTANCE_VIEW, present(instance, `Cannot retry instance "${uuid}"`));
    return 0;
  },
};
