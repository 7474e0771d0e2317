import type { JobDefinition } from "../core/job/job.ts";
import type { ExternalApi } from "./api/external.ts";
import type { InstanceApi } from "./api/instances.ts";
import type { NodeApi } from "./api/nodes.ts";
import type { NoticeApi } from "./api/notices.ts";
import type { ScheduleApi } from "./api/schedules.ts";
import type { TimelineApi } from "./api/timeline.ts";
import type { SessionApi } from "./sessions/session.ts";

export type * from "./api/daemon.ts";
export type * from "./api/external.ts";
export type * from "./api/instances.ts";
export type * from "./api/nodes.ts";
export type * from "./api/reads.ts";
export type * from "./api/schedules.ts";
export type { ScheduleOptions } from "../core/job/gen/run_options.ts";
export type { RetryOptions } from "../core/job/job_manager.ts";

/**
 * The manager as its adapters see it: gRPC, HTTP, the CLI and the library are thin layers over it.
 * Unknown kinds, ids and schedules are `not_found`; bad arguments are `invalid_argument`
 * with the parameter's path.
 */
export interface ManagerApi
  extends InstanceApi, ScheduleApi, TimelineApi, ExternalApi, NoticeApi, NodeApi {
  readonly version: string;
  /** The sessions of browsers. */
  readonly sessions: SessionApi;
  listJobs(): readonly JobDefinition[];
  getJob(kind: string): JobDefinition;
  /** The URL of the HTTP server, which ends with a slash; null without a server. */
  siteUrl(): string | null;
}
