import type { Instance } from "../core/instance.ts";
import type { Instant } from "../platform/clock.ts";
import type { Committed } from "./requests.ts";

/** How long a node that is gone is still listed, in milliseconds. */
export const NODE_KEPT_MS = 3_600_000;
/** The path of an error that says that a node's id is another's. */
export const NODE_ID_PATH = "node.id";
/** Most nodes of one store, those that are gone for less than {@link NODE_KEPT_MS} included. */
export const NODES_MAX = 1_000;
/** Most kinds that a node names. */
export const NODE_KINDS_MAX = 100_000;
/** Most tags of a node. */
export const NODE_TAGS_MAX = 100;

/** What a node says of itself. A store keeps it whole, as JSON does: also what a newer version says besides. */
export interface NodeReport {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** Tells the process from every other one of its host, also from a later one with its number; null when nothing does. */
  readonly process: string | null;
  /** Epoch ms, by its own clock. */
  readonly startedAt: number;
  readonly tags: readonly string[];
  /** What it serves: the jobs that it has and may run. */
  readonly kinds: readonly string[];
  /** The jobs that it has and does not run, as it lacks a tag that they need. */
  readonly idle: readonly string[];
  /** What holds back those that have limits, as text: it should be the same on every node. */
  readonly limits: Readonly<Record<string, string>>;
  readonly workers: number;
  readonly busy: number;
  readonly isDraining: boolean;
  /** Version of its time zone database. */
  readonly tzVersion: string;
}

/** What the store knows of a node. */
export interface NodeRecord extends NodeReport {
  readonly id: string;
  /** Rises with each join of this id: max(last + 1, the store's time). */
  readonly session: number;
  /** Of its last report, by the store's clock, epoch ms. */
  readonly seenAt: number;
  /** When its lease ends, by the store's clock, epoch ms. It is live before. */
  readonly until: number;
  /** When it left by itself, epoch ms; null while it has not. */
  readonly leftAt: number | null;
  /** The number of workers that somebody asked for since it joined; null when nobody did. */
  readonly wantedWorkers: number | null;
  /** The format that it reads and writes. */
  readonly format: number;
  /** Its clock less the store's at its last report, in milliseconds; null where the callers' clocks count. */
  readonly skewMs: number | null;
}

/** The nodes on one store: a part of {@link Store}. A claim names its node by id. */
export interface NodeStore {
  /**
   * Take a node id. With `replaces` the session of that number is known to be dead: it may still be live by its lease, and its
   * claims are void, taken back as lost. Other claims of an earlier session keep their leases.
   *
   * @throws JobError `conflict` while another session of the id is live, naming its host and pid; `resource_exhausted` past
   * {@link NODES_MAX}
   */
  joinNode(
    request: {
      readonly at: Instant;
      readonly id: string;
      readonly report: NodeReport;
      readonly leaseMs: number;
      readonly replaces?: number;
    },
  ): Promise<
    Committed<{ readonly node: NodeRecord; readonly recovered: readonly Instance[] }>
  >;
  /**
   * Prolong and update: what the report leaves out is as before. Also after the lease ended, when nobody took the id since.
   *
   * @throws JobError `conflict` when the session is no longer the current one of its id, or has left; `not_found` when nothing is
   * known of the id any more
   */
  reportNode(
    request: {
      readonly at: Instant;
      readonly id: string;
      readonly session: number;
      readonly report: Partial<NodeReport>;
      readonly leaseMs: number;
    },
  ): Promise<Committed<NodeRecord>>;
  /** End a session; false when it is no longer the current one, or has left. */
  leaveNode(
    request: { readonly at: Instant; readonly id: string; readonly session: number },
  ): Promise<Committed<boolean>>;
  /** Live ones by id, and for {@link NODE_KEPT_MS} those that are gone: `until` ≤ the store's time. */
  listNodes(request: { readonly at: Instant }): Promise<readonly NodeRecord[]>;
  /**
   * Wish for another number of workers: the node learns it by a hint and by its next report.
   *
   * @throws JobError `not_found` for a node that is not live
   */
  setNodeWorkers(
    request: { readonly at: Instant; readonly id: string; readonly workers: number },
  ): Promise<Committed<NodeRecord>>;
}
