import { checkLimit } from "../../ledger/checks.ts";
import { collectLogs, endOfLogs, pageOfLogs, tailOfLogs } from "../../ledger/reading/pages.ts";
import type { PlacedLog } from "../../ledger/tables/row.ts";
import type { LogRange } from "../../ledger/tables/tables.ts";
import type { Store } from "../../store.ts";
import { Unpacker } from "../codec/msgpack.ts";
import { LINE } from "../codec/rows.ts";
import type { OperationQueue } from "./operation_queue.ts";

/** Lists, follows and deletes log lines. */
export function logOperations(queue: OperationQueue) {
  return {
    logs(query, page) {
      return pageOfLogs(query, page, readerOf(queue, query.instanceId));
    },

    tailLogs(query, request) {
      return tailOfLogs(queue.storeId, query, request, readerOf(queue, query.instanceId));
    },

    logEnd() {
      return endOfLogs(queue.storeId, readerOf(queue));
    },

    async clearLogs({ query, limit }) {
      checkLimit(limit, "delete log lines");
      const lines = await collectLogs(query, { limit }, readerOf(queue, query.instanceId));
      return await queue.write({
        action: "removeLines",
        weight: lines.length,
        args: [lines.map(({ place }) => place)],
        read: (from) => from.read() as number,
      });
    },
  } satisfies Partial<Store>;
}

/** Lines of all instances after a place, in the order of writing. */
export function linesAfter(
  queue: OperationQueue,
  afterPlace: number,
  limit: number,
): Promise<readonly PlacedLog[]> {
  return readerOf(queue)({ order: "written", afterPlace, limit });
}

function readerOf(queue: OperationQueue, instanceId?: string) {
  return (
    { order, afterAt = 0, afterPlace = 0, beforeAt = 0, limit }: Omit<LogRange, "instanceSeq">,
  ): Promise<readonly PlacedLog[]> =>
    queue.read({
      action: "readLines",
      weight: limit,
      args: [order, instanceId, Math.ceil(afterAt), afterPlace, Math.ceil(beforeAt), limit],
      read: (from) =>
        from.items(2, () => {
          const place = from.read() as number;
          return { place, entry: LINE.read(new Unpacker(from.bytes()!).read()) };
        }),
    });
}
