import { writeSync } from "node:fs";
import process from "node:process";
import { errorCode } from "../../core/errors.ts";

/** Rows and columns of a terminal. */
export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** A terminal for full-screen views. Tests replace it. */
export interface Terminal {
  size(): Size;
  write(text: string): Promise<void>;
  /** Write before the process exits, without waiting. */
  writeNow(text: string): void;
  /** With `isRaw`, each key is read at once and not echoed; Ctrl-C is a key, too. */
  setRaw(isRaw: boolean): void;
  /** Read keys. Returns a stop function. */
  onInput(listener: (text: string) => void, ended: () => void): () => void;
  onResize(listener: () => void): () => void;
  /** Listen to signals, replacing their default effect. Returns a stop function. */
  onSignals(
    signals: readonly NodeJS.Signals[],
    listener: (name: NodeJS.Signals) => void,
  ): () => void;
  /** Called when the process ends, except by SIGKILL. Returns a stop function. */
  onExit(listener: () => void): () => void;
  /**
   * Stop the process like Ctrl-Z does, without a listener to SIGTSTP. Ignored by the system where
   * nobody could continue the process: without a shell with job control.
   */
  suspend(): void;
  exit(code: number): void;
}

/** Most tries to write to a full terminal. */
const WRITES_MAX = 1_000;
const SIZE_DEFAULT: Size = { rows: 24, columns: 80 };

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout } = process;
  return {
    size: () => ({
      rows: stdout.rows || SIZE_DEFAULT.rows,
      columns: stdout.columns || SIZE_DEFAULT.columns,
    }),
    write: (text) => new Promise((resolve) => void stdout.write(text, () => resolve())),
    writeNow(text) {
      for (let left = WRITES_MAX; left > 0; left--) {
        try {
          return void writeSync(stdout.fd, text);
        } catch (error) {
          // Its buffer is full. After any other error the terminal is gone, with the reader.
          if (errorCode(error) !== "EAGAIN") return;
        }
      }
    },
    setRaw(isRaw) {
      if (stdin.isTTY) stdin.setRawMode(isRaw);
    },
    onInput(listener, ended) {
      // For example "< /dev/null": there are no keys, and its end has no meaning.
      if (!stdin.isTTY) return () => {};
      const decoder = new TextDecoder();
      const read = (chunk: Uint8Array) => listener(decoder.decode(chunk, { stream: true }));
      stdin.on("data", read).on("end", ended).resume();
      return () => {
        stdin.off("data", read).off("end", ended).pause();
        // Otherwise the process waits for a key.
        stdin.unref?.();
      };
    },
    onResize(listener) {
      stdout.on("resize", listener);
      return () => void stdout.off("resize", listener);
    },
    onSignals(signals, listener) {
      for (const signal of signals) {
        try {
          process.on(signal, listener);
        } catch {
          // Windows lacks some of them.
        }
      }
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    onExit(listener) {
      process.on("exit", listener);
      return () => void process.off("exit", listener);
    },
    suspend() {
      try {
        process.kill(process.pid, "SIGTSTP");
      } catch {
        // Windows does not stop processes.
      }
    },
    exit: (code) => process.exit(code),
  };
}
