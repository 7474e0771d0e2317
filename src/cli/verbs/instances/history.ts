import { findInstance, pages } from "../../lookup.ts";
import type { Verb } from "../../verb.ts";
import { HISTORY_VIEW } from "../../views/record_views.ts";

/** `jobctl history ID` */
export const HISTORY: Verb = {
  name: "history",
  summary: "Show the states that an instance went through, the oldest first",
  words: [{ name: "ID", describe: "Id of the instance, or an unambiguous prefix of it" }],
  examples: [["jobctl history 01938f2c-7d3e", "Each change of state with its time and reason"]],
  async run(args, { client, printer }) {
    const connection = await client();
    const { uuid } = await findInstance(
      connection,
      args.word("ID"),
      "jobctl list instances --kind",
    );
    const entries = pages(null, async (pageSize, pageToken) => {
      const query = { uuid, pageSize, pageToken, oldestFirst: true };
      const answer = await connection.lookupInstanceHistory({ query });
      return { items: answer.entries, nextPageToken: answer.nextPageToken };
    });
    await printer.list(HISTORY_VIEW, entries);
    return 0;
  },
};
