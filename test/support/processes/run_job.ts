import { type JobInstance, JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { Daemon } from "./daemon.ts";

const FINAL: ReadonlySet<JobState> = new Set([
  JobState.COMPLETED,
  JobState.TERMINATED,
  JobState.CANCELLED,
  JobState.TIMED_OUT,
]);
const WAIT_MS = 60_000n;

/** Run a job to its end, by calls: a command for each would take longer than most jobs. */
export async function runJob(
  daemon: Daemon,
  kind: string,
  args: { readonly arguments: string[] } | { readonly argumentsJson: string },
): Promise<JobInstance> {
  const client = daemon.client();
  const { instance } = await client.scheduleJob({ kind, ...args });
  for (;;) {
    const waited = await client.waitInstance({ uuid: instance!.uuid, waitMs: WAIT_MS });
    if (FINAL.has(waited.instance!.state)) return waited.instance!;
  }
}

/** The messages of an instance's log. */
export async function logMessages(daemon: Daemon, uuid: string): Promise<readonly string[]> {
  const { entries } = await daemon.client().lookupInstanceLogs({ query: { uuid } });
  return entries.map(({ message }) => message);
}
