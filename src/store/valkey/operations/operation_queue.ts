import { isJobError, JobError, toJobError } from "../../../core/errors.ts";
import { type Instant, systemClock, type Timer } from "../../../platform/clock.ts";
import type { Dated } from "../../ledger/state.ts";
import type { Committed } from "../../store.ts";
import { tooManyError } from "../link/reply_errors.ts";
import { LIMIT } from "../script/constants.ts";
import type { ValkeyLink } from "../link/link.ts";
import { Packer, Unpacker } from "../codec/msgpack.ts";
import { type Family, STORE_SCRIPT, withNeeds } from "../script/script.ts";
import { otherData, refusalError } from "./refusals.ts";

/** Operations, and instances in them, of one call at most: the server does nothing else while it runs. */
const OPERATIONS_MAX = 256;
const WEIGHT_MAX = 1_000;
/** Calls without an answer at most; what comes meanwhile shares the next one. */
const CALLS_MAX = 3;
/** Calls of which none is for operations that go out before their turn ends, so that those of a turn stay in order. */
const CALLS_LEFT = 1;
/** The same with urgent ones among them; the answers of all are kept on the server. */
const URGENT_MAX = LIMIT.ANSWERS_MAX - 2;
/** And while the server takes long for its answers, within those that it keeps; one more goes out after each wait. */
const SLOW_CALLS_MAX = 8;
const SLOW_MS = 100;
/** Operations that wait for a call at most: beyond, they are refused at once. */
const WAITING_MAX = 50_000;
/** Answers of more bytes are not kept on the server once they came. */
const LARGE_BYTES = 65_536;
const NONE: readonly number[] = [];
/** How often an operation is worked out anew, when others changed what it was worked out from. */
const TRIES_MAX = 20;

/** What so many instances with so many characters of their own weigh. */
export function weightOf(count: number, chars: number): number {
  return count + Math.floor(chars / 4_096);
}

/** One operation of the script. */
export interface Operation<T> {
  readonly family: Family;
  readonly action: string;
  /** About how many instances it is for; see {@link weightOf}. */
  readonly weight?: number;
  /** Whether it goes out at once, before those that wait: what keeps a lease must not queue behind what takes long. */
  readonly isUrgent?: boolean;
  /** Whether it goes out before the turn ends, when nothing waits: the server works on it while its caller goes on. */
  readonly isEager?: boolean;
  /** Read what {@link write} is worked out from; operations after it wait, those before it have happened. */
  readonly prepare?: () => Promise<void>;
  /** Append its arguments; answers how many. */
  readonly write: (into: Packer) => number;
  readonly read: (from: Unpacker, moment: Dated) => T;
  /** The error of a refusal; without it those that several operations have. */
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

/** What a queue works with. */
export interface QueueOptions {
  readonly link: ValkeyLink;
  /** Before the names of all keys. */
  readonly prefix: string;
  /** Names this connection among all that there ever were. */
  readonly connection: string;
  readonly clock: (() => Instant) | undefined;
  readonly defer: (callback: () => void) => void;
  /** Hears what the operations changed, after those who wait for them. */
  readonly publish: (hints: unknown) => void;
}

/**
 * Sends operations in their order, those of one turn of the event loop in one call of the script. An operation that is refused has
 * written nothing and leaves the others be.
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
  /** Whose data it is; empty before the opening. */
  storeId = "";
  /** The last revision that was answered. */
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

  /** Run operations that only read at once, before those that wait: to work one of these out. */
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

  /** Run one call by itself and answer its reply. */
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

  /** Large answers that came and are still kept: those of older calls were overwritten. */
  #takeReceived(): readonly number[] {
    if (this.#received.length === 0) return NONE;
    return this.#received.splice(0).filter((one) => this.#number - one < LIMIT.ANSWERS_MAX);
  }

  /** Resolves when nothing waits. */
  async drain(): Promise<void> {
    this.#flush();
    while (this.#waiting.length > 0 || this.#callCount > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #push(operation: Operation<unknown>, isRead: boolean): Promise<Committed<unknown>> {
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

  // What is asked of a server that takes seconds must not wait for what was asked before: a lease counts from its sending.
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

  /** The first operations of one kind, as far as one call takes them. */
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
      const told = from.read() as number | readonly [number, number];
      // A clock that was hours ahead and has been set back: what attempts are dated by comes besides.
      const [at, stamp] = typeof told === "number" ? [told, told] : told;
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

  #writeOne({ action, write }: Operation<unknown>): void {
    const now = this.#options.clock?.();
    const body = bodies;
    body.clear();
    const count = write(body);
    this.#packer.list(3 + count);
    this.#packer.write(action);
    this.#packer.write(now ? Math.floor(now.wallMs) : false);
    this.#packer.write(now ? now.monotonicMs : false);
    this.#packer.raw(body.bytes());
  }
}

const bodies = new Packer();

function lostError(status: string): JobError {
  if (status === "lost") return otherData();
  return new JobError(
    "unavailable",
    "Cannot use the server: it answered a later request before this one",
    { hint: "Restart the daemon" },
  );
}
