import type { Instance } from "../../core/instance.ts";
import type { ValkeyAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import { type Logger, silentLogger } from "../../platform/logger.ts";
import { type Random, systemRandom } from "../../platform/random.ts";
import { checkBatch, checkLimit, checkTime, closedError } from "../ledger/checks.ts";
import { storable } from "../ledger/rules.ts";
import { newStoreId } from "../store_id.ts";
import type {
  Advance,
  Backfill,
  ChangeHint,
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  OpenRequest,
  PageRequest,
  PutSchedule,
  Store,
  StoreInfo,
  StoreStats,
} from "../store.ts";
import { InstanceOperations } from "./operations/instances.ts";
import { InstanceReads } from "./operations/instance_reads.ts";
import type { ValkeyLink } from "./link/link.ts";
import { ServerLink } from "./link/server_link.ts";
import { LogReads } from "./operations/logs.ts";
import { Unpacker } from "./codec/msgpack.ts";
import { NodeOperations } from "./operations/nodes.ts";
import { OperationQueue } from "./operations/operation_queue.ts";
import { checkSameData, openData } from "./open.ts";
import { ScheduleOperations } from "./operations/schedules.ts";
import { ValkeyRecords } from "./records.ts";

/** Options of a Valkey store. */
export interface ValkeyStoreOptions {
  readonly link: ValkeyLink;
  /** Prefix of all keys. Stores with different ones can share a server. */
  readonly namespace?: string;
  /** Used instead of the server's clock. */
  readonly clock?: (() => Instant) | undefined;
  /** Runs a callback at the end of the current turn of the event loop. */
  readonly defer?: ((callback: () => void) => void) | undefined;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * Prefix of all keys and channels of a namespace. It has one hash tag, so that a cluster keeps them
 * on one server.
 */
export function keyPrefix(namespace: string): string {
  return `jobctl:{${namespace}}:`;
}

/**
 * A store on a Valkey or Redis server that any number of nodes share. Each operation is part of one
 * script call.
 */
export class ValkeyStore implements Store {
  readonly records: ValkeyRecords;
  readonly #link: ValkeyLink;
  readonly #logger: Logger;
  readonly #prefix: string;
  readonly #queue: OperationQueue;
  readonly #instances: InstanceOperations;
  readonly #reads: InstanceReads;
  readonly #logs: LogReads;
  readonly #schedules: ScheduleOperations;
  readonly #nodes: NodeOperations;
  readonly #connection: string;
  readonly #listeners = new Set<(hint: ChangeHint) => void>();
  #info: StoreInfo | null = null;
  #openCount = 0;
  #opening: Promise<StoreInfo> | null = null;
  #stops: (() => unknown)[] = [];

  constructor(options: ValkeyStoreOptions) {
    const { link, namespace = "jobctl", clock, random = systemRandom } = options;
    this.#link = link;
    this.#logger = options.logger ?? silentLogger;
    this.#prefix = keyPrefix(namespace);
    const hex = [...random.bytes(12)].map((byte) => byte.toString(16).padStart(2, "0"));
    this.#connection = hex.join("");
    this.#queue = new OperationQueue({
      link,
      prefix: this.#prefix,
      connection: this.#connection,
      clock,
      defer: options.defer ?? queueMicrotask,
      publish: (hints) => this.#publish(readHints(hints)),
    });
    this.#instances = new InstanceOperations(this.#queue);
    this.#reads = new InstanceReads(this.#queue);
    this.#logs = new LogReads(this.#queue);
    this.#schedules = new ScheduleOperations(this.#queue);
    this.#nodes = new NodeOperations(this.#queue);
    this.records = new ValkeyRecords(this.#queue, (action) => this.#check(action));
  }

  async open(request: OpenRequest): Promise<StoreInfo> {
    this.#openCount += 1;
    try {
      if (this.#opening) return { ...await this.#opening, recovered: [] };
      this.#opening = this.#open(request);
      return await this.#opening;
    } catch (error) {
      this.#openCount -= 1;
      this.#opening = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.#info) return;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.#info = null;
    this.#opening = null;
    await this.#queue.drain();
    for (const stop of this.#stops.splice(0)) await stop();
    this.#link.greet(async () => {});
    await this.#link.close();
  }

  async enqueue(request: Parameters<Store["enqueue"]>[0]) {
    this.#check("enqueue");
    return await this.#instances.enqueue(request);
  }

  async claim(request: Parameters<Store["claim"]>[0]) {
    this.#check("claim");
    return await this.#instances.claim(request);
  }

  async renew(request: Parameters<Store["renew"]>[0]) {
    this.#check("renew");
    return await this.#instances.renew(request);
  }

  async settle(request: Parameters<Store["settle"]>[0]) {
    this.#check("settle");
    return await this.#instances.settle(request);
  }

  async cancel(request: Parameters<Store["cancel"]>[0]) {
    this.#check("cancel");
    return await this.#instances.cancel(request);
  }

  async reap(request: Parameters<Store["reap"]>[0]) {
    this.#check("reap");
    return await this.#instances.reap(request);
  }

  async redrive(request: Parameters<Store["redrive"]>[0]) {
    this.#check("redrive");
    return await this.#instances.redrive(request);
  }

  async appendLogs(request: Parameters<Store["appendLogs"]>[0]) {
    this.#check("append logs");
    return await this.#instances.appendLogs(request);
  }

  async advance({ advances }: { readonly at: Instant; readonly advances: readonly Advance[] }) {
    this.#check("advance");
    return await this.#schedules.advance(advances);
  }

  async backfill({ backfill }: { readonly at: Instant; readonly backfill: Backfill }) {
    this.#check("backfill");
    return await this.#schedules.backfill(backfill);
  }

  async putSchedule(request: PutSchedule) {
    this.#check("write a schedule");
    return await this.#schedules.put(request);
  }

  async deleteSchedule({ id }: { readonly at: Instant; readonly id: string }) {
    this.#check("delete a schedule");
    return await this.#schedules.remove(id);
  }

  async getSchedule(id: string) {
    this.#check("get a schedule");
    return (await this.#schedules.get([id]))[0] ?? null;
  }

  async listSchedules(query: Parameters<Store["listSchedules"]>[0], page: PageRequest) {
    this.#check("list schedules");
    return await this.#schedules.list(query, page);
  }

  async dueSchedules(request: Parameters<Store["dueSchedules"]>[0]) {
    this.#check("list due schedules");
    return await this.#schedules.due(request);
  }

  async listFates(query: Parameters<Store["listFates"]>[0], page: PageRequest) {
    this.#check("list fates");
    return await this.#schedules.fates(query, page);
  }

  async get(id: string): Promise<Instance | null> {
    this.#check("get an instance");
    return (await this.#reads.get([id]))[0]?.instance ?? null;
  }

  async list(query: InstanceQuery, page: PageRequest) {
    this.#check("list instances");
    return await this.#reads.list(query, page);
  }

  async history(query: HistoryQuery, page: PageRequest) {
    this.#check("list history");
    return await this.#reads.history(query, page);
  }

  async logs(query: LogQuery, page: PageRequest) {
    this.#check("list logs");
    return await this.#logs.list(query, page);
  }

  async tailLogs(query: LogTailQuery, request: Parameters<Store["tailLogs"]>[1]) {
    this.#check("follow logs");
    return await this.#logs.tail(query, request);
  }

  async logEnd() {
    this.#check("follow logs");
    return await this.#logs.end();
  }

  async stats(): Promise<StoreStats> {
    this.#check("count instances");
    return await this.#reads.stats();
  }

  async correctTimes({ ids }: { readonly at: Instant; readonly ids: readonly string[] }) {
    this.#check("correct times");
    checkBatch(ids.length, "correct the times of");
    return await this.#reads.correctTimes(ids);
  }

  async retain({ limit }: { readonly at: Instant; readonly limit: number }) {
    this.#check("delete instances");
    checkLimit(limit, "delete instances");
    return await this.#reads.retain(limit);
  }

  async clearInstances(request: Parameters<Store["clearInstances"]>[0]) {
    this.#check("delete instances");
    return await this.#reads.clear(request);
  }

  async clearLogs({ query, limit }: Parameters<Store["clearLogs"]>[0]) {
    this.#check("delete logs");
    return await this.#logs.clear(query, limit);
  }

  async setPause(request: Parameters<Store["setPause"]>[0]) {
    this.#check("pause");
    if (request.until !== null) checkTime(request.until, "until");
    const { kind, until } = request;
    return await this.#schedules.setPause({
      kind,
      until: until === null ? null : Math.ceil(until),
      reason: storable(request.reason),
    });
  }

  async removePause({ kind }: { readonly at: Instant; readonly kind: string | null }) {
    this.#check("resume");
    return await this.#schedules.removePause(kind);
  }

  async listPauses() {
    this.#check("list pauses");
    return await this.#schedules.pauses();
  }

  async nextDue(request: Parameters<Store["nextDue"]>[0]) {
    this.#check("find the next due time");
    return await this.#instances.nextDue(request);
  }

  async blockOf(request: Parameters<Store["blockOf"]>[0]) {
    this.#check("find what blocks an instance");
    return await this.#instances.blockOf(request);
  }

  async blocks(request: Parameters<Store["blocks"]>[0]) {
    this.#check("list blocks");
    return await this.#instances.blocks(request);
  }

  async joinNode(request: Parameters<Store["joinNode"]>[0]) {
    this.#check("join");
    return await this.#nodes.join(request);
  }

  async reportNode(request: Parameters<Store["reportNode"]>[0]) {
    this.#check("report");
    return await this.#nodes.report(request);
  }

  async leaveNode({ id, session }: Parameters<Store["leaveNode"]>[0]) {
    this.#check("leave");
    return await this.#nodes.leave(id, session);
  }

  async listNodes(_request: { readonly at: Instant }) {
    this.#check("list nodes");
    return await this.#nodes.list();
  }

  async setNodeWorkers({ id, workers }: Parameters<Store["setNodeWorkers"]>[0]) {
    this.#check("resize");
    return await this.#nodes.setWorkers(id, workers);
  }

  get problem(): string | null {
    return this.#link.problem;
  }

  subscribe(listener: (hint: ChangeHint) => void): () => void {
    const entry = (hint: ChangeHint) => listener(hint);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  async #open(request: OpenRequest): Promise<StoreInfo> {
    await this.#link.open();
    try {
      return await this.#openData(request);
    } catch (error) {
      await this.#link.close();
      throw error;
    }
  }

  async #openData(request: OpenRequest): Promise<StoreInfo> {
    const { location, isDurable } = this.#link;
    const isMaintenance = request.isMaintenance ?? false;
    const newId = newStoreId(request);
    const data = await openData(this.#queue, { newId, location, isMaintenance });
    this.#queue.storeId = data.storeId;
    this.#logs.storeId = data.storeId;
    const prefix = this.#prefix;
    this.#link.greet((run) => {
      const known = { ...data, prefix, location, rev: this.#queue.rev };
      return checkSameData(run, known, this.#logger);
    });
    this.#stops = [
      await this.#link.subscribe(`${this.#prefix}hints`, (message) => this.#hear(message)),
      this.#link.onReconnect(() => this.#publish(EVERYTHING)),
    ];
    return this.#info = { type: "valkey", location, isDurable, recovered: [], ...data };
  }

  /**
   * Handle a message about changes of other connections. Our own are published with the replies.
   */
  #hear(message: Uint8Array): void {
    const from = new Unpacker(message);
    from.list();
    if (from.text() !== this.#connection) this.#publish(readHints(from.read()));
  }

  #publish(hints: readonly ChangeHint[]): void {
    for (const hint of hints) {
      // Each on its own, after the operations' promises: a listener that throws does not affect
      // others.
      for (const listener of this.#listeners) queueMicrotask(() => listener(hint));
    }
  }

  #check(action: string): void {
    if (!this.#info) throw closedError(action);
  }
}

/** What may have changed while no messages arrived. */
const EVERYTHING: readonly ChangeHint[] = [
  { type: "instances", dueAt: 0 },
  { type: "schedules" },
  { type: "pauses" },
  { type: "nodes" },
];

/** Read what a call changed: one hint of each type. */
function readHints(value: unknown): readonly ChangeHint[] {
  const [dueAt, claims, schedules, pauses, nodes, deadlines] = value as readonly unknown[];
  const hints: ChangeHint[] = [];
  if (typeof dueAt === "number") hints.push({ type: "instances", dueAt });
  if (schedules) hints.push({ type: "schedules" });
  if (claims) {
    const keys = claims as readonly (readonly [string, number])[];
    hints.push({ type: "cancel", claims: keys.map(([id, fence]) => ({ id, fence })) });
  }
  if (pauses) hints.push({ type: "pauses" });
  if (nodes) hints.push({ type: "nodes" });
  if (deadlines) hints.push({ type: "deadlines" });
  return hints;
}

/** What a store on Valkey needs besides its configuration. */
interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Used instead of the server's clock. */
  readonly now?: () => Instant;
}

type ValkeyConfig = StoreConfig & { readonly address: ValkeyAddress };

/** Create the link that the configuration describes, not yet open. */
export function createValkeyLink(config: ValkeyConfig, parts: Parts): ServerLink {
  const { address, prefix, tls, waitReplicas, startWaitMs } = config;
  return new ServerLink({
    address,
    tls,
    key: keyPrefix(prefix),
    waitReplicas,
    startWaitMs,
    ...parts,
  });
}

/** Create the store that the configuration describes, not yet open. */
export function createValkeyStore(config: ValkeyConfig, parts: Parts): ValkeyStore {
  const link = createValkeyLink(config, parts);
  const defer = (callback: () => void) => parts.clock.defer(callback);
  const { random, logger, now } = parts;
  return new ValkeyStore({
    link,
    namespace: config.prefix,
    clock: now,
    defer,
    random,
    logger,
  });
}
