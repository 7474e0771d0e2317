import { systemClock } from "../../platform/clock.ts";
import type {
  GetJobStatsRequest,
  GetJobStatsResponseSchema,
  JobStatsBucketSchema,
} from "../gen/job_pb.ts";
import { instanceToWire } from "./convert.ts";
import { readName, readSet, readTime, refuse } from "./requests.ts";
import type { WireRecord } from "./wire_record.ts";
import type { JobStats, JobStatsBucket, JobStatsQuery } from "../../manager/api/instances.ts";

/** The span of a request that names none. */
const SPAN_MS = 7 * 86_400_000;
const BUCKETS_DEFAULT = 48;
const BUCKETS_MAX = 100;

/** The query of GetJobStats. @throws JobError `invalid_argument` naming the field */
export function readStatsQuery(
  { kind, from, to, buckets = BUCKETS_DEFAULT }: GetJobStatsRequest,
): JobStatsQuery {
  if (buckets < 1 || buckets > BUCKETS_MAX) {
    throw refuse("buckets", `found ${buckets}, wanted 1 to ${BUCKETS_MAX}`);
  }
  const end = readSet(to, readTime, "to") ?? systemClock.now().wallMs + 1;
  const start = readSet(from, readTime, "from") ?? end - SPAN_MS;
  if (start >= end) throw refuse("to", "it is not after from");
  return { kind: readName(kind, "kind"), from: start, to: end, buckets };
}

/** The statistics of a job on the wire. */
export function statsToWire(
  { buckets, totals, last, failures, usual, ...stats }: JobStats,
): WireRecord<typeof GetJobStatsResponseSchema> {
  return {
    ...stats,
    buckets: buckets.map(bucketToWire),
    totals: bucketToWire(totals),
    last: last.map(instanceToWire),
    failures: failures.map((group) => ({ ...group, lastUuid: group.lastId })),
    usualP50Ms: usual?.p50Ms,
    usualP99Ms: usual?.p99Ms,
  };
}

function bucketToWire(
  { from, counts, durations }: JobStatsBucket,
): WireRecord<typeof JobStatsBucketSchema> {
  return { ...counts, from, failed: counts.terminated, durations };
}
