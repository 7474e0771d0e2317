import type { Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";
import type { JobState } from "../core/state.ts";
import type { StoreMark } from "../store/records.ts";
import type { Store, StoreInfo } from "../store/store.ts";

/** A maintenance operation on a store. */
export type StoreWork =
  | { readonly type: "info" }
  | { readonly type: "verify" }
  /** Delete expired and orphaned records; optionally return free space to the disk. */
  | { readonly type: "gc"; readonly compacts: boolean }
  | { readonly type: "backup" }
  /** Back up the readable part of a damaged file; only without a daemon. */
  | { readonly type: "salvage" }
  /** `to` is the name of a target; without a daemon it may be a URL. */
  | { readonly type: "migrate"; readonly to: string; readonly prefix: string | null }
  /** Use a moved store again. */
  | { readonly type: "undo" };

/** One step of a task: its progress, a part of a backup, and at last its report. */
export type StoreStep =
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "chunk"; readonly bytes: Uint8Array }
  | { readonly type: "report"; readonly report: Readonly<Record<string, unknown>> };

/** The report of the work "info". Times are text. */
export interface StoreContent {
  readonly type: string;
  /** Without secrets. */
  readonly location: string;
  readonly id: string;
  readonly epoch: number;
  readonly format: number;
  readonly is_durable: boolean;
  readonly mark: StoreMark | null;
  readonly instances: number;
  /** The number of instances by state, in snake case. */
  readonly states: Readonly<Record<Exclude<JobState, "timedOut"> | "timed_out", number>>;
  /** The number of jobs with instances. */
  readonly kinds: number;
  readonly schedules: number;
  readonly pauses: number;
  /** When the oldest instance was created; null without any. */
  readonly oldest_at: string | null;
  /** End of the last successful scheduled backup run; null if no run is kept. */
  readonly backup_at: string | null;
  /** The size, the part that compacting would release, and the size of its log. */
  readonly bytes: number | null;
  readonly free_bytes: number | null;
  readonly wal_bytes: number | null;
}

/** A store that a URL names, not yet open. */
export interface NamedStore {
  readonly store: Store;
  /** Without secrets. */
  readonly url: string;
  /** Namespace, if it differs from the configuration's. */
  readonly prefix?: string;
}

/** The store and the environment of a work. */
export interface StoreWorkContext {
  /** Open. */
  readonly store: Store;
  readonly info: StoreInfo;
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Creates the target store, not yet open. @throws JobError `not_found` if it is not allowed */
  readonly openTarget: (to: string, prefix: string | null) => NamedStore;
  /** Start nothing more and wait for running work. Returns a function that resumes. */
  readonly suspend: () => Promise<() => void>;
  /** Longest wait for attempts of other nodes, in milliseconds. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
}

/** Dependencies of a backup into a folder. */
export interface BackupFolderContext {
  /** Start time, epoch ms. */
  readonly nowMs: number;
  readonly log: (level: "info" | "warn", message: string) => void;
}
