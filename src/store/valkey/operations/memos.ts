import { checkLimit } from "../../ledger/checks.ts";
import { checkAddNews, checkPutMemo } from "../../ledger/operations/memos.ts";
import { storable } from "../../ledger/storable.ts";
import type { MemoRange } from "../../ledger/tables/tables.ts";
import { compareText } from "../../records.ts";
import type { Memo, Store } from "../../store.ts";
import { packNews, readMemo } from "../codec/memos.ts";
import { packNewInstance } from "../codec/rows.ts";
import { type OperationQueue, weightOf } from "./operation_queue.ts";

/** Keeps memos and their news. */
export function memoOperations(queue: OperationQueue) {
  return {
    async listMemos(range) {
      checkLimit(range.limit, "list memos");
      return await readMemos(queue, range);
    },

    async putMemo(request) {
      checkPutMemo(request);
      const { key, expectedVersion, value, isProcessed, instances, droppedNews = 0 } = request;
      return await queue.write({
        action: "putMemo",
        weight: weightOf(
          1 + instances.length,
          instances.reduce((sum, { argumentsJson }) => sum + argumentsJson.length, 0),
        ),
        args: [
          key,
          expectedVersion,
          value && value.watch,
          value && storable(value.data),
          isProcessed,
          instances.map(packNewInstance),
          droppedNews,
        ],
        read: (from) => from.list() === 0 ? null : readMemo(from),
      });
    },

    async addNews(request) {
      checkAddNews(request);
      const { key, news, noticeId } = request;
      return await queue.write({
        action: "addNews",
        weight: 1 + news.length,
        args: [key, news.map(packNews), noticeId],
        read: (from) => from.read() as number,
      });
    },

    async removeMemos({ prefix, limit }) {
      checkLimit(limit, "delete memos");
      return await queue.write({
        action: "removeMemos",
        weight: limit,
        args: [prefix, limit],
        read: (from) => from.read() as number,
      });
    },
  } satisfies Partial<Store>;
}

/** Memos in the order of their keys. */
export async function readMemos(
  queue: OperationQueue,
  { prefix, after, limit }: MemoRange,
): Promise<readonly Memo[]> {
  const memos: Memo[] = [];
  for (;;) {
    const last = memos.at(-1)?.key ?? after;
    const from = last !== null && compareText(last, prefix) >= 0 ? `(${last}` : `[${prefix}`;
    const wanted = limit - memos.length;
    const isPart = await queue.read({
      action: "listMemos",
      weight: wanted,
      args: [prefix, from, wanted],
      read: (answer) => {
        answer.list();
        memos.push(...answer.items(4, readMemo));
        return answer.read() === true;
      },
    });
    if (!isPart) return memos;
  }
}
