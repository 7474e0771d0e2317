import type {
  GetStatusResponse,
  Incident,
  JobInstance,
  KindCounts,
  Node,
  PauseEntry,
  UpcomingRun,
  WatchResponse,
} from "../../rpc/gen/job_pb.ts";

/** The daemon's reports so far. */
export interface TopData {
  readonly status: GetStatusResponse | null;
  readonly totals: KindCounts | null;
  /** The oldest first. */
  readonly running: readonly JobInstance[];
  readonly hasMoreRunning: boolean;
  readonly upcoming: readonly UpcomingRun[];
  readonly hasMoreUpcoming: boolean;
  /** The newest first. */
  readonly failures: readonly JobInstance[];
  readonly incidents: readonly Incident[];
  readonly pauses: readonly PauseEntry[];
  readonly nodes: readonly Node[];
  /** Why the daemon can read nothing at the moment. */
  readonly problem: string | null;
}

/** Before the first message. */
export const NO_DATA: TopData = {
  status: null,
  totals: null,
  running: [],
  hasMoreRunning: false,
  upcoming: [],
  hasMoreUpcoming: false,
  failures: [],
  incidents: [],
  pauses: [],
  nodes: [],
  problem: null,
};

/** The data after a message: absent parts have not changed. */
export function withMessage(data: TopData, message: WatchResponse): TopData {
  const { status, totals, running, upcoming, failures, incidents, pauses, nodes } = message;
  return {
    status: status ?? data.status,
    totals: totals ?? data.totals,
    running: running?.instances ?? data.running,
    hasMoreRunning: running === undefined
      ? data.hasMoreRunning
      : running.nextPageToken !== undefined,
    upcoming: upcoming?.runs ?? data.upcoming,
    hasMoreUpcoming: upcoming?.hasMore ?? data.hasMoreUpcoming,
    failures: failures?.instances ?? data.failures,
    incidents: incidents?.incidents ?? data.incidents,
    pauses: pauses?.pauses ?? data.pauses,
    nodes: nodes?.nodes ?? data.nodes,
    problem: message.problem ?? null,
  };
}
