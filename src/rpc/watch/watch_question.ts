import type { MessageInitShape } from "@bufbuild/protobuf";
import { toJobError } from "../../core/errors.ts";
import type { ChangeOfInstance } from "../../manager/instances/followers.ts";
import { Scope } from "../../manager/scope.ts";
import type { Clock } from "../../platform/clock.ts";
import type { GetStatusResponse, JobService } from "../gen/job_pb.ts";
import { WIRE_STATE } from "../messages/convert.ts";
import { decodeMessage, encodeMessage } from "../model/message_codec.ts";
import { METHOD_OF } from "../model/methods.ts";
import type { CallSignal, UnaryName } from "../backend.ts";
import { WatchLog } from "./watch_log.ts";

/** Most rows of the lists in a message. */
const RUNNING_MAX = 100;
const LIST_MAX = 50;
/** Most changed instances noted between two messages. */
const NOTED_MAX = 100;
/** Least time between two readings while instances change. */
export const ROUND_MS = 1_000;
/** The same while nothing is known to change. */
export const QUIET_MS = 3_000;
/** Least time between readings of data without change counters: incidents, nodes, failures. */
const SLOW_MS = 5_000;

type Methods = typeof JobService["method"];

/** Source of the answers. */
export interface WatchSource {
  /** Complete a call of another method. @throws JobError */
  complete(method: UnaryName, request: Uint8Array, call: CallSignal): Promise<Uint8Array>;
  /** Listen to changes of instances; null means any. @returns a function that ends it */
  subscribe(listener: (change: ChangeOfInstance | null) => void): () => void;
  /** Resolves once listeners hear of every change; absent: at once. */
  subscribed?(): Promise<void>;
  readonly clock: Clock;
}

/** Subject of a group of watchers. */
export interface WatchSubject {
  /** Kinds, or patterns of kinds, that its watchers are limited to; null for all. */
  readonly jobs: readonly string[] | null;
  /** Arguments and results as JSON text, and not as texts. */
  readonly isJson: boolean;
  /** Only of this kind; undefined for all. */
  readonly kind: string | undefined;
}

/** One question with its watchers: it is answered for all of them together. */
export class WatchQuestion {
  readonly log: WatchLog;
  watcherCount = 0;
  /** Monotonic ms since which nobody watches. */
  leftMs = 0;
  /** The error of the first reading, which ends its watchers; null without one. */
  failure: unknown = null;

  readonly #source: WatchSource;
  readonly #subject: WatchSubject;
  readonly #call: CallSignal;
  readonly #scope: Scope | null;
  readonly #waiting = new Set<() => void>();
  readonly #noted = new Map<string, { readonly uuid: string; readonly kind: string }>();
  #hasMissed = false;
  #hasNews = true;
  #readMs = -Infinity;
  #slowMs = -Infinity;

  constructor(source: WatchSource, subject: WatchSubject, name: string) {
    this.#source = source;
    this.#subject = subject;
    this.log = new WatchLog(name);
    const { jobs, isJson } = subject;
    this.#scope = jobs && new Scope(jobs);
    this.#call = { jobs, isJson, isCanceled: () => false, onCancel: () => {} };
  }

  /** Note a changed instance; null if unknown. @returns true if the first since the last reading */
  note(change: ChangeOfInstance | null): boolean {
    if (change === null) {
      this.#hasMissed = true;
      return this.#noteNews();
    }
    const { type, instance: { id: uuid, kind } } = change;
    if (type === "log" || type === "attempt") return false;
    if (kind !== (this.#subject.kind ?? kind)) return false;
    if (this.#scope?.allows(kind) === false) return false;
    if (this.#noted.size < NOTED_MAX) this.#noted.set(uuid, { uuid, kind });
    else if (!this.#noted.has(uuid)) this.#hasMissed = true;
    return this.#noteNews();
  }

  #noteNews(): boolean {
    const isFirst = !this.#hasNews;
    this.#hasNews = true;
    return isFirst;
  }

  /** Note that changes were not observed for a while. */
  noteGap(): void {
    this.failure = null;
    this.#hasMissed = this.log.seq > 0;
    this.#hasNews = true;
    this.#slowMs = -Infinity;
  }

  /** True if it is time to read again. */
  isDue(nowMs: number): boolean {
    // A reading begins a little later than its round.
    return nowMs - this.#readMs >= (this.#hasNews ? ROUND_MS * 0.9 : QUIET_MS);
  }

  get hasNews(): boolean {
    return this.#hasNews && this.watcherCount > 0;
  }

  /** Resolves with the next message, or when `signal` aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  /** Wake the watchers, even without a message. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Read everything again, and publish the changes. */
  async read(): Promise<void> {
    const { clock } = this.#source;
    this.#readMs = clock.now().monotonicMs;
    this.#hasNews = false;
    const [noted, hasMissed] = [[...this.#noted.values()], this.#hasMissed];
    this.#noted.clear();
    this.#hasMissed = false;
    try {
      const isOthers = await this.#readParts();
      this.log.addChanges(noted, hasMissed || (isOthers && noted.length === 0));
      this.log.setProblem(undefined);
      this.failure = null;
    } catch (thrown) {
      // Repeat everything that this reading was for.
      for (const one of noted) this.#noted.set(one.uuid, one);
      this.#hasMissed ||= hasMissed;
      this.#hasNews = true;
      const error = toJobError(thrown, "Cannot watch");
      if (this.log.seq === 0) this.failure = error;
      else this.log.setProblem(error.message);
    }
    if (this.log.publish(clock.now().wallMs) || this.failure !== null) this.wake();
  }

  /** @returns true if counts have changed, and other nodes may have changed them */
  async #readParts(): Promise<boolean> {
    const { log } = this;
    const { monotonicMs } = this.#source.clock.now();
    const isSlow = monotonicMs - this.#slowMs >= SLOW_MS;
    const failedBefore = log.totalOf("terminated") + log.totalOf("timedOut");
    const { hasChanged, hasOthers } = await this.#readStatus();
    const kinds = this.#subject.kind === undefined ? [] : [this.#subject.kind];
    const { kind } = this.#subject;
    if (log.totalOf("processing") === 0n) log.setPart("running", NOTHING);
    else {
      await this.#readPart("running", "lookupInstances", {
        query: {
          kinds,
          states: [WIRE_STATE.processing],
          pageSize: RUNNING_MAX,
          oldestFirst: true,
        },
        brief: true,
      });
    }
    await this.#readPart("upcoming", "listUpcoming", { kind, limit: LIST_MAX });
    const failed = log.totalOf("terminated") + log.totalOf("timedOut");
    if (failed === 0n) log.setPart("failures", NOTHING);
    else if (isSlow || failed !== failedBefore || !log.has("failures")) {
      await this.#readPart("failures", "lookupInstances", {
        query: { kinds, states: [WIRE_STATE.terminated, WIRE_STATE.timedOut], pageSize: LIST_MAX },
        brief: true,
      });
    }
    await this.#readPart("pauses", "listPauses", {});
    if (isSlow) {
      await this.#readPart("incidents", "listIncidents", { kind, pageSize: LIST_MAX });
      await this.#readPart("nodes", "listNodes", { brief: true });
      this.#slowMs = monotonicMs;
    }
    return hasChanged && hasOthers;
  }

  async #readStatus() {
    const bytes = await this.#ask("getStatus", {});
    const status = decodeMessage<GetStatusResponse>("job.v1.GetStatusResponse", bytes);
    const { kind } = this.#subject;
    const counts = kind === undefined
      ? status.kinds
      : status.kinds.filter((one) => one.kind === kind);
    const hasChanged = this.log.setKinds(counts);
    const shown = { ...status, kinds: [], disabled: status.disabled.slice(0, LIST_MAX) };
    this.log.setPart("status", encodeMessage("job.v1.GetStatusResponse", shown));
    return { hasChanged, hasOthers: status.nodes > 1 };
  }

  async #readPart<Name extends UnaryName>(
    part: Parameters<WatchLog["setPart"]>[0],
    method: Name,
    request: MessageInitShape<Methods[Name]["input"]>,
  ): Promise<void> {
    this.log.setPart(part, await this.#ask(method, request));
  }

  #ask<Name extends UnaryName>(
    method: Name,
    request: MessageInitShape<Methods[Name]["input"]>,
  ): Promise<Uint8Array> {
    const bytes = encodeMessage(METHOD_OF[method].input, request);
    return this.#source.complete(method, bytes, this.#call);
  }
}

const NOTHING = new Uint8Array();
