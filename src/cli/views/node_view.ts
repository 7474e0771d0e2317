import type { Node } from "../../rpc/gen/job_pb.ts";
import type { Style } from "../output/table.ts";
import { type View, viewOf } from "../output/view.ts";
import { isoOf } from "../wire.ts";
import { textCell, timeCell } from "./instance_view.ts";

const STATE_STYLES: Readonly<Record<string, Style>> = {
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
export const NODE_VIEW: View<Node> = viewOf({
  name: (node) => node.id,
  fields: {
    id: (node) => node.id,
    state: (node) => node.state,
    host: (node) => node.host,
    pid: (node) => Number(node.pid),
    version: (node) => node.version,
    tags: (node) => node.tags,
    kinds: (node) => node.kinds,
    kind_count: (node) => node.kindCount,
    workers: (node) => node.workers,
    busy: (node) => node.busy,
    wanted_workers: (node) => node.wantedWorkers,
    started_at: (node) => isoOf(node.startedAt),
    seen_at: (node) => isoOf(node.seenAt),
    until: (node) => isoOf(node.until),
    session: (node) => Number(node.session),
    store_format: (node) => node.storeFormat,
    clock_ahead_ms: (node) => node.skewMs === undefined ? undefined : Number(node.skewMs),
    tz_version: (node) => node.tzVersion,
  },
  columns: [
    { title: "ID", cell: (node) => textCell(node.id) },
    { title: "STATE", cell: ({ state }) => ({ text: state, style: STATE_STYLES[state] }) },
    { title: "HOST", cell: (node) => textCell(node.host) },
    { title: "PID", isWide: true, cell: (node) => textCell(String(node.pid)) },
    { title: "VERSION", cell: (node) => textCell(node.version) },
    { title: "TAGS", cell: (node) => textCell(node.tags.join(", ")) },
    { title: "JOBS", cell: (node) => textCell(node.kindCount) },
    { title: "BUSY", cell: (node) => textCell(busyOf(node)) },
    { title: "STARTED", cell: (node, at) => timeCell(node.startedAt, at) },
    { title: "SEEN", cell: (node, at) => timeCell(node.seenAt, at) },
    { title: "ZONES", isWide: true, cell: (node) => textCell(node.tzVersion) },
    {
      title: "KINDS",
      isWide: true,
      isFlexible: true,
      cell: (node) => textCell(node.kinds.join(", ")),
    },
  ],
});
