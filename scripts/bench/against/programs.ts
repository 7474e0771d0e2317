import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { JobError } from "../../../src/core/errors.ts";
import { allPids, killTrees, readEntry } from "../../../src/platform/process/descendants.ts";
import { adoptOrphans } from "../../../src/platform/process/process_control.ts";
import { processorSeconds } from "../../test/processor_time.mjs";

/** Most of a program's last output that is kept, in characters. */
const OUTPUT_LENGTH_MAX = 1_000_000;

/** Last lines of a failed program that its error shows. */
const LINES_SHOWN = 12;

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly limitMs: number;
}

/** What a program left that has exited with 0. */
export interface ProgramResult {
  readonly stdout: string;
  /** Of it and of all that it started; null where the system does not tell. */
  readonly processorMs: number | null;
}

/**
 * Runs programs one after the other. All that they start ends with them: when they exit, when they
 * take too long, and when `signal` aborts.
 */
export class Programs {
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = signal;
    adoptOrphans();
  }

  /**
   * Run a program to its end.
   *
   * @throws JobError `unavailable`, with its last words, unless it exits with 0; `canceled` if
   *   `signal` aborts
   */
  async run(
    command: string,
    args: readonly string[],
    { cwd, env, limitMs }: ProgramOptions,
  ): Promise<ProgramResult> {
    this.#checkGoesOn();
    const before = processorSeconds(process.pid);
    // A group of its own: Ctrl-C in a terminal reaches it through this process.
    const child = spawn(command, [...args], {
      ...{ cwd, env: { ...process.env, ...env } as NodeJS.ProcessEnv, detached: true },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output[name] = (output[name] + text).slice(-OUTPUT_LENGTH_MAX);
      });
    }
    const closed = once(child, "close");
    const timer = setTimeout(killStarted, limitMs);
    this.signal.addEventListener("abort", killStarted);
    try {
      const [code, signal] = await once(child, "exit");
      killStarted();
      await closed;
      this.#checkGoesOn();
      const after = processorSeconds(process.pid);
      const processorMs = before === null || after === null ? null : (after - before) * 1_000;
      if (code === 0) return { stdout: output.stdout, processorMs };
      const words = output.stderr.trim().split("\n").slice(-LINES_SHOWN).join("\n");
      const end = signal === null ? `it exited with ${code}` : `it was ended by ${signal}`;
      throw new JobError("unavailable", `Cannot run "${command} ${args.join(" ")}": ${end}`, {
        hint: words || `It ran in ${cwd}`,
      });
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener("abort", killStarted);
    }
  }

  #checkGoesOn(): void {
    if (this.signal.aborted) throw new JobError("canceled", "The comparison was interrupted");
  }
}

/** Kill what runs below this process: everything that loses its parent becomes its child. */
function killStarted(): void {
  const entries = allPids().map(readEntry).filter((entry) => entry !== null);
  killTrees(entries.filter(({ parent }) => parent === process.pid).map(({ pid }) => pid));
}
