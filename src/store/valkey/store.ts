import type { ValkeyAddress } from "../../core/store_address.ts";
import type { StoreConfig } from "../../core/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import { type Logger, silentLogger } from "../../platform/logger.ts";
import { type Random, systemRandom } from "../../platform/random.ts";
import { newStoreId } from "../store_id.ts";
import type { ChangeHint, OpenRequest, Store, StoreInfo } from "../store.ts";
import { InstanceOperations } from "./operations/instances.ts";
import { InstanceReads } from "./operations/instance_reads.ts";
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
  readonly link: ServerLink;
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
  readonly #link: ServerLink;
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
  #openCount = 0;
  #opening: Promise<StoreInfo> | null = null;

  readonly enqueue: Store["enqueue"] = (request) => this.#instances.enqueue(request);
  readonly claim: Store["claim"] = (request) => this.#instances.claim(request);
  readonly renew: Store["renew"] = (request) => this.#instances.renew(request);
  readonly settle: Store["settle"] = (request) => this.#instances.settle(request);
  readonly cancel: Store["cancel"] = (request) => this.#instances.cancel(request);
  readonly reap: Store["reap"] = (request) => this.#instances.reap(request);
  readonly redrive: Store["redrive"] = (request) => this.#instances.redrive(request);
  readonly appendLogs: Store["appendLogs"] = (request) => this.#instances.appendLogs(request);
  readonly nextDue: Store["nextDue"] = (request) => this.#instances.nextDue(request);
  readonly blockOf: Store["blockOf"] = (request) => this.#instances.blockOf(request);
  readonly blocks: Store["blocks"] = (request) => this.#instances.blocks(request);

  readonly get: Store["get"] = (id) => this.#reads.getOne(id);
  readonly list: Store["list"] = (query, page) => this.#reads.list(query, page);
  readonly history: Store["history"] = (query, page) => this.#reads.history(query, page);
  readonly stats: Store["stats"] = () => this.#reads.stats();
  readonly correctTimes: Store["correctTimes"] = (request) => this.#reads.correctTimes(request);
  readonly retain: Store["retain"] = (request) => this.#reads.retain(request);
  readonly clearInstances: Store["clearInstances"] = (request) => this.#reads.clear(request);

  readonly logs: Store["logs"] = (query, page) => this.#logs.list(query, page);
  readonly tailLogs: Store["tailLogs"] = (query, request) => this.#logs.tail(query, request);
  readonly logEnd: Store["logEnd"] = () => this.#logs.end();
  readonly clearLogs: Store["clearLogs"] = (request) => this.#logs.clear(request);

  readonly advance: Store["advance"] = (request) => this.#schedules.advance(request);
  readonly backfill: Store["backfill"] = (request) => this.#schedules.backfill(request);
  readonly putSchedule: Store["putSchedule"] = (request) => this.#schedules.put(request);
  readonly deleteSchedule: Store["deleteSchedule"] = (request) => this.#schedules.remove(request);
  readonly getSchedule: Store["getSchedule"] = (id) => this.#schedules.getOne(id);
  readonly listSchedules: Store["listSchedules"] = (query, page) =>
    this.#schedules.list(query, page);
  readonly dueSchedules: Store["dueSchedules"] = (request) => this.#schedules.due(request);
  readonly listFates: Store["listFates"] = (query, page) => this.#schedules.fates(query, page);
  readonly setPause: Store["setPause"] = (request) => this.#schedules.setPause(request);
  readonly removePause: Store["removePause"] = (request) => this.#schedules.removePause(request);
  readonly listPauses: Store["listPauses"] = () => this.#schedules.pauses();

  readonly joinNode: Store["joinNode"] = (request) => this.#nodes.join(request);
  readonly reportNode: Store["reportNode"] = (request) => this.#nodes.report(request);
  readonly leaveNode: Store["leaveNode"] = (request) => this.#nodes.leave(request);
  readonly listNodes: Store["listNodes"] = () => this.#nodes.list();
  readonly setNodeWorkers: Store["setNodeWorkers"] = (request) => this.#nodes.setWorkers(request);

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
    this.#queue.isClosed = true;
    link.onReconnect(() => this.#publish(EVERYTHING));
    this.#instances = new InstanceOperations(this.#queue);
    this.#reads = new InstanceReads(this.#queue);
    this.#logs = new LogReads(this.#queue);
    this.#schedules = new ScheduleOperations(this.#queue);
    this.#nodes = new NodeOperations(this.#queue);
    this.records = new ValkeyRecords({
      queue: this.#queue,
      instances: this.#reads,
      schedules: this.#schedules,
      logs: this.#logs,
    });
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
    if (this.#queue.isClosed) return;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.#queue.isClosed = true;
    this.#opening = null;
    await this.#queue.drain();
    this.#link.greet(async () => {});
    await this.#link.close();
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
    await this.#link.subscribe(`${this.#prefix}hints`, (message) => this.#hear(message));
    this.#queue.isClosed = false;
    return { type: "valkey", location, isDurable, recovered: [], ...data };
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
}

/** Hints for all changes that may have happened while no messages arrived. */
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

/** Parts of a Valkey store that do not come from its configuration. */
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
