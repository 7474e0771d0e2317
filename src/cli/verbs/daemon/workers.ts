import { parseInteger } from "../../parsing/args.ts";
import { present } from "../../lookup/lookup.ts";
import type { Verb, VerbGroup } from "../../verb/verb.ts";
import { NODE_VIEW } from "../../views/node_view.ts";
import { WORKERS_VIEW } from "../../views/record_views.ts";

const COUNT_MAX = 1_000;

const GET_WORKERS: Verb = {
  name: "get",
  summary: "Show how many workers there are, and how many of them are busy",
  examples: [["jobctl workers get", "Attempts at once, busy ones, worker processes"]],
  async run(_args, { client, printer }) {
    const { workers } = await (await client()).getWorkers({});
    await printer.one(WORKERS_VIEW, present(workers, "Cannot get the workers"));
  },
};

const SCALE: Verb = {
  name: "scale",
  summary: "Change how many attempts run at once",
  details: [
    "The change lasts until the daemon ends. To keep it, set worker.count in the configuration.",
    "With fewer workers, running attempts still finish.",
  ].join(" "),
  words: [{
    name: "COUNT",
    describe: `0 to ${COUNT_MAX}; with 0, only notices and backups start`,
  }],
  options: {
    node: {
      value: "ID",
      describe: "Id of the node (default: the one that jobctl talks to)",
      offers: "node",
    },
  },
  examples: [
    ["jobctl workers scale 8", "Eight attempts at once"],
    ["jobctl workers scale 0 --node berlin-2", "Start nothing more on another node"],
  ],
  async run(args, { client, printer }) {
    const count = parseInteger(args.word("COUNT"), { min: 0, max: COUNT_MAX, what: "COUNT" });
    const node = args.text("node");
    if (node !== undefined) {
      const answer = await (await client()).resizeWorkers({ count, node });
      const resized = present(answer.node, `Cannot scale the workers of node "${node}"`);
      return await printer.one(NODE_VIEW, resized);
    }
    const { workers } = await (await client()).resizeWorkers({ count });
    await printer.one(WORKERS_VIEW, present(workers, `Cannot scale the workers to ${count}`));
    await printer.note(`This lasts until the daemon ends; to keep it, set worker.count = ${count}`);
  },
};

/** `jobctl workers …` */
export const WORKERS: VerbGroup = {
  name: "workers",
  summary: "Show or change the number of workers",
  verbs: [GET_WORKERS, SCALE],
  initial: GET_WORKERS,
};
