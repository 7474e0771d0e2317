import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { NodeStatus } from "../../manager/api.ts";
import { BYTES_OF_CHARACTER } from "./fit.ts";
import type { NodeSchema } from "../gen/job_pb.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";

/** Most characters of a node in a message, without its kinds. */
const NODE_CHARACTERS = 20_000;

/** A node on the wire. */
export function nodeToWire(node: NodeStatus): MessageInitShape<typeof NodeSchema> {
  const { id, state, host, version, tags, kinds, workers, busy, tzVersion } = node;
  return {
    ...{ id, state, host, version, workers, busy, tzVersion },
    pid: BigInt(node.pid),
    tags: [...tags],
    kinds: [...kinds],
    kindCount: kinds.length,
    startedAt: timestampFromMs(node.startedAt),
    seenAt: timestampFromMs(node.seenAt),
    until: timestampFromMs(node.until),
    wantedWorkers: node.wantedWorkers ?? undefined,
    session: BigInt(node.session),
    storeFormat: node.format,
    skewMs: node.skewMs === null ? undefined : BigInt(node.skewMs),
  };
}

/** All nodes in one message, without the names of their jobs if those do not fit. */
export function fitNodes(nodes: readonly NodeStatus[]): MessageInitShape<typeof NodeSchema>[] {
  const wire = nodes.map(nodeToWire);
  const characters = nodes.reduce(
    (sum, { kinds }) => kinds.reduce((all, kind) => all + kind.length + 3, sum),
    Math.min(nodes.length * NODE_CHARACTERS, MESSAGE_BYTES_MAX / 2 / BYTES_OF_CHARACTER),
  );
  if (characters * BYTES_OF_CHARACTER <= MESSAGE_BYTES_MAX) return wire;
  return wire.map((node) => ({ ...node, kinds: [] }));
}
