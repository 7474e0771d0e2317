import type { ScheduleText } from "../time/ticks.ts";

/** The daemon's scheduled backups, as configured in `store.backup`. */
export interface BackupSettings {
  readonly schedule: ScheduleText;
  /** Absolute path of the folder. */
  readonly path: string;
  /** Number of backups of a store that stay in the folder, including the new one. */
  readonly keep: number;
}

/** Kind of the system job that makes them. */
export const BACKUP_KIND = "system.store.backup";
