import type { ChildProcess } from "node:child_process";
import type { ChildChannel } from "./child_channel.ts";

/**
 * The parent's end of the runtime's own channel to a child. It is for Windows, where a child cannot
 * use our pipe as a channel. Unlike {@link ChildChannel}, it has no limits: a child there has its
 * parent's rights anyway.
 */
export class IpcChannel implements Pick<ChildChannel, keyof ChildChannel> {
  readonly #child: ChildProcess;
  /** Bytes of messages that are still in this process. */
  #unsentBytes = 0;
  #isReading = true;
  #isOpen = true;
  #onClosed: (() => void) | null = null;

  /**
   * @param child started with "ipc" as one of its streams, and JSON between them
   * @param onMessage called with each message and its size
   */
  constructor(child: ChildProcess, onMessage: (message: unknown, bytes: number) => void) {
    this.#child = child;
    child.on("message", (message) => {
      if (this.#isReading) onMessage(message, JSON.stringify(message).length);
    });
    child.once("disconnect", () => {
      this.#isOpen = false;
      this.#onClosed?.();
    });
  }

  get unreadBytes(): number {
    return this.#unsentBytes;
  }

  send(message: unknown): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    // A child that has closed its end just ends.
    if (!this.#isReading || !this.#child.connected) return;
    this.#unsentBytes += text.length;
    this.#child.send(JSON.parse(text), () => this.#unsentBytes -= text.length);
  }

  whenClosed(callback: () => void): void {
    if (this.#isOpen) this.#onClosed = callback;
    else callback();
  }

  close(): void {
    this.#isReading = false;
    if (this.#child.connected) this.#child.disconnect();
  }
}
