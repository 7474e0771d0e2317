import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../platform/clock.ts";
import { createPipes } from "../platform/pipe.ts";
import { readableCheck } from "../platform/poll.ts";
import { GuardLine } from "./guard_line.ts";
import { OutputCapture } from "./output_capture.ts";
import { guardDescriptor } from "./protocol.ts";
import type { WorkerLaunch } from "./worker_launch.ts";

/** A worker process as its parent holds it. */
export interface WorkerChild {
  readonly child: ChildProcess;
  readonly guard: GuardLine;
  /** Null when the process could not be started. */
  readonly output: OutputCapture | null;
}

/** What a worker process is started with. */
export interface WorkerChildOptions {
  readonly clock: Clock;
  readonly launch: WorkerLaunch;
  /** By which our records are told from other output. */
  readonly token: string;
  /** Descriptor of the memory that it shares; null for none. */
  readonly memory: number | null;
  /** Called before output is looked at. */
  readonly onOutput: () => void;
}

/** Start a worker process, in a session of its own, with pipes for its output, its guard and its messages. */
export function startWorkerChild(options: WorkerChildOptions): WorkerChild {
  const { clock, launch, token, memory, onOutput } = options;
  const descriptor = guardDescriptor();
  const { argv: [program, ...args], env, uid, gid } = launch;
  const pipes = createPipes(2);
  const [out, err] = pipes ?? [];
  let child: ChildProcess;
  try {
    child = spawn(program!, args, {
      stdio: [
        descriptor === 0 ? "pipe" : "ignore",
        out?.writer ?? "pipe",
        err?.writer ?? "pipe",
        "pipe",
        "ipc",
        ...(memory === null ? [] : [memory]),
      ],
      detached: true,
      env,
      ...(uid === undefined ? {} : { uid, gid }),
    });
  } finally {
    for (const { writer } of pipes ?? []) closeSync(writer);
    if (memory !== null) closeSync(memory);
  }
  const line = child.stdio[descriptor] as Writable | null;
  line?.on("error", () => {});
  const guard = new GuardLine(clock, (text) => void line?.write(text));
  if (child.pid === undefined) {
    for (const { reader } of pipes ?? []) reader.destroy();
    return { child, guard, output: null };
  }
  const streams = {
    stdout: out?.reader ?? child.stdout as Readable,
    stderr: err?.reader ?? child.stderr as Readable,
  };
  const hasMore = readableCheck((pipes ?? []).map(({ readerDescriptor }) => readerDescriptor));
  const output = new OutputCapture({
    ...{ clock, token, streams, onOutput },
    hasMore: pipes ? hasMore : null,
  });
  return { child, guard, output };
}
