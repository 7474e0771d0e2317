import { isJobError, JobError, toJobError } from "../../../core/errors.ts";
import { type Instant, systemClock, type Timer } from "../../../platform/clock.ts";
import { closedError } from "../../ledger/checks.ts";
import type { Dated } from "../../ledger/state.ts";
import type { Committed } from "../../store.ts";
import { tooManyError } from "../link/reply_errors.ts";
import { LIMIT } from "../script/constants.ts";
import type { ServerLink } from "../link/server_link.ts";
import { type Packable, Packer, Unpacker } from "../codec/msgpack.ts";
import { type Family, STORE_SCRIPT, withNeeds } from "../script/script.ts";
import { otherData, phraseOf, refusalError } from "./refusals.ts";

/**
 * Most operations of one call, and most instances in them: the server does nothing else meanwhile.
 */
const OPERATIONS_MAX = 256;
const WEIGHT_MAX = 1_000;
/** Most calls in flight; operations that arrive meanwhile share the next one. */
const CALLS_MAX = 3;
/**
 * Of these, calls that eager operations must leave free, so that operations of one turn stay in
 * order.
 */
const CALLS_LEFT = 1;
/** Most calls in flight with urgent operations. The server keeps the answers of all. */
const URGENT_MAX = LIMIT.ANSWERS_MAX - 2;
/** Most calls in flight while the server is slow; one more is sent after each wait of `SLOW_MS`. */
const SLOW_CALLS_MAX = 8;
const SLOW_MS = 100;
/** Most operations that wait for a call; more are refused at once. */
const WAITING_MAX = 50_000;
/** Larger answers are not kept on the server after they have arrived. */
const LARGE_BYTES = 65_536;
const NONE: readonly number[] = [];
/** How often an operation is prepared again because others changed what it was computed from. */
const TRIES_MAX = 20;

/** Weight of so many instances with so many characters of data. */
export function weightOf(count: number, chars: number): number {
  return count + Math.floor(chars / 4_096);
}

/** One operation of the script. */
export interface Operation<T> {
  readonly family: Family;
  readonly action: string;
  /** Roughly the number of its instances; see {@link weightOf}. */
  readonly weight?: number;
  /**
   * If true, it is sent at once, before waiting ones: renewing a lease must not wait for long
   * operations.
   */
  readonly isUrgent?: boolean;
  /**
   * If true and nothing waits, it is sent before the turn ends, so that the server starts while the
   * caller continues.
   */
  readonly isEager?: boolean;
  /** Read what {@link args} depend on. Later operations wait for it, earlier ones are done. */
  readonly prepare?: () => Promise<void>;
  /** Its arguments; a function if they depend on {@link prepare}. */
  readonly args?: readonly Packable[] | (() => readonly Packable[]);
  /** Appends its arguments and returns their number, in place of {@link args}. */
  readonly write?: (into: Packer) => number;
  readonly read: (from: Unpacker, moment: Dated) => T;
  /** Maps a refusal to an error; without it, the common refusals apply. */
  readonly refuse?: (refusal: readonly unknown[]) => JobError;
}

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly isRead: boolean;
  readonly resolve: (committed: Committed<unknown>) => void;
  readonly reject: (error: JobError) => void;
  tries: number;
  isPrepared: boolean;
}

/** Options of a queue. */
export interface QueueOptions {
  readonly link: ServerLink;
  /** Prefix of all keys. */
  readonly prefix: string;
  /** Unique id of this connection; never used again. */
  readonly connection: string;
  readonly clock: (() => Instant) | undefined;
  readonly defer: (callback: () => void) => void;
  /** Called with what the operations changed, after their promises have settled. */
  readonly publish: (hints: unknown) => void;
}

/**
 * Sends operations in order, those of one turn of the event loop in one call of the script. A
 * refused operation has written nothing and does not affect the others.
 */
export class OperationQueue {
  readonly #options: QueueOptions;
  readonly #packer = new Packer();
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #isPreparing = false;
  #callCount = 0;
  #sentMs = 0;
  #timer: Timer | null = null;
  #number = 0;
  #received: number[] = [];
  #idle: (() => void)[] = [];
  /** True while the store is not open: operations are refused. */
  isClosed = false;
  /** Id of the data; empty before the store is open. */
  storeId = "";
  /** The last revision received. */
  rev = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Queue an operation that writes. */
  write<T>(operation: Operation<T>): Promise<Committed<T>> {
    return this.#push(operation, false) as Promise<Committed<T>>;
  }

  /** Queue an operation that only reads. */
  async read<T>(operation: Operation<T>): Promise<T> {
    return (await this.#push(operation, true)).value as T;
  }

  /** Run a read at once, before waiting operations: it prepares one of these. */
  async readNow<T>(operation: Operation<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        operation: operation as Operation<unknown>,
        isRead: true,
        resolve: ({ value }) => resolve(value as T),
        reject,
        tries: 0,
        isPrepared: true,
      };
      void this.#send([waiting]);
    });
  }

  /** Run one call on its own; returns its reply. */
  async call(
    isRead: boolean,
    families: readonly Family[],
    operations: readonly Operation<unknown>[],
  ) {
    const { link, prefix, connection } = this.#options;
    const packer = this.#packer;
    packer.clear();
    packer.list(7);
    packer.write(this.storeId);
    packer.write(connection);
    const number = isRead ? 0 : ++this.#number;
    packer.write(number);
    packer.write(isRead);
    packer.write(isRead ? NONE : this.#takeReceived());
    packer.write(families);
    packer.list(operations.length);
    for (const operation of operations) this.#writeOne(operation);
    const call = {
      script: STORE_SCRIPT,
      keys: [prefix],
      args: [packer.bytes()],
      ...(isRead ? {} : { isWrite: true }),
    };
    const answer = await link.run(call);
    if (!isRead && answer.length > LARGE_BYTES) this.#received.push(number);
    return new Unpacker(answer);
  }

  /** Numbers of large answers that have arrived and are still kept; older ones were overwritten. */
  #takeReceived(): readonly number[] {
    if (this.#received.length === 0) return NONE;
    return this.#received.splice(0).filter((one) => this.#number - one < LIMIT.ANSWERS_MAX);
  }

  /** Resolves when nothing waits and no call is in flight. */
  async drain(): Promise<void> {
    this.#flush();
    while (this.#waiting.length > 0 || this.#callCount > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #push(operation: Operation<unknown>, isRead: boolean): Promise<Committed<unknown>> {
    if (this.isClosed) return Promise.reject(closedError(phraseOf(operation.action)));
    if (this.#waiting.length >= WAITING_MAX) return Promise.reject(tooManyError());
    return new Promise((resolve, reject) => {
      const one = { operation, isRead, resolve, reject, tries: 0, isPrepared: false };
      const isBusy = this.#callCount >= CALLS_MAX;
      if (operation.isUrgent && isBusy && this.#callCount < URGENT_MAX) {
        return void this.#send([one]);
      }
      this.#waiting.push(one);
      const isEager = operation.isEager && this.#waiting.length === 1 &&
        this.#callCount < CALLS_MAX - CALLS_LEFT;
      if (isEager) this.#flush();
      else this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.defer(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  // Operations must not wait for earlier ones that take seconds, since leases count from when they
  // are sent.
  get #mayCall(): boolean {
    if (this.#callCount < CALLS_MAX) return true;
    if (this.#callCount >= SLOW_CALLS_MAX) return false;
    if (this.#nowMs() - this.#sentMs >= SLOW_MS) return true;
    this.#timer ??= systemClock.timer(SLOW_MS, () => {
      this.#timer = null;
      this.#flush();
    }, { unref: true });
    return false;
  }

  #nowMs(): number {
    return (this.#options.clock?.() ?? systemClock.now()).monotonicMs;
  }

  #flush(): void {
    while (this.#waiting.length > 0 && !this.#isPreparing && this.#mayCall) {
      const [first] = this.#waiting;
      if (first!.operation.prepare && !first!.isPrepared) {
        this.#prepare(first!);
        return;
      }
      void this.#send(this.#takeGroup());
    }
  }

  /** Take the first operations of one kind that fit into one call. */
  #takeGroup(): readonly Waiting[] {
    const waiting = this.#waiting;
    const { isRead } = waiting[0]!;
    let count = 0;
    let weight = 0;
    while (count < waiting.length && count < OPERATIONS_MAX) {
      const next = waiting[count]!;
      if (next.isRead !== isRead || (next.operation.prepare && !next.isPrepared)) break;
      weight += next.operation.weight ?? 1;
      if (count > 0 && weight > WEIGHT_MAX) break;
      count += 1;
    }
    this.#waiting = waiting.slice(count);
    return waiting.slice(0, count);
  }

  #prepare(one: Waiting): void {
    this.#isPreparing = true;
    const done = () => {
      this.#isPreparing = false;
      this.#flush();
    };
    one.operation.prepare!().then(() => {
      one.isPrepared = true;
      done();
    }, (thrown) => {
      this.#waiting = this.#waiting.filter((other) => other !== one);
      one.reject(toJobError(thrown, "Cannot read from the store"));
      done();
    });
  }

  async #send(group: readonly Waiting[]): Promise<void> {
    this.#callCount += 1;
    const sentMs = this.#sentMs = this.#nowMs();
    const operations = group.map(({ operation }) => operation);
    const families = withNeeds(operations.map(({ family }) => family));
    const again: Waiting[] = [];
    let hints: unknown = null;
    try {
      const answer = await this.call(group[0]!.isRead, families, operations);
      hints = this.#answer({ group, sentMs }, answer, again);
    } catch (thrown) {
      const error = isJobError(thrown) ? thrown : toJobError(thrown, "Cannot use the store");
      for (const { reject } of group) reject(error);
    }
    this.#callCount -= 1;
    if (again.length > 0) this.#waiting = [...again, ...this.#waiting];
    if (hints) this.#options.publish(hints);
    this.#flush();
    if (this.#waiting.length === 0 && this.#callCount === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #answer(
    { group, sentMs }: { readonly group: readonly Waiting[]; readonly sentMs: number },
    from: Unpacker,
    again: Waiting[],
  ): unknown {
    const parts = from.list();
    const status = from.text();
    if (status !== "done") throw lostError(status);
    from.list();
    for (const one of group) {
      from.list();
      const rev = from.read() as number;
      const times = from.read() as number | readonly [number, number];
      // If a clock was hours ahead and has been set back, attempts have a time of their own.
      const [at, stamp] = typeof times === "number" ? [times, times] : times;
      if (rev > this.rev) this.rev = rev;
      if (at === 0) {
        const refusal = from.read() as readonly unknown[];
        if (refusal[0] === "outdated" && one.tries < TRIES_MAX) {
          one.tries += 1;
          one.isPrepared = false;
          again.push(one);
        } else one.reject((one.operation.refuse ?? refusalError)(refusal));
      } else one.resolve({ rev, at, sentMs, value: one.operation.read(from, { at, stamp }) });
    }
    return parts > 2 ? from.read() : null;
  }

  #writeOne({ action, write, args = [] }: Operation<unknown>): void {
    const now = this.#options.clock?.();
    const body = bodies;
    body.clear();
    const count = write ? write(body) : writeAll(body, typeof args === "function" ? args() : args);
    this.#packer.list(3 + count);
    this.#packer.write(action);
    this.#packer.write(now ? Math.floor(now.wallMs) : false);
    this.#packer.write(now ? now.monotonicMs : false);
    this.#packer.raw(body.bytes());
  }
}

const bodies = new Packer();

function writeAll(into: Packer, args: readonly Packable[]): number {
  for (const one of args) into.write(one);
  return args.length;
}

function lostError(status: string): JobError {
  if (status === "lost") return otherData();
  return new JobError(
    "unavailable",
    "Cannot use the server: it has already answered a later request",
    { hint: "Restart the daemon" },
  );
}
