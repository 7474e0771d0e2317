import { checkBatch, checkLimit } from "../ledger/checks.ts";
import { inOrder, pageOfRecords } from "../ledger/reading/record_page.ts";
import type { RecordKey, RecordStore, StoreMark, StoreProblem, StoreRecord } from "../records.ts";
import { Unpacker } from "./codec/msgpack.ts";
import { packKey, packRecord } from "./codec/records.ts";
import { readRowsOf, wholeRows } from "./operations/instance_reads.ts";
import { linesAfter } from "./operations/logs.ts";
import { readMemos } from "./operations/memos.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";
import { readFates, readPauses, readSchedulesIn } from "./operations/schedules.ts";

const LAST = Number.MAX_SAFE_INTEGER;
/** Most lines of one call when looking for orphans. */
const LINES_MAX = 1_000;

type Type = StoreRecord["type"];

/** Reads and writes everything in a Valkey store as records. */
export function recordOperations(queue: OperationQueue): RecordStore {
  const removeRecords: RecordStore["removeRecords"] = async ({ keys }) => {
    checkBatch(keys.length, "remove");
    return await queue.write({
      action: "removeRecords",
      weight: keys.length,
      args: [keys.map(packKey)],
      read: (from) => from.read() as number,
    });
  };
  return {
    readRecords(request) {
      return pageOfRecords(
        request,
        (type, after, limit) => READERS[type](queue, after as never, limit),
      );
    },

    async writeRecords({ records }) {
      checkBatch(records.length, "write");
      return await queue.write({
        action: "writeRecords",
        weight: records.length,
        args: [records.map(packRecord)],
        read: (from) => from.read() as number,
      });
    },

    removeRecords,

    getMark() {
      return queue.read({
        action: "getMark",
        read: (from) => {
          const text = from.read();
          return text === false ? null : JSON.parse(text as string) as StoreMark;
        },
      });
    },

    setMark({ mark }) {
      const until = mark?.type === "draining" && mark.until;
      return queue.write({
        action: "setMark",
        args: [mark && [mark.type, until, JSON.stringify(mark)]],
        read: (from) => {
          from.read();
          return mark;
        },
      });
    },

    async findProblems({ limit }) {
      checkLimit(limit, "check for problems");
      const problems = await queue.read({ action: "checkCounts", read: readProblems });
      let cursor = "0";
      do {
        const part = await queue.read({
          action: "checkRows",
          args: [cursor, limit],
          read: (from) => {
            from.list();
            return { next: from.text(), found: readProblems(from) };
          },
        });
        problems.push(...part.found);
        cursor = part.next;
      } while (cursor !== "0" && problems.length < limit);
      return problems.slice(0, limit);
    },

    /** Remove log lines whose instance is gone. Ended attempts are removed with their instance. */
    async removeOrphans({ at, limit }) {
      checkLimit(limit, "delete orphans");
      return await removeRecords({ at, keys: await orphansOf(queue, limit) });
    },

    async size() {
      // The server reports only the size of all its users' data together.
      return { bytes: null, freeBytes: null };
    },

    async compact() {
      // The server compacts its own data.
    },
  };
}

/** Readers of the records of one type after a place, in order. */
const READERS: {
  readonly [T in Type]: (
    queue: OperationQueue,
    after: Extract<RecordKey, { readonly type: T }> | null,
    limit: number,
  ) => Promise<readonly StoreRecord[]>;
} = {
  head: async (queue, after) => after ? [] : [await readHead(queue)],
  schedule: async (queue, after, limit) => {
    const range = { afterId: after?.id ?? null, isReverse: false, limit };
    const schedules = await readSchedulesIn(queue, range);
    return schedules.map((schedule) => ({ type: "schedule", schedule }));
  },
  pause: async (queue, after, limit) => {
    const pauses = await queue.read({ action: "listPauses", read: readPauses });
    return inOrder(pauses.map((pause) => ({ type: "pause", pause })), after, limit);
  },
  instance: async (queue, after, limit) => {
    const rows = await wholeRows(queue, (after?.order ?? 0) + 1, limit);
    return rows.map(({ seq, instance, isHeld, departures }) => ({
      type: "instance",
      order: seq,
      instance,
      isHeld,
      departures,
    }));
  },
  tick: async (queue, after, limit) => {
    const records: StoreRecord[] = [];
    // First the rest of the last record's schedule, then the schedules after it.
    let next = after ? [after.scheduleId] : await readTickSchedules(queue, null, limit);
    while (next.length > 0) {
      for (const scheduleId of next) {
        const from = scheduleId === after?.scheduleId ? after.from + 1 : -LAST;
        const range = { from, to: LAST, isReverse: false, limit: limit - records.length };
        const fates = await readFates(queue, scheduleId, range);
        records.push(...fates.map((fate) => ({ type: "tick", fate }) as const));
        if (records.length === limit) return records;
      }
      next = await readTickSchedules(queue, next.at(-1)!, limit);
    }
    return records;
  },
  rate: async (queue, after, limit) => {
    const rates = await queue.read({
      action: "listRates",
      read: (from) => from.items(2, readRates).flat(),
    });
    return inOrder(rates, after, limit);
  },
  memo: async (queue, after, limit) => {
    const memos = await readMemos(queue, { prefix: "", after: after?.key ?? null, limit });
    return memos.map((memo) => ({ type: "memo", memo }));
  },
  log: async (queue, after, limit) => {
    const lines = await linesAfter(queue, after?.order ?? 0, limit);
    return lines.map(({ place, entry }) => ({ type: "log", order: place, line: entry }));
  },
};

/** Keys of log lines whose instance is gone. */
async function orphansOf(queue: OperationQueue, limit: number): Promise<readonly RecordKey[]> {
  const keys: RecordKey[] = [];
  for (let after = 0;;) {
    const lines = await linesAfter(queue, after, LINES_MAX);
    const ids = [...new Set(lines.map(({ entry }) => entry.instanceId))];
    const there = new Set((await readRowsOf(queue, ids)).map(({ instance }) => instance.id));
    for (const { place, entry } of lines) {
      if (there.has(entry.instanceId)) continue;
      keys.push({ type: "log", order: place });
      if (keys.length === limit) return keys;
    }
    if (lines.length < LINES_MAX) return keys;
    after = lines.at(-1)!.place;
  }
}

function readHead(queue: OperationQueue): Promise<StoreRecord> {
  return queue.read({
    action: "headRecord",
    read: (from) => {
      const [at, epoch] = from.read() as [number, number];
      return { type: "head", at, epoch };
    },
  });
}

/** Ids of schedules with fates after the given one. */
function readTickSchedules(
  queue: OperationQueue,
  afterId: string | null,
  limit: number,
): Promise<string[]> {
  return queue.read({
    action: "tickSchedules",
    args: [afterId, limit],
    read: (from) => from.read() as string[],
  });
}

/** Read the rates of one queue. */
function readRates(from: Unpacker): readonly StoreRecord[] {
  const [kind = "", queueKey = ""] = from.text().split("\0");
  const windows = new Unpacker(from.bytes()!).read() as [number, number[], number][];
  return windows.map(([perMs, flat, expireAt]) => {
    const starts = Array.from(
      { length: flat.length / 2 },
      (_, index) => [flat[2 * index]!, flat[2 * index + 1]!] as const,
    );
    return { type: "rate", kind, queueKey, perMs, starts, expireAt };
  });
}

function readProblems(from: Unpacker): StoreProblem[] {
  const found = from.read() as readonly (readonly [string, string])[];
  return found.map(([check, message]) => ({ check, message }));
}
