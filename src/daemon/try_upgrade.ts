import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { JobError, messageOf } from "../core/errors.ts";
import { isObject } from "../core/text/object_keys.ts";
import { shellWord } from "../core/text/shell_word.ts";
import type { Logger } from "../platform/logger.ts";
import type { HeldSockets } from "../platform/network/held_sockets.ts";
import { trustProblem } from "../platform/files/trusted_path.ts";
import type { OwnProgram } from "../platform/process/process_control.ts";

/** Time limit of a start until it would open its store. */
const TRY_MS_MAX = 120_000;
const OUTPUT_BYTES_MAX = 1_048_576;
/** Longest reason that is repeated, in characters. */
const REASON_LENGTH_MAX = 1_000;

/** Why a program cannot be started, by the code of the error. */
const START_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOEXEC: "it is not a program that this machine can run",
  EACCES: "it is not executable",
};

interface Trial {
  readonly isStarted: boolean;
  /** Null if it exited with 0. */
  readonly problem: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that starts. */
export interface TriedProgram {
  readonly version: string;
  /** True if it takes over the sockets of the program before it. */
  readonly takesSockets: boolean;
}

/** Facts about the daemon that an upgrade needs. */
export interface ProgramUpgradeOptions {
  readonly logger: Logger;
  /** Changes when a file of the configuration does. */
  readonly configStamp: () => string;
  /** Longest second trial, in milliseconds: nobody renews the leases of commands meanwhile. */
  readonly retryMs: number;
  readonly sockets: Pick<HeldSockets, "handOver">;
}

/** Runs the program that is now in its file in this process, after a trial. */
export class ProgramUpgrade {
  readonly #own: OwnProgram;
  readonly #options: ProgramUpgradeOptions;
  #trial: Promise<string> | null = null;
  #tried: string | null = null;
  #takesSockets = false;

  constructor(own: OwnProgram, options: ProgramUpgradeOptions) {
    this.#own = own;
    this.#options = options;
  }

  /** Like {@link tryUpgrade}. Concurrent requests share one trial. */
  try(): Promise<string> {
    return this.#trial ??= this.#try().finally(() => this.#trial = null);
  }

  async #try(limitMs?: number): Promise<string> {
    const { argv, canBeReplaced } = this.#own;
    const { logger } = this.#options;
    // Before the trial: files may be replaced during it.
    const before = this.#stamp();
    const tried = await tryUpgrade(argv, { logger, canReplace: canBeReplaced(), limitMs });
    this.#tried = before;
    this.#takesSockets = tried.takesSockets;
    return tried.version;
  }

  /**
   * Run the program in place of this one, once everything has been closed. Attempts may have taken
   * long to end: if its file or the configuration was changed meanwhile, it is tried again.
   *
   * @returns why it failed, which has been logged: this program can continue. Else never returns
   */
  async run(): Promise<string> {
    const { argv: [program = ""], replace, beginAnew } = this.#own;
    const { logger, retryMs, sockets } = this.#options;
    try {
      if (this.#stamp() !== this.#tried) {
        const text = "The daemon's file or its configuration was changed after the trial";
        logger.warn(`${text}: trying again`, { program });
        await this.#try(retryMs);
      }
      replace(program, this.#takesSockets ? sockets.handOver() : null);
      return "";
    } catch (error) {
      const problem = messageOf(error);
      const hint = error instanceof JobError ? error.hint : undefined;
      logger.error("The daemon was not upgraded: it starts again as it was", { problem, hint });
      beginAnew();
      return problem;
    }
  }

  #stamp(): string {
    return `${stampOf(this.#own.argv[0]!)}\n${this.#options.configStamp()}`;
  }
}

/** Changes when a file is replaced or written; null without a file. */
function stampOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return null;
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ");
}

/**
 * Let a program load everything that a start of the daemon needs, beside the daemon that runs.
 *
 * @param argv the command line of that start
 * @param options.logger gets a warning if the program does not start
 * @param options.canReplace false if this process cannot run another program in its place
 * @param options.limitMs time limit of the program
 * @returns its description of itself
 * @throws JobError `unimplemented` if this process cannot do that; `conflict` if the program would
 * not start, with its reason; `permission_denied` if others can change it, and we are root
 */
export async function tryUpgrade(
  argv: readonly string[],
  { canReplace, logger, limitMs = TRY_MS_MAX }: {
    readonly canReplace: boolean;
    readonly logger: Logger;
    readonly limitMs?: number | undefined;
  },
): Promise<TriedProgram> {
  if (!canReplace) {
    const need = "it needs the compiled file for Linux with glibc";
    throw new JobError("unimplemented", `Cannot upgrade the daemon without a restart: ${need}`, {
      hint: "Restart it, such as with systemctl restart jobctl",
    });
  }
  const [program = ""] = argv;
  const distrust = trustProblem(program);
  if (distrust?.isFatal) {
    const { message, hint } = distrust;
    throw new JobError("permission_denied", `Cannot upgrade the daemon: ${message}`, { hint });
  }
  const command = [...argv, "--dry-run"];
  const { isStarted, problem, stdout, stderr } = await run(command, limitMs);
  const tried = problem === null ? programIn(stdout) : null;
  if (tried !== null) return tried;
  const reason = problem === null
    ? "it is not a jobctl that can be tried"
    : reasonIn(stderr) ?? problem;
  const message = `Cannot upgrade the daemon: "${program}" does not start: ${reason}`;
  logger.warn("The daemon was not upgraded", { program, reason });
  const next = isStarted
    ? `To see more: ${command.map(shellWord).join(" ")}`
    : "Put the program of the new version there, and upgrade again";
  throw new JobError("conflict", message, { hint: `The daemon runs on as it was. ${next}` });
}

function run([program, ...args]: readonly string[], limitMs: number): Promise<Trial> {
  const env = { ...process.env, JOBCTL_OUTPUT: "json" };
  // It has nothing to tidy up, and may ignore SIGTERM.
  const killSignal = "SIGKILL";
  const limits = { timeout: limitMs, killSignal, maxBuffer: OUTPUT_BYTES_MAX } as const;
  return new Promise((resolve) => {
    try {
      execFile(program!, args, { env, ...limits }, (error, stdout, stderr) => {
        resolve({ ...outcomeOf(error, limitMs), stdout, stderr });
      });
    } catch (error) {
      // For an unexecutable file, it throws instead of calling back.
      resolve({ ...outcomeOf(error as Error, limitMs), stdout: "", stderr: "" });
    }
  });
}

interface ProcessError extends Error {
  readonly code?: string | number | null;
  readonly signal?: NodeJS.Signals | null;
  readonly killed?: boolean;
}

function outcomeOf(
  error: ProcessError | null,
  limitMs: number,
): Pick<Trial, "isStarted" | "problem"> {
  if (error === null) return { isStarted: true, problem: null };
  const { code } = error;
  const problem = typeof code === "string" ? START_PROBLEMS[code] : undefined;
  if (problem !== undefined) return { isStarted: false, problem };
  return { isStarted: true, problem: problemOf(error, limitMs) };
}

function problemOf({ code, signal, killed, message }: ProcessError, limitMs: number): string {
  if (killed) return `it took longer than ${limitMs / 1_000} s`;
  if (signal) return `it was ended by ${signal}`;
  return typeof code === "number" ? `it exited with code ${code}` : message;
}

/** The error that a command printed; otherwise its last line. */
function reasonIn(stderr: string): string | null {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const found = lines.findLast((line) => line.startsWith("error: ")) ?? lines.at(-1);
  return found?.replace(/^error: /, "").slice(0, REASON_LENGTH_MAX) ?? null;
}

function programIn(stdout: string): TriedProgram | null {
  try {
    const found: unknown = JSON.parse(stdout);
    if (!isObject(found) || typeof found.version !== "string") return null;
    return { version: found.version, takesSockets: found.takes_sockets === true };
  } catch {
    return null;
  }
}
