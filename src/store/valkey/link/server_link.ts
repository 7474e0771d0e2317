import { backoffMs } from "../../../core/backoff.ts";
import { isJobError, JobError, messageOf } from "../../../core/errors.ts";
import type { ValkeyAddress } from "../../../core/store_address.ts";
import type { StoreTls } from "../../../core/store_config.ts";
import { type Clock, sleep } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Random } from "../../../platform/random.ts";
import { loadClientTls } from "../../../platform/network/tls.ts";
import { CallQueue, type WaitingCall } from "./call_queue.ts";
import { Channels } from "./channels.ts";
import { type Connection, ConnectionLost } from "./connection.ts";
import {
  connectServer,
  type FindOptions,
  findServer,
  locationOf,
  withinTime,
} from "./find_server.ts";
import { LINK_LIMITS, type LinkLimits } from "./link_limits.ts";
import type { GreetingRun, ScriptCall, ValkeyLink } from "./link.ts";
import { Pulse } from "./pulse.ts";
import { refusal, remedyOf, unreachable } from "./reply_errors.ts";
import { ReplyError } from "./resp.ts";
import { checkServer, type ServerFacts } from "./server_facts.ts";
import { noBulk, runScript } from "./run_script.ts";
import { TroubleLog } from "./trouble_log.ts";

/** Sendings of one call: more would mean that the call itself breaks the connection. */
const SENDINGS_MAX = 8;

/** What a link is made of. */
export interface ServerLinkOptions {
  readonly address: ValkeyAddress;
  /** Files of our side of TLS, read at each connection; null for plain TCP. */
  readonly tls: StoreTls | null;
  /** Any of the store's keys. */
  readonly key: string;
  readonly waitReplicas: number;
  /** How long the opening waits for a server that is out of reach, in milliseconds. */
  readonly startWaitMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits?: Partial<LinkLimits>;
}

interface Line {
  readonly main: Connection;
  readonly pushed: Connection;
}

/** The link to a server over TCP or TLS; it is found again, at another address too, whenever it is lost. */
export class ServerLink implements ValkeyLink {
  readonly location: string;
  readonly #options: ServerLinkOptions;
  readonly #limits: LinkLimits;
  #find: FindOptions;
  readonly #queue: CallQueue;
  readonly #channels = new Channels();
  readonly #trouble: TroubleLog;
  readonly #pulse: Pulse;
  readonly #reconnectListeners = new Set<() => void>();
  #stop = new AbortController();
  #greeting: (run: GreetingRun) => Promise<void> = () => Promise.resolve();
  #facts: ServerFacts | null = null;
  #line: Line | null = null;
  /** The loop that connects, while it runs. */
  #connecting: Promise<void> | null = null;
  #problem: JobError | null = null;
  /** Since when there is no connection, monotonic ms. */
  #lostSince: number | null = null;

  constructor(options: ServerLinkOptions) {
    const { address, clock } = options;
    this.#options = options;
    this.#limits = { ...LINK_LIMITS, ...options.limits };
    this.location = locationOf(address);
    this.#find = {
      address,
      clock,
      tls: null,
      connectMs: this.#limits.connectMs,
      handshakeMs: this.#limits.handshakeMs,
      location: this.location,
      key: options.key,
    };
    this.#trouble = new TroubleLog(options.logger, clock, this.location);
    this.#pulse = new Pulse(clock, this.#limits);
    this.#queue = new CallQueue({
      clock,
      callsMax: this.#limits.callsMax,
      bytesMax: this.#limits.bytesMax,
      deadlineOf: (askedAt) => this.#deadlineOf(askedAt),
      late: () => this.#late(),
    });
  }

  get isDurable(): boolean {
    return this.#facts?.isDurable ?? false;
  }

  get problem(): string | null {
    if (this.#problem) return this.#problem.message;
    const [oldest] = this.#queue.calls;
    const waitedMs = oldest ? this.#options.clock.now().monotonicMs - oldest.askedAt : 0;
    return waitedMs > this.#pulse.answerMs ? this.#late().message : null;
  }

  greet(greeting: (run: GreetingRun) => Promise<void>): void {
    this.#greeting = greeting;
  }

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
        this.#trouble.lost(problem.message);
        // The last attempt is at the end of the time.
        await sleep(clock, Math.min(waitMs, leftMs), this.#stop.signal);
      }
    }
    this.#trouble.found();
    for (const warning of this.#facts!.warnings) logger.warn(warning);
  }

  run(call: ScriptCall): Promise<Uint8Array> {
    if (this.#stop.signal.aborted) return Promise.reject(this.#closed());
    // Refused for a reason that time does not heal: waiting would only hide it.
    if (this.#problem && this.#problem.code !== "unavailable") return Promise.reject(this.#problem);
    try {
      const { waiting, promise } = this.#queue.add(call);
      if (this.#line) this.#send(this.#line.main, waiting);
      return promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(
    channel: string,
    listener: (message: Uint8Array) => void,
  ): Promise<() => Promise<void>> {
    await this.#channels.add(channel, listener);
    // When it fails the connection is gone, and with it what it listened to.
    return () => this.#channels.remove(channel, listener).catch(() => {});
  }

  onReconnect(listener: () => void): () => void {
    this.#reconnectListeners.add(listener);
    return () => void this.#reconnectListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#pulse.stop();
    const line = this.#line;
    this.#line = null;
    line?.main.destroy();
    line?.pushed.destroy();
    this.#queue.rejectAll(this.#closed());
    await this.#connecting;
  }

  /** A connection for calls and one for what is pushed, to a server that was found fit. */
  async #connect(): Promise<Line> {
    const { clock, logger, tls } = this.#options;
    if (tls) {
      const nowMs = clock.now().wallMs;
      this.#find = { ...this.#find, tls: await loadClientTls(tls, { nowMs, logger }) };
    }
    const at = await findServer(this.#find);
    const main = await connectServer(at, this.#find);
    try {
      const isCluster = this.#find.address.topology === "cluster";
      const askedMs = clock.now().monotonicMs;
      const facts = await withinTime(
        main,
        this.#find,
        () => checkServer(main, { location: this.location, isCluster }),
      );
      this.#pulse.answered(clock.now().monotonicMs - askedMs);
      await withinTime(
        main,
        this.#find,
        () => this.#greeting((call) => runScript(main, call)),
      );
      const pushed = await connectServer(at, this.#find);
      try {
        await withinTime(pushed, this.#find, () => this.#channels.move(pushed));
      } catch (error) {
        pushed.destroy();
        throw error;
      }
      this.#facts = facts;
      return { main, pushed };
    } catch (error) {
      main.destroy();
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
    for (const call of [...this.#queue.calls]) {
      if (this.#line !== line) return;
      this.#send(line.main, call);
    }
  }

  #lost(line: Line, reason: string): void {
    if (this.#line !== line) return;
    this.#line = null;
    this.#pulse.stop();
    this.#channels.lost();
    line.main.destroy(reason);
    line.pushed.destroy(reason);
    this.#problem = unreachable(this.location, new ConnectionLost(reason));
    this.#lostSince = this.#options.clock.now().monotonicMs;
    this.#queue.hurry();
    this.#trouble.lost(reason);
    this.#connecting ??= this.#reconnect().finally(() => this.#connecting = null);
  }

  async #reconnect(): Promise<void> {
    const { clock, random } = this.#options;
    const { retry } = this.#limits;
    let failures = 0;
    let isRefused = false;
    while (!this.#stop.signal.aborted) {
      // Not all nodes at the same moment.
      const waits = isRefused ? { firstMs: retry.refusedMs, longestMs: retry.refusedMs } : retry;
      await sleep(clock, backoffMs(waits, failures, random.next()), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        const before = this.#facts;
        const line = await this.#connect();
        this.#trouble.found();
        this.#tellChange(before);
        this.#use(line);
        for (const listener of this.#reconnectListeners) listener();
        if (this.#line) return;
        // Lost again at once: this loop is the one that goes on.
      } catch (error) {
        this.#problem = this.#asJobError(error);
        this.#trouble.lost(this.#problem.message);
        isRefused = this.#problem.code !== "unavailable";
        if (isRefused) this.#queue.rejectAll(this.#problem);
        failures += 1;
      }
    }
  }

  #tellChange(before: ServerFacts | null): void {
    const now = this.#facts!;
    const isAnother = before !== null && before.runId !== now.runId;
    const canLose = this.#options.address.topology !== "single" || !now.survivesCrash;
    if (isAnother && canLose) this.#trouble.changed();
  }

  #send(connection: Connection, call: WaitingCall): void {
    const { clock, waitReplicas } = this.#options;
    call.sent += 1;
    if (call.sent > SENDINGS_MAX) return call.reject(this.#late());
    const sentAt = clock.now().monotonicMs;
    const answered = () => this.#pulse.answered(clock.now().monotonicMs - sentAt);
    const refuse = (error: Error) => this.#failed(connection, call, error);
    const waits = waitReplicas > 0 && call.isWrite === true;
    let value: Uint8Array | null = null;
    const parts = ["EVALSHA", call.script.sha1, String(call.keys.length), ...call.keys];
    connection.send([...parts, ...call.args], {
      resolve: (reply) => {
        answered();
        if (!(reply instanceof Uint8Array)) return call.reject(noBulk());
        value = reply;
        if (!waits) call.resolve(value);
      },
      reject: (error) => {
        if (error instanceof ReplyError) answered();
        refuse(error);
      },
    });
    if (!waits) return;
    connection.send(["WAIT", String(waitReplicas), String(this.#limits.replicasMs)], {
      resolve: (count) => {
        if (value === null) return;
        if (Number(count) >= waitReplicas) call.resolve(value);
        else call.reject(this.#notReplicated(Number(count)));
      },
      reject: (error) => value === null ? undefined : refuse(error),
    });
  }

  #failed(connection: Connection, call: WaitingCall, error: Error): void {
    // Lost with its connection: it is sent again on the next one.
    if (!(error instanceof ReplyError)) return;
    switch (remedyOf(error)) {
      case "load":
        connection.send(["SCRIPT", "LOAD", call.script.text], {
          resolve: () => this.#queue.has(call) && this.#send(connection, call),
          reject: (thrown) => this.#failed(connection, call, thrown),
        });
        return;
      case "reconnect":
        // It was not executed, and it is no fault of its own.
        call.sent -= 1;
        connection.destroy(error.message);
        return;
      case "refuse":
        call.reject(refusal(error, this.location));
    }
  }

  /**
   * While there is a connection a late answer is worth waiting for, as what was asked is done; the pulse finds out a server that
   * answers nothing. Callers queue behind others: without one none may wait for the whole time after those before it did.
   */
  #deadlineOf(askedAt: number): number {
    const { answerMs, troubledMs, lateMs } = this.#limits;
    if (this.#lostSince === null) return askedAt + lateMs;
    return Math.max(askedAt + troubledMs, this.#lostSince + answerMs);
  }

  #late(): JobError {
    return this.#problem ??
      new JobError(
        "unavailable",
        `Cannot use the store ${this.location}: no answer within ${this.#pulse.answerMs} ms`,
        { hint: "The server is slow, or the network to it" },
      );
  }

  #closed(): JobError {
    return new JobError("unavailable", `Cannot use the store ${this.location}: it was closed`);
  }

  #notReplicated(count: number): JobError {
    const { waitReplicas } = this.#options;
    return new JobError(
      "unavailable",
      `Cannot make sure of a write to the store ${this.location}: it was written, and ${count} of ${waitReplicas} replicas have it`,
      { hint: "Are the replicas running? store.wait_replicas says how many must have a write" },
    );
  }

  #asJobError(error: unknown): JobError {
    if (isJobError(error)) return error;
    if (error instanceof ReplyError && remedyOf(error) === "refuse") {
      return refusal(error, this.location);
    }
    if (error instanceof ConnectionLost || error instanceof ReplyError) {
      return unreachable(this.location, error);
    }
    return new JobError("internal", `Cannot use the store ${this.location}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
