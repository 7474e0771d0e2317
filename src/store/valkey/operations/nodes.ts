import type { Instance } from "../../../core/instance.ts";
import type { Instant } from "../../../platform/clock.ts";
import { checkNodeReport } from "../../ledger/operations/nodes.ts";
import type { NodeRecord, NodeReport } from "../../nodes.ts";
import { type Committed, STORE_FORMAT } from "../../store.ts";
import { readInstances } from "../codec/instances.ts";
import type { Packable, Unpacker } from "../codec/msgpack.ts";
import type { OperationQueue } from "./operation_queue.ts";

interface Report {
  readonly at: Instant;
  readonly id: string;
  readonly report: NodeReport;
  readonly leaseMs: number;
}

/** Keeps the nodes on the store. */
export class NodeOperations {
  readonly #queue: OperationQueue;
  /** Last full report by session and id. A report without a member leaves it as it was. */
  readonly #reports = new Map<string, NodeReport>();

  constructor(queue: OperationQueue) {
    this.#queue = queue;
  }

  async join(
    request: Report & { readonly replaces?: number },
  ): Promise<Committed<{ readonly node: NodeRecord; readonly recovered: readonly Instance[] }>> {
    checkNodeReport(request);
    return await this.#queue.write({
      family: "nodes",
      action: "joinNode",
      args: [...reportOf(request), request.replaces],
      read: (from) => {
        from.list();
        const node = readNode(from);
        return { node, recovered: readInstances(from) };
      },
    });
  }

  async report(
    request: Omit<Report, "report"> & {
      readonly session: number;
      readonly report: Partial<NodeReport>;
    },
  ): Promise<Committed<NodeRecord>> {
    checkNodeReport(request);
    const { id, session } = request;
    const name = `${session} ${id}`;
    let report = request.report as NodeReport;
    return await this.#queue.write({
      family: "nodes",
      action: "reportNode",
      prepare: async () => {
        const before = this.#reports.get(name) ?? await this.#read(id);
        report = { ...before, ...request.report } as NodeReport;
        if (!before) return;
        this.#reports.clear();
        this.#reports.set(name, report);
      },
      args: () => [...reportOf({ ...request, report }), session],
      read: readNode,
    });
  }

  leave(
    { id, session }: { readonly id: string; readonly session: number },
  ): Promise<Committed<boolean>> {
    return this.#queue.write({
      family: "nodes",
      action: "leaveNode",
      args: [id, session],
      read: (from) => from.read() === true,
    });
  }

  async list(): Promise<readonly NodeRecord[]> {
    const nodes = await this.#queue.read({ ...LIST, read: readNodes });
    return nodes.toSorted((left, right) => left.id < right.id ? -1 : 1);
  }

  setWorkers(
    { id, workers }: { readonly id: string; readonly workers: number },
  ): Promise<Committed<NodeRecord>> {
    return this.#queue.write({
      family: "nodes",
      action: "setNodeWorkers",
      args: [id, workers],
      read: readNode,
    });
  }

  async #read(id: string): Promise<NodeReport | null> {
    const nodes = await this.#queue.readNow({ ...LIST, read: readReports });
    return nodes.get(id) ?? null;
  }
}

const LIST = { family: "nodes", action: "listNodes" } as const;

function reportOf({ at, id, report, leaseMs }: Report): readonly Packable[] {
  // Other nodes watch this part: they are notified if it changes.
  const watched = JSON.stringify([report.isDraining, report.kinds]);
  return [id, JSON.stringify(report), leaseMs, watched, at.wallMs, STORE_FORMAT];
}

function readEntry(from: Unpacker) {
  const [id, session, until, text, seenAt, leftAt, wantedWorkers, skewMs, format] = from
    .read() as readonly unknown[];
  const orNull = (value: unknown) => value === false ? null : value as number;
  return {
    report: JSON.parse(text as string) as NodeReport,
    known: {
      id: id as string,
      session: session as number,
      seenAt: seenAt as number,
      until: until as number,
      leftAt: orNull(leftAt),
      wantedWorkers: orNull(wantedWorkers),
      format: format as number,
      skewMs: orNull(skewMs),
    },
  };
}

function readNode(from: Unpacker): NodeRecord {
  const { report, known } = readEntry(from);
  return { ...report, ...known };
}

function readNodes(from: Unpacker): readonly NodeRecord[] {
  return Array.from({ length: from.list() }, () => readNode(from));
}

function readReports(from: Unpacker): ReadonlyMap<string, NodeReport> {
  const reports = new Map<string, NodeReport>();
  for (let left = from.list(); left > 0; left--) {
    const { report, known } = readEntry(from);
    reports.set(known.id, report);
  }
  return reports;
}
