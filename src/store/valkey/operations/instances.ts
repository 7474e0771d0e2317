import type { Instance } from "../../../core/instance.ts";
import type { Block } from "../../../core/job/limits.ts";
import type { Instant } from "../../../platform/clock.ts";
import { checkBatch, checkLimit, checkNewInstance, checkTime } from "../../ledger/checks.ts";
import type {
  ClaimKey,
  ClaimRequest,
  Committed,
  EnqueueResult,
  InstanceQuery,
  LogAppend,
  NewInstance,
  NextDue,
  NextDueRequest,
  RedriveResult,
  RenewRequest,
  RenewResult,
  Settlement,
  SettleResult,
} from "../../store.ts";
import { claimerOf, readBlock } from "../codec/claims.ts";
import {
  checkRedrive,
  readClaimed,
  readEnqueued,
  readInstances,
  readRedriven,
  writeInstances,
} from "../codec/instances.ts";
import { queryOf } from "./instance_reads.ts";
import { type OperationQueue, weightOf } from "./operation_queue.ts";
import { runsOf, writeRuns } from "../codec/runs.ts";
import {
  planSettlements,
  readSettled,
  writeLines,
  writeSettlements,
} from "../codec/settlements.ts";

/** Most claimed instances kept here, so that replies to their settlements need not contain them. */
const KNOWN_MAX = 10_000;

/** Accepts, claims, settles and cancels instances, and reports what blocks them. */
export class InstanceOperations {
  readonly #queue: OperationQueue;
  readonly #known = new Map<string, Instance>();

  constructor(queue: OperationQueue) {
    this.#queue = queue;
  }

  async enqueue(
    { instances }: { readonly at: Instant; readonly instances: readonly NewInstance[] },
  ): Promise<Committed<readonly EnqueueResult[]>> {
    checkBatch(instances.length, "enqueue");
    for (const input of instances) checkNewInstance(input);
    const runs = runsOf(instances);
    return await this.#queue.write({
      family: "enqueue",
      action: runs ? "enqueueRuns" : "enqueue",
      weight: weightOf(
        instances.length,
        instances.reduce((sum, { argumentsJson }) => sum + argumentsJson.length, 0),
      ),
      write: (into) => runs ? writeRuns(into, runs) : writeInstances(into, instances),
      read: (from, moment) => readEnqueued(from, moment, instances),
    });
  }

  async claim(request: ClaimRequest): Promise<Committed<readonly Instance[]>> {
    checkLimit(request.limit, "claim");
    const committed = await this.#queue.write({
      family: "claim",
      action: "claim",
      isEager: true,
      weight: request.limit,
      args: [...claimerOf(request), request.limit, request.leaseMs],
      read: readClaimed,
    });
    for (const instance of committed.value) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear();
      this.#known.set(instance.id, instance);
    }
    return committed;
  }

  async renew({ claims, leaseMs }: RenewRequest): Promise<Committed<readonly RenewResult[]>> {
    checkBatch(claims.length, "renew");
    const statuses = ["stale", "renewed", "canceling"] as const;
    return await this.#queue.write({
      family: "claim",
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
  }

  async settle(
    { settlements }: {
      readonly at: Instant;
      readonly node: string;
      readonly settlements: readonly Settlement[];
    },
  ): Promise<Committed<readonly SettleResult[]>> {
    checkBatch(settlements.length, "settle");
    for (const { outcome } of settlements) {
      if (outcome.type !== "final") checkTime(outcome.dueAt, "dueAt");
    }
    const known = settlements.map(({ id, fence }) => {
      const instance = this.#known.get(id);
      this.#known.delete(id);
      return instance?.fence === fence ? instance : undefined;
    });
    const plan = planSettlements(settlements, known);
    return await this.#queue.write({
      family: "outcomes",
      action: "settle",
      weight: weightOf(
        settlements.length,
        settlements.reduce((sum, settlement) => sum + charsOf(settlement), 0),
      ),
      write: (into) => writeSettlements(into, plan),
      read: (from, { stamp }) => readSettled(from, stamp, plan),
    });
  }

  async cancel(
    { query, limit }: {
      readonly at: Instant;
      readonly query: InstanceQuery;
      readonly limit: number;
    },
  ): Promise<Committed<readonly Instance[]>> {
    checkLimit(limit, "cancel");
    if (query.ids) checkBatch(query.ids.length, "look up");
    const states = (["scheduled", "processing"] as const)
      .filter((one) => query.states?.includes(one) ?? true);
    return await this.#queue.write({
      family: "find",
      action: "cancel",
      weight: limit,
      args: [queryOf({ ...query, states }), query.ids ?? false, limit],
      read: readInstances,
    });
  }

  async reap(
    { limit }: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<readonly Instance[]>> {
    checkLimit(limit, "reap");
    return await this.#queue.write({
      family: "outcomes",
      action: "reap",
      weight: limit,
      args: [limit],
      read: readInstances,
    });
  }

  async redrive(
    { instances, isForced }: {
      readonly at: Instant;
      readonly instances: readonly NewInstance[];
      readonly isForced: boolean;
    },
  ): Promise<Committed<readonly RedriveResult[]>> {
    checkRedrive(instances);
    return await this.#queue.write({
      family: "enqueue",
      action: "redrive",
      weight: instances.length,
      write: (into) => {
        writeInstances(into, instances);
        into.write(isForced);
        return 2;
      },
      read: readRedriven,
    });
  }

  async appendLogs(
    { appends }: { readonly at: Instant; readonly appends: readonly LogAppend[] },
  ): Promise<Committed<readonly ClaimKey[]>> {
    checkBatch(appends.length, "append logs of");
    return await this.#queue.write({
      family: "outcomes",
      action: "appendLogs",
      weight: appends.reduce((sum, { logs }) => sum + 1 + logs.length, 0),
      write: (into) => {
        into.list(appends.length);
        for (const { id, fence, logs, progress } of appends) {
          into.list(4);
          into.write(id);
          into.write(fence);
          writeLines(into, logs);
          into.write(progress === undefined ? false : JSON.stringify(progress));
        }
        return 1;
      },
      read: (from) => {
        const stale = from.read() as readonly number[];
        return stale.map((place) => ({
          id: appends[place - 1]!.id,
          fence: appends[place - 1]!.fence,
        }));
      },
    });
  }

  async nextDue(request: NextDueRequest): Promise<NextDue> {
    return await this.#queue.read({
      family: "claim",
      action: "nextDue",
      args: claimerOf(request),
      read: (from) => {
        const [at, instanceAt, scheduleAt] = from.read() as readonly (number | false)[];
        const orNull = (time: number | false | undefined) => time === false ? null : time!;
        return { at: at as number, instanceAt: orNull(instanceAt), scheduleAt: orNull(scheduleAt) };
      },
    });
  }

  async blockOf(request: NextDueRequest & { readonly id: string }): Promise<Block | null> {
    return await this.#queue.read({
      family: "claim",
      action: "blockOf",
      args: [...claimerOf(request), request.id],
      read: (from) => {
        const block = from.read();
        return block === false ? null : readBlock(block);
      },
    });
  }

  async blocks(request: NextDueRequest): Promise<readonly Block[]> {
    return await this.#queue.read({
      family: "claim",
      action: "blocks",
      args: claimerOf(request),
      read: (from) => (from.read() as readonly unknown[]).map(readBlock),
    });
  }
}

function charsOf({ outcome, logs }: Settlement): number {
  const results = outcome.type === "final" ? outcome.resultsJson?.length ?? 0 : 0;
  return logs.reduce((sum, { message }) => sum + 256 + message.length, results);
}
