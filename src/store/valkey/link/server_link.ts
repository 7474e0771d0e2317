import { backoffMs } from "../../../core/backoff.ts";
import { JobError, toJobError } from "../../../core/errors.ts";
import type { ValkeyAddress } from "../../../core/settings/store_address.ts";
import type { StoreTls } from "../../../core/settings/store_config.ts";
import { type Clock, sleep, type Timer } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Random } from "../../../platform/random.ts";
import { loadClientTls } from "../../../platform/network/tls.ts";
import { type Connection, ConnectionLost } from "./connection.ts";
import { connectServer, findServer, locationOf, withinTime } from "./find_server.ts";
import { LINK_LIMITS, type LinkLimits, type ScriptCall } from "./link.ts";
import { Pulse } from "./pulse.ts";
import { refusal, remedyOf, tooManyError, unreachable } from "./reply_errors.ts";
import { type Reply, ReplyError } from "./resp.ts";
import { checkServer, type ServerFacts } from "./server_facts.ts";
import { LinkLog } from "./link_log.ts";

/** Most sendings of one call. More would mean that the call itself breaks the connection. */
const SENDINGS_MAX = 8;

/** Options of a link. */
export interface ServerLinkOptions {
  readonly address: ValkeyAddress;
  /** TLS files, read again for each connection; null for plain TCP. */
  readonly tls: StoreTls | null;
  /** Any of the store's keys. */
  readonly key: string;
  readonly waitReplicas: number;
  /** Time for which `open` waits for an unreachable server, in milliseconds. */
  readonly startWaitMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits?: Partial<LinkLimits>;
}

/** A call without a reply. */
interface WaitingCall extends ScriptCall {
  /** Bytes of its arguments. */
  readonly bytes: number;
  /** When it was made, monotonic ms. */
  readonly calledAt: number;
  /** Number of times it was sent. */
  sent: number;
  readonly resolve: (value: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Line {
  readonly main: Connection;
  readonly pushed: Connection;
}

/** Runs a script once, without repeats, on a new, unused connection. */
export type GreetingRun = (call: ScriptCall) => Promise<Uint8Array>;

/**
 * The link to a Valkey or Redis server; hides TLS, sentinels and clusters. Calls are pipelined and
 * reach the server in order. When the connection is lost the link finds the server again, even at
 * another address, and resends the unanswered calls in order.
 */
export class ServerLink {
  /** The location of the server, without secrets. */
  readonly location: string;
  readonly #options: ServerLinkOptions;
  readonly #limits: LinkLimits;
  /** Calls without a reply, oldest first. */
  readonly #calls = new Set<WaitingCall>();
  #callBytes = 0;
  #deadlineTimer: Timer | null = null;
  /** Listeners by channel. They survive a change of the connection. */
  readonly #channels = new Map<string, (message: Uint8Array) => void>();
  readonly #log: LinkLog;
  readonly #pulse: Pulse;
  #stop = new AbortController();
  #greeting: (run: GreetingRun) => Promise<void> = () => Promise.resolve();
  #reconnected = () => {};
  #facts: ServerFacts | null = null;
  #line: Line | null = null;
  /** The reconnecting loop, while it runs. */
  #connecting: Promise<void> | null = null;
  #problem: JobError | null = null;
  /** Time of the connection's loss, monotonic ms; null while connected. */
  #lostSince: number | null = null;

  constructor(options: ServerLinkOptions) {
    const { address, clock, logger } = options;
    this.#options = options;
    this.#limits = { ...LINK_LIMITS, ...options.limits };
    this.location = locationOf(address);
    this.#log = new LinkLog(logger, clock, this.location);
    this.#pulse = new Pulse(clock, this.#limits);
  }

  /** True if an acknowledged write is on the server's disk. */
  get isDurable(): boolean {
    return this.#facts?.isDurable ?? false;
  }

  /** Why the server does not respond now; null without a known problem. */
  get problem(): string | null {
    if (this.#problem) return this.#problem.message;
    const [oldest] = this.#calls;
    const waitedMs = oldest ? this.#options.clock.now().monotonicMs - oldest.calledAt : 0;
    return waitedMs > this.#pulse.answerMs ? this.#late().message : null;
  }

  /**
   * Set the check of each new connection before its use, for example for the same data. If it
   * throws a JobError, the connection is not used, and calls fail with that error until a check
   * succeeds.
   */
  greet(greeting: (run: GreetingRun) => Promise<void>): void {
    this.#greeting = greeting;
  }

  /** Set the listener to reconnections: messages published meanwhile are lost. */
  onReconnect(listener: () => void): void {
    this.#reconnected = listener;
  }

  /**
   * Connect and check the server.
   *
   * @throws JobError `unavailable` if unreachable, `unauthenticated` or `invalid_config` if
   * unusable
   */
  async open(): Promise<void> {
    const { clock, logger, startWaitMs } = this.#options;
    const openedAt = clock.now().monotonicMs;
    this.#stop = new AbortController();
    this.#problem = null;
    for (let failures = 0;; failures += 1) {
      const waitMs = backoffMs(this.#limits.retry, failures);
      try {
        this.#use(await this.#connect());
        break;
      } catch (error) {
        const problem = this.#asJobError(error);
        const leftMs = openedAt + startWaitMs - clock.now().monotonicMs;
        if (problem.code !== "unavailable" || leftMs <= 0 || this.#stop.signal.aborted) {
          await this.close();
          throw problem;
        }
        this.#log.lost(problem.message);
        // The last attempt is made when the time is over.
        await sleep(clock, Math.min(waitMs, leftMs), this.#stop.signal);
      }
    }
    this.#log.found();
    for (const warning of this.#facts!.warnings) logger.warn(warning);
  }

  /**
   * Run a script that returns a bulk string. A call whose reply was lost is sent again, so the
   * script must recognize a repeat.
   *
   * @throws JobError `unavailable`, `resource_exhausted`, `invalid_argument` for a too large call
   */
  run(call: ScriptCall): Promise<Uint8Array> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#closed());
    // Refused for a reason that a wait would not cure, but hide.
    if (this.#problem && this.#problem.code !== "unavailable") return Promise.reject(this.#problem);
    const bytes = call.args.reduce((sum, arg) => sum + arg.length, 0);
    const refused = this.#refuse(bytes);
    if (refused) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const calledAt = this.#options.clock.now().monotonicMs;
      const waiting: WaitingCall = { ...call, bytes, calledAt, sent: 0, resolve, reject };
      this.#calls.add(waiting);
      this.#callBytes += bytes;
      this.#armDeadline();
      if (this.#line) this.#send(this.#line.main, waiting);
    });
  }

  /** Set the listener to a channel, also on later connections. */
  async subscribe(channel: string, listener: (message: Uint8Array) => void): Promise<void> {
    this.#channels.set(channel, listener);
    await this.#line?.pushed.command("SUBSCRIBE", channel);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#pulse.stop();
    const line = this.#line;
    this.#line = null;
    line?.main.destroy();
    line?.pushed.destroy();
    this.#rejectAll(this.#closed());
    await this.#connecting;
  }

  /** Connect to a server that passes all checks: one connection for calls and one for messages. */
  async #connect(): Promise<Line> {
    const { address, clock, key, logger, tls } = this.#options;
    const { connectMs, handshakeMs } = this.#limits;
    const { location } = this;
    const nowMs = clock.now().wallMs;
    const find = {
      address,
      clock,
      connectMs,
      handshakeMs,
      key,
      location,
      tls: tls && await loadClientTls(tls, { nowMs, logger }),
    };
    const at = await findServer(find);
    const open: Connection[] = [];
    try {
      const main = await connectServer(at, find);
      open.push(main);
      const isCluster = address.topology === "cluster";
      const askedMs = clock.now().monotonicMs;
      const facts = await withinTime(main, find, () => checkServer(main, { location, isCluster }));
      this.#pulse.answered(clock.now().monotonicMs - askedMs);
      await withinTime(main, find, () => this.#greeting((call) => runScript(main, call)));
      const pushed = await connectServer(at, find);
      open.push(pushed);
      pushed.onMessage((channel, message) => this.#channels.get(channel)?.(message));
      const names = [...this.#channels.keys()];
      const subscribe = () => Promise.all(names.map((name) => pushed.command("SUBSCRIBE", name)));
      await withinTime(pushed, find, subscribe);
      this.#facts = facts;
      return { main, pushed };
    } catch (error) {
      for (const connection of open) connection.destroy();
      throw error;
    }
  }

  #use(line: Line): void {
    if (this.#stop.signal.aborted) {
      line.main.destroy();
      line.pushed.destroy();
      return;
    }
    this.#line = line;
    this.#problem = null;
    this.#lostSince = null;
    this.#pulse.watch([line.main, line.pushed], (reason) => this.#lost(line, reason));
    for (const connection of [line.main, line.pushed]) {
      connection.onClose((error) => this.#lost(line, error.message));
    }
    for (const call of [...this.#calls]) {
      if (this.#line !== line) return;
      this.#send(line.main, call);
    }
  }

  #lost(line: Line, reason: string): void {
    if (this.#line !== line) return;
    this.#line = null;
    this.#pulse.stop();
    line.main.destroy(reason);
    line.pushed.destroy(reason);
    this.#problem = unreachable(this.location, new ConnectionLost(reason));
    this.#lostSince = this.#options.clock.now().monotonicMs;
    // The deadlines are earlier than before.
    this.#deadlineTimer?.cancel();
    this.#deadlineTimer = null;
    this.#armDeadline();
    this.#log.lost(reason);
    this.#connecting ??= this.#reconnect().finally(() => this.#connecting = null);
  }

  async #reconnect(): Promise<void> {
    const { clock, random } = this.#options;
    const { retry } = this.#limits;
    let failures = 0;
    let isRefused = false;
    while (!this.#stop.signal.aborted) {
      // Jitter, so that nodes do not all reconnect at the same moment.
      const waits = isRefused ? { firstMs: retry.refusedMs, longestMs: retry.refusedMs } : retry;
      await sleep(clock, backoffMs(waits, failures, random.next()), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        const before = this.#facts;
        const line = await this.#connect();
        this.#log.found();
        this.#logChange(before);
        this.#use(line);
        this.#reconnected();
        if (this.#line) return;
        // Lost again at once: this loop continues.
      } catch (error) {
        this.#problem = this.#asJobError(error);
        this.#log.lost(this.#problem.message);
        isRefused = this.#problem.code !== "unavailable";
        if (isRefused) this.#rejectAll(this.#problem);
        failures += 1;
      }
    }
  }

  #logChange(before: ServerFacts | null): void {
    const now = this.#facts!;
    const isAnother = before !== null && before.runId !== now.runId;
    const canLose = this.#options.address.topology !== "single" || !now.survivesCrash;
    if (isAnother && canLose) this.#log.changed();
  }

  #send(connection: Connection, call: WaitingCall): void {
    const { clock, waitReplicas } = this.#options;
    call.sent += 1;
    if (call.sent > SENDINGS_MAX) return this.#take(call).reject(this.#late());
    const sentAt = clock.now().monotonicMs;
    const answered = () => this.#pulse.answered(clock.now().monotonicMs - sentAt);
    const waits = waitReplicas > 0 && call.isWrite === true;
    let value: Uint8Array | null = null;
    connection.send(evalsha(call), {
      resolve: (reply) => {
        answered();
        if (!(reply instanceof Uint8Array)) return this.#take(call).reject(notBytes());
        value = reply;
        if (!waits) this.#take(call).resolve(value);
      },
      reject: (error) => {
        if (error instanceof ReplyError) answered();
        this.#failed(connection, call, error);
      },
    });
    if (!waits) return;
    connection.send(["WAIT", String(waitReplicas), String(this.#limits.replicasMs)], {
      resolve: (count) => {
        if (value === null) return;
        if (Number(count) >= waitReplicas) this.#take(call).resolve(value);
        else this.#take(call).reject(this.#notReplicated(Number(count)));
      },
      reject: (error) => value === null ? undefined : this.#failed(connection, call, error),
    });
  }

  #failed(connection: Connection, call: WaitingCall, error: Error): void {
    // The connection is lost: the call is sent again on the next one.
    if (!(error instanceof ReplyError)) return;
    switch (remedyOf(error)) {
      case "load":
        connection.send(["SCRIPT", "LOAD", call.script.text], {
          resolve: () => this.#calls.has(call) && this.#send(connection, call),
          reject: (thrown) => this.#failed(connection, call, thrown),
        });
        return;
      case "reconnect":
        // It was not executed, for reasons outside the call.
        call.sent -= 1;
        connection.destroy(error.message);
        return;
      case "refuse":
        this.#take(call).reject(refusal(error, this.location));
    }
  }

  /** Take a call out, to resolve or reject it. */
  #take(call: WaitingCall): WaitingCall {
    if (this.#calls.delete(call)) this.#callBytes -= call.bytes;
    return call;
  }

  #rejectAll(error: Error): void {
    for (const call of [...this.#calls]) this.#take(call).reject(error);
    this.#deadlineTimer?.cancel();
    this.#deadlineTimer = null;
  }

  /** Why a call with this many bytes of arguments is refused; null if accepted. */
  #refuse(bytes: number): JobError | null {
    const { callsMax, bytesMax } = this.#limits;
    if (bytes > bytesMax) {
      return new JobError(
        "invalid_argument",
        `Cannot use the store: the request has ${bytes} bytes, at most ${bytesMax} are allowed`,
        { hint: "Split the request" },
      );
    }
    const isFull = this.#calls.size >= callsMax || this.#callBytes + bytes > bytesMax;
    return isFull ? tooManyError() : null;
  }

  // One timer for the oldest call: a timer for each would cost more than the call.
  #armDeadline(): void {
    if (this.#deadlineTimer !== null) return;
    const [oldest] = this.#calls;
    if (!oldest) return;
    const { clock } = this.#options;
    const leftMs = this.#deadlineOf(oldest.calledAt) - clock.now().monotonicMs;
    this.#deadlineTimer = clock.timer(Math.max(leftMs, 1), () => {
      this.#deadlineTimer = null;
      const now = clock.now().monotonicMs;
      for (const call of this.#calls) {
        if (this.#deadlineOf(call.calledAt) > now) break;
        this.#take(call).reject(this.#late());
      }
      this.#armDeadline();
    }, { unref: true });
  }

  /**
   * End of a call's wait, monotonic ms; never earlier for a later call. With a connection a late
   * reply is worth waiting for, since the call is executed anyway; the pulse detects a silent
   * server. Long after a loss of the connection, calls wait only for a moment: callers in sequence
   * must not each wait the full time.
   */
  #deadlineOf(calledAt: number): number {
    const { answerMs, troubledMs, lateMs } = this.#limits;
    if (this.#lostSince === null) return calledAt + lateMs;
    return Math.max(calledAt + troubledMs, this.#lostSince + answerMs);
  }

  #late(): JobError {
    return this.#problem ??
      new JobError(
        "unavailable",
        `Cannot use the store ${this.location}: no response within ${this.#pulse.answerMs} ms`,
        { hint: "The server or the network to it is slow" },
      );
  }

  #closed(): JobError {
    return new JobError("unavailable", `Cannot use the store ${this.location}: it was closed`);
  }

  #notReplicated(count: number): JobError {
    const { waitReplicas } = this.#options;
    return new JobError(
      "unavailable",
      `Cannot confirm a write to the store ${this.location}: it was written, but ${count} of ${waitReplicas} replicas have it`,
      { hint: "Are the replicas running? store.wait_replicas sets how many must have a write" },
    );
  }

  #asJobError(error: unknown): JobError {
    if (error instanceof ReplyError && remedyOf(error) === "refuse") {
      return refusal(error, this.location);
    }
    if (error instanceof ConnectionLost || error instanceof ReplyError) {
      return unreachable(this.location, error);
    }
    return toJobError(error, `Cannot use the store ${this.location}`);
  }
}

function evalsha({ script, keys, args }: ScriptCall): (string | Uint8Array)[] {
  return ["EVALSHA", script.sha1, String(keys.length), ...keys, ...args];
}

/** Run a script once over an otherwise unused connection. @throws ConnectionLost, ReplyError */
async function runScript(connection: Connection, call: ScriptCall): Promise<Uint8Array> {
  const run = async () => {
    const reply: Reply = await connection.command(...evalsha(call));
    if (reply instanceof Uint8Array) return reply;
    throw notBytes();
  };
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ReplyError) || remedyOf(error) !== "load") throw error;
    await connection.command("SCRIPT", "LOAD", call.script.text);
    return await run();
  }
}

function notBytes(): JobError {
  return new JobError("internal", "Cannot use the store: a script did not return bytes");
}
