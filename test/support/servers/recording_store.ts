import type { Instance } from "../../../src/core/instance.ts";
import type { JobLimits } from "../../../src/core/job/limits.ts";
import type { Overlap } from "../../../src/core/time/schedule.ts";
import { isFinal, type JobState } from "../../../src/core/state.ts";
import type {
  Advance,
  AdvanceResult,
  ClaimRequest,
  Committed,
  OpenRequest,
  PutSchedule,
  RenewRequest,
  SettleResult,
  Store,
  StoreInfo,
} from "../../../src/store/store.ts";

/** What every record says of its operation. */
interface RecordBase {
  readonly rev: number;
  /** The store's time, epoch ms. */
  readonly t: number;
  /** Number of the operation in this recording: its records share it. */
  readonly op: number;
  /** The highest revision that was answered before the operation was asked. */
  readonly after: number;
}

/** One thing that the store did, as INVARIANTS.md reads it. */
export type StoreRecord =
  & RecordBase
  & (
    | { readonly type: "accept"; readonly instance: string; readonly as: Instance }
    | {
      readonly type: "claim";
      readonly instance: string;
      readonly fence: number;
      readonly attempt: number;
      readonly node: string;
      readonly until: number;
      /** What the node serves. */
      readonly kinds: readonly string[];
      /** What holds its kinds back. */
      readonly limits?: ReadonlyMap<string, JobLimits>;
    }
    | {
      readonly type: "renew";
      readonly instance: string;
      readonly fence: number;
      readonly until: number;
    }
    | {
      readonly type: "settle";
      readonly instance: string;
      readonly fence: number;
      readonly state: JobState;
      readonly reason: string;
      readonly failures: number;
      readonly crashes: number;
      /** Attempts that count then; absent: as claimed. */
      readonly attempt?: number;
    }
    | {
      readonly type: "release";
      readonly instance: string;
      readonly fence: number;
      readonly due: number;
      readonly reason: string;
      readonly failures: number;
      readonly crashes: number;
      /** Attempts that count then; absent: as claimed. */
      readonly attempt?: number;
    }
    /** `state` as the instance then is: "canceled" when it waited, "processing" when it runs. */
    | { readonly type: "cancel"; readonly instance: string; readonly state: JobState }
    | {
      readonly type: "fire";
      readonly job: string;
      readonly schedule: string;
      readonly tick: number;
      readonly instance: string;
      readonly overlap: Overlap;
      /** A tick that had another fate before. */
      readonly isBackfill?: true;
    }
    | {
      readonly type: "skip";
      readonly schedule: string;
      readonly tick: number;
      readonly toTick: number;
      readonly why: string;
    }
    /** `isRetention` when it was deleted for its age, not on request. */
    | { readonly type: "delete"; readonly instance: string; readonly isRetention: boolean }
    | {
      readonly type: "log";
      readonly instance: string;
      readonly fence: number;
      readonly count: number;
    }
    | { readonly type: "pause"; readonly kind: string | null; readonly until: number | null }
    | { readonly type: "resume"; readonly kind: string | null }
  );

/** A record before its operation is known. */
type Fact = StoreRecord extends infer R ? R extends StoreRecord ? Omit<R, keyof RecordBase> : never
  : never;

/** A store with everything that it did, by revision. */
export type RecordingStore = Store & { readonly records: readonly StoreRecord[] };

/** Wrap a store so that it records what INVARIANTS.md reads, from requests and answers alone. */
export function recordStore(store: Store): RecordingStore {
  const recorder = new Recorder();
  const watch = <Request, T>(
    run: (request: Request) => Promise<Committed<T>>,
    read: (request: Request, value: T, at: number) => readonly Fact[],
  ) =>
  async (request: Request): Promise<Committed<T>> => {
    const begin = recorder.begin();
    const committed = await run(request);
    begin.end(committed, read(request, committed.value, committed.at));
    return committed;
  };
  const overrides: Partial<Store> = {
    open: async (request: OpenRequest): Promise<StoreInfo> => {
      const begin = recorder.begin();
      const info = await store.open(request);
      for (const instance of info.recovered) {
        const at = instance.settledAt ?? instance.scheduledAt;
        begin.end({ rev: info.rev ?? recorder.lastRev, at }, [endOf(instance)]);
      }
      return info;
    },
    enqueue: watch(
      (request) => store.enqueue(request),
      (_request, results) =>
        results.filter(({ outcome }) => outcome === "accepted")
          .flatMap(({ instance, replaced }) => [
            ...(replaced ? [cancelFact(replaced)] : []),
            ...acceptFacts(instance, "allow"),
          ]),
    ),
    claim: watch(
      (request: ClaimRequest) => store.claim(request),
      ({ kinds, limits, leaseMs }, claimed, at) =>
        claimed.map(({ id, fence, attempt, node }) => ({
          ...{ type: "claim", instance: id, fence, attempt, node: node!, until: at + leaseMs },
          kinds: [...kinds],
          ...(limits && limits.kinds.size > 0 ? { limits: limits.kinds } : {}),
        })),
    ),
    renew: watch(
      (request: RenewRequest) => store.renew(request),
      ({ leaseMs }, results, at) =>
        results.filter(({ status }) => status !== "stale")
          .map(({ id, fence }) => ({ type: "renew", instance: id, fence, until: at + leaseMs })),
    ),
    settle: watch((request: Parameters<Store["settle"]>[0]) => store.settle(request), settleFacts),
    cancel: watch(
      (request: Parameters<Store["cancel"]>[0]) => store.cancel(request),
      (_, found) => found.map(({ id, state }) => ({ type: "cancel", instance: id, state })),
    ),
    reap: watch(
      (request: Parameters<Store["reap"]>[0]) => store.reap(request),
      (_request, lost) => lost.map(endOf),
    ),
    redrive: watch(
      (request: Parameters<Store["redrive"]>[0]) => store.redrive(request),
      (_request, results) =>
        results.filter(({ outcome }) => outcome === "accepted").map(({ instance }) => ({
          type: "accept",
          instance: instance!.id,
          as: instance!,
        })),
    ),
    appendLogs: watch(
      (request: Parameters<Store["appendLogs"]>[0]) => store.appendLogs(request),
      ({ appends }, stale) =>
        appends.filter(({ id, fence }) =>
          !stale.some((key) => key.id === id && key.fence === fence)
        ).map(({ id, fence, logs }) => logFact(id, fence, logs.length)),
    ),
    advance: watch(
      (request: Parameters<Store["advance"]>[0]) => store.advance(request),
      ({ advances }, results) =>
        results.flatMap((result, index) => advanceFacts(advances[index]!, result)),
    ),
    backfill: watch(
      (request: Parameters<Store["backfill"]>[0]) => store.backfill(request),
      ({ backfill }, accepted) =>
        accepted.flatMap((instance): readonly Fact[] => {
          // Backfilled ticks wait for those before them where scheduled ones would be skipped.
          const overlap = backfill.overlap === "allow" ? "allow" : "queue";
          return acceptFacts(instance, overlap).map((fact) =>
            fact.type === "fire" ? { ...fact, isBackfill: true } : fact
          );
        }),
    ),
    putSchedule: watch((request: PutSchedule) => store.putSchedule(request), () => []),
    deleteSchedule: watch((request) => store.deleteSchedule(request), () => []),
    correctTimes: watch((request) => store.correctTimes(request), () => []),
    retain: watch(
      (request: Parameters<Store["retain"]>[0]) => store.retain(request),
      (_, ids) => ids.map((instance) => ({ type: "delete", instance, isRetention: true })),
    ),
    clearInstances: watch(
      (request: Parameters<Store["clearInstances"]>[0]) => store.clearInstances(request),
      (_request, ids) => ids.map((instance) => ({ type: "delete", instance, isRetention: false })),
    ),
    clearLogs: watch((request) => store.clearLogs(request), () => []),
    setPause: watch((request) => store.setPause(request), (_request, { kind, until }) => [
      { type: "pause", kind, until },
    ]),
    removePause: watch(
      (request: Parameters<Store["removePause"]>[0]) => store.removePause(request),
      ({ kind }) => [{ type: "resume", kind }],
    ),
  };
  return new Proxy(store, {
    get(target, key) {
      if (key === "records") return recorder.records;
      const override = Reflect.get(overrides, key);
      if (override) return override;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as RecordingStore;
}

class Recorder {
  readonly records: StoreRecord[] = [];
  lastRev = 0;
  #op = 0;

  begin() {
    const after = this.lastRev;
    const op = ++this.#op;
    return {
      end: ({ rev, at }: { readonly rev: number; readonly at: number }, facts: readonly Fact[]) => {
        this.lastRev = Math.max(this.lastRev, rev);
        for (const fact of facts) this.#insert({ ...fact, rev, t: at, op, after } as StoreRecord);
      },
    };
  }

  // Answers of one group may come a few promises later than those behind them.
  #insert(record: StoreRecord): void {
    let place = this.records.length;
    while (place > 0 && this.records[place - 1]!.rev > record.rev) place -= 1;
    this.records.splice(place, 0, record);
  }
}

function settleFacts(
  { settlements }: Parameters<Store["settle"]>[0],
  results: readonly SettleResult[],
): readonly Fact[] {
  return results.flatMap(({ id, fence, status, instance }, index) => {
    if (status !== "settled") return [];
    const { length } = settlements[index]!.logs;
    const end = { ...endOf(instance!), fence } as Fact;
    return length > 0 ? [logFact(id, fence, length), end] : [end];
  });
}

function cancelFact({ id, state }: Instance): Fact {
  return { type: "cancel", instance: id, state };
}

function logFact(instance: string, fence: number, count: number): Fact {
  return { type: "log", instance, fence, count };
}

function endOf(instance: Instance): Fact {
  const { id, fence, state, failures, crashes, attempt } = instance;
  const reason = instance.reason ?? "";
  const base = { instance: id, fence, reason, failures, crashes, attempt };
  return isFinal(state)
    ? { type: "settle", ...base, state }
    : { type: "release", ...base, due: instance.dueAt };
}

function advanceFacts(advance: Advance, result: AdvanceResult): readonly Fact[] {
  if (result.status !== "advanced") return [];
  const schedule = advance.scheduleId;
  const skips = advance.fates.map(({ from, to, fate, reason }): Fact => ({
    type: "skip",
    schedule,
    tick: from,
    toTick: to,
    why: reason ?? fate,
  }));
  const overlaps = result.skipped.map((tick): Fact => ({
    type: "skip",
    schedule,
    tick,
    toTick: tick,
    why: "overlap",
  }));
  const fires = result.accepted.flatMap((instance) => acceptFacts(instance, advance.overlap));
  // What is replaced goes before the tick that replaces it; one that the same step accepted goes
  // after its own record.
  const isOwn = (id: string) => result.accepted.some((instance) => instance.id === id);
  const cancels = result.replaced.map(({ id, state }): Fact => ({
    type: "cancel",
    instance: id,
    state,
  }));
  const before = cancels.filter((fact) => !isOwn((fact as { instance: string }).instance));
  const after = cancels.filter((fact) => isOwn((fact as { instance: string }).instance));
  return [...skips, ...overlaps, ...before, ...fires, ...after];
}

// An instance of a tick is the tick's fire, whichever operation made it.
function acceptFacts(instance: Instance, overlap: Overlap): readonly Fact[] {
  const { id, kind, scheduleId, scheduledFor } = instance;
  const accept: Fact = { type: "accept", instance: id, as: instance };
  if (scheduleId === null || scheduledFor === null) return [accept];
  const tick = { schedule: scheduleId, tick: scheduledFor, instance: id, overlap };
  return [{ type: "fire", job: kind, ...tick }, accept];
}
