import type { Instance } from "../../../src/core/instance.ts";
import type { Overlap } from "../../../src/core/time/schedule.ts";
import { LimitReplay } from "./invariants_limits.ts";
import { isFinal, type JobState } from "../../../src/core/state.ts";
import type { StoreRecord } from "../servers/recording_store.ts";

export type Report = (invariant: string, message: string) => void;

type RecordOf<T extends StoreRecord["type"]> = Extract<StoreRecord, { readonly type: T }>;

/** An instance as the records tell it. */
export interface Tracked {
  readonly as: Instance;
  state: JobState;
  dueAt: number;
  attempt: number;
  fence: number;
  until: number;
  failures: number;
  /** Takeovers after which it was scheduled again. */
  takeovers: number;
  settledAt: number | null;
  cancelRev: number | null;
  lastClaimRev: number;
  finalRev: number | null;
  isDeleted: boolean;
  /** Lines logged by fence. */
  readonly lines: Map<number, number>;
  /** Fences of the claims that were given back before anything of them ran. */
  readonly unstarted: Set<number>;
  /** When each attempt was due, by fence. */
  readonly dues: Map<number, number>;
}

/** Plays the records again and reports each step that breaks an invariant. */
export class Replay {
  readonly instances = new Map<string, Tracked>();
  readonly fires = new Map<string, RecordOf<"fire">[]>();
  readonly skips: RecordOf<"skip">[] = [];
  readonly #report: Report;
  readonly #isClockSteady: boolean;
  readonly #aheadMs: number;
  readonly #openByKey = new Map<string, string>();
  /** The last accepted instance of each key that keeps it for a time. */
  readonly #keptByKey = new Map<string, Tracked>();
  readonly #openBySchedule = new Map<string, Set<string>>();
  readonly #overlaps = new Map<string, Overlap>();
  readonly #waiting = new Set<Tracked>();
  readonly #limits: LimitReplay;
  readonly #pauses = new Map<string | null, number>();
  #last = { rev: 0, t: -Infinity, op: 0 };

  constructor(
    report: Report,
    options: { readonly isClockSteady: boolean; readonly aheadMs: number },
  ) {
    this.#report = report;
    this.#limits = new LimitReplay(report, options);
    this.#isClockSteady = options.isClockSteady;
    this.#aheadMs = options.aheadMs;
  }

  step(record: StoreRecord): void {
    this.#checkOrder(record);
    switch (record.type) {
      case "accept":
        return this.#accept(record);
      case "claim":
        return this.#claim(record);
      case "renew":
        return this.#renew(record);
      case "settle":
        return this.#settle(record);
      case "release":
        return this.#release(record);
      case "cancel":
        return this.#cancel(record);
      case "fire":
        return this.#fire(record);
      case "skip":
        return void this.skips.push(record);
      case "delete":
        return this.#delete(record);
      case "log":
        return this.#log(record);
      case "pause":
        return void this.#pauses.set(record.kind, record.until ?? Infinity);
      case "resume":
        return void this.#pauses.delete(record.kind);
    }
  }

  #checkOrder({ rev, t, op, after }: StoreRecord): void {
    const last = this.#last;
    const isSameOperation = op === last.op;
    if (rev <= after || (isSameOperation ? rev !== last.rev : rev <= last.rev)) {
      this.#report("H1", `revision ${rev} after ${Math.max(after, last.rev)}`);
    }
    if (t < last.t) this.#report("H2", `time ${t} at revision ${rev} after ${last.t}`);
    this.#last = { rev, t, op };
  }

  #accept({ instance: id, as, rev, t }: RecordOf<"accept">): void {
    const before = this.instances.get(id);
    // An id may come back once its instance is deleted.
    if (before && !before.isDeleted) this.#report("S1", `${id} accepted again at ${rev}`);
    if (as.uniqueKey !== null) {
      const other = this.#openByKey.get(as.uniqueKey);
      if (other !== undefined) {
        this.#report("S2", `key "${as.uniqueKey}" has ${other} and ${id} at ${rev}`);
      }
      this.#openByKey.set(as.uniqueKey, id);
      this.#checkKept(as, id, t);
    }
    const tracked: Tracked = {
      as,
      state: "scheduled",
      dueAt: as.dueAt,
      attempt: 0,
      fence: 0,
      until: 0,
      failures: 0,
      takeovers: 0,
      settledAt: null,
      cancelRev: null,
      lastClaimRev: 0,
      finalRev: null,
      isDeleted: false,
      lines: new Map(),
      dues: new Map(),
      unstarted: new Set(),
    };
    this.instances.set(id, tracked);
    if (as.uniqueKey !== null && as.uniqueUntil !== null) {
      this.#keptByKey.set(as.uniqueKey, tracked);
    }
    this.#waiting.add(tracked);
    if (as.scheduleId !== null) {
      const open = this.#openBySchedule.get(as.scheduleId) ?? new Set();
      this.#openBySchedule.set(as.scheduleId, open.add(id));
    }
  }

  // Finished or not, unless it was canceled.
  #checkKept({ uniqueKey }: Instance, id: string, t: number): void {
    const kept = this.#keptByKey.get(uniqueKey!);
    if (!kept || kept.state === "canceled" || t >= kept.as.uniqueUntil!) return;
    if (!this.#isClockSteady) return;
    this.#report(
      "S2",
      `key "${uniqueKey}" is kept by ${kept.as.id}, and ${id} is accepted at ${t}`,
    );
  }

  #claim(record: RecordOf<"claim">): void {
    const { instance: id, fence, attempt, until, rev, t } = record;
    const tracked = this.#find(record, { isFinalAllowed: false });
    if (!tracked) return;
    if (tracked.state === "processing" && tracked.until > t) {
      this.#report("E1", `${id} claimed at ${t} while its lease runs until ${tracked.until}`);
    }
    if (fence <= tracked.fence) this.#report("E2", `${id} fence ${fence} after ${tracked.fence}`);
    if (attempt !== tracked.attempt + 1) {
      this.#report("A1", `${id} attempt ${attempt} after ${tracked.attempt}`);
    }
    if (t < tracked.dueAt - this.#aheadMs) {
      this.#report("T1", `${id} claimed at ${t}, due at ${tracked.dueAt}`);
    }
    tracked.dues.set(fence, tracked.dueAt);
    const { deadlineAt } = tracked.as;
    if (this.#isClockSteady && deadlineAt !== null && t >= deadlineAt) {
      this.#report("T2", `${id} claimed at ${t}, its deadline is ${deadlineAt}`);
    }
    if (tracked.cancelRev !== null) {
      this.#report("K1", `${id} claimed at ${rev} after its cancel at ${tracked.cancelRev}`);
    }
    this.#waiting.delete(tracked);
    this.#checkOverlap(record, tracked);
    this.#checkPriority(record, tracked);
    this.#limits.started(record, tracked);
    Object.assign(tracked, { state: "processing", fence, attempt, until, lastClaimRev: rev });
  }

  // One that begun and waits for its next attempt counts as running.
  #checkOverlap({ rev }: RecordOf<"claim">, { as: { id, scheduleId } }: Tracked): void {
    if (scheduleId === null || (this.#overlaps.get(id) ?? "allow") === "allow") return;
    for (const other of this.#openBySchedule.get(scheduleId) ?? []) {
      if (other === id || this.instances.get(other)!.attempt === 0) continue;
      this.#report("P1", `${id} of ${scheduleId} claimed at ${rev} beside ${other}`);
    }
  }

  #checkPriority(record: RecordOf<"claim">, claimed: Tracked): void {
    if (!this.#isClockSteady) return;
    for (const other of this.#waiting) {
      const { kind, priority, id } = other.as;
      if (priority >= claimed.as.priority || other.dueAt > record.t) continue;
      if (!record.kinds.includes(kind) || this.#isPaused(kind, record.t)) continue;
      if (this.#isHeld(other)) continue;
      if (this.#limits.isBlocked(other.as, record)) continue;
      this.#report(
        "P2",
        `${claimed.as.id} (${claimed.as.priority}) before ${id} (${priority}) at ${record.rev}`,
      );
    }
  }

  // One that waits for those of its schedule before it cannot be claimed yet.
  #isHeld({ as: { id, scheduleId, reason } }: Tracked): boolean {
    if (scheduleId === null || reason !== "queued") return false;
    const [oldest] = this.#openBySchedule.get(scheduleId) ?? [];
    return oldest !== id;
  }

  #isPaused(kind: string, t: number): boolean {
    return [null, kind].some((one) => (this.#pauses.get(one) ?? -Infinity) > t);
  }

  #renew(record: RecordOf<"renew">): void {
    const tracked = this.#holder(record);
    if (tracked) tracked.until = record.until;
  }

  #settle(record: RecordOf<"settle">): void {
    const { instance: id, state, failures, rev } = record;
    const tracked = this.#isLate(record)
      ? this.#find(record, { isFinalAllowed: false })
      : this.#holder(record);
    if (!tracked) return;
    this.#countFailures(id, tracked, failures);
    this.#countAttempts(record, tracked);
    if (tracked.cancelRev !== null && state !== "canceled") {
      this.#report("K1", `${id} became ${state} at ${rev}, canceled at ${tracked.cancelRev}`);
    }
    this.#end(tracked, state, record);
  }

  #release(record: RecordOf<"release">): void {
    const { instance: id, due, reason, failures, rev } = record;
    const tracked = this.#holder(record);
    if (!tracked) return;
    this.#countFailures(id, tracked, failures);
    this.#countAttempts(record, tracked);
    if (reason === "lost") tracked.takeovers += 1;
    if (tracked.takeovers > tracked.as.crashesMax) {
      this.#report("A2", `${id} taken over ${tracked.takeovers} times`);
    }
    if (tracked.cancelRev !== null) {
      this.#report("K1", `${id} scheduled again at ${rev}, canceled at ${tracked.cancelRev}`);
    }
    Object.assign(tracked, { state: "scheduled", dueAt: due });
    this.#limits.ended(tracked);
    this.#waiting.add(tracked);
  }

  // What its node gave back before it began counts as no attempt.
  #countAttempts(
    { instance: id, fence, reason, attempt }: RecordOf<"settle"> | RecordOf<"release">,
    tracked: Tracked,
  ): void {
    if (attempt === undefined || attempt === tracked.attempt) return;
    if (attempt === tracked.attempt - 1 && (reason === "released" || reason === "deadline")) {
      tracked.attempt = attempt;
      tracked.unstarted.add(fence);
    } else this.#report("A1", `${id} has ${attempt} attempts after attempt ${tracked.attempt}`);
  }

  #countFailures(id: string, tracked: Tracked, failures: number): void {
    tracked.failures = failures;
    const { retryMax } = tracked.as;
    if (retryMax >= 0 && failures > retryMax + 1) {
      this.#report("A2", `${id} failed ${failures} times with ${retryMax} retries`);
    }
  }

  #cancel(record: RecordOf<"cancel">): void {
    const tracked = this.#find(record, { isFinalAllowed: false });
    if (!tracked) return;
    tracked.cancelRev = record.rev;
    if (record.state === "canceled") this.#end(tracked, "canceled", record);
  }

  #fire(record: RecordOf<"fire">): void {
    const { schedule, tick, overlap, rev } = record;
    const key = `${schedule}@${tick}`;
    const fires = this.fires.get(key) ?? [];
    if (fires.length > 0) this.#report("C2", `${key} fired again at ${rev}`);
    this.fires.set(key, [...fires, record]);
    this.#overlaps.set(record.instance, overlap);
    const open = this.#openBySchedule.get(schedule);
    if (overlap === "skip" && open && open.size > 0) {
      this.#report("P1", `${key} fired at ${rev} beside ${[...open].join(", ")}`);
    }
  }

  #delete(record: RecordOf<"delete">): void {
    const { instance: id, t, isRetention } = record;
    const tracked = this.#find(record, { isFinalAllowed: true });
    if (!tracked) return;
    if (!isFinal(tracked.state)) this.#report("R1", `${id} deleted in state ${tracked.state}`);
    else if (isRetention) {
      const { keepSuccessMs, keepFailureMs } = tracked.as;
      const keepMs = tracked.state === "completed" ? keepSuccessMs : keepFailureMs;
      const from = tracked.settledAt! + keepMs;
      if (t < from) this.#report("R1", `${id} deleted at ${t}, kept until ${from}`);
    }
    tracked.isDeleted = true;
  }

  #log(record: RecordOf<"log">): void {
    // Handlers write under no claim, also when the instance is final.
    const tracked = record.fence === 0
      ? this.#find(record, { isFinalAllowed: true })
      : this.#holder(record);
    if (!tracked) return;
    tracked.lines.set(record.fence, (tracked.lines.get(record.fence) ?? 0) + record.count);
  }

  /** Whether it ends an instance that waits, as only the passing of its deadline may. */
  #isLate({ instance: id, reason, fence, t }: RecordOf<"settle">): boolean {
    const tracked = this.instances.get(id);
    if (tracked?.state !== "scheduled" || reason !== "deadline") return false;
    const { deadlineAt } = tracked.as;
    if (deadlineAt === null || t < deadlineAt) {
      this.#report("T2", `${id} ended for its deadline ${deadlineAt} at ${t}`);
    }
    return fence === tracked.fence;
  }

  #end(tracked: Tracked, state: JobState, { t, rev }: StoreRecord): void {
    Object.assign(tracked, { state, settledAt: t, finalRev: rev });
    this.#limits.ended(tracked);
    this.#waiting.delete(tracked);
    const { id, uniqueKey, scheduleId } = tracked.as;
    if (uniqueKey !== null && this.#openByKey.get(uniqueKey) === id) {
      this.#openByKey.delete(uniqueKey);
    }
    if (scheduleId !== null) this.#openBySchedule.get(scheduleId)?.delete(id);
  }

  /** The instance of a record that needs the claim. */
  #holder(record: RecordOf<"renew" | "settle" | "release" | "log">): Tracked | null {
    const tracked = this.#find(record, { isFinalAllowed: false });
    if (!tracked) return null;
    const { instance: id, fence, type, rev } = record;
    if (tracked.state !== "processing" || fence !== tracked.fence) {
      this.#report(
        "F1",
        `${type} of ${id} at ${rev} with fence ${fence}: it is ${tracked.state}, fence ${tracked.fence}`,
      );
    }
    return tracked;
  }

  #find(
    record: StoreRecord & { readonly instance: string },
    options: { readonly isFinalAllowed: boolean },
  ): Tracked | null {
    const { instance: id, type, rev } = record;
    const tracked = this.instances.get(id);
    if (!tracked) this.#report("S3", `${type} of ${id} at ${rev}: never accepted`);
    else if (tracked.isDeleted) this.#report("S4", `${type} of ${id} at ${rev}: deleted`);
    else if (!options.isFinalAllowed && isFinal(tracked.state)) {
      this.#report("S5", `${type} of ${id} at ${rev}: it is ${tracked.state}`);
    } else return tracked;
    return null;
  }
}
