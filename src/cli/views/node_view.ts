import type { Node } from "../../rpc/gen/job_pb.ts";
import type { PlainRecord } from "../output/plain.ts";
import type { Style } from "../output/table.ts";
import type { View } from "../output/view.ts";
import { isoOf } from "../wire.ts";
import { textCell, timeCell } from "./instance_view.ts";

const STATE_STYLES: Readonly<Record<string, Style>> = {
  live: "good",
  draining: "warn",
  skewed: "warn",
  lost: "bad",
};

function record(node: Node): PlainRecord {
  return {
    id: node.id,
    state: node.state,
    host: node.host,
    pid: Number(node.pid),
    version: node.version,
    tags: node.tags,
    kinds: node.kinds,
    kind_count: node.kindCount,
    workers: node.workers,
    busy: node.busy,
    wanted_workers: node.wantedWorkers,
    started_at: isoOf(node.startedAt),
    seen_at: isoOf(node.seenAt),
    until: isoOf(node.until),
    session: Number(node.session),
    store_format: node.storeFormat,
    clock_ahead_ms: node.skewMs === undefined ? undefined : Number(node.skewMs),
    tz_version: node.tzVersion,
  };
}

// For a node that has ended, the last values are out of date.
function busyOf({ state, busy, workers }: Node): string {
  return state === "left" || state === "lost" ? "" : `${busy} of ${workers}`;
}

/** How the daemons on one store are shown. */
export const NODE_VIEW: View<Node> = {
  name: (node) => node.id,
  record,
  keys: [
    "id",
    "state",
    "host",
    "pid",
    "version",
    "tags",
    "kinds",
    "kind_count",
    "workers",
    "busy",
    "wanted_workers",
    "started_at",
    "seen_at",
    "until",
    "session",
    "store_format",
    "clock_ahead_ms",
    "tz_version",
  ],
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
};
