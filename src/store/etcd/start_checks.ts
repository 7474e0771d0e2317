import { isJobError, JobError } from "../../core/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EtcdCalls } from "./calls.ts";
import { NOSPACE_HINT } from "./error.ts";
import { rangesOf, readOf, runTransaction } from "./keys.ts";
import { AlarmType, KV, Maintenance } from "./gen/etcd_pb.ts";
import { LAYOUT, type Layout, textOf } from "./layout.ts";

/** Oldest server whose API has everything used here. */
const VERSION_MIN = [3, 4] as const;
/** Time limit of a server for the first call. */
const FIRST_CALL_MS = 4_500;
const QUOTA_WARN_SHARE = 0.8;

/** Limits for checking a cluster; tests use smaller ones. */
export interface ClusterLimits {
  /** The quota of a server without a configured one; servers before 3.6 do not report it. */
  readonly quotaBytes: number;
  /** Revisions after which a server that never compacted is assumed not to compact. */
  readonly revisionsUncompacted: bigint;
}

const LIMITS: ClusterLimits = {
  quotaBytes: 2 * 1024 * 1024 * 1024,
  revisionsUncompacted: 50_000n,
};

/**
 * Check the cluster before it is used: release, alarms, space, compaction, and the layout of the
 * data. Tolerable problems are logged.
 *
 * @throws JobError `unavailable` if no member responds, `unimplemented` for a release too old,
 * `invalid_config` for data of a newer layout
 */
export async function checkCluster(
  calls: EtcdCalls,
  layout: Layout,
  logger: Logger,
  limits: ClusterLimits = LIMITS,
): Promise<void> {
  const { message } = await runTransaction(calls, {
    action: "open the store",
    success: [readOf(layout.store)],
  }, { isWrite: false, timeoutMs: FIRST_CALL_MS });
  const revision = message.header?.revision ?? 0n;
  const ranges = rangesOf(message);
  checkLayout(layout, ranges[0]?.kvs[0]?.value);
  await Promise.all([
    ignoreDenied(() => checkStatus(calls, logger, limits)),
    ignoreDenied(() => checkAlarms(calls, logger)),
    revision < limits.revisionsUncompacted
      ? null
      : ignoreDenied(() => checkCompaction(calls, layout, revision, logger)),
  ]);
}

function checkLayout(layout: Layout, value: Uint8Array | undefined): void {
  if (value === undefined) return;
  const found = layoutOf(textOf(value));
  if (typeof found === "number" && found <= LAYOUT) return;
  throw new JobError(
    "invalid_config",
    `Cannot open the store on etcd, prefix "${layout.prefix}/": its layout is ${found}, and this program knows ${LAYOUT}`,
    { hint: "Use the newer version that wrote it, or another store.prefix" },
  );
}

function layoutOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly layout?: unknown }).layout;
  } catch {
    return undefined;
  }
}

/** Checking the cluster may need rights that its use does not. */
async function ignoreDenied(check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!isJobError(error, "permission_denied")) throw error;
  }
}

async function checkStatus(
  calls: EtcdCalls,
  logger: Logger,
  { quotaBytes }: ClusterLimits,
): Promise<void> {
  const { message } = await calls.call(Maintenance.method.status, {}, { action: "ask its status" });
  const { version, dbSize, dbSizeQuota } = message;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    throw new JobError(
      "unimplemented",
      `Cannot use etcd ${version} at ${calls.endpoint}: at least ${
        VERSION_MIN.join(".")
      } is needed`,
      { hint: "Upgrade the cluster" },
    );
  }
  const quota = Number(dbSizeQuota) || quotaBytes;
  if (Number(dbSize) < quota * QUOTA_WARN_SHARE) return;
  logger.warn("etcd's database is nearly full: compact and defragment it, or raise its quota", {
    endpoint: calls.endpoint,
    db_bytes: Number(dbSize),
    db_bytes_in_use: Number(message.dbSizeInUse),
    quota_bytes: quota,
    quota_known: dbSizeQuota > 0n,
  });
}

async function checkAlarms(calls: EtcdCalls, logger: Logger): Promise<void> {
  const { message } = await calls.call(Maintenance.method.alarm, {}, { action: "ask for alarms" });
  for (const { alarm } of message.alarms) {
    if (alarm === AlarmType.NOSPACE) {
      logger.error(`etcd has raised the alarm NOSPACE, and takes no writes. ${NOSPACE_HINT}`);
    } else {
      logger.error("etcd has raised an alarm: its members' data may differ", { alarm });
    }
  }
}

/** Servers do not report automatic compaction. A server without any by now never will compact. */
async function checkCompaction(
  calls: EtcdCalls,
  layout: Layout,
  revision: bigint,
  logger: Logger,
): Promise<void> {
  const first = { key: layout.head, countOnly: true, revision: 1n };
  try {
    await calls.call(KV.method.range, first, { action: "look for a compaction" });
  } catch (error) {
    if (isJobError(error, "not_found")) return;
    throw error;
  }
  logger.warn(
    "etcd was never compacted and will run full: set --auto-compaction-mode=periodic and --auto-compaction-retention=1h",
    { revision: Number(revision) },
  );
}
