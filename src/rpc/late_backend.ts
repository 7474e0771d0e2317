import type { Backend, CallInfo, CallSignal, StreamSignal, UnaryName } from "./backend.ts";
import type { StreamName } from "./handlers.ts";

/** A backend that is loaded at the first call: an idle daemon does without it. */
export class LateBackend<Call extends CallInfo = CallSignal> implements Backend<Call> {
  readonly #load: () => Promise<Backend<Call>>;
  #loading: Promise<Backend<Call>> | null = null;
  #backend: Backend<Call> | null = null;

  constructor(load: () => Promise<Backend<Call>>) {
    this.#load = load;
  }

  answer(method: UnaryName, request: Uint8Array, call: Call): Promise<Uint8Array> {
    if (this.#backend) return this.#backend.answer(method, request, call);
    return this.#loaded().then((backend) => backend.answer(method, request, call));
  }

  async *stream(
    method: StreamName,
    request: Uint8Array,
    call: StreamSignal,
  ): AsyncGenerator<Uint8Array> {
    yield* (await this.#loaded()).stream(method, request, call);
  }

  async isServing(): Promise<boolean> {
    return await (await this.#loaded()).isServing();
  }

  async #loaded(): Promise<Backend<Call>> {
    this.#loading ??= this.#load();
    try {
      return this.#backend = await this.#loading;
    } catch (error) {
      // The next call will try again.
      this.#loading = null;
      throw error;
    }
  }
}
