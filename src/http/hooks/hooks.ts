import { orElse } from "../../core/or_else.ts";
import { JobError, toJobError } from "../../core/errors.ts";
import { HOOK_PATH, type JobHook } from "../../core/hooks/hook.ts";
import { BurstLog } from "../../platform/burst_log.ts";
import type { Clock } from "../../platform/clock.ts";
import { idOfText } from "../../platform/text_ids.ts";
import type { Logger } from "../../platform/logger.ts";
import type { PlainResponse } from "../request/http_types.ts";
import { problemResponse } from "../api/problem.ts";
import { Buckets } from "../request/buckets.ts";
import type { HttpRequest, Responder } from "../request/http_types.ts";
import { Paced } from "../../rpc/guard/paced.ts";
import type { StatusSource } from "../monitoring/status_source.ts";
import { Delivery } from "./delivery.ts";
import { verify } from "./signatures.ts";

/** Largest body, in bytes. */
export const BODY_BYTES_MAX = 1_048_576;
/** Largest body that is verified even after too many wrong requests from its address. */
const SMALL_BODY_BYTES_MAX = 65_536;
/** Unverified requests of one address. */
const OF_ADDRESS = { burst: 100, perSecond: 10 };
/** Deliveries to one hook. */
const OF_HOOK = { burst: 500, perSecond: 50 };
/** Lookups of hooks at once; further ones share lookups every 100 ms. */
const QUESTIONS = { burst: 100, perSecond: 50 };
/** Lines in the log about strangers, for each hook. */
const REFUSALS_LOGGED = { burst: 20, perSecond: 0.2 };
/** Wait for a sender whose request was refused for now, in seconds. */
const RETRY_AFTER_S = "10";
const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** Options of {@link Hooks}. */
export interface HooksOptions {
  readonly source: Pick<StatusSource, "hooks" | "deliver">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Takes requests to the hooks of jobs: verifies them, and starts the jobs. */
export class Hooks implements Responder {
  readonly #options: HooksOptions;
  readonly #paced: Paced<ReadonlyMap<string, JobHook>>;
  readonly #questions: Buckets;
  readonly #log: BurstLog;
  readonly #refusals: Buckets;
  /** Unlogged refusals since the last logged one. */
  #omitted = 0;
  readonly #byAddress: Buckets;
  readonly #byHook: Buckets;

  constructor(options: HooksOptions) {
    this.#options = options;
    const { source, clock, logger } = options;
    this.#paced = new Paced(clock, () => source.hooks());
    this.#questions = new Buckets(clock, QUESTIONS);
    this.#log = new BurstLog(logger, clock, "requests to hooks", "See jobctl list instances");
    this.#refusals = new Buckets(clock, REFUSALS_LOGGED);
    this.#byAddress = new Buckets(clock, OF_ADDRESS);
    this.#byHook = new Buckets(clock, OF_HOOK);
  }

  async respond(request: HttpRequest): Promise<PlainResponse> {
    const { address } = request;
    // Strangers may share the address of a proxy with senders who know the secret.
    const limited = this.#byAddress.take(address) ? null : tooManyOfAddress();
    if (limited !== null && !isSmall(request)) return limited;
    const kind = kindOf(request.path);
    const hook = kind === null ? undefined : (await this.#hooks()).get(kind);
    if (kind === null || hook === undefined) return limited ?? noHook();
    if (request.method !== "POST") return limited ?? notPost();
    const body = await request.body(BODY_BYTES_MAX);
    const { headers, query } = request;
    const verdict = verify(hook, { headers, body }, this.#options.clock.now().wallMs);
    if (!verdict.isRight) return limited ?? this.#refuse(verdict.reason, { kind, address });
    request.admit();
    // Only foreign senders count.
    if (limited === null) this.#byAddress.giveBack(address);
    if (!this.#byHook.take(kind)) return tooMany("Too many requests to this hook");
    const found = { kind, hook, id: verdict.delivery, address };
    return await this.#deliver(new Delivery({ headers, query, body }), found).catch((thrown) => {
      const error = toJobError(thrown, `Cannot start job "${kind}"`);
      this.#log.tell("warn", "Cannot take a request to a hook", {
        job: kind,
        address,
        problem: error.message,
      });
      return refusal(error, hook);
    });
  }

  #refuse(
    reason: string,
    { kind, address }: { readonly kind: string; readonly address: string },
  ): PlainResponse {
    if (this.#refusals.take(kind)) {
      const more = this.#omitted === 0 ? {} : { omitted: this.#omitted };
      this.#omitted = 0;
      const fields = { job: kind, address, reason, ...more };
      this.#options.logger.warn("Refused a request to a hook", fields);
    } else this.#omitted += 1;
    return unverified();
  }

  /** Current hooks. A flood takes little time from the thread that knows them. */
  #hooks(): Promise<ReadonlyMap<string, JobHook>> {
    return this.#questions.take("") ? this.#options.source.hooks() : this.#paced.get();
  }

  async #deliver(
    delivery: Delivery,
    { kind, hook, id: given, address }: {
      readonly kind: string;
      readonly hook: JobHook;
      readonly id: string | null;
      readonly address: string;
    },
  ): Promise<PlainResponse> {
    const unmet = delivery.unmet(hook);
    if (unmet !== null) return answer(200, { ignored: unmet.from.text });
    const once = hook.form === "stripe" ? eventOf(delivery) ?? given : given;
    const id = once === null ? null : idOfText(JSON.stringify(["hook", kind, hook.form, once]));
    const run = await this.#options.source.deliver(kind, {
      id,
      arguments: delivery.arguments(hook),
    });
    if (run.isNew) {
      this.#log.tell("info", "A hook has started a job", { job: kind, address, id: run.id });
    }
    return answer(run.isNew ? 201 : 200, { id: run.id });
  }
}

/** True if the body of a request costs little to verify. */
function isSmall({ headers }: HttpRequest): boolean {
  const { "content-length": length = "0", "transfer-encoding": encoding } = headers;
  return encoding === undefined && Number(length) <= SMALL_BODY_BYTES_MAX;
}

/** The kind in a path; null without one. */
function kindOf(path: string): string | null {
  const text = path.slice(HOOK_PATH.length).replace(/\/$/, "");
  if (text.includes("/")) return null;
  return orElse(() => decodeURIComponent(text), null);
}

/** The id of an event of Stripe: each attempt to deliver it is signed anew. */
function eventOf({ body }: Delivery): string | null {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "id")) return null;
  const id: unknown = Reflect.get(body, "id");
  return typeof id === "string" && id !== "" ? `event ${id}` : null;
}

function answer(status: number, body: Readonly<Record<string, string>>): PlainResponse {
  return { status, headers: JSON_HEADERS, body: JSON.stringify(body) };
}

/** The response to a delivery that was verified and cannot be taken. */
function refusal(error: JobError, hook: JobHook): PlainResponse {
  switch (error.code) {
    case "not_found":
      return noHook();
    case "unimplemented":
      return problemResponse(error, 415);
    case "invalid_argument":
      return problemResponse(withSource(error, hook), 422);
    case "internal":
      return problemResponse(error);
    default:
      // Senders try again.
      return problemResponse(error, 503, { "retry-after": RETRY_AFTER_S });
  }
}

/** The error about an argument, with its place in the delivery. */
function withSource(error: JobError, hook: JobHook): JobError {
  const root = /^[^.[]*/.exec(error.path ?? "")![0];
  const from = hook.arguments.find(({ name }) => name === root)?.from.text;
  if (from === undefined || error.message.includes(from)) return error;
  const { code, message, hint, path } = error;
  return new JobError(code, `${message} (from ${from})`, { hint, path, cause: error });
}

function noHook(): PlainResponse {
  return problemResponse(new JobError("not_found", "There is no such hook"));
}

function notPost(): PlainResponse {
  const error = new JobError("unimplemented", "Cannot read a hook: send a POST to it");
  return problemResponse(error, 405, { allow: "POST" });
}

/** The same for every reason: strangers learn nothing from it. */
function unverified(): PlainResponse {
  const error = new JobError("unauthenticated", "Cannot verify the request", {
    hint: "The log of the daemon says why",
  });
  return problemResponse(error, 401);
}

function tooManyOfAddress(): PlainResponse {
  return tooMany("Too many requests of this address");
}

function tooMany(what: string): PlainResponse {
  const error = new JobError("resource_exhausted", what);
  return problemResponse(error, 429, { "retry-after": RETRY_AFTER_S });
}
