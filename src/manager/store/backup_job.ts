import { encodeError, encodeResults } from "../../core/arguments/encode.ts";
import { BACKUP_KIND, type BackupSettings } from "../../core/settings/backup_settings.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { type JobDefinition, NO_HANDLERS } from "../../core/job/job.ts";
import { JOB_DEFAULTS, SCHEDULE_DEFAULTS } from "../../core/job/option_table.ts";
import { specsOf } from "../../core/job/schedule_settings.ts";
import type { AbortCause, Attempt, AttemptOutcome } from "../../worker/executor.ts";
import type { LogEntry } from "../../core/instance.ts";
import type { NodeApi } from "../api/nodes.ts";
import type { ManagerOptions } from "../context/manager_options.ts";

const DAY = 86_400_000;

/** Errors that another attempt would not change. */
const PERMANENT = ["not_found", "permission_denied", "invalid_argument", "unimplemented"] as const;

/** The system job that backs up the store by schedule. It takes no worker. */
export function backupJob(
  { schedule }: BackupSettings,
  options: { readonly timezone: string; readonly nowMs: number },
): JobDefinition {
  const { timezone, nowMs } = options;
  const description = "Backs up the store to a file, and deletes the oldest backups";
  return {
    kind: BACKUP_KIND,
    description,
    source: { type: "system", name: BACKUP_KIND },
    signature: {
      parameters: [],
      resultCount: 1,
      resultText: "string",
      doc: description,
      isTyped: true,
      warnings: [],
    },
    // Not the options of `[defaults]`, which are for jobs of users.
    options: {
      ...JOB_DEFAULTS,
      isolation: "inline",
      workerSlot: false,
      timeoutMs: 0,
      concurrency: [{ max: 1, by: [], per: "cluster" }],
      retry: { ...JOB_DEFAULTS.retry, max: 2, initialMs: 60_000 },
      keepSuccessMs: 30 * DAY,
      keepFailureMs: 90 * DAY,
    },
    schedules: specsOf([schedule], {}, { timezone, defaults: SCHEDULE_DEFAULTS })
      .map((spec) => ({ spec, arguments: [] })),
    hasHandler: NO_HANDLERS,
    registeredAt: nowMs,
  };
}

/** Begin an attempt of the {@link backupJob}, which can be aborted. */
export function startBackup(
  running: { log(entries: readonly LogEntry[]): void },
  context: Pick<ManagerOptions, "backUp" | "clock"> & {
    readonly manager: Pick<NodeApi, "workOnStore">;
  },
): Attempt {
  const abort = new AbortController();
  let cause: AbortCause | null = null;
  return {
    outcome: run(),
    extend: () => {},
    abort(why) {
      cause ??= why;
      abort.abort();
    },
  };

  async function run(): Promise<AttemptOutcome> {
    const { backUp, clock, manager } = context;
    try {
      if (!backUp) {
        throw new JobError("unimplemented", "Cannot back up the store: this manager does none", {
          hint: `Let the daemon do it: jobctl schedule ${BACKUP_KIND} --wait`,
        });
      }
      const steps = manager.workOnStore({ type: "backup" }, { signal: abort.signal });
      const path = await backUp(steps, {
        nowMs: clock.now().wallMs,
        log: (level, message) => {
          running.log([{ at: clock.now().wallMs, level, message, source: "system" }]);
        },
      });
      return { type: "ok", resultsJson: encodeResults(path, 1) };
    } catch (thrown) {
      const error = encodeError(thrown);
      if (cause !== null) return { type: "aborted", cause, error };
      const isPermanent = PERMANENT.some((code) => isJobError(thrown, code));
      return { type: "error", error, ...isPermanent ? { wish: "never" } : {} };
    }
  }
}
