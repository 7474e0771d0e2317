import process from "node:process";
import { errorCode } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../platform/clock.ts";
import { createIdSource, type IdSource } from "../../platform/ids.ts";
import { systemRandom } from "../../platform/random.ts";
import { isTerminal, sinkOf, type TextSink } from "./standard_streams.ts";
import type { Terminal } from "../screen/terminal.ts";
import type { ConnectOptions, JobClient } from "../../rpc/client/client.ts";

export type { TextSink } from "./standard_streams.ts";

/** Everything outside the program that a verb uses. Tests replace it. */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if stdout is a terminal. */
  readonly isTerminal: boolean;
  readonly isErrorTerminal?: boolean;
  /** Listen to Ctrl-C, or to these signals, as their only effect. Returns a stop function. */
  readonly onInterrupt?: (
    listener: () => void,
    signals?: readonly NodeJS.Signals[],
  ) => () => void;
  /** Ends the process despite pending work. Absent where that must not happen. */
  readonly end?: (code: number) => void;
  /** True if the user can be asked: stdin and stderr are terminals. */
  readonly isInteractive: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  /**
   * Shows a long text screen by screen. Absent off a terminal.
   *
   * @returns false on failure, so the text has to be written
   */
  readonly page?: (text: string) => Promise<boolean>;
  readonly cwd: string;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** For full-screen views; the process's own unless a test replaces it. */
  readonly terminal?: Terminal;
  /** Opens the connection; the gRPC client unless a test replaces it. */
  readonly connect?: (settings: ConnectOptions) => JobClient | Promise<JobClient>;
}

const COLUMNS_DEFAULT = 100;

/** Width of texts for people that go into a file or a pipe. */
export const PLAIN_COLUMNS = 80;

/** The process's own streams, environment and clock. Few verbs read stdin, which loads slowly. */
export function processIo(): CliIo {
  const isShown = isTerminal(1);
  const stderr = sinkOf(2);
  return {
    stdout: sinkOf(1),
    stderr: { write: (text) => writeIfRead(stderr, text) },
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    isTerminal: isShown,
    get isErrorTerminal() {
      return isTerminal(2);
    },
    onInterrupt(listener, signals = ["SIGINT"]) {
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    end: (code) => process.exit(code),
    get isInteractive() {
      return isTerminal(0) && isTerminal(2);
    },
    columns: (isShown ? process.stdout.columns : 0) || COLUMNS_DEFAULT,
    ...(isShown
      ? {
        page: async (text) => (await import("../docs/pager.ts")).pageText(text, process.env),
      }
      : {}),
    cwd: process.cwd(),
    clock: systemClock,
    newId: createIdSource(systemClock, systemRandom),
  };
}

/** Write to a reader that may have gone: a command's effect and exit code do not depend on it. */
export async function writeIfRead(sink: TextSink, text: string): Promise<void> {
  try {
    await sink.write(text);
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  }
}

/** True if a write failed because the reader has gone, as with `jobctl … | head`. */
export function isBrokenPipe(error: unknown): boolean {
  return errorCode(error) === "EPIPE";
}
