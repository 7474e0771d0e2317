import type { Instant } from "../../platform/clock.ts";
import { checkBatch, checkLimit } from "../ledger/checks.ts";
import { FillingPage } from "../record_page.ts";
import {
  comparePlaces,
  keyOf,
  RECORD_TYPES,
  type RecordKey,
  type RecordPage,
  type RecordStore,
  type StoreMark,
  type StoreProblem,
  type StoreRecord,
  type StoreSize,
} from "../records.ts";
import type { Committed } from "../store.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";
import { Unpacker } from "./codec/msgpack.ts";
import { packKey, packRecord } from "./codec/records.ts";
import type { InstanceReads } from "./operations/instance_reads.ts";
import type { LogReads } from "./operations/logs.ts";
import type { ScheduleOperations } from "./operations/schedules.ts";

const LAST = Number.MAX_SAFE_INTEGER;
/** Most lines of one call when looking for orphans. */
const LINES_MAX = 1_000;

type KeyOf<T extends StoreRecord["type"]> = Extract<RecordKey, { readonly type: T }> | null;

/** The operations that records are read by. */
interface Parts {
  readonly queue: OperationQueue;
  readonly instances: InstanceReads;
  readonly schedules: ScheduleOperations;
  readonly logs: LogReads;
}

/** Reads and writes everything in a Valkey store as records. */
export class ValkeyRecords implements RecordStore {
  readonly #queue: OperationQueue;
  readonly #instances: InstanceReads;
  readonly #schedules: ScheduleOperations;
  readonly #logs: LogReads;

  constructor({ queue, instances, schedules, logs }: Parts) {
    this.#queue = queue;
    this.#instances = instances;
    this.#schedules = schedules;
    this.#logs = logs;
  }

  async readRecords(
    { after, limit }: { readonly after: RecordKey | null; readonly limit: number },
  ): Promise<RecordPage> {
    checkLimit(limit, "read records");
    const page = new FillingPage(limit);
    for (const type of RECORD_TYPES.slice(after ? RECORD_TYPES.indexOf(after.type) : 0)) {
      let from = after?.type === type ? after : null;
      for (;;) {
        const wanted = page.wanted(type);
        const found = await this.#read(type, from, wanted);
        page.add(...found);
        if (page.isFull) return page.end(false);
        if (found.length < wanted) break;
        from = keyOf(found.at(-1)!);
      }
    }
    return page.end(true);
  }

  async writeRecords(
    { records }: { readonly at: Instant; readonly records: readonly StoreRecord[] },
  ): Promise<Committed<number>> {
    checkBatch(records.length, "write");
    return await this.#queue.write({
      family: "records",
      action: "writeRecords",
      weight: records.length,
      args: [records.map(packRecord)],
      read: (from) => from.read() as number,
    });
  }

  async removeRecords(
    { keys }: { readonly at: Instant; readonly keys: readonly RecordKey[] },
  ): Promise<Committed<number>> {
    checkBatch(keys.length, "remove");
    return await this.#queue.write({
      family: "records",
      action: "removeRecords",
      weight: keys.length,
      args: [keys.map(packKey)],
      read: (from) => from.read() as number,
    });
  }

  async getMark(): Promise<StoreMark | null> {
    return await this.#queue.read({
      family: "records",
      action: "getMark",
      read: (from) => {
        const text = from.read();
        return text === false ? null : JSON.parse(text as string) as StoreMark;
      },
    });
  }

  async setMark(
    { mark }: { readonly at: Instant; readonly mark: StoreMark | null },
  ): Promise<Committed<StoreMark | null>> {
    return await this.#queue.write({
      family: "records",
      action: "setMark",
      args: [
        mark && [
          mark.type,
          mark.type === "draining" ? mark.until : false,
          JSON.stringify(mark),
        ],
      ],
      read: (from) => {
        from.read();
        return mark;
      },
    });
  }

  async findProblems({ limit }: { readonly limit: number }): Promise<readonly StoreProblem[]> {
    checkLimit(limit, "check for problems");
    const problems: StoreProblem[] = await this.#countProblems();
    let cursor = "0";
    do {
      const part = await this.#rowProblems(cursor, limit);
      problems.push(...part.problems);
      cursor = part.cursor;
    } while (cursor !== "0" && problems.length < limit);
    return problems.slice(0, limit);
  }

  /** Remove log lines whose instance is gone. Ended attempts are removed with their instance. */
  async removeOrphans(
    { at, limit }: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<number>> {
    checkLimit(limit, "delete orphans");
    const keys = await this.#orphans(limit);
    return await this.removeRecords({ at, keys });
  }

  async size(): Promise<StoreSize> {
    // The server only reports the size of all its users' data together.
    return { bytes: null, freeBytes: null };
  }

  async compact(): Promise<void> {
    // The server compacts its own data.
  }

  /** Records of one type after a place, in order. */
  async #read(
    type: StoreRecord["type"],
    after: RecordKey | null,
    limit: number,
  ): Promise<readonly StoreRecord[]> {
    switch (type) {
      case "head":
        return after ? [] : [await this.#head()];
      case "schedule":
        return (await this.#schedules.after((after as KeyOf<"schedule">)?.id ?? null, limit))
          .map((schedule) => ({ type, schedule }));
      case "pause": {
        const pauses = await this.#schedules.pauses({ hasEnded: true });
        return inOrder(pauses.map((pause) => ({ type, pause })), after, limit);
      }
      case "instance":
        return await this.#instancesAfter((after as KeyOf<"instance">)?.order ?? 0, limit);
      case "tick":
        return await this.#ticks(after as KeyOf<"tick">, limit);
      case "rate":
        return inOrder(await this.#rates(), after, limit);
      case "log":
        return (await this.#logs.after((after as KeyOf<"log">)?.order ?? 0, limit))
          .map(({ place, entry }) => ({ type, order: place, line: entry }));
    }
  }

  /** Keys of log lines whose instance is gone. */
  async #orphans(limit: number): Promise<readonly RecordKey[]> {
    const keys: RecordKey[] = [];
    for (let after = 0;;) {
      const lines = await this.#logs.after(after, LINES_MAX);
      const ids = [...new Set(lines.map(({ entry }) => entry.instanceId))];
      const there = new Set((await this.#instances.get(ids)).map(({ instance }) => instance.id));
      for (const { place, entry } of lines) {
        if (there.has(entry.instanceId)) continue;
        keys.push({ type: "log", order: place });
        if (keys.length === limit) return keys;
      }
      if (lines.length < LINES_MAX) return keys;
      after = lines.at(-1)!.place;
    }
  }

  /** Inconsistencies of some rows, and the cursor of the next call; "0" at the end. */
  #rowProblems(
    cursor: string,
    limit: number,
  ): Promise<{ readonly cursor: string; readonly problems: readonly StoreProblem[] }> {
    return this.#queue.read({
      family: "problems",
      action: "checkRows",
      args: [cursor, limit],
      read: (from) => {
        from.list();
        return { cursor: from.text(), problems: readProblems(from) };
      },
    });
  }

  /** Inconsistencies of the counts. */
  #countProblems(): Promise<StoreProblem[]> {
    return this.#queue.read({
      family: "problems",
      action: "checkCounts",
      read: readProblems,
    });
  }

  #head(): Promise<StoreRecord> {
    return this.#queue.read({
      family: "records",
      action: "headRecord",
      read: (from) => {
        const [at, epoch] = from.read() as [number, number];
        return { type: "head", at, epoch };
      },
    });
  }

  async #instancesAfter(order: number, limit: number): Promise<readonly StoreRecord[]> {
    const rows = await this.#instances.whole(order + 1, limit);
    return rows.map(({ seq, instance, isHeld, departures }) => ({
      type: "instance",
      ...{ order: seq, instance, isHeld, departures },
    }));
  }

  async #ticks(after: KeyOf<"tick">, limit: number): Promise<readonly StoreRecord[]> {
    const records: StoreRecord[] = [];
    // First the rest of the last record's schedule, then the schedules after it.
    let next = after ? [after.scheduleId] : await this.#scheduleIds(null, limit);
    while (next.length > 0) {
      for (const scheduleId of next) {
        const from = scheduleId === after?.scheduleId ? after.from + 1 : -LAST;
        const left = limit - records.length;
        const fates = await this.#schedules.fatesFrom(scheduleId, from, left);
        records.push(...fates.map((fate) => ({ type: "tick", fate }) as const));
        if (records.length === limit) return records;
      }
      next = await this.#scheduleIds(next.at(-1)!, limit);
    }
    return records;
  }

  /** Ids of schedules with fates after the given one. */
  #scheduleIds(afterId: string | null, limit: number): Promise<string[]> {
    return this.#queue.read({
      family: "records",
      action: "tickSchedules",
      args: [afterId, limit],
      read: (from) => from.read() as string[],
    });
  }

  #rates(): Promise<readonly StoreRecord[]> {
    return this.#queue.read({
      family: "records",
      action: "listRates",
      read: (from) => {
        const records: StoreRecord[] = [];
        for (let left = from.list() / 2; left > 0; left--) {
          const [kind = "", queueKey = ""] = from.text().split("\0");
          const windows = new Unpacker(from.bytes()!).read() as [number, number[], number][];
          for (const [perMs, flat, expireAt] of windows) {
            const starts = Array.from(
              { length: flat.length / 2 },
              (_, index) => [flat[2 * index]!, flat[2 * index + 1]!] as const,
            );
            records.push({ type: "rate", kind, queueKey, perMs, starts, expireAt });
          }
        }
        return records;
      },
    });
  }
}

function readProblems(from: Unpacker): StoreProblem[] {
  const found = from.read() as readonly (readonly [string, string])[];
  return found.map(([check, message]) => ({ check, message }));
}

/** Sort records by place and keep those after a key. */
function inOrder(
  records: readonly StoreRecord[],
  after: RecordKey | null,
  limit: number,
): readonly StoreRecord[] {
  return records
    .filter((record) => !after || comparePlaces(keyOf(record), after) > 0)
    .toSorted((left, right) => comparePlaces(keyOf(left), keyOf(right)))
    .slice(0, limit);
}
