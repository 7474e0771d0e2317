import { Buffer } from "node:buffer";
import type { ValkeyAddress } from "../../core/settings/store_address.ts";
import type { StoreConfig } from "../../core/settings/store_config.ts";
import type { Clock, Instant } from "../../platform/clock.ts";
import { type Logger, silentLogger } from "../../platform/logger.ts";
import { type Random, systemRandom } from "../../platform/random.ts";
import { Listeners } from "../ledger/hints.ts";
import { newStoreId } from "../store_id.ts";
import type { ChangeHint, OpenRequest, Store, StoreInfo } from "../store.ts";
import { Unpacker } from "./codec/msgpack.ts";
import { ServerLink } from "./link/server_link.ts";
import { checkSameData, openData } from "./open.ts";
import { flowOperations } from "./operations/flows.ts";
import { instanceReads } from "./operations/instance_reads.ts";
import { instanceOperations } from "./operations/instances.ts";
import { logOperations } from "./operations/logs.ts";
import { memoOperations } from "./operations/memos.ts";
import { nodeOperations } from "./operations/nodes.ts";
import { OperationQueue } from "./operations/operation_queue.ts";
import { scheduleOperations } from "./operations/schedules.ts";
import { spanReads } from "./operations/spans.ts";
import { recordOperations } from "./records.ts";

/** Options of a Valkey store. */
export interface ValkeyStoreOptions {
  readonly link: ServerLink;
  /** Prefix of all keys. Stores with different prefixes can share a server. */
  readonly namespace: string;
  /** Used instead of the server's clock. */
  readonly clock?: (() => Instant) | undefined;
  /** Runs a callback at the end of the current turn of the event loop. */
  readonly defer?: ((callback: () => void) => void) | undefined;
  readonly random?: Random;
  readonly logger?: Logger;
}

/** Prefix of a namespace's keys and channels. Its hash tag keeps them on one cluster server. */
export function keyPrefix(namespace: string): string {
  return `jobctl:{${namespace}}:`;
}

/** A store on a Valkey or Redis server, shared by nodes. Each operation is part of a script. */
export function valkeyStore(options: ValkeyStoreOptions): Store {
  const session = new StoreSession(options);
  const { queue } = session;
  const reads = instanceReads(queue);
  return {
    ...instanceOperations(queue),
    ...reads,
    ...spanReads(queue, () => reads.stats()),
    ...logOperations(queue),
    ...scheduleOperations(queue),
    ...nodeOperations(queue),
    ...memoOperations(queue),
    ...flowOperations(queue),
    records: recordOperations(queue),
    open: (request) => session.open(request),
    close: () => session.close(),
    subscribe: (listener) => session.listeners.add(listener),
    get problem() {
      return options.link.problem;
    },
  };
}

/** Opens and closes the data on a server, and forwards its changes. */
class StoreSession {
  readonly queue: OperationQueue;
  readonly listeners = new Listeners();
  readonly #link: ServerLink;
  readonly #logger: Logger;
  readonly #prefix: string;
  readonly #connection: string;
  #openCount = 0;
  #opening: Promise<StoreInfo> | null = null;

  constructor(options: ValkeyStoreOptions) {
    const { link, namespace, clock, random = systemRandom } = options;
    this.#link = link;
    this.#logger = options.logger ?? silentLogger;
    this.#prefix = keyPrefix(namespace);
    this.#connection = Buffer.from(random.bytes(12)).toString("hex");
    this.queue = new OperationQueue({
      link,
      prefix: this.#prefix,
      connection: this.#connection,
      clock,
      defer: options.defer ?? queueMicrotask,
      publish: (hints) => this.listeners.notify(readHints(hints)),
    });
    this.queue.isClosed = true;
    link.onReconnect(() => this.listeners.notify(EVERYTHING));
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
    if (this.queue.isClosed) return;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.queue.isClosed = true;
    this.#opening = null;
    await this.queue.drain();
    this.#link.greet(async () => {});
    await this.#link.close();
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
    const data = await openData(this.queue, { newId, location, isMaintenance });
    this.queue.storeId = data.storeId;
    this.#link.greet((run) => {
      const known = { ...data, prefix: this.#prefix, location, rev: this.queue.rev };
      return checkSameData(run, known, this.#logger);
    });
    await this.#link.subscribe(`${this.#prefix}hints`, (message) => this.#hear(message));
    this.queue.isClosed = false;
    return { type: "valkey", location, isDurable, recovered: [], ...data };
  }

  /** Handle a message about changes of other connections. Our own are in the replies. */
  #hear(message: Uint8Array): void {
    const from = new Unpacker(message);
    from.list();
    if (from.text() !== this.#connection) this.listeners.notify(readHints(from.read()));
  }
}

/** Hints for all possible changes while no messages arrived. */
const EVERYTHING: readonly ChangeHint[] = [
  { type: "instances", dueAt: 0 },
  { type: "schedules" },
  { type: "pauses" },
  { type: "nodes" },
];

/** Read the changes of a call: one hint of each type. */
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
export function createValkeyStore(config: ValkeyConfig, parts: Parts): Store {
  const { clock, random, logger, now } = parts;
  return valkeyStore({
    link: createValkeyLink(config, parts),
    namespace: config.prefix,
    clock: now,
    defer: (callback) => clock.defer(callback),
    random,
    logger,
  });
}
