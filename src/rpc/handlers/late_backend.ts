import type { Backend, CallInfo, CallSignal, StreamSignal, UnaryName } from "./backend.ts";
import type { StreamName } from "./handlers.ts";
import { Late } from "../server/late.ts";

/** A backend that is loaded at the first call. */
export class LateBackend<Call extends CallInfo = CallSignal> implements Backend<Call> {
  readonly #late: Late<Backend<Call>>;

  constructor(load: () => Promise<Backend<Call>>) {
    this.#late = new Late(load);
  }

  answer(method: UnaryName, request: Uint8Array, call: Call): Promise<Uint8Array> {
    const backend = this.#late.value;
    if (backend) return backend.answer(method, request, call);
    return this.#late.get().then((loaded) => loaded.answer(method, request, call));
  }

  async *stream(
    method: StreamName,
    request: Uint8Array,
    call: StreamSignal,
  ): AsyncGenerator<Uint8Array> {
    yield* (await this.#late.get()).stream(method, request, call);
  }

  async isServing(): Promise<boolean> {
    return await (await this.#late.get()).isServing();
  }
}
