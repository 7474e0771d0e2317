import process from "node:process";
import { errorCode } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { systemClock } from "../platform/clock.ts";
import type { IdSource } from "../platform/ids.ts";
import { createIdSource } from "../platform/ids.ts";
import { systemRandom } from "../platform/random.ts";
import type { ConnectOptions, JobClient } from "../rpc/client/client.ts";

/** Somewhere that text goes; resolves when the system has taken it. */
export interface TextSink {
  write(text: string): Promise<void>;
}

/** Everything outside the program that a verb touches, so that a test can stand in for it. */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Whether stderr is a terminal; false when it is left out. */
  readonly isErrorTerminal?: boolean;
  /** Listen to Ctrl-C, or to these signals, which then do nothing else; answers how to stop. */
  readonly onInterrupt?: (
    listener: () => void,
    signals?: readonly NodeJS.Signals[],
  ) => () => void;
  /** Whether somebody can be asked: stdin and stderr are terminals. */
  readonly isInteractive: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  readonly cwd: string;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** Opens the connection; the gRPC client unless a test replaces it. */
  readonly connect?: (settings: ConnectOptions) => JobClient | Promise<JobClient>;
}

const COLUMNS_DEFAULT = 100;

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  // A write reports its error to its callback as well as by the event, which ends the process if nobody listens.
  stream.on("error", () => {});
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => error ? reject(error) : resolve());
      }),
  };
}

/** The process's own streams, environment and clock. */
export function processIo(): CliIo {
  return {
    stdout: sinkOf(process.stdout),
    stderr: sinkOf(process.stderr),
    stdin: process.stdin,
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
    isErrorTerminal: process.stderr.isTTY === true,
    onInterrupt(listener, signals = ["SIGINT"]) {
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    columns: process.stdout.columns || COLUMNS_DEFAULT,
    cwd: process.cwd(),
    clock: systemClock,
    newId: createIdSource(systemClock, systemRandom),
  };
}

/** Whether a write failed because nobody reads any more, as under `jobctl … | head`. */
export function isBrokenPipe(error: unknown): boolean {
  return errorCode(error) === "EPIPE";
}
