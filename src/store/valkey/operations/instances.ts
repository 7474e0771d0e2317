import type { Instance } from "../../../core/instance.ts";
import { checkBatch, checkLimit, checkNewInstance } from "../../ledger/checks.ts";
import { checkReports } from "../../ledger/operations/external_runs.ts";
import { checkRedrive } from "../../ledger/operations/redrive.ts";
import { checkSettlements } from "../../ledger/operations/settle.ts";
import { BATCH_MAX, type InstanceQuery, type Settlement, type Store } from "../../store.ts";
import { BLOCK, claimerOf } from "../codec/claims.ts";
import { packMissedTick, packReport, readRecorded } from "../codec/external_runs.ts";
import { readClaimed, readEnqueued, readInstances, readRedriven } from "../codec/instances.ts";
import { orNull } from "../codec/msgpack.ts";
import { packNewInstance } from "../codec/rows.ts";
import { packRun, runsOf } from "../codec/runs.ts";
import {
  packAppend,
  packSettlements,
  packStep,
  planSettlements,
  readSettled,
} from "../codec/settlements.ts";
import { collect, queryOf } from "./instance_reads.ts";
import { charsOfSteps } from "./flows.ts";
import { type OperationQueue, weightOf } from "./operation_queue.ts";

/** Most claimed instances kept here, so that replies to their settlements need not contain them. */
const KNOWN_MAX = 10_000;

/** Accepts, claims, settles and cancels instances, and reports their blocks. */
export function instanceOperations(queue: OperationQueue) {
  const known = new Map<string, Instance>();
  return {
    async enqueue({ instances }) {
      checkBatch(instances.length, "enqueue");
      for (const input of instances) checkNewInstance(input);
      const runs = runsOf(instances);
      return await queue.write({
        action: runs ? "enqueueRuns" : "enqueue",
        weight: weightOf(
          instances.length,
          instances.reduce((sum, { argumentsJson }) => sum + argumentsJson.length, 0),
        ),
        args: [runs ? runs.map(packRun) : instances.map(packNewInstance)],
        read: (from, moment) => readEnqueued(from, moment, instances),
      });
    },

    async claim(request) {
      checkLimit(request.limit, "claim");
      const committed = await queue.write({
        action: "claim",
        isEager: true,
        weight: request.limit,
        args: [...claimerOf(request), request.limit, request.leaseMs],
        read: readClaimed,
      });
      for (const instance of committed.value) {
        if (known.size >= KNOWN_MAX) known.clear();
        known.set(instance.id, instance);
      }
      return committed;
    },

    async renew({ claims, leaseMs }) {
      checkBatch(claims.length, "renew");
      const statuses = ["stale", "renewed", "canceling"] as const;
      return await queue.write({
        action: "renew",
        isUrgent: true,
        weight: claims.length,
        args: [claims.map(({ id, fence }) => [id, fence]), leaseMs],
        read: (from) => {
          const found = from.read() as readonly number[];
          return claims.map(({ id, fence }, index) => ({
            id,
            fence,
            status: statuses[found[index]!]!,
          }));
        },
      });
    },

    async settle({ settlements }) {
      checkSettlements(settlements);
      const claimed = settlements.map(({ id, fence }) => {
        const instance = known.get(id);
        known.delete(id);
        return instance?.fence === fence ? instance : undefined;
      });
      const plan = planSettlements(settlements, claimed);
      return await queue.write({
        action: "settle",
        weight: weightOf(
          settlements.length,
          settlements.reduce((sum, settlement) => sum + charsOf(settlement), 0),
        ),
        args: packSettlements(plan),
        read: (from, { stamp }) => readSettled(from, stamp, plan),
      });
    },

    async cancel({ query, limit, isForced = false }) {
      checkLimit(limit, "cancel");
      if (query.ids) checkBatch(query.ids.length, "look up");
      const states = (["scheduled", "processing"] as const)
        .filter((one) => query.states?.includes(one) ?? true);
      const asked = { ...query, states };
      // The script cannot compare arguments with a text. Otherwise the write joins this turn.
      const ids = query.text === undefined ? query.ids : await idsWithText(queue, asked);
      return await queue.write({
        action: "cancel",
        weight: limit,
        args: [queryOf(asked), ids, limit, isForced],
        read: readInstances,
      });
    },

    async reap({ limit }) {
      checkLimit(limit, "reap");
      return await queue.write({
        action: "reap",
        weight: limit,
        args: [limit],
        read: readInstances,
      });
    },

    async redrive({ instances, isForced, steps }) {
      checkRedrive(instances, steps);
      return await queue.write({
        action: "redrive",
        weight: instances.length,
        args: [
          instances.map(packNewInstance),
          isForced,
          steps !== undefined && [steps.keys, steps.puts.map(packStep)],
        ],
        read: readRedriven,
      });
    },

    async recordRuns({ runs, missed = [] }) {
      checkReports(runs, missed);
      return await queue.write({
        action: "recordRuns",
        weight: runs.reduce((sum, { logs }) => sum + 1 + logs.length, missed.length),
        args: [runs.map(packReport), missed.map(packMissedTick)],
        read: (from) => readRecorded(from, { missed }),
      });
    },

    async appendLogs({ appends }) {
      checkBatch(appends.length, "append logs of");
      return await queue.write({
        action: "appendLogs",
        weight: appends.reduce((sum, { logs }) => sum + 1 + logs.length, 0),
        args: [appends.map(packAppend)],
        read: (from) => {
          const stale = from.read() as readonly number[];
          return stale.map((place) => {
            const { id, fence } = appends[place - 1]!;
            return { id, fence };
          });
        },
      });
    },

    nextDue(request) {
      return queue.read({
        action: "nextDue",
        args: claimerOf(request),
        read: (from) => {
          const [at, instanceAt, scheduleAt] = from.read() as readonly (number | false)[];
          return {
            at: at as number,
            instanceAt: orNull<number>(instanceAt),
            scheduleAt: orNull<number>(scheduleAt),
          };
        },
      });
    },

    blockOf(request) {
      return queue.read({
        action: "blockOf",
        args: [...claimerOf(request), request.id],
        read: (from) => {
          const block = from.read();
          return block === false ? null : BLOCK.read(block);
        },
      });
    },

    blocks(request) {
      return queue.read({
        action: "blocks",
        args: claimerOf(request),
        read: (from) => (from.read() as readonly unknown[]).map((block) => BLOCK.read(block)),
      });
    },
  } satisfies Partial<Store>;
}

function charsOf({ outcome, logs, steps = [] }: Settlement): number {
  const results = outcome.type === "final" ? outcome.resultsJson?.length ?? 0 : 0;
  return logs.reduce((sum, { message }) => sum + 256 + message.length, results) +
    charsOfSteps(steps);
}

/** The ids of instances to cancel. */
async function idsWithText(
  queue: OperationQueue,
  query: InstanceQuery,
): Promise<readonly string[]> {
  const range = { from: 0, to: Number.MAX_SAFE_INTEGER, isReverse: false };
  const isWanted = ({ instance }: { readonly instance: Instance }) =>
    instance.cancelRequestedAt === null && (query.ids?.includes(instance.id) ?? true);
  const { rows } = await collect(queue, query, range, { limit: BATCH_MAX, isWanted });
  return rows.map(({ instance }) => instance.id);
}
