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

/**
 * Start a worker process, in a session of its own, with pipes for its output, its guard and its messages.
 *
 * @param token by which our records are told from other output
 */
export function startWorkerChild(clock: Clock, launch: WorkerLaunch, token: string): WorkerChild {
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
      ],
      detached: true,
      env,
      ...(uid === undefined ? {} : { uid, gid }),
    });
  } finally {
    for (const { writer } of pipes ?? []) closeSync(writer);
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
  const output = new OutputCapture({ clock, token, streams, hasMore: pipes ? hasMore : null });
  return { child, guard, output };
}
