import { type ClockChange, clockChanges } from "./clock_changes.ts";
import {
  simulate,
  type SimulatedJob,
  type SimulatedTick,
  type SimulationInput,
  type SimulationLoad,
} from "./engine.ts";

/** Outcomes of the ticks of one kind. */
export interface KindReport {
  readonly kind: string;
  readonly durationMs: number;
  ran: number;
  skipped: number;
  replaced: number;
  missed: number;
  pending: number;
  /** Ticks due while the previous one was unfinished, with any outcome. */
  overlaps: number;
  /** Time of the first, epoch ms. */
  overlapAt: number | null;
  /** Longest wait from a tick to its start. */
  waitMaxMs: number;
  waitMaxAt: number | null;
}

/** The result of a simulation. */
export interface SimulationReport {
  readonly fromMs: number;
  readonly toMs: number;
  readonly workers: number;
  readonly schedules: number;
  readonly ticks: number;
  readonly kinds: readonly KindReport[];
  readonly load: SimulationLoad;
  readonly clockChanges: readonly ClockChange[];
}

/** Simulate, and sum up by kind. `onTick` is called with every tick once its fate is known. */
export function report(
  input: SimulationInput,
  onTick: (tick: SimulatedTick) => void = () => {},
): SimulationReport {
  const kinds = new Map(input.jobs.map((job) => [job.kind, emptyReport(job)]));
  let ticks = 0;
  const load = simulate(input, (tick) => {
    ticks += 1;
    count(kinds.get(tick.kind)!, tick);
    onTick(tick);
  });
  return {
    fromMs: input.fromMs,
    toMs: input.toMs,
    workers: input.workers,
    schedules: input.jobs.reduce((sum, { schedules }) => sum + schedules.length, 0),
    ticks,
    kinds: [...kinds.values()],
    load,
    clockChanges: clockChanges(input.jobs, input),
  };
}

function emptyReport({ kind, durationMs }: SimulatedJob): KindReport {
  return {
    kind,
    durationMs,
    ran: 0,
    skipped: 0,
    replaced: 0,
    missed: 0,
    pending: 0,
    overlaps: 0,
    overlapAt: null,
    waitMaxMs: 0,
    waitMaxAt: null,
  };
}

function count(kind: KindReport, tick: SimulatedTick): void {
  kind[tick.fate === "coalesced" ? "missed" : tick.fate] += 1;
  if (tick.isOverlap) {
    kind.overlaps += 1;
    kind.overlapAt = Math.min(kind.overlapAt ?? Infinity, tick.at);
  }
  if (tick.startedAt === null || tick.startedAt - tick.at <= kind.waitMaxMs) return;
  kind.waitMaxMs = tick.startedAt - tick.at;
  kind.waitMaxAt = tick.at;
}
