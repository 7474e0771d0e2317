import { JobError, toJobError } from "../../../core/errors.ts";
import { type Instant, systemClock, type Timer } from "../../../platform/clock.ts";
import { closedError } from "../../closed_error.ts";
import type { Dated } from "../../ledger/state.ts";
import type { Committed } from "../../store.ts";
import { tooManyError } from "../link/reply_errors.ts";
import { LIMIT } from "../script/constants.ts";
import type { ServerLink } from "../link/server_link.ts";
import { pack, type Packable, Unpacker } from "../codec/msgpack.ts";
import { familiesOf, STORE_SCRIPT } from "../script/script.ts";
import { newerData, otherData, phraseOf, refusalError } from "./refusals.ts";

/** Most operations of one call, and most instances in them: the server is blocked meanwhile. */
const OPERATIONS_MAX = 256;
const WEIGHT_MAX = 1_000;
/** Most calls in flight; operations that arrive meanwhile share the next one. */
const CALLS_MAX = 3;
/** Calls that eager operations must leave free, so that operations of one turn stay in order. */
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
/** Most times that an operation is prepared again because others changed its input. */
const TRIES_MAX = 20;

/** Weight of `count` instances with `chars` characters of data. */
export function weightOf(count: number, chars: number): number {
  return count + Math.floor(chars / 4_096);
}

/** One operation of the script. */
export interface Operation<T> {
  /** Its name in the script. */
  readonly action: string;
  /** Roughly the number of its instances; see {@link weightOf}. */
  readonly weight?: number;
  /** True to send it at once, before waiting ones: renewals must not wait for long operations. */
  readonly isUrgent?: boolean;
  /** True to send it before the turn ends if nothing waits, so that the server starts meanwhile. */
  readonly isEager?: boolean;
  readonly args?: readonly Packable[];
  /** Computes its arguments from reads, after earlier operations and before later ones. */
  readonly prepare?: () => Promise<readonly Packable[]>;
  readonly read: (from: Unpacker, moment: Dated) => T;
  /** Maps a refusal to an error; without it, the common refusals apply. */
  readonly refuse?: (refusal: readonly unknown[]) => JobError;
}

interface Call {
  readonly operation: Pick<Operation<unknown>, "action">;
  /** Null until they are prepared. */
  args: readonly Packable[] | null;
}

interface Waiting extends Call {
  readonly operation: Operation<unknown>;
  readonly isRead: boolean;
  readonly resolve: (committed: Committed<unknown>) => void;
  readonly reject: (error: JobError) => void;
  tries: number;
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
  /** Called with the changes of the operations, after their promises have settled. */
  readonly publish: (hints: unknown) => void;
}

/**
 * Sends operations in order; operations of one turn of the event loop share a call of the script. A
 * refused operation has written nothing and does not affect the others.
 */
export class OperationQueue {
  readonly #options: QueueOptions;
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

  /** Queue a read-only operation. */
  async read<T>(operation: Operation<T>): Promise<T> {
    return (await this.#push(operation, true)).value as T;
  }

  /** Run a read at once, before waiting operations: it prepares one of them. */
  async readNow<T>(operation: Operation<T>): Promise<T> {
    const { value } = await new Promise<Committed<unknown>>((resolve, reject) => {
      void this.#send([newWaiting(operation, { isRead: true, resolve, reject })]);
    });
    return value as T;
  }

  /** Run one call on its own; returns its reply. */
  async call(isRead: boolean, operations: readonly Call[]): Promise<Unpacker> {
    const { link, prefix, connection, clock } = this.#options;
    const number = isRead ? 0 : ++this.#number;
    const received = isRead ? NONE : this.#takeReceived();
    const families = familiesOf(operations.map(({ operation }) => operation.action));
    const now = clock?.();
    const times = [now && Math.floor(now.wallMs), now?.monotonicMs];
    const request = pack([
      this.storeId,
      connection,
      number,
      isRead,
      received,
      families,
      operations.map(({ operation, args }) => [operation.action, ...times, ...args!]),
    ]);
    const call = { script: STORE_SCRIPT, keys: [prefix], args: [request], isWrite: !isRead };
    const answer = await link.run(call);
    if (!isRead && answer.length > LARGE_BYTES) this.#received.push(number);
    return new Unpacker(answer);
  }

  /** Numbers of large answers that have arrived and are still kept, until overwritten. */
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
      const one = newWaiting(operation, { isRead, resolve, reject });
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

  // Operations must not wait for earlier slow ones, since leases count from the sending.
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
      if (first!.args === null) return this.#prepare(first!);
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
      if (next.isRead !== isRead || next.args === null) break;
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
    one.operation.prepare!().then((args) => {
      one.args = args;
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
    const again: Waiting[] = [];
    let hints: unknown = null;
    try {
      const answer = await this.call(group[0]!.isRead, group);
      hints = this.#answer({ group, sentMs }, answer, again);
    } catch (thrown) {
      const error = toJobError(thrown, "Cannot use the store");
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
    if (status === "newer") throw newerData(null, [from.read(), from.read()]);
    if (status !== "done") throw lostError(status);
    from.list();
    for (const one of group) {
      from.list();
      const rev = from.read() as number;
      const times = from.read() as number | readonly [number, number, number];
      // If a clock was ahead and has been set back, the server's time differs from the recorded
      // one, and attempts may have a separate time.
      const [at, stamp, wallMs] = typeof times === "number" ? [times, times, times] : times;
      if (rev > this.rev) this.rev = rev;
      if (at === 0) {
        const refusal = from.read() as readonly unknown[];
        if (refusal[0] === "outdated" && one.tries < TRIES_MAX) {
          one.tries += 1;
          one.args = null;
          again.push(one);
        } else one.reject((one.operation.refuse ?? refusalError)(refusal));
      } else {one.resolve({
          rev,
          at,
          sentMs,
          value: one.operation.read(from, { at, stamp, wallMs }),
        });}
    }
    return parts > 2 ? from.read() : null;
  }
}

const NO_ARGS: readonly Packable[] = [];

function newWaiting(
  operation: Operation<unknown>,
  rest: Pick<Waiting, "isRead" | "resolve" | "reject">,
): Waiting {
  const args = operation.prepare ? null : operation.args ?? NO_ARGS;
  return { operation, args, tries: 0, ...rest };
}

function lostError(status: string): JobError {
  if (status === "lost") return otherData();
  return new JobError(
    "unavailable",
    "Cannot use the server: it has already processed a later request",
    { hint: "Restart the daemon" },
  );
}
