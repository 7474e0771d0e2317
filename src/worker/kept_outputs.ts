import type { OutputCapture } from "./output_capture.ts";

/** Most outputs that are kept; what holds the oldest one then finds its output closed. */
const KEPT_MAX = 100;

/**
 * Outputs of workers that have ended, held open by what their commands left running. They are read on, and dropped, so that it
 * can write to them; each costs two descriptors.
 */
export class KeptOutputs {
  readonly #kept = new Set<OutputCapture>();

  /** Read one on until it ends, or this process does. */
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

  /** Nobody reads any of them any more. */
  closeAll(): void {
    for (const output of [...this.#kept]) this.#close(output);
  }
}
