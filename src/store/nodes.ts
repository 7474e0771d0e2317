import type { Instance } from "../core/instance.ts";
import type { Instant } from "../platform/clock.ts";
import type { ClaimKey, Write } from "./requests.ts";

/** Time for which a node is listed after it has left or its lease has expired, in milliseconds. */
export const NODE_KEPT_MS = 3_600_000;
/** The path of an error about a node id that another node has taken. */
export const NODE_ID_PATH = "node.id";
/** Most nodes of one store, including those listed for {@link NODE_KEPT_MS} after their end. */
export const NODES_MAX = 1_000;
/** Most kinds in a node's report. */
export const NODE_KINDS_MAX = 100_000;
/** Most tags of a node. */
export const NODE_TAGS_MAX = 100;

/** A node's report about itself. A store keeps all of it, including members of newer versions. */
export interface NodeReport {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /**
   * Distinguishes the process from all others of its host, even later ones with its pid; null if
   * unknown.
   */
  readonly process: string | null;
  /** Place where the next daemon of this id finds remaining processes; absent without any. */
  readonly survivors?: string;
  /** Epoch ms, by its own clock. */
  readonly startedAt: number;
  readonly tags: readonly string[];
  /** The kinds of jobs that it has and can run. */
  readonly kinds: readonly string[];
  /** The kinds of jobs that it has but cannot run, because it lacks a tag that they require. */
  readonly idle: readonly string[];
  /** The limits of its kinds as text, which should be the same on every node. */
  readonly limits: Readonly<Record<string, string>>;
  readonly workers: number;
  readonly busy: number;
  readonly isDraining: boolean;
  /** Version of its time zone database. */
  readonly tzVersion: string;
}

/** A node as the store knows it. */
export interface NodeRecord extends NodeReport {
  readonly id: string;
  /** Rises with each join of this id: max(last + 1, the store's time). */
  readonly session: number;
  /** Time of its last report by the store's clock, epoch ms. */
  readonly seenAt: number;
  /** Expiry of its lease by the store's clock, epoch ms; until then it is live. */
  readonly until: number;
  /** Time when it left, epoch ms; null before. */
  readonly leftAt: number | null;
  /** The number of workers requested since it joined; null without a request. */
  readonly wantedWorkers: number | null;
  /** The store format that it reads and writes. */
  readonly format: number;
  /**
   * Its clock minus the store's at its last report, in milliseconds; null if the nodes' clocks
   * decide.
   */
  readonly skewMs: number | null;
}

/** The nodes of one store: a part of {@link Store}. A claim names its node by id. */
export interface NodeStore {
  /**
   * Take a node id. `replaces` is the number of a session that is known to be dead although its
   * lease may still be valid: its claims are taken back as lost, except those in `keeps`. Other
   * claims of an earlier session keep their leases.
   *
   * @throws JobError `conflict` while another session of the id is live, with its host and pid;
   * `resource_exhausted` beyond {@link NODES_MAX}
   */
  readonly joinNode: Write<
    {
      readonly id: string;
      readonly report: NodeReport;
      readonly leaseMs: number;
      readonly replaces?: number;
      readonly keeps?: readonly ClaimKey[];
    },
    { readonly node: NodeRecord; readonly recovered: readonly Instance[] }
  >;
  /**
   * Renew the session's lease and update its report; omitted members stay. This also works after
   * the lease has expired, unless someone took the id.
   *
   * @throws JobError `conflict` if the session is not the current one of its id, or has left;
   * `not_found` if the id is no longer known
   */
  readonly reportNode: Write<
    {
      readonly id: string;
      readonly session: number;
      readonly report: Partial<NodeReport>;
      readonly leaseMs: number;
    },
    NodeRecord
  >;
  /** End a session. @returns false if it is not the current one, or has left */
  readonly leaveNode: Write<{ readonly id: string; readonly session: number }, boolean>;
  /** Nodes by id: live ones, and ones that ended less than {@link NODE_KEPT_MS} ago. */
  listNodes(request: { readonly at: Instant }): Promise<readonly NodeRecord[]>;
  /**
   * Request another number of workers. The node learns it by a hint and by its next report.
   *
   * @throws JobError `not_found` for a node that is not live
   */
  readonly setNodeWorkers: Write<{ readonly id: string; readonly workers: number }, NodeRecord>;
}
