import type { ChildProcess } from "node:child_process";

/**
 * The parent's end of the runtime's own channel to a child, for systems where a child cannot use a
 * pipe of ours as one. It has no limits: on Windows a child has the rights of its parent anyway.
 */
export class IpcChannel {
  readonly #child: ChildProcess;
  #isOpen = true;

  /** @param child started with "ipc" as one of its streams, and JSON between them */
  constructor(child: ChildProcess, onMessage: (message: unknown) => void) {
    this.#child = child;
    child.on("message", (message) => {
      if (this.#isOpen) onMessage(message);
    });
    child.once("disconnect", () => this.#isOpen = false);
  }

  send(message: unknown): void {
    // One that has closed its end just ends.
    if (this.#isOpen && this.#child.connected) this.#child.send(message as object, () => {});
  }

  /** Read and send nothing more. */
  close(): void {
    this.#isOpen = false;
    if (this.#child.connected) this.#child.disconnect();
  }
}
