import { countText } from "../../../core/text/count_text.ts";
import { parseState, stateWord } from "../../../core/state.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { isFinalState, stateName } from "../../io/wire.ts";
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
/** Most children of one kind with a line each; another line sums up the rest. */
const SHOWN_MAX = 10;

/** One line of the tree: an instance, or several children of a kind together. */
interface TreeLine {
  /** The lines that lead to it, and the kind. */
  readonly label: string;
  readonly instance?: JobInstance;
  readonly summary?: string;
}

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
  const states = stateCounts(instances);
  const isWhole = read.length <= READ_MAX;
  const counted = `${isWhole ? "" : "the first "}${countText(instances.length, "instance")}`;
  const lines = [
    `Flow ${flowId}: ${counted} (${states})`,
    "",
    ...printer.tableLines(columnsFor(printer), treeOf(instances)),
  ];
  await printer.details(
    (of) => ({ flow_id: flowId, has_more: !isWhole, instances: instances.map(of) }),
    flowId,
    lines,
  );
}

function columnsFor(printer: Printer): readonly Column<TreeLine>[] {
  const shown = INSTANCE_VIEW.columns.filter(({ title, isWide }) => !isWide && title !== "KIND");
  const others = shown.map((column): Column<TreeLine> => ({
    ...column,
    cell: ({ instance, summary }, at) => {
      if (instance === undefined) return column.title === "WHAT" ? summary : undefined;
      const isParked = column.title === "WHAT" && instance.waits.length > 0;
      return isParked ? `waits for ${waitsShown(instance, printer)}` : column.cell(instance, at);
    },
  }));
  return [{ title: "KIND", weight: 9, cell: ({ label }) => makeVisible(label) }, ...others];
}

/** The oldest first, the children below their parents. */
function treeOf(instances: readonly JobInstance[]): readonly TreeLine[] {
  const ids = new Set(instances.map(({ uuid }) => uuid));
  const childrenOf = Map.groupBy(
    instances,
    ({ parentId = "" }) => ids.has(parentId) ? parentId : "",
  );
  const lines: TreeLine[] = [];
  const add = (parent: string, lead: string, isTop: boolean) => {
    const children = linesOf(childrenOf.get(parent) ?? []);
    for (const [index, child] of children.entries()) {
      const isLast = index === children.length - 1;
      const branch = isTop ? "" : isLast ? "└─ " : "├─ ";
      lines.push({ ...child, label: lead + branch + child.label });
      if (child.instance === undefined) continue;
      add(child.instance.uuid, isTop ? lead : lead + (isLast ? "   " : "│  "), false);
    }
  };
  add("", "", true);
  return lines;
}

/** The lines of the children of one parent. */
function linesOf(children: readonly JobInstance[]): readonly TreeLine[] {
  return [...Map.groupBy(children, ({ kind }) => kind)].flatMap(([kind, all]) => {
    const shown = all.length <= SHOWN_MAX
      ? all
      : all.toSorted((a, b) => weightOf(a) - weightOf(b)).slice(0, SHOWN_MAX);
    const lines: TreeLine[] = shown.map((instance) => ({ label: kind, instance }));
    if (shown.length === all.length) return lines;
    const rest = all.filter((one) => !shown.includes(one));
    return [...lines, { label: `${kind} × ${rest.length}`, summary: stateCounts(rest) }];
  });
}

/** The most interesting first. */
function weightOf({ state }: JobInstance): number {
  const name = stateName(state);
  if (name === "Processing") return 0;
  if (!isFinalState(state)) return 2;
  return name === "Completed" ? 3 : 1;
}

function stateCounts(instances: readonly JobInstance[]): string {
  const counts = new Map<string, number>();
  for (const { state, reason } of instances) {
    const parsed = parseState(stateName(state) ?? "");
    const word = reason === "parked" ? "parked" : parsed === null ? "unknown" : stateWord(parsed);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}
