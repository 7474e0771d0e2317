import { orElse } from "../../core/or_else.ts";
import { fstatSync, write } from "node:fs";
import process from "node:process";
import { errorCode } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { isWindows } from "../../platform/system/runtime.ts";

/** A destination of text. A write resolves once the system has accepted it. */
export interface TextSink {
  write(text: string): Promise<void>;
}

/** Time between tries when others have made the pipe non-blocking. */
const RETRY_MS = 5;

/** True if a descriptor may be a terminal; files, pipes and sockets are not. */
function isDevice(descriptor: number): boolean {
  if (isWindows()) return true;
  // It is closed.
  return orElse(() => fstatSync(descriptor).isCharacterDevice(), false);
}

const STREAMS = ["stdin", "stdout", "stderr"] as const;

/** True if a descriptor is a terminal. The runtime checks only devices: its streams load slowly. */
export function isTerminal(descriptor: 0 | 1 | 2): boolean {
  return isDevice(descriptor) && process[STREAMS[descriptor]].isTTY === true;
}

/** Writer to standard output or standard error. */
export function sinkOf(descriptor: 1 | 2): TextSink {
  if (!isDevice(descriptor)) return { write: (text) => writeAll(descriptor, Buffer.from(text)) };
  let opened: NodeJS.WriteStream | null = null;
  const open = () => {
    const stream = process[STREAMS[descriptor]] as NodeJS.WriteStream;
    // A failed write also emits "error", which ends the process unless someone listens.
    stream.on("error", () => {});
    return stream;
  };
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        opened ??= open();
        opened.write(text, (error) => error ? reject(error) : resolve());
      }),
  };
}

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    const written = await writeSome(descriptor, rest);
    if (written === 0) await new Promise<void>((go) => void systemClock.timer(RETRY_MS, go));
    rest = rest.subarray(written);
  }
}

/** The number of bytes written; 0 if the reader is slower. @throws the system's error */
function writeSome(descriptor: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, (error, written) => {
      if (error === null) resolve(written);
      else if (errorCode(error) === "EAGAIN") resolve(0);
      else reject(error);
    });
  });
}
