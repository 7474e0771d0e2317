import type { Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";
import type { Store, StoreInfo } from "../store/store.ts";

/** What is to be done with a store. */
export type StoreWork =
  | { readonly type: "info" }
  | { readonly type: "verify" }
  /** Delete what is past its retention and what belongs to nothing; give room back. */
  | { readonly type: "gc"; readonly compacts: boolean }
  | { readonly type: "backup" }
  /** As backup, of what is readable of a damaged file: only without a daemon. */
  | { readonly type: "salvage" }
  /** `to` is the name of a target; without a daemon it may be a URL. */
  | { readonly type: "migrate"; readonly to: string; readonly prefix: string | null }
  /** Go on with a store that was moved away. */
  | { readonly type: "undo" };

/** One step of a work: how far it is, a part of a backup, and at last what came of it. */
export type StoreStep =
  | { readonly type: "progress"; readonly text: string }
  | { readonly type: "chunk"; readonly bytes: Uint8Array }
  | { readonly type: "report"; readonly report: Readonly<Record<string, unknown>> };

/** What a work is done with. */
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
  readonly openTarget: (to: string, prefix: string | null) => {
    readonly store: Store;
    /** Without secrets. */
    readonly url: string;
    /** Namespace when it is another one than the configuration names; absent otherwise. */
    readonly prefix?: string;
  };
  /** Begin nothing any more and wait until nothing runs here; answers how to go on. */
  readonly hold: () => Promise<() => void>;
  /** Longest wait for attempts of other nodes, in milliseconds. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
}
