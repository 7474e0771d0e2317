import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import {
  assertKinds,
  collect,
  hasChannels,
  listIncidents,
  NO_CHANNELS,
} from "../../lookup/lookup.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb } from "../../verb/verb.ts";
import { ANY_INCIDENT_VIEW, INCIDENT_VIEW, newestFirst } from "../../views/notice_views.ts";

/** `jobctl incidents` */
export const INCIDENTS: Verb = {
  name: "incidents",
  summary:
    "List open incidents: what is wrong now with jobs, nodes, the daemon, the store or channels",
  details: [
    "An incident opens with the first bad event and closes when the problem is over. Jobs are named",
    "by their kind, everything else with its type, such as node:NAME.",
  ].join(" "),
  words: [{ name: "KIND", describe: "Only of this job", offers: "kind", isOptional: true }],
  options: {
    all: {
      describe: "Also list the last closed incident of each job, node and so on",
      isFlag: true,
    },
    ...FIELDS_OPTION,
  },
  examples: [
    ["jobctl incidents", "What is wrong now, newest first"],
    ["jobctl incidents backup --all", "One job, including its last closed incident"],
  ],
  async run(args, { client, printer }) {
    const connection = await client();
    const [kind] = args.words("KIND");
    const withClosed = args.flag("all");
    const incidents = await collect(listIncidents(connection, { kind, withClosed }));
    if (kind !== undefined && incidents.length === 0) await assertKinds(connection, [kind]);
    const view = withClosed ? ANY_INCIDENT_VIEW : INCIDENT_VIEW;
    const whose = kind === undefined ? "" : ` of ${makeVisible(kind)}`;
    const none = withClosed
      ? `No incidents${whose}, open or closed`
      : `No open incidents${whose}. Closed ones: jobctl incidents${
        kind === undefined ? "" : ` ${shellWord(kind)}`
      } --all`;
    await printer.list(view, incidents.sort(newestFirst), none);
    if (incidents.length === 0 && !await hasChannels(connection)) {
      await printer.note(`The daemon ${NO_CHANNELS}`);
    }
  },
};
