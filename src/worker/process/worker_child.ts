import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import { channelEnvironment, ChildChannel } from "../../platform/process/child_channel.ts";
import { IpcChannel } from "../../platform/process/ipc_channel.ts";
import { createPipes, readableCheck } from "../../platform/process/pipe.ts";
import { isWindows } from "../../platform/system/runtime.ts";
import type { SharedMemory } from "../../platform/process/shared_memory.ts";
import { GuardLine } from "../guard/guard_line.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { OutputCapture } from "../output/output_capture.ts";
import type { TransferBudget } from "../output/transfer_budget.ts";
import { CHANNEL_DESCRIPTOR, guardDescriptor } from "../protocol.ts";
import { WorkerFamily } from "./worker_family.ts";
import type { WorkerLaunch } from "./worker_launch.ts";

/** Longest wait for pending output once a worker's result or exit is known. */
export const DRAIN_MS_MAX = 1_000;
/** Longest wait for the channel of an exited worker to end; it may be paused for part of that. */
const CHANNEL_MS_MAX = 200;
/** Longest message of a worker, in bytes: the largest result, fully escaped, and its envelope. */
const MESSAGE_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX + 131_072;

/** Launch settings of a worker process. */
export interface WorkerStart {
  readonly clock: Clock;
  readonly launch: WorkerLaunch;
  /** Value of the environment variable that identifies the worker's processes. */
  readonly familyMarker: string;
  /** Unguessable, so that output cannot look like a record or an end marker. */
  readonly token: string;
  readonly mask: SecretMask;
  /** For output, and for answers to the calls of jobs; shared by all workers. */
  readonly budgets: Readonly<Record<"output" | "answers", TransferBudget>>;
  /** For batches; null where the platform lacks shared memory. Never shared with another worker. */
  readonly memory: SharedMemory | null;
}

/** Events of a worker's process. */
export interface WorkerChildEvents {
  /** Output arrived and has not been read yet. */
  readonly onOutput: () => void;
  /** Both output streams have shown the end marker of the run. */
  readonly onDrained: () => void;
  readonly onMessage: (message: unknown, bytes: number) => void;
  /** It sent something unreadable. */
  readonly onFault: (problem: string) => void;
  /** The process has ended; its output and messages may still be on their way. */
  readonly onExit: () => void;
  /** All output of the ended process has arrived. */
  readonly onOutputEnd: () => void;
  /** Nothing more comes from it, or it could not be started. */
  readonly onGone: () => void;
}

/** The exit of a process. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * A worker's process as the daemon holds it: in a separate session, with pipes for its output, its
 * guard and its messages. If it cannot be started, it has no output, channel or family.
 */
export class WorkerChild {
  readonly guard: GuardLine;
  readonly output: OutputCapture | null = null;
  readonly channel: ChildChannel | IpcChannel | null = null;
  readonly family: WorkerFamily | null = null;
  /** Null while it runs. */
  exit: Exit | null = null;
  startError: Error | null = null;
  isGone = false;
  readonly #events: WorkerChildEvents;
  /** Limits the time that the output and the channel may stay open after the exit. */
  readonly #limit: LazyTimer;

  constructor(start: WorkerStart, events: WorkerChildEvents) {
    const { clock, token, mask, budgets, memory } = start;
    this.#events = events;
    this.#limit = new LazyTimer(clock, () => this.#giveUp());
    const pipes = isWindows() ? null : createPipes(2);
    const [out, err] = pipes ?? [];
    let child: ChildProcess;
    try {
      const outputs = [out?.writer ?? "pipe", err?.writer ?? "pipe"] as const;
      child = spawnWorker(start.launch, outputs, memory?.descriptor ?? null);
    } finally {
      for (const { writer } of pipes ?? []) closeSync(writer);
      if (memory !== null) closeSync(memory.descriptor);
    }
    // An event reports a failed start, and the process may have no streams at all.
    const streams = child.stdio as typeof child.stdio | undefined;
    const line = streams?.[guardDescriptor()] as Writable | null;
    line?.on("error", () => {});
    this.guard = new GuardLine(clock, (text) => void line?.write(text));
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      this.startError = error;
      this.close();
    });
    if (child.pid === undefined) {
      for (const { reader } of pipes ?? []) reader.destroy();
      return;
    }
    const hasMore = readableCheck((pipes ?? []).map(({ readerDescriptor }) => readerDescriptor));
    this.output = new OutputCapture({
      clock,
      token,
      mask,
      budget: budgets.output,
      streams: {
        stdout: out?.reader ?? child.stdout as Readable,
        stderr: err?.reader ?? child.stderr as Readable,
      },
      hasMore: pipes ? hasMore : null,
      onOutput: events.onOutput,
      onDrained: events.onDrained,
    });
    this.channel = isWindows() ? new IpcChannel(child, events.onMessage) : new ChildChannel({
      clock,
      stream: child.stdio[CHANNEL_DESCRIPTOR] as Duplex,
      lineBytesMax: MESSAGE_BYTES_MAX,
      onMessage: events.onMessage,
      onFault: events.onFault,
    });
    this.family = new WorkerFamily(clock, child.pid, start.familyMarker);
    child.once("exit", (code, signal) => this.#exited({ code, signal }));
  }

  /** Signal it and all of its processes. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.exit === null) this.family?.kill(signal);
  }

  /** The result arrived after the exit: restart the wait for its output. */
  allowDrain(): void {
    this.#limit.setIn(DRAIN_MS_MAX);
  }

  /** Ignore everything further. */
  close(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#events.onGone();
    this.channel?.close();
    this.#limit.cancel();
    this.guard.close();
  }

  #exited(exit: Exit): void {
    this.exit = exit;
    this.guard.close();
    this.#events.onExit();
    this.family!.whenGone(() => this.#awaitOutput());
  }

  #awaitOutput(): void {
    this.allowDrain();
    this.output!.whenClosed(() => {
      this.#events.onOutputEnd();
      // A result sent before the exit may still be in the channel, which a child may keep open.
      this.channel!.whenClosed(() => this.close());
      if (!this.isGone) this.#limit.setIn(CHANNEL_MS_MAX);
    });
  }

  /** Something holds the output or the channel open, such as a child that left the group. */
  #giveUp(): void {
    this.output!.close();
    this.close();
  }
}

function spawnWorker(
  { argv: [program, ...args], env, uid, gid }: WorkerLaunch,
  outputs: readonly ["pipe" | number, "pipe" | number],
  memory: number | null,
): ChildProcess {
  return spawn(program!, args, {
    stdio: [
      guardDescriptor() === 0 ? "pipe" : "ignore",
      ...outputs,
      "pipe",
      isWindows() ? "ipc" : "pipe",
      ...(memory === null ? [] : [memory]),
    ],
    serialization: "json",
    // On Windows it would get a separate console window and outlive us.
    detached: !isWindows(),
    windowsHide: true,
    env: { ...env, ...(isWindows() ? {} : channelEnvironment(CHANNEL_DESCRIPTOR)) },
    ...(uid === undefined ? {} : { uid, gid }),
  });
}
