import type { Instant } from "../../../platform/clock.ts";
import { checkNodeReport } from "../../ledger/operations/nodes.ts";
import type { NodeRecord, NodeReport } from "../../nodes.ts";
import { type ClaimKey, type Store, STORE_FORMAT } from "../../store.ts";
import { readInstances } from "../codec/instances.ts";
import { type Packable, Tuple, type Unpacker } from "../codec/msgpack.ts";
import type { OperationQueue } from "./operation_queue.ts";

/** A node as stored: its report, and the store's facts about it. */
interface StoredNode {
  readonly report: NodeReport;
  readonly known: Omit<NodeRecord, keyof NodeReport>;
}

/** Keeps the nodes on the store. */
export function nodeOperations(queue: OperationQueue) {
  /** The last full report of a session: a report without a member keeps the old value. */
  let last: { readonly session: string; readonly report: NodeReport } | null = null;
  return {
    async joinNode(request) {
      checkNodeReport(request);
      return await queue.write({
        action: "joinNode",
        args: [...reportOf(request, request.report), request.replaces, keptFences(request.keeps)],
        read: (from) => {
          from.list();
          const node = readNode(from);
          return { node, recovered: readInstances(from) };
        },
      });
    },

    async reportNode(request) {
      checkNodeReport(request);
      const session = `${request.session} ${request.id}`;
      return await queue.write({
        action: "reportNode",
        prepare: async () => {
          const before = last?.session === session
            ? last.report
            : await readReport(queue, request.id);
          const report = { ...before, ...request.report } as NodeReport;
          if (before) last = { session, report };
          return [...reportOf(request, report), request.session];
        },
        read: readNode,
      });
    },

    leaveNode({ id, session }) {
      return queue.write({
        action: "leaveNode",
        args: [id, session],
        read: (from) => from.read() === true,
      });
    },

    async listNodes() {
      const nodes = await queue.read({ ...LIST, read: (from) => from.items(1, readNode) });
      return nodes.sort((left, right) => left.id < right.id ? -1 : 1);
    },

    setNodeWorkers({ id, workers }) {
      return queue.write({ action: "setNodeWorkers", args: [id, workers], read: readNode });
    },
  } satisfies Partial<Store>;
}

/** The fences of claims by instance; a script cannot tell an empty table from an empty list. */
function keptFences(claims: readonly ClaimKey[] = []): Packable {
  return Object.fromEntries(claims.map(({ id, fence }) => [id, fence]));
}

const NODE = new Tuple<StoredNode["known"] & { readonly report: string }>(
  ["id", "session", "until", "report", "seenAt", "leftAt", "wantedWorkers", "skewMs", "format"],
);

const LIST = { action: "listNodes" } as const;

async function readReport(queue: OperationQueue, id: string): Promise<NodeReport | null> {
  const nodes = await queue.readNow({ ...LIST, read: (from) => from.items(1, readStored) });
  return nodes.find(({ known }) => known.id === id)?.report ?? null;
}

function reportOf(
  { at, id, leaseMs }: { readonly at: Instant; readonly id: string; readonly leaseMs: number },
  report: NodeReport,
): readonly Packable[] {
  // Other nodes watch this part, and are notified of changes.
  const watched = JSON.stringify([report.isDraining, report.kinds]);
  return [id, JSON.stringify(report), leaseMs, watched, at.wallMs, STORE_FORMAT];
}

function readStored(from: Unpacker): StoredNode {
  const { report, ...known } = NODE.read(from.read());
  return { report: JSON.parse(report) as NodeReport, known };
}

function readNode(from: Unpacker): NodeRecord {
  const { report, known } = readStored(from);
  return { ...report, ...known };
}
