import type { Instance } from "../../../core/instance.ts";
import { type ScheduleRecord, type TickFate } from "../../../core/job/schedule.ts";
import { checkFires } from "../../ledger/operations/advance.ts";
import { checkBatch, checkLimit, checkPage, checkTime } from "../../ledger/checks.ts";
import { readToken, writeToken } from "../../ledger/reading/page_token.ts";
import { SchedulePage } from "../../ledger/reading/pages.ts";
import { generationError } from "../../ledger/refusals.ts";
import { storable } from "../../ledger/rules.ts";
import type {
  Advance,
  AdvanceResult,
  Backfill,
  Committed,
  DueSchedulesRequest,
  Page,
  PageRequest,
  Pause,
  PutSchedule,
  ScheduleQuery,
} from "../../store.ts";
import { readInstances } from "../codec/instances.ts";
import { type Packable, Unpacker } from "../codec/msgpack.ts";
import type { OperationQueue } from "./operation_queue.ts";
import { packAdvances, packBackfill } from "../codec/ticks.ts";
import { refusalError } from "./refusals.ts";
import { packSchedule, readFate, readSchedule, type StoredSchedule } from "../codec/schedules.ts";

const LAST = Number.MAX_SAFE_INTEGER;

/** Which fates to read. */
interface TickRange {
  readonly scheduleId: string;
  readonly from: number;
  readonly to: number;
  readonly isReverse: boolean;
  readonly limit: number;
  /** Include the fate that begins before `from`. */
  readonly hasBefore: boolean;
}

/** Keeps schedules, their ticks, and pauses. */
export class ScheduleOperations {
  readonly #queue: OperationQueue;

  constructor(queue: OperationQueue) {
    this.#queue = queue;
  }

  async advance(
    { advances: requests }: { readonly advances: readonly Advance[] },
  ): Promise<Committed<readonly AdvanceResult[]>> {
    checkBatch(requests.length, "advance");
    // The server's clock decides what is due.
    const advances = requests.filter(({ isAhead }) => !isAhead);
    for (const one of advances) {
      checkTime(one.cursor, "cursor");
      if (one.nextAt !== null) checkTime(one.nextAt, "nextAt");
      checkFires(one);
    }
    let packed: Packable = [];
    return await this.#queue.write({
      family: "ticks",
      action: "advance",
      weight: advances.reduce((sum, { fires }) => sum + 1 + fires.length, 0),
      prepare: async () => {
        const stored = await this.#storedNow(advances.map(({ scheduleId }) => scheduleId));
        packed = await packAdvances(advances, stored, (range) => this.#ticksNow(range));
      },
      args: () => [packed],
      read: (from) => {
        from.list();
        return requests.map(({ scheduleId, isAhead }) =>
          isAhead ? unmade(scheduleId, "early") : readAdvanced(from, scheduleId)
        );
      },
    });
  }

  async backfill(
    { backfill: request }: { readonly backfill: Backfill },
  ): Promise<Committed<readonly Instance[]>> {
    checkFires(request);
    const { scheduleId, overlap } = request;
    let packed: Packable = [];
    let version: number | false = false;
    return await this.#queue.write({
      family: "ticks",
      action: "backfill",
      weight: request.fires.length,
      prepare: async () => {
        const stored = (await this.#storedNow([scheduleId])).get(scheduleId);
        version = stored?.version ?? false;
        packed = await packBackfill(request, stored, (range) => this.#ticksNow(range));
      },
      args: () => [scheduleId, packed, overlap, version],
      read: readInstances,
    });
  }

  async put(request: PutSchedule): Promise<Committed<ScheduleRecord>> {
    const { record, expectedGeneration, expectedCursor } = request;
    checkTime(record.cursor, "cursor");
    if (record.nextAt !== null) checkTime(record.nextAt, "nextAt");
    const stored = JSON.parse(
      JSON.stringify(record),
      (_key, value) => typeof value === "string" ? storable(value) : value,
    ) as ScheduleRecord;
    return await this.#queue.write({
      family: "schedules",
      action: "putSchedule",
      args: [stored.id, packSchedule(stored), expectedGeneration, expectedCursor ?? false],
      read: (from) => {
        from.read();
        return stored;
      },
      refuse: (refusal) =>
        refusal[0] === "generation"
          ? generationError(request, refusal[1] === false ? null : refusal[1] as number)
          : refusalError(refusal),
    });
  }

  remove({ id }: { readonly id: string }): Promise<Committed<boolean>> {
    return this.#queue.write({
      family: "schedules",
      action: "deleteSchedule",
      args: [id],
      read: (from) => from.read() === true,
    });
  }

  async getOne(id: string): Promise<ScheduleRecord | null> {
    const [stored] = await this.#queue.read(getOperation([id]));
    return stored?.record ?? null;
  }

  async list(
    query: ScheduleQuery,
    page: PageRequest,
  ): Promise<Page<ScheduleRecord>> {
    const filling = new SchedulePage(query, page);
    for (;;) {
      const { afterId, isReverse, limit } = filling.wanted;
      const chunk = await this.#chunk(afterId, isReverse, limit);
      const whole = filling.add(chunk.map(({ record }) => record));
      if (whole) return whole;
    }
  }

  /** Schedules after an id, sorted by id. */
  async after(afterId: string | null, limit: number): Promise<readonly ScheduleRecord[]> {
    return (await this.#chunk(afterId, false, limit)).map(({ record }) => record);
  }

  #chunk(
    afterId: string | null,
    isReverse: boolean,
    limit: number,
  ): Promise<readonly StoredSchedule[]> {
    return this.#queue.read({
      family: "schedules",
      action: "listSchedules",
      weight: limit,
      args: [afterId, isReverse, limit],
      read: readSchedules,
    });
  }

  async due({ limit, skip = 0 }: DueSchedulesRequest): Promise<readonly ScheduleRecord[]> {
    checkLimit(limit, "list due schedules");
    const stored = await this.#queue.read({
      family: "schedules",
      action: "dueSchedules",
      weight: limit,
      args: [limit, skip],
      read: readSchedules,
    });
    return stored.map(({ record }) => record);
  }

  async fates(
    query: { readonly scheduleId: string; readonly after?: number; readonly before?: number },
    page: PageRequest,
  ): Promise<Page<TickFate>> {
    checkPage(page, "list fates");
    const { scheduleId } = query;
    const isReverse = page.order !== "oldest";
    let from = Math.ceil(query.after ?? -LAST);
    let to = query.before === undefined ? LAST : Math.ceil(query.before) - 1;
    if (page.token !== undefined) {
      const [last] = readToken<number>(page.token, "fates", ["number"]);
      if (isReverse) to = Math.min(to, last! - 1);
      else from = Math.max(from, last! + 1);
    }
    const range = { scheduleId, from, to, isReverse, limit: page.limit + 1, hasBefore: false };
    const found = await this.#queue.read(ticksOperation(range));
    const items = found.slice(0, page.limit);
    const hasMore = found.length > page.limit;
    return { items, nextToken: hasMore ? writeToken("fates", [items.at(-1)!.from]) : null };
  }

  /** Fates of a schedule from a tick on, oldest first. */
  fatesFrom(scheduleId: string, from: number, limit: number): Promise<readonly TickFate[]> {
    const range = { scheduleId, from, to: LAST, isReverse: false, limit, hasBefore: false };
    return this.#queue.read(ticksOperation(range));
  }

  async setPause(request: Omit<Pause, "at">): Promise<Committed<Pause>> {
    if (request.until !== null) checkTime(request.until, "until");
    const { kind } = request;
    const until = request.until === null ? null : Math.ceil(request.until);
    const reason = storable(request.reason);
    return await this.#queue.write({
      family: "schedules",
      action: "setPause",
      args: [kind ?? "", until, reason],
      read: (from) => ({ kind, until, reason, at: from.read() as number }),
    });
  }

  removePause({ kind }: { readonly kind: string | null }): Promise<Committed<boolean>> {
    return this.#queue.write({
      family: "schedules",
      action: "removePause",
      args: [kind ?? ""],
      read: (from) => from.read() === true,
    });
  }

  /** Pauses that have not ended, or all. */
  pauses(options: { readonly hasEnded?: true } = {}): Promise<readonly Pause[]> {
    return this.#queue.read({
      family: "schedules",
      action: "listPauses",
      read: (from, { at }) => {
        const pauses: Pause[] = [];
        for (let left = from.list() / 2; left > 0; left--) {
          const kind = from.text();
          const [until, reason, since] = new Unpacker(from.bytes()!).read() as unknown[];
          if (!options.hasEnded && until !== false && until as number <= at) continue;
          pauses.push({
            kind: kind === "" ? null : kind,
            until: until === false ? null : until as number,
            reason: reason as string,
            at: since as number,
          });
        }
        return pauses;
      },
    });
  }

  async #storedNow(ids: readonly string[]): Promise<ReadonlyMap<string, StoredSchedule>> {
    const stored = await this.#queue.readNow(getOperation([...new Set(ids)]));
    return new Map(stored.map((one) => [one.record.id, one]));
  }

  #ticksNow(range: TickRange): Promise<readonly TickFate[]> {
    return this.#queue.readNow(ticksOperation(range));
  }
}

function getOperation(ids: readonly string[]) {
  return {
    family: "schedules",
    action: "getSchedules",
    weight: ids.length,
    args: [ids],
    read: readSchedules,
  } as const;
}

function ticksOperation({ scheduleId, from, to, isReverse, limit, hasBefore }: TickRange) {
  return {
    family: "schedules",
    action: "listTicks",
    weight: limit,
    args: [scheduleId, from, to, isReverse, limit, hasBefore],
    read: (answer: Unpacker) => {
      const fates: TickFate[] = [];
      for (let left = answer.list(); left > 0; left--) {
        fates.push(readFate(scheduleId, answer.bytes()!));
      }
      return fates;
    },
  } as const;
}

function readSchedules(from: Unpacker): readonly StoredSchedule[] {
  const stored: StoredSchedule[] = [];
  for (let left = from.list(); left > 0; left--) {
    const bytes = from.bytes();
    if (bytes) stored.push(readSchedule(bytes));
  }
  return stored;
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
