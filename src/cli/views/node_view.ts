import type { Node } from "../../rpc/gen/job_pb.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

const STATE_STYLES: Readonly<Record<string, Style>> = {
  live: "good",
  draining: "warn",
  skewed: "warn",
  lost: "bad",
};

/** Style of the state of a node. */
export function nodeStyle({ state }: Pick<Node, "state">): Style | undefined {
  return STATE_STYLES[state];
}

/** Number of busy workers of a node; empty if it has ended, as the numbers are out of date. */
export function busyText({ state, busy, workers }: Node): string {
  return state === "left" || state === "lost" ? "" : `${busy} of ${workers}`;
}

/** View of the daemons on one store. */
export const NODE_VIEW: MessageView<Node> = {
  message: "Node",
  name: (node) => node.id,
  columns: [
    { title: "ID", weight: 9, least: 16, cell: (node) => node.id },
    { title: "STATE", weight: 8, cell: (node) => ({ text: node.state, style: nodeStyle(node) }) },
    { title: "BUSY", weight: 7, cell: busyText },
    { title: "JOBS", weight: 6, isNumber: true, cell: (node) => node.kindCount },
    { title: "SEEN", weight: 6, cell: (node, at) => shortTime(node.seenAt, at) },
    { title: "TAGS", least: 12, cell: (node) => node.tags.join(", ") },
    { title: "STARTED", weight: 4, cell: (node, at) => shortTime(node.startedAt, at) },
    { title: "VERSION", weight: 3, cell: (node) => node.version },
    { title: "HOST", weight: 2, least: 12, cell: (node) => node.host },
    { title: "PID", isWide: true, isNumber: true, cell: (node) => String(node.pid) },
    { title: "ZONES", isWide: true, cell: (node) => node.tzVersion },
    { title: "KINDS", isWide: true, cell: (node) => node.kinds.join(", ") },
  ],
};
