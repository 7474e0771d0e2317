import type { ScheduleText } from "../time/ticks.ts";

/** Backups that the daemon makes by itself, as configured in `store.backup`. */
export interface BackupSettings {
  readonly schedule: ScheduleText;
  /** Absolute path of the folder. */
  readonly path: string;
  /** How many backups of a store stay in the folder, the new one included. */
  readonly keep: number;
}

/** Kind of the system job that makes them. */
export const BACKUP_KIND = "system.store.backup";
