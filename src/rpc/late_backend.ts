import type { Backend, CallSignal, StreamSignal, UnaryName } from "./backend.ts";
import type { StreamName } from "./handlers.ts";

/** A backend that is loaded at the first call: an idle daemon does without it. */
export class LateBackend implements Backend {
  readonly #load: () => Promise<Backend>;
  #loading: Promise<Backend> | null = null;
  #backend: Backend | null = null;

  constructor(load: () => Promise<Backend>) {
    this.#load = load;
  }

  async answer(
    method: UnaryName,
    request: Uint8Array,
    call: CallSignal,
  ): Promise<Uint8Array> {
    return await (this.#backend ?? await this.#loaded()).answer(method, request, call);
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

  async #loaded(): Promise<Backend> {
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
