import type { Instance } from "../../core/instance.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../core/payload_chars.ts";

/** Most instances that an operation answers with. */
const INSTANCES_MAX = 10_000;

/** The answer of an operation that changed many instances: not all of them have room in memory at once. */
export class ChangedInstances {
  readonly #instances: Instance[] = [];
  #chars = 0;

  add(instances: readonly Instance[]): void {
    for (const instance of instances) {
      if (this.#instances.length >= INSTANCES_MAX) return;
      this.#chars += instanceChars(instance);
      const hasRoom = this.#chars <= PAGE_CHARS_MAX;
      this.#instances.push(
        hasRoom ? instance : { ...instance, argumentsJson: "[]", resultsJson: null },
      );
    }
  }

  /** The first of them; those behind the first megabytes without arguments and results. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }
}
