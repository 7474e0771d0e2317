import type { Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";
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
  /** Use a store again that was moved away. */
  | { readonly type: "undo" };

/** One step of a work: its progress, a part of a backup, and at last its report. */
export type StoreStep =
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "chunk"; readonly bytes: Uint8Array }
  | { readonly type: "report"; readonly report: Readonly<Record<string, unknown>> };

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
  /**
   * Creates the target store, not yet open. @throws JobError `not_found` if the target is not
   * allowed
   */
  readonly openTarget: (to: string, prefix: string | null) => NamedStore;
  /** Start nothing more and wait until nothing runs here. Returns a function that resumes. */
  readonly suspend: () => Promise<() => void>;
  /** Longest wait for attempts of other nodes, in milliseconds. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
}

/** The surroundings of a backup into a folder. */
export interface BackupFolderContext {
  /** Of the start, epoch ms. */
  readonly nowMs: number;
  readonly log: (level: "info" | "warn", message: string) => void;
}
