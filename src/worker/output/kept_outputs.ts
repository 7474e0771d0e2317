import type { OutputCapture } from "./output_capture.ts";

/** Most outputs kept; beyond that, the oldest is closed. */
const KEPT_MAX = 100;

/**
 * Outputs of ended workers that processes left by their commands still have open. They are read and
 * discarded, so that those processes can write. Each takes two descriptors.
 */
export class KeptOutputs {
  readonly #kept = new Set<OutputCapture>();

  /** Keep reading an output until it ends, or this process does. */
  add(output: OutputCapture): void {
    output.release();
    this.#kept.add(output);
    output.whenClosed(() => this.#kept.delete(output));
    if (this.#kept.size > KEPT_MAX) this.#close(this.#kept.values().next().value!);
  }

  #close(output: OutputCapture): void {
    this.#kept.delete(output);
    output.close();
  }

  /** Stop reading all of them. */
  closeAll(): void {
    for (const output of [...this.#kept]) this.#close(output);
  }
}
