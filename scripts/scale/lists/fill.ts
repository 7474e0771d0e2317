import type { Instance } from "../../../src/core/instance.ts";
import type { ScheduleRecord } from "../../../src/core/time/schedule.ts";
import type { JobState } from "../../../src/core/state.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import type { InstanceRecord, StoreRecord } from "../../../src/store/records.ts";
import { BATCH_MAX, type Store } from "../../../src/store/store.ts";
import { scheduleRecord, scheduleSpec } from "../../../test/support/schedules.ts";
import { USUAL_FIELDS } from "../../../src/store/instance_fields.ts";

/** What a store is filled with. */
export interface Volume {
  readonly instances: number;
  readonly kinds: number;
  /** Log lines of one instance. */
  readonly lines: number;
  /** Recorded ticks of one schedule. */
  readonly ticks: number;
}

const DAY_MS = 86_400_000;
/** The span in which the instances were created. */
const SPAN_MS = 30 * DAY_MS;
/** The schedule with many ticks. */
export const BUSY_SCHEDULE = "config:k0:0";

/** Of 1,000 instances, how many are in each state; the rest is completed. */
const SHARES: readonly (readonly [state: JobState, count: number])[] = [
  ["terminated", 40],
  ["timedOut", 5],
  ["canceled", 10],
  ["scheduled", 10],
];

/** The name of a job. The first ones have the most instances. */
export function kindOf(place: number, kinds: number): string {
  return `k${Math.floor(kinds * ((place * 2_654_435_761 % 1_000) / 1_000) ** 3)}`;
}

/** Fill an open store. @param note is told how many instances there are */
export async function fill(
  store: Store,
  volume: Volume,
  note: (count: number) => void,
): Promise<void> {
  const now = systemClock.now().wallMs;
  const start = now - SPAN_MS;
  const at = () => systemClock.now();
  for (let from = 0; from < volume.instances; from += BATCH_MAX) {
    const records: StoreRecord[] = [];
    for (let place = from; place < Math.min(from + BATCH_MAX, volume.instances); place++) {
      records.push(record(place, { volume, start, now }));
    }
    await store.records.writeRecords({ at: at(), records });
    if (from % 100_000 === 0) note(from);
  }
  await fillSchedules(store, volume, now);
  await fillLines(store, volume, now);
}

function record(
  place: number,
  { volume, start, now }: {
    readonly volume: Volume;
    readonly start: number;
    readonly now: number;
  },
): InstanceRecord {
  const createdAt = Math.floor(start + place / volume.instances * (now - start));
  return {
    type: "instance",
    // A seq of Valkey is its time times 1,024; several of one ms count up.
    order: createdAt * 1_024 + place % 1_024,
    instance: instance(place, createdAt, { volume, now }),
    isHeld: false,
    departures: [],
  };
}

function stateOf(place: number): JobState {
  let rest = place * 7_919 % 1_000;
  for (const [state, count] of SHARES) {
    if (rest < count) return state;
    rest -= count;
  }
  return "completed";
}

function instance(
  place: number,
  createdAt: number,
  { volume, now }: { readonly volume: Volume; readonly now: number },
): Instance {
  const state = stateOf(place);
  const kind = kindOf(place, volume.kinds);
  const isFinal = state !== "scheduled";
  const isFailed = state === "terminated" || state === "timedOut";
  const durationMs = 50 + place % 997;
  const settledAt = isFinal ? createdAt + durationMs : null;
  return {
    ...USUAL_FIELDS,
    id: idOf(place, createdAt),
    kind,
    state,
    queueKey: kind,
    reason: isFailed ? "failed" : isFinal ? "ok" : null,
    argumentsJson: `["customer-${place % 50_000}",{"amount":${place % 977},"note":"plain"}]`,
    resultsJson: state === "completed" ? "[true]" : null,
    error: isFailed
      ? { name: "Error", message: `Cannot reach host ${place % 40}: timeout after ${place} ms` }
      : null,
    scheduleId: kind === "k0" ? BUSY_SCHEDULE : null,
    dueAt: isFinal ? createdAt : now + DAY_MS + place % DAY_MS,
    createdAt,
    scheduledAt: createdAt,
    processedAt: isFinal ? createdAt : null,
    settledAt,
    attempt: isFinal ? 1 : 0,
    failures: isFailed ? 1 : 0,
    fence: isFinal ? place + 1 : 0,
    node: isFinal ? `node-${place % 7}` : null,
    keepSuccessMs: 400 * DAY_MS,
    keepFailureMs: 400 * DAY_MS,
  };
}

/** A UUID version 7 of a time. */
function idOf(place: number, createdAt: number): string {
  const time = createdAt.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${place.toString(16).padStart(12, "0")}`;
}

async function fillSchedules(store: Store, { kinds, ticks }: Volume, now: number): Promise<void> {
  const schedules: ScheduleRecord[] = Array.from(
    { length: kinds },
    (_, place) =>
      scheduleRecord(scheduleSpec("@every 1m"), {
        ...{ id: `config:k${place}:0`, kind: `k${place}`, cursor: now - 60_000 },
        ...{ startAt: now - 60_000 * ticks, nextAt: now + 3_600_000 + place * 1_000 },
      }),
  );
  for (let from = 0; from < schedules.length; from += BATCH_MAX) {
    const records = schedules.slice(from, from + BATCH_MAX)
      .map((schedule) => ({ type: "schedule", schedule }) as const);
    await store.records.writeRecords({ at: systemClock.now(), records });
  }
  for (let from = 0; from < ticks; from += BATCH_MAX) {
    const records = Array.from({ length: Math.min(BATCH_MAX, ticks - from) }, (_, index) => {
      const due = now - 60_000 * (ticks - from - index);
      return {
        type: "tick",
        fate: {
          ...{ scheduleId: BUSY_SCHEDULE, from: due, to: due, count: 1, fate: "skipped" as const },
          ...{ reason: "overlap", instanceId: null, at: due },
        },
      } as const;
    });
    await store.records.writeRecords({ at: systemClock.now(), records });
  }
}

async function fillLines(store: Store, { lines }: Volume, now: number): Promise<void> {
  const { items: [last] } = await store.list({ kinds: ["k0"] }, { limit: 1 });
  for (let from = 0; from < lines; from += BATCH_MAX) {
    const logs = Array.from({ length: Math.min(BATCH_MAX, lines - from) }, (_, index) => ({
      ...{ at: now, level: "info" as const, source: "stdout" as const },
      message: `line ${from + index + 1} of a long log, with some words to read`,
    }));
    const append = { id: last!.id, fence: 0, logs };
    await store.appendLogs({ at: systemClock.now(), appends: [append] });
  }
}
