import {
  countWords,
  type FlowLine,
  flowLines,
  type FlowMember,
  SHOWN_MAX,
} from "../../../core/flow/flow_tree.ts";
import { countText } from "../../../core/text/count_text.ts";
import { parseState, stateWord } from "../../../core/state.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { stateName } from "../../io/wire.ts";
import { findInstance } from "../../lookup/find_instance.ts";
import { collect, lookupInstances } from "../../lookup/lookup.ts";
import type { Printer } from "../../output/printer.ts";
import type { Column } from "../../output/view.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import type { Verb } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { waitsShown } from "../../views/step_view.ts";

/** Most instances of a flow that are read. */
const READ_MAX = 10_000;

/** `jobctl describe flow ID` */
export const DESCRIBE_FLOW: Verb = {
  name: "flow",
  summary: "Show the instances of a flow as a tree, with their states and times",
  details: [
    "A flow is an instance with its children, and theirs. Any of them names it. Of more than",
    `${SHOWN_MAX} children of one kind, those that run, wait or failed have lines first, and a`,
    "line sums up the others.",
  ].join(" "),
  watches: "everything",
  words: [{
    name: "ID",
    describe: "The id of one of its instances, any unambiguous part of it, last, or last:KIND",
    offers: "instance",
  }],
  options: FIELDS_OPTION,
  examples: [
    ["jobctl describe flow last:order", "The last order with all that it called"],
    ["jobctl describe flow last:order --watch", "The same, live"],
  ],
  async run(args, { client, printer }) {
    const connection = await client();
    const one = await findInstance(connection, args.word("ID"), "jobctl describe flow last:KIND");
    await describeFlow(one.flowId || one.uuid, connection, printer);
  },
};

async function describeFlow(
  flowId: string,
  connection: JobClient,
  printer: Printer,
): Promise<void> {
  const query = { flowId, oldestFirst: true };
  const read = await collect(lookupInstances(connection, query, READ_MAX + 1, { isBrief: true }));
  const instances = read.slice(0, READ_MAX);
  const members = instances.map(memberOf);
  const states = countWords(members.map(wordOf));
  const isWhole = read.length <= READ_MAX;
  const counted = `${isWhole ? "" : "the first "}${countText(instances.length, "instance")}`;
  const lines = [
    `Flow ${flowId}: ${counted} (${states})`,
    "",
    ...printer.tableLines(columnsFor(printer), flowLines(members)),
  ];
  await printer.details(
    (of) => ({ flow_id: flowId, has_more: !isWhole, instances: instances.map(of) }),
    flowId,
    lines,
  );
}

function columnsFor(printer: Printer): readonly Column<FlowLine<Member>>[] {
  const shown = INSTANCE_VIEW.columns.filter(({ title, isWide }) => !isWide && title !== "KIND");
  const others = shown.map((column): Column<FlowLine<Member>> => ({
    ...column,
    cell: ({ members, isSum }, at) => {
      const isWhat = column.title === "WHAT";
      if (isSum) return isWhat ? countWords(members.map(wordOf)) : undefined;
      const { instance } = members[0]!;
      const isParked = isWhat && instance.waits.length > 0;
      return isParked ? `waits for ${waitsShown(instance, printer)}` : column.cell(instance, at);
    },
  }));
  const label = ({ lead, kind, members, isSum }: FlowLine<Member>) =>
    makeVisible(lead + kind + (isSum ? ` × ${members.length}` : ""));
  return [{ title: "KIND", weight: 9, cell: label }, ...others];
}

/** An instance with its place in the tree. */
interface Member extends FlowMember {
  readonly instance: JobInstance;
}

function memberOf(instance: JobInstance): Member {
  const { uuid: id, parentId, kind, state } = instance;
  return { id, parentId, kind, state: parseState(stateName(state) ?? ""), instance };
}

function wordOf({ state, instance }: Member): string {
  if (instance.reason === "parked") return "parked";
  return state === null ? "unknown" : stateWord(state);
}
