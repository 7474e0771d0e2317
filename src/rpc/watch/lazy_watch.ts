import { Lazy } from "../../platform/lazy.ts";
import type { StreamSignal } from "../backend.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { WatchSource } from "./watch_question.ts";

/** A hub of watchers that is loaded with the first one, which saves memory while idle. */
export class LazyWatch {
  readonly #hub: Lazy<WatchHub>;

  constructor(source: WatchSource) {
    this.#hub = new Lazy(async () => {
      const { WatchHub } = await import("./watch_hub.ts");
      return new WatchHub(source, source.clock.now().wallMs.toString(36));
    });
  }

  /** The messages of one call of Watch. @throws JobError as `WatchHub.watch` */
  async *stream(request: Uint8Array, call: StreamSignal): AsyncGenerator<Uint8Array> {
    yield* (await this.#hub.get()).watch(request, call);
  }
}
