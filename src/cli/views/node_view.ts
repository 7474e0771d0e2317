import type { Node } from "../../rpc/gen/job_pb.ts";
import type { Style } from "../output/table.ts";
import type { MessageView } from "../output/view.ts";
import { shortTime } from "./instance_view.ts";

/** Style of the state of a node. */
export const NODE_STATE_STYLES: Readonly<Record<string, Style>> = {
  live: "good",
  draining: "warn",
  skewed: "warn",
  lost: "bad",
};

// For a node that has ended, the last values are out of date.
function busyOf({ state, busy, workers }: Node): string {
  return state === "left" || state === "lost" ? "" : `${busy} of ${workers}`;
}

/** How the daemons on one store are shown. */
export const NODE_VIEW: MessageView<Node> = {
  message: "Node",
  name: (node) => node.id,
  columns: [
    { title: "ID", cell: (node) => node.id },
    { title: "STATE", cell: ({ state }) => ({ text: state, style: NODE_STATE_STYLES[state] }) },
    { title: "HOST", cell: (node) => node.host },
    { title: "PID", isWide: true, cell: (node) => String(node.pid) },
    { title: "VERSION", cell: (node) => node.version },
    { title: "TAGS", cell: (node) => node.tags.join(", ") },
    { title: "JOBS", cell: (node) => node.kindCount },
    { title: "BUSY", cell: busyOf },
    { title: "STARTED", cell: (node, at) => shortTime(node.startedAt, at) },
    { title: "SEEN", cell: (node, at) => shortTime(node.seenAt, at) },
    { title: "ZONES", isWide: true, cell: (node) => node.tzVersion },
    { title: "KINDS", isWide: true, isFlexible: true, cell: (node) => node.kinds.join(", ") },
  ],
};
