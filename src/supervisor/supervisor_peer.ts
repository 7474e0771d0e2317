import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { PAYLOAD_BYTES_MAX } from "../core/payload_chars.ts";
import type { Clock } from "../platform/clock.ts";
import { channelEnvironment, ChildChannel } from "../platform/process/child_channel.ts";
import { spawnFault, type StartFault } from "../worker/process/worker_ending.ts";
import type { SupervisorLaunch } from "./command_launch.ts";

/** Number of kept characters of its own last words. */
const WORDS_LENGTH_MAX = 1_000;
/** Longest message, in bytes: the largest result with every character escaped, and its envelope. */
export const MESSAGE_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX + 131_072;
/** File descriptor for messages in the supervisor. */
const CHANNEL_DESCRIPTOR = 3;

/** The end of a supervisor, as far as this process can know. */
export interface SupervisorExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Callbacks for a supervisor's messages. None is called before `open` has returned. */
export interface PeerEvents {
  readonly onMessage: (message: unknown) => void;
  /** It sent an invalid message; the connection is closed by then. */
  readonly onFault: (problem: string) => void;
  /** The connection has ended. All messages have come before. */
  readonly onClosed: () => void;
  /** The process has ended. Only a supervisor that this daemon has started reports that. */
  readonly onExit: (exit: SupervisorExit) => void;
  /** It could not be started. */
  readonly onFailure: (fault: StartFault) => void;
}

/** The connection to a supervisor. */
export type PeerConnection = Pick<ChildChannel, "send" | "close">;

/** A supervisor process, which this daemon has started, or found. */
export interface SupervisorPeer {
  /** Null if it could not be started. */
  readonly pid: number | null;
  /** True if it ran before this daemon. */
  readonly isFound: boolean;
  /** True if it answers requests to attach and check. */
  readonly answers: boolean;
  /** The end of its standard error. */
  readonly words: string;
  /** Listen to it. @returns null if it could not be started */
  open(events: PeerEvents): PeerConnection | null;
  /** It outlives this process, which need not wait for it. */
  release(): void;
}

/** Start a supervisor. */
export function startPeer(launch: SupervisorLaunch, clock: Clock): SupervisorPeer {
  const child = spawnSupervisor(launch);
  let words = "";
  return {
    pid: child.pid ?? null,
    isFound: false,
    answers: true,
    get words() {
      return words.trim();
    },
    open({ onMessage, onFault, onClosed, onExit, onFailure }) {
      child.on("error", (error) => {
        if (child.pid === undefined) onFailure(spawnFault(error));
      });
      if (child.pid === undefined) return null;
      child.stderr!.on("data", (chunk: Buffer) => {
        words = (words + chunk.toString()).slice(-WORDS_LENGTH_MAX);
      });
      child.stderr!.on("error", () => {});
      child.once("exit", (code, signal) => onExit({ code, signal }));
      const stream = child.stdio[CHANNEL_DESCRIPTOR] as Duplex;
      const channel = new ChildChannel({
        clock,
        stream,
        lineBytesMax: MESSAGE_BYTES_MAX,
        onMessage,
        onFault,
      });
      channel.whenClosed(onClosed);
      return channel;
    },
    release() {
      child.unref();
      child.stderr?.destroy();
    },
  };
}

function spawnSupervisor(
  { argv: [program, ...args], env, uid, gid }: SupervisorLaunch,
): ChildProcess {
  return spawn(program!, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    serialization: "json",
    detached: true,
    env: { ...env, ...channelEnvironment(CHANNEL_DESCRIPTOR) },
    ...(uid === undefined ? {} : { uid, gid }),
  });
}
