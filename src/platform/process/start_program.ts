import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../core/errors.ts";
import { NativeSpawner, type ProcessExit, type SpawnRequest } from "./native_spawn.ts";
import {
  NativePipe,
  type OutputName,
  type OutputPipe,
  type PipeEvents,
  StreamPipe,
} from "./output_pipe.ts";
import { createPipes } from "./pipe.ts";
import { PipeWatch } from "./pipe_watch.ts";
import { OrphanReaper } from "./process_control.ts";

/** A program to start in a separate session, with pipes for its output. */
export interface ProgramRequest extends Omit<SpawnRequest, "program" | "descriptors"> {
  /** Descriptor of its standard input; null for an empty one. */
  readonly stdin: number | null;
  /** Our descriptor that becomes its fourth; null for none. */
  readonly fourth: number | null;
}

/** Events of a program. */
export interface ProgramEvents extends PipeEvents {
  onStart(pid: number): void;
  /** It could not be started. */
  onFail(error: Error): void;
  onExit(exit: ProcessExit): void;
}

/** The reading ends of a program's output. */
export type ProgramOutput = Readonly<Record<OutputName, OutputPipe>>;

/** Starts programs, and reaps the processes that this one has adopted. */
export interface ProgramStarter {
  /** @throws Error with the code of the system, if there is one */
  start(request: ProgramRequest, events: ProgramEvents): ProgramOutput;
  /** True if programs begin in the control group of their request; false after a failure. */
  readonly entersCgroups: boolean;
}

/** The cheapest way to start programs here. This process must start none in another way. */
export function createProgramStarter(): ProgramStarter {
  const spawner = NativeSpawner.open();
  return spawner === null ? new PortableStarter() : new NativeStarter(spawner);
}

class NativeStarter implements ProgramStarter {
  readonly #spawner: NativeSpawner;
  readonly #watch = PipeWatch.open();
  readonly #empty = openSync("/dev/null", "r+");
  readonly #running = new Map<number, ProgramEvents>();

  constructor(spawner: NativeSpawner) {
    this.#spawner = spawner;
    process.on("SIGCHLD", () => this.#reap());
  }

  get entersCgroups(): boolean {
    return this.#spawner.entersCgroups;
  }

  start(request: ProgramRequest, events: ProgramEvents): ProgramOutput {
    const { argv, env, stdin, fourth } = request;
    const program = findProgram(argv[0]!, env.PATH ?? "");
    const makers = { spawner: this.#spawner, watch: this.#watch };
    const open = (name: OutputName) => new NativePipe(name, events, makers);
    const stdout = open("stdout");
    let stderr: NativePipe | null = null;
    try {
      stderr = open("stderr");
      const outputs = [stdout.writer, stderr.writer];
      const descriptors = [stdin ?? this.#empty, ...outputs, ...(fourth === null ? [] : [fourth])];
      const pid = this.#spawner.spawn({ ...request, program, descriptors });
      this.#running.set(pid, events);
      events.onStart(pid);
    } catch (error) {
      stdout.close();
      stderr?.close();
      throw error;
    } finally {
      closeSync(stdout.writer);
      if (stderr !== null) closeSync(stderr.writer);
    }
    return { stdout, stderr };
  }

  #reap(): void {
    this.#spawner.reap((pid, exit) => {
      const events = this.#running.get(pid);
      // Others are processes that have lost their parents.
      this.#running.delete(pid);
      events?.onExit(exit);
    });
  }
}

/** Like `execvp`, but with the program's own PATH. */
function findProgram(name: string, path: string): string {
  if (name.includes("/")) return name;
  let code = "ENOENT";
  for (const folder of path.split(":")) {
    const found = join(folder || ".", name);
    try {
      accessSync(found, constants.X_OK);
      if (statSync(found).isFile()) return found;
    } catch (error) {
      if (errorCode(error) === "EACCES") code = "EACCES";
    }
  }
  throw Object.assign(new Error(`spawn ${name} ${code}`), { code });
}

/** For systems and runtimes where the C library cannot be called. */
class PortableStarter implements ProgramStarter {
  readonly entersCgroups = false;
  readonly #reaper = new OrphanReaper(() => this.#running > 0);
  #running = 0;

  start(request: ProgramRequest, events: ProgramEvents): ProgramOutput {
    const pipes = createPipes(2);
    const [out, err] = pipes ?? [];
    let child: ChildProcess;
    try {
      child = startChild(request, [out?.writer ?? "pipe", err?.writer ?? "pipe"]);
    } finally {
      for (const { writer } of pipes ?? []) closeSync(writer);
    }
    child.on("error", (error) => {
      if (child.pid === undefined) events.onFail(error);
    });
    const stdout = new StreamPipe(out?.reader ?? child.stdout!, "stdout", events);
    const stderr = new StreamPipe(err?.reader ?? child.stderr!, "stderr", events);
    if (child.pid === undefined) return { stdout, stderr };
    this.#running += 1;
    this.#reaper.start();
    child.once("exit", (code, signal) => {
      this.#running -= 1;
      events.onExit({ code, signal, usage: null });
    });
    events.onStart(child.pid);
    return { stdout, stderr };
  }
}

function startChild(
  { argv: [program, ...args], env, cwd, umask, stdin, fourth }: ProgramRequest,
  outputs: readonly ["pipe" | number, "pipe" | number],
): ChildProcess {
  const outer = umask === null ? null : process.umask(umask);
  try {
    return spawn(program!, args, {
      cwd,
      env,
      detached: true,
      stdio: [stdin ?? "ignore", ...outputs, fourth ?? "ignore"],
    });
  } finally {
    if (outer !== null) process.umask(outer);
  }
}
