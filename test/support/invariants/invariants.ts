import type { Instance, StoredLogEntry } from "../../../src/core/instance.ts";
import type { StateCounts } from "../../../src/store/store.ts";
import { checkEnd } from "./invariants_end.ts";
import { checkHarness } from "./invariants_harness.ts";
import { Replay } from "./invariants_replay.ts";
import type { StoreRecord } from "../servers/recording_store.ts";

/** What a run did against INVARIANTS.md. */
export interface Violation {
  /** Its id there, such as "E1". */
  readonly invariant: string;
  readonly message: string;
}

/** What a client was told. */
export interface Ack {
  readonly instanceId: string;
  /** The id that the client had asked for. */
  readonly requestedId?: string;
  readonly uniqueKey?: string | null;
}

/** What the harness saw of a run. Times of effects and runs are on one true monotonic clock. */
export interface Observations {
  readonly records: readonly StoreRecord[];
  readonly acks?: readonly Ack[];
  /** Cancels that a client was told of, with the last revision then. */
  readonly cancelAcks?: readonly { readonly instanceId: string; readonly rev: number }[];
  /** What a resource accepted, in order. */
  readonly effects?: readonly { readonly instanceId: string; readonly fence: number }[];
  readonly runs?: readonly {
    readonly instanceId: string;
    readonly fence: number;
    readonly startedAt?: number;
    /** Epoch ms, by the clock that counts. */
    readonly beganAt?: number;
    readonly endedAt?: number | null;
    /** By when job code had to end: the lease less its margin. */
    readonly deadlineMs?: number;
  }[];
  /** Every instance at the end. */
  readonly snapshot?: readonly Instance[];
  /** Every log line at the end. */
  readonly logs?: readonly StoredLogEntry[];
  /** The store's own counts at the end. */
  readonly counts?: ReadonlyMap<string, StateCounts>;
  /** The store's time at the end, epoch ms. */
  readonly endAt?: number;
  /**
   * How long after its due time an instance must be final, when the faults have stopped for as
   * long.
   */
  readonly horizonMs?: number;
  /** Ticks that each schedule should have had. */
  readonly expectedTicks?: ReadonlyMap<string, readonly number[]>;
  /**
   * False when the store's wall clock went back: what is due is then not known from its recorded
   * time.
   */
  readonly isClockSteady?: boolean;
  /**
   * How long before its time something may be claimed, though not begun; 0 where it is not said.
   */
  readonly aheadMs?: number;
}

/** Check every invariant for which there are data. */
export function checkInvariants(observations: Observations): readonly Violation[] {
  const violations: Violation[] = [];
  const report = (invariant: string, message: string) =>
    void violations.push({ invariant, message });
  const { isClockSteady = true, aheadMs = 0 } = observations;
  const replay = new Replay(report, { isClockSteady, aheadMs });
  for (const record of observations.records) replay.step(record);
  checkEnd(observations, replay, report);
  checkHarness(observations, replay, report);
  return violations;
}
