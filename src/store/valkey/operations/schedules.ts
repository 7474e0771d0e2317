import type { ScheduleRecord, TickFate } from "../../../core/time/schedule.ts";
import { checkLimit, checkTime } from "../../ledger/checks.ts";
import { checkAdvances, checkFires } from "../../ledger/operations/advance.ts";
import { copyToStore } from "../../ledger/operations/schedules.ts";
import { pageOfFates, pageOfSchedules } from "../../ledger/reading/pages.ts";
import { checkUpcoming, upcomingSchedules } from "../../ledger/reading/upcoming.ts";
import { generationError } from "../../ledger/refusals.ts";
import { storable } from "../../ledger/storable.ts";
import type { Range, ScheduleTable } from "../../ledger/tables/tables.ts";
import type { AdvanceResult, Pause, Store } from "../../store.ts";
import { readInstances } from "../codec/instances.ts";
import { orNull, Unpacker } from "../codec/msgpack.ts";
import { packSchedule, readFate, readSchedule, type StoredSchedule } from "../codec/schedules.ts";
import { packAdvances, packBackfill } from "../codec/ticks.ts";
import type { OperationQueue } from "./operation_queue.ts";
import { refusalError } from "./refusals.ts";

/** Keeps schedules, their ticks, and pauses. */
export function scheduleOperations(queue: OperationQueue) {
  const fatesNow = (scheduleId: string, range: Range) =>
    queue.readNow(fatesOperation(scheduleId, range, true));
  return {
    async advance({ advances }) {
      checkAdvances(advances);
      // The server's clock decides due times.
      const made = advances.filter(({ isAhead }) => !isAhead);
      return await queue.write({
        action: "advance",
        weight: made.reduce((sum, { fires }) => sum + 1 + fires.length, 0),
        prepare: async () => {
          const stored = await storedNow(queue, made.map(({ scheduleId }) => scheduleId));
          return [await packAdvances(made, stored, fatesNow)];
        },
        read: (from) => {
          from.list();
          return advances.map(({ scheduleId, isAhead }) =>
            isAhead ? unmade(scheduleId, "early") : readAdvanced(from, scheduleId)
          );
        },
      });
    },

    async backfill({ backfill }) {
      checkFires(backfill);
      const { scheduleId, overlap, fires } = backfill;
      return await queue.write({
        action: "backfill",
        weight: fires.length,
        prepare: async () => {
          const stored = (await storedNow(queue, [scheduleId])).get(scheduleId);
          const packed = await packBackfill(backfill, stored, fatesNow);
          return [scheduleId, packed, overlap, stored?.version];
        },
        read: readInstances,
      });
    },

    async putSchedule(request) {
      const stored = copyToStore(request.record);
      const { expectedGeneration, expectedCursor } = request;
      return await queue.write({
        action: "putSchedule",
        args: [stored.id, packSchedule(stored), expectedGeneration, expectedCursor],
        read: (from) => {
          from.read();
          return stored;
        },
        refuse: (refusal) =>
          refusal[0] === "generation"
            ? generationError(request, orNull(refusal[1]))
            : refusalError(refusal),
      });
    },

    deleteSchedule({ id }) {
      return queue.write({
        action: "deleteSchedule",
        args: [id],
        read: (from) => from.read() === true,
      });
    },

    async getSchedule(id) {
      const [stored] = await queue.read(getOperation([id]));
      return stored?.record ?? null;
    },

    listSchedules(query, page) {
      return pageOfSchedules(query, page, (range) => readSchedulesIn(queue, range));
    },

    async dueSchedules({ limit, skip = 0 }) {
      checkLimit(limit, "list due schedules");
      const stored = await queue.read({
        action: "dueSchedules",
        weight: limit,
        args: [limit, skip],
        read: readSchedules,
      });
      return stored.map(({ record }) => record);
    },

    async upcoming(query) {
      checkUpcoming(query);
      const { kinds, limit } = query;
      const instances = await queue.read({
        action: "laterInstances",
        weight: limit,
        args: [kinds && [...new Set(kinds)], limit],
        read: (from) =>
          from.items(3, () => {
            const dueAt = from.read() as number;
            return { id: from.text(), kind: from.text(), dueAt };
          }),
      });
      const schedules = await upcomingSchedules(query, async (skip, count) => {
        const stored = await queue.read({
          action: "nextSchedules",
          weight: count,
          args: [count, skip],
          read: readSchedules,
        });
        return stored.map(({ record }) => record);
      });
      return { instances, schedules };
    },

    listFates(query, page) {
      return pageOfFates(query, page, (range) => readFates(queue, query.scheduleId, range));
    },

    async setPause({ kind, ...request }) {
      if (request.until !== null) checkTime(request.until, "until");
      const until = request.until === null ? null : Math.ceil(request.until);
      const reason = storable(request.reason);
      return await queue.write({
        action: "setPause",
        args: [kind ?? "", until, reason],
        read: (from) => ({ kind, until, reason, at: from.read() as number }),
      });
    },

    removePause({ kind }) {
      return queue.write({
        action: "removePause",
        args: [kind ?? ""],
        read: (from) => from.read() === true,
      });
    },

    listPauses() {
      return queue.read({
        action: "listPauses",
        read: (from, { at }) =>
          readPauses(from).filter(({ until }) => until === null || until > at),
      });
    },
  } satisfies Partial<Store>;
}

/** Schedules after an id, sorted by id. */
export async function readSchedulesIn(
  queue: OperationQueue,
  { afterId, isReverse, limit }: Parameters<ScheduleTable["list"]>[0],
): Promise<readonly ScheduleRecord[]> {
  const stored = await queue.read({
    action: "listSchedules",
    weight: limit,
    args: [afterId, isReverse, limit],
    read: readSchedules,
  });
  return stored.map(({ record }) => record);
}

/** Fates of a schedule that begin in a range. */
export function readFates(
  queue: OperationQueue,
  scheduleId: string,
  range: Range,
): Promise<readonly TickFate[]> {
  return queue.read(fatesOperation(scheduleId, range, false));
}

/** Read all pauses, including ended ones. */
export function readPauses(from: Unpacker): readonly Pause[] {
  return from.items(2, () => {
    const kind = from.text();
    const [until, reason, at] = new Unpacker(from.bytes()!).read() as [unknown, string, number];
    return { kind: kind === "" ? null : kind, until: orNull<number>(until), reason, at };
  });
}

async function storedNow(
  queue: OperationQueue,
  ids: readonly string[],
): Promise<ReadonlyMap<string, StoredSchedule>> {
  const stored = await queue.readNow(getOperation([...new Set(ids)]));
  return new Map(stored.map((one) => [one.record.id, one]));
}

function getOperation(ids: readonly string[]) {
  return { action: "getSchedules", weight: ids.length, args: [ids], read: readSchedules } as const;
}

/** @param hasBefore include the fate that begins before the range */
function fatesOperation(
  scheduleId: string,
  { from, to, isReverse, limit }: Range,
  hasBefore: boolean,
) {
  return {
    action: "listTicks",
    weight: limit,
    args: [scheduleId, from, to, isReverse, limit, hasBefore],
    read: (answer: Unpacker) => answer.items(1, () => readFate(scheduleId, answer.bytes()!)),
  } as const;
}

function readSchedules(from: Unpacker): readonly StoredSchedule[] {
  return from.items(1, () => from.bytes()).filter((bytes) => bytes !== null).map(readSchedule);
}

function unmade(scheduleId: string, status: AdvanceResult["status"]): AdvanceResult {
  return { scheduleId, status, accepted: [], skipped: [], replaced: [] };
}

function readAdvanced(from: Unpacker, scheduleId: string): AdvanceResult {
  from.list();
  const status = from.text() as AdvanceResult["status"];
  if (status !== "advanced") return unmade(scheduleId, status);
  const accepted = readInstances(from);
  const skipped = from.read() as readonly number[];
  return { scheduleId, status, accepted, skipped, replaced: readInstances(from) };
}
