import { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { Audit } from "../auth/audit.ts";
import { type Requester, requesterName } from "../auth/requester.ts";
import { type Caller, withoutRule } from "../auth/auth.ts";
import { sessionsOf } from "../auth/session_proof.ts";
import { fieldRefusal } from "../auth/field_role.ts";
import type { CallTracker, Origin } from "../guard/call_tracker.ts";
import { Quota } from "../guard/quota.ts";
import type { Backend, CallerInfo, CallSignal, StreamName, UnaryName } from "../backend.ts";
import { METHOD_RULES } from "../gen/method_rules.ts";
import { FOLLOWS, READS_WAITING, WAITS } from "../limits.ts";
import { restOfWait } from "../messages/wait_response.ts";
import { ReadGate } from "./read_gate.ts";

/** Signals that a client gave up its call: an AbortSignal, or the part needed for calls. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(
    type: "abort",
    listener: () => void,
    options: { readonly once: true },
  ): void;
}

/** The caller of a call, on any transport. */
export interface RequestContext {
  /** Null for an unauthenticated caller. */
  readonly caller: Caller | null;
  /** The tracker's name of its connection. */
  readonly peer: string;
  /** The client, for the log, if a proxy is between it and the peer. */
  readonly from?: string | undefined;
  /** Aborts when the client has disconnected or its deadline has passed. */
  readonly signal: CancelSignal;
  /** True to return arguments and results as JSON text, not as texts. */
  readonly isJson?: boolean;
}

/** The same for a call that returns a stream. */
export interface StreamContext extends RequestContext {
  readonly signal: AbortSignal;
}

/** Completes the calls of a method. */
type Policy = (
  method: UnaryName,
  request: Uint8Array,
  context: RequestContext,
) => Promise<Uint8Array>;

/**
 * Completes the calls of every transport under the same policies: reads pass a gate, waits and
 * streams are limited in number, changes are logged, and some requests are refused by their
 * fields. Callers are authenticated, and may call the method.
 */
export class Calls {
  readonly #backend: Backend;
  readonly #audit: Audit;
  readonly #reads: ReadGate;
  readonly #tracker: CallTracker;
  readonly #waitingReads = new Quota("waiting reads", READS_WAITING);
  readonly #waits = new Quota("waiting calls", WAITS);
  readonly #follows = new Quota("followers", FOLLOWS);
  #isStopping = false;

  constructor(
    options: {
      readonly backend: Backend;
      readonly clock: Clock;
      readonly tracker: CallTracker;
      readonly logger: Logger;
    },
  ) {
    const { backend, clock, tracker, logger } = options;
    this.#backend = backend;
    this.#tracker = tracker;
    this.#audit = new Audit(logger, clock);
    this.#reads = new ReadGate((peer) => tracker.hasRoom(peer));
    tracker.onRead(() => this.#reads.poke());
  }

  /** Complete a call. @throws JobError */
  complete(method: UnaryName, request: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    return this.policyOf(method)(method, request, context);
  }

  /** The completion of a method's calls: {@link complete} for one method. */
  policyOf(method: UnaryName): Policy {
    return METHOD_RULES[method]?.fields ? this.#checked : this.#plainPolicyOf(method);
  }

  #plainPolicyOf(method: UnaryName): Policy {
    const rule = METHOD_RULES[method];
    if (rule === undefined) return refuse;
    if (rule.effect === "read" || rule.effect === "list") return this.#read;
    if (method === "waitInstance") return this.#wait;
    if (method === "scheduleJob") return this.#schedule;
    return Audit.has(method) ? this.#change : this.#pass;
  }

  /**
   * The messages of a stream, each produced when the previous one was taken. The consumer ends it
   * by its signal.
   *
   * @throws JobError; `unavailable` for a follower when the daemon is stopping
   */
  async *stream(
    method: StreamName,
    request: Uint8Array,
    context: StreamContext,
  ): AsyncGenerator<Uint8Array> {
    const { signal, peer, caller } = context;
    const refusal = METHOD_RULES[method]
      ? fieldRefusal(method, caller, request)
      : withoutRule(method);
    if (refusal) throw refusal;
    const call = { signal, jobs: jobsOf(context), isJson: context.isJson };
    if (method === "workOnStore") {
      this.#audit.noteStart(method, { ...this.#requesterOf(context), request });
      yield* this.#backend.stream(method, request, call);
      return;
    }
    const release = this.#follows.take(this.#tracker.originOf(peer));
    try {
      yield* this.#backend.stream(method, request, call);
    } finally {
      release();
    }
    if (!this.#isStopping) return;
    throw new JobError("unavailable", "Cannot follow any longer: the daemon is stopping", {
      hint: "Resume from the last cursor once it has restarted",
    });
  }

  /** From now on, followers whose streams end learn that the daemon is stopping. */
  beginStop(): void {
    this.#isStopping = true;
  }

  readonly #pass: Policy = (method, request, context) =>
    this.#complete(method, request, this.#signalOf(method, context));

  readonly #checked: Policy = (method, request, context) => {
    const refusal = fieldRefusal(method, context.caller, request);
    if (refusal) return Promise.reject(refusal);
    return this.#plainPolicyOf(method)(method, request, context);
  };

  readonly #schedule: Policy = (method, request, context) =>
    this.#pass(method, request, context).then((response) => {
      if (Audit.hasSchedule(response)) {
        this.#log(method, context, { request, response, since: this.#audit.now() });
      }
      return response;
    });

  readonly #change: Policy = async (method, request, context) => {
    const since = this.#audit.now();
    this.#audit.noteStart(method, { ...this.#requesterOf(context), request });
    const response = await this.#pass(method, request, context);
    this.#log(method, context, { request, response, since });
    return response;
  };

  /**
   * Complete a read of the store by this thread, as JSON text, which is encoded only once.
   *
   * @param request the whole message
   * @returns null for a method of another thread
   */
  readJson(method: UnaryName, request: object, context: RequestContext): Promise<string> | null {
    const { reads } = this.#backend;
    if (!reads?.has(method) || METHOD_RULES[method]?.fields) return null;
    return this.#atGate(method, context, (signal) => reads.json(method, request, signal));
  }

  readonly #read: Policy = (method, request, context) =>
    this.#atGate(method, context, (signal) => this.#complete(method, request, signal));

  async #atGate<Response>(
    method: UnaryName,
    context: RequestContext,
    read: (signal: CallSignal) => Promise<Response>,
  ): Promise<Response> {
    const origin = this.#tracker.originOf(context.peer);
    const signal = this.#signalOf(method, context);
    const release = this.#waitingReads.take(origin);
    if (!await this.#reads.enter(origin, signal).finally(release)) throw canceled();
    try {
      return await read(signal);
    } finally {
      this.#reads.leave();
    }
  }

  readonly #wait: Policy = async (method, request, context) => {
    const origin = this.#tracker.originOf(context.peer);
    const signal = this.#signalOf(method, context);
    const release = this.#waits.take(origin);
    try {
      const response = await this.#complete(method, request, signal);
      const rest = restOfWait(response);
      return rest === null ? response : await this.#readRest(rest, origin, signal);
    } finally {
      release();
    }
  };

  async #readRest(request: Uint8Array, origin: Origin, signal: CallSignal): Promise<Uint8Array> {
    if (!await this.#reads.enter(origin, signal)) throw canceled();
    try {
      const page = await this.#complete("lookupInstances", request, signal);
      // Both responses have the instance as their first field.
      if (page.byteLength > 0) return page;
    } finally {
      this.#reads.leave();
    }
    throw new JobError("not_found", "Cannot wait for an instance that was deleted meanwhile", {
      path: "uuid",
    });
  }

  #complete(method: UnaryName, request: Uint8Array, signal: CallSignal): Promise<Uint8Array> {
    return this.#backend.complete(method, request, signal);
  }

  #signalOf(method: UnaryName, context: RequestContext): CallSignal {
    const { signal } = context;
    return {
      isCanceled: () => signal.aborted,
      onCancel: (listener) => signal.addEventListener("abort", listener, { once: true }),
      jobs: jobsOf(context),
      caller: METHOD_RULES[method]?.caller && this.#callerInfo(method, context),
      isJson: context.isJson,
    };
  }

  #callerInfo(method: UnaryName, context: RequestContext): CallerInfo {
    const { role, jobs } = context.caller ?? {};
    const requester = this.#requesterOf(context);
    return {
      name: requesterName(requester),
      isAdmin: role === "admin" && jobs === null,
      ...(METHOD_RULES[method]?.caller === "sessions" ? sessionsOf(requester) : {}),
    };
  }

  #requesterOf({ caller, peer, from }: RequestContext): Requester {
    return { caller, peer, from, uid: this.#tracker.userOf(peer) };
  }

  #log(
    method: UnaryName,
    context: RequestContext,
    outcome: {
      readonly since: number;
      readonly request: Uint8Array;
      readonly response: Uint8Array;
    },
  ): void {
    this.#audit.log(method, { ...this.#requesterOf(context), ...outcome });
  }
}

const refuse: Policy = (method) => Promise.reject(withoutRule(method));

function canceled(): JobError {
  return new JobError("canceled", "Canceled: the client disconnected before the read started");
}

/** The jobs that a call is limited to: null for all, none for an unauthenticated call. */
function jobsOf({ caller }: RequestContext): Caller["jobs"] {
  return caller === null ? [] : caller.jobs;
}
