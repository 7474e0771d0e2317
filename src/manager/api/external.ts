import type { HookDelivery, HookRun, JobHook } from "../../core/hooks/hook.ts";
import type { Instance } from "../../core/instance.ts";
import type { ReportedRun } from "../../core/job/external.ts";

/** The secrets of the pings of a job. */
export interface PingKeysOfJob {
  /** For `/ping/KEY`. */
  readonly key: string;
  /** For `/ping/KEY/KIND`: the same for all jobs on the store. */
  readonly sharedKey: string;
}

/** Receives reports about runs elsewhere, and deliveries to hooks. */
export interface ExternalApi {
  /**
   * Record a report about a run elsewhere. Returns its instance, or null for a log of a job without
   * any run. A repeated report changes nothing.
   *
   * @throws JobError `not_found`; `invalid_argument` for a job that runs here
   */
  reportRun(kind: string, reported: ReportedRun): Promise<Instance | null>;
  /** The keys of the pings that report runs of a job. @throws JobError like {@link reportRun} */
  pingKeys(kind: string): Promise<PingKeysOfJob>;
  /** SHA-256 of all possible keys of pings, in hexadecimal. */
  pingKeyHashes(): Promise<ReadonlySet<string>>;
  /**
   * Record a run like {@link reportRun} does, of the job with this key, or with the shared key of
   * the job of this kind. Returns false if there is none.
   */
  ping(key: string, kind: string | null, reported: ReportedRun): Promise<boolean>;
  /** The hooks of the jobs of this node, by kind, with their secrets: for its listeners alone. */
  hooks(): ReadonlyMap<string, JobHook>;
  /**
   * Run a job for a verified delivery to its hook. A repeated delivery is accepted once.
   * @throws JobError `not_found` if the job has no hook; like {@link scheduleJob}
   */
  deliver(kind: string, delivery: HookDelivery): Promise<HookRun>;
}
