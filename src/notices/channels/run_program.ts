import { type ChildProcess, spawn } from "node:child_process";
import { errorCode, messageOf } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { resolveAccount } from "../../platform/system/accounts.ts";
import { killGroup } from "../../platform/process/descendants.ts";
import { DeliveryError } from "./channel.ts";

/** A program that gets a notice. */
export interface ProgramRun {
  readonly argv: readonly string[];
  /** In addition to the minimal environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its standard input. */
  readonly input: string | Uint8Array;
  readonly clock: Clock;
  /** Kills it with all its descendants. */
  readonly signal: AbortSignal;
}

/** Quoted part of the output in an error, in bytes: its end. */
const OUTPUT_BYTES_MAX = 2_000;
/** Longest wait for the output of a program that has ended, in milliseconds. */
const REST_MS_MAX = 1_000;

/**
 * Run a program in a separate process group, without a shell, until it ends.
 *
 * @throws DeliveryError if it cannot be started or does not exit with 0; with the end of its output
 */
export async function runProgram(run: ProgramRun): Promise<void> {
  const { argv, input, clock, signal } = run;
  const name = argv[0]!;
  let child: ChildProcess;
  try {
    child = start(run);
  } catch (error) {
    throw startError(name, error);
  }
  const output = new OutputEnd();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => output.write(chunk));
    stream.on("error", () => {});
  }
  // It may read only a part, or nothing.
  child.stdin!.on("error", () => {});
  child.stdin!.end(input);
  const kill = () => child.pid !== undefined && killGroup(child.pid, "SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    const problem = await new Promise<string | null>((resolve, reject) => {
      child.once("error", (error) => reject(startError(name, error)));
      child.once("close", (code, ended) => resolve(howEnded(code, ended)));
      child.once("exit", (code, ended) => {
        // Its leftovers may hold its output open.
        kill();
        clock.timer(REST_MS_MAX, () => resolve(howEnded(code, ended)), { unref: true });
      });
    });
    if (problem === null) return;
    const quoted = output.text();
    throw new DeliveryError(`"${name}" ${problem}${quoted === "" ? "" : `: ${quoted}`}`);
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

function start({ argv, env }: ProgramRun): ChildProcess {
  const account = resolveAccount(null, null);
  return spawn(argv[0]!, argv.slice(1), {
    cwd: "/",
    env: {
      HOME: account.home,
      LOGNAME: account.name,
      USER: account.name,
      SHELL: "/bin/sh",
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      ...env,
    },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function howEnded(code: number | null, signal: string | null): string | null {
  if (code === 0) return null;
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}

function startError(name: string, error: unknown): DeliveryError {
  const code = errorCode(error);
  const found = code === "ENOENT"
    ? "no such program"
    : code === "EACCES"
    ? "it is not executable"
    : messageOf(error);
  return new DeliveryError(`cannot run "${name}": ${found}`, {
    hint: "Name the program by its absolute path",
    cause: error,
  });
}

class OutputEnd {
  #bytes: Buffer = Buffer.alloc(0);

  write(chunk: Uint8Array): void {
    const all = Buffer.concat([this.#bytes, chunk]);
    this.#bytes = all.subarray(Math.max(0, all.length - OUTPUT_BYTES_MAX));
  }

  /** On one line. */
  text(): string {
    return this.#bytes.toString("utf8").replaceAll(/\s+/g, " ").trim();
  }
}
