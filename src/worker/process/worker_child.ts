import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import { channelEnvironment, ChildChannel } from "../../platform/process/child_channel.ts";
import type { Clock } from "../../platform/clock.ts";
import { createPipes } from "../../platform/process/pipe.ts";
import { readableCheck } from "../../platform/process/poll.ts";
import { GuardLine } from "../guard/guard_line.ts";
import type { TransferBudget } from "../output/transfer_budget.ts";
import { OutputCapture } from "../output/output_capture.ts";
import { CHANNEL_DESCRIPTOR, guardDescriptor } from "../protocol.ts";
import type { WorkerLaunch } from "./worker_launch.ts";
import { MESSAGE_BYTES_MAX } from "./worker_limits.ts";

/** A worker process as its parent holds it. */
export interface WorkerChild {
  readonly child: ChildProcess;
  readonly guard: GuardLine;
  /** Null when the process could not be started, and so is the channel. */
  readonly output: OutputCapture | null;
  readonly channel: ChildChannel | null;
}

/** What a worker process is started with. */
export interface WorkerChildOptions {
  readonly clock: Clock;
  readonly launch: WorkerLaunch;
  /** By which our records are told from other output. */
  readonly token: string;
  readonly mask: SecretMask;
  readonly budget: TransferBudget;
  /** Descriptor of the memory that it shares; null for none. */
  readonly memory: number | null;
  /** Called before output is looked at. */
  readonly onOutput: () => void;
  /** Called with each message, and its size in bytes. */
  readonly onMessage: (message: unknown, bytes: number) => void;
  /** Called when it sends something unreadable. */
  readonly onFault: (problem: string) => void;
}

/** Start a worker process, in a session of its own, with pipes for its output, its guard and its messages. */
export function startWorkerChild(options: WorkerChildOptions): WorkerChild {
  const { clock, launch, token, mask, memory, onOutput, onMessage, onFault, budget } = options;
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
        "pipe",
        ...(memory === null ? [] : [memory]),
      ],
      detached: true,
      env: { ...env, ...channelEnvironment(CHANNEL_DESCRIPTOR) },
      ...(uid === undefined ? {} : { uid, gid }),
    });
  } finally {
    for (const { writer } of pipes ?? []) closeSync(writer);
    if (memory !== null) closeSync(memory);
  }
  // A failed start is reported by an event, and the process may have no streams at all.
  const line = (child.stdio as typeof child.stdio | undefined)?.[descriptor] as Writable | null;
  line?.on("error", () => {});
  const guard = new GuardLine(clock, (text) => void line?.write(text));
  if (child.pid === undefined) {
    for (const { reader } of pipes ?? []) reader.destroy();
    return { child, guard, output: null, channel: null };
  }
  const streams = {
    stdout: out?.reader ?? child.stdout as Readable,
    stderr: err?.reader ?? child.stderr as Readable,
  };
  const hasMore = readableCheck((pipes ?? []).map(({ readerDescriptor }) => readerDescriptor));
  const output = new OutputCapture({
    ...{ clock, token, mask, budget, streams, onOutput },
    hasMore: pipes ? hasMore : null,
  });
  const channel = new ChildChannel({
    clock,
    stream: child.stdio[CHANNEL_DESCRIPTOR] as Duplex,
    lineBytesMax: MESSAGE_BYTES_MAX,
    onMessage,
    onFault,
  });
  return { child, guard, output, channel };
}
