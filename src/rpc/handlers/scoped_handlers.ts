import { JobError, toJobError } from "../../core/errors.ts";
import { throwScoped } from "../../manager/scope.ts";
import { ITEMS_MAX, JSON_LENGTH_MAX, MESSAGE_BYTES_MAX } from "../limits.ts";
import { checkTexts, decodeRequest } from "../messages/decode_request.ts";
import { encodeMessage } from "../model/message_codec.ts";
import { type Method, METHOD_OF } from "../model/methods.ts";
import { writeJson } from "../model/write_json.ts";
import type { CallerInfo, CallInfo, LocalReads, UnaryName } from "../backend.ts";
import type { CallState, Handlers } from "./handler.ts";

/** Most cached views: there is one per distinct list of jobs. */
const VIEWS_MAX = 100;

const NOBODY: CallerInfo = { name: "", isAdmin: false };

/** An API, whole or limited to certain jobs, and its handlers. */
interface View<Api> {
  readonly api: Api;
  readonly handlers: Partial<Handlers>;
}

/** Options of {@link ScopedHandlers}. */
export interface ScopedHandlersOptions<Api> {
  readonly api: Api;
  /** The API for callers limited to certain jobs. */
  readonly limit: (jobs: readonly string[]) => Api;
  readonly handlersOf: (api: Api) => Partial<Handlers>;
}

interface CallForm<Response> {
  /** The request. @throws JobError */
  read(): object;
  write(response: object): Response;
  readonly lengthMax: number;
}

/** Completes unary calls with the handlers over an API, each caller limited to its own jobs. */
export class ScopedHandlers<Api> implements LocalReads {
  readonly #options: ScopedHandlersOptions<Api>;
  readonly #whole: View<Api>;
  readonly #limited = new Map<string, View<Api>>();

  constructor(options: ScopedHandlersOptions<Api>) {
    this.#options = options;
    this.#whole = this.#view(options.api);
  }

  has(method: UnaryName): boolean {
    return Object.hasOwn(this.#whole.handlers, method);
  }

  /** The API for a caller, limited to its jobs; null for all. */
  apiFor(jobs: CallInfo["jobs"]): Api {
    return this.#viewFor(jobs).api;
  }

  /** Complete one call, from bytes to bytes. @throws JobError */
  complete(method: UnaryName, request: Uint8Array, call: CallInfo): Promise<Uint8Array> {
    const { input, output } = METHOD_OF[method];
    return this.#complete(method, call, {
      read: () => decodeRequest(input, request),
      write: (response) => encodeMessage(output, response, call.isJson ? "json" : "texts"),
      lengthMax: MESSAGE_BYTES_MAX,
    });
  }

  /** Complete one call, from its message to JSON text. @throws JobError */
  json(method: UnaryName, request: object, call: CallInfo): Promise<string> {
    const { input, output } = METHOD_OF[method];
    return this.#complete(method, call, {
      read() {
        checkTexts(input, request);
        return request;
      },
      write: (response) => writeJson(output, response),
      lengthMax: JSON_LENGTH_MAX,
    });
  }

  #complete<Response extends { readonly length: number }>(
    method: UnaryName,
    call: CallInfo,
    form: CallForm<Response>,
  ): Promise<Response> {
    const { handlers } = this.#viewFor(call.jobs);
    const response = completeCall(METHOD_OF[method], handlers, call, form);
    return call.jobs === null ? response : response.catch(throwScoped);
  }

  #viewFor(jobs: CallInfo["jobs"]): View<Api> {
    if (jobs === null) return this.#whole;
    // Kinds may have blanks, and different callers' patterns must stay different.
    const key = JSON.stringify(jobs);
    const known = this.#limited.get(key);
    if (known !== undefined) return known;
    const view = this.#view(this.#options.limit(jobs));
    if (this.#limited.size >= VIEWS_MAX) this.#limited.clear();
    this.#limited.set(key, view);
    return view;
  }

  #view(api: Api): View<Api> {
    return { api, handlers: this.#options.handlersOf(api) };
  }
}

/** If the response exceeds one message, repeat the request with a smaller page, or in brief. */
async function completeCall<Response extends { readonly length: number }>(
  method: Method,
  handlers: Partial<Handlers>,
  { isCanceled, caller = NOBODY }: CallInfo,
  { read, write, lengthMax }: CallForm<Response>,
): Promise<Response> {
  const request = read();
  const handle = handlers[method.name as UnaryName] as unknown as (
    request: unknown,
    call: CallState,
  ) => Promise<object>;
  const call: CallState = {
    isCanceled,
    caller,
    pageLimit: ITEMS_MAX,
    pageItems: 0,
    canBeBrief: false,
    isBrief: false,
  };
  try {
    for (;;) {
      const response = write(await handle(request, call));
      const { length } = response;
      if (length <= lengthMax) return response;
      if (call.pageItems <= 1 && call.canBeBrief && !call.isBrief) {
        call.isBrief = true;
        continue;
      }
      if (call.pageItems <= 1) throw tooLarge(method, length, lengthMax);
      const share = lengthMax / length * 0.8;
      call.pageLimit = Math.max(1, Math.floor(call.pageItems * share));
    }
  } catch (error) {
    throw toJobError(error, `Cannot complete ${method.title}`);
  }
}

function tooLarge(method: Method, length: number, lengthMax: number): JobError {
  const problem = `the response has ${length} bytes, at most ${lengthMax} fit into one message`;
  return new JobError("resource_exhausted", `Cannot complete ${method.title}: ${problem}`, {
    hint: "Keep large data in a file or a database and pass its name",
  });
}
