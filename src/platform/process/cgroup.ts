import { closeSync, constants, openSync, rmdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { readSystemFile } from "../files/read_file.ts";

/** Most rounds of killing one by one while new processes appear. */
const ROUNDS_MAX = 20;

/** Resource use of a group's processes. */
export interface CgroupUsage {
  /** Processor time of all of them, including ended ones; null if it is not counted. */
  readonly cpuMs: number | null;
  /** Their peak memory; null if not counted, or not known yet. */
  readonly memoryBytes: number | null;
}

/**
 * A control group of version 2, which is a folder. A process is in exactly one, with all its
 * descendants, even if it changes its environment, session and parent.
 */
export class Cgroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** True if it contains processes, in groups below it too; dead ones do not count. */
  get isPopulated(): boolean {
    return this.#valueOf("cgroup.events", "populated") === 1;
  }

  /** True once all of its processes are frozen. */
  get isFrozen(): boolean {
    return this.#valueOf("cgroup.events", "frozen") === 1;
  }

  /** Its living processes, without processes in groups below it. */
  get pids(): readonly number[] {
    const lines = (this.read("cgroup.procs") ?? "").split("\n");
    return [...new Set(lines.map(Number))].filter((pid) => pid > 0);
  }

  /** Number of its processes killed because they needed more memory than its limit. */
  get memoryKills(): number {
    return this.#valueOf("memory.events", "oom_kill") ?? 0;
  }

  get usage(): CgroupUsage {
    const peak = this.read("memory.peak");
    return { cpuMs: this.spentMs, memoryBytes: peak === null ? null : Number(peak) };
  }

  /** Processor time of all its processes so far; null if it is not counted. */
  protected get spentMs(): number | null {
    const micros = this.#valueOf("cpu.stat", "usage_usec");
    return micros === null ? null : micros / 1_000;
  }

  /**
   * Bound its memory. If it needs more, the kernel frees memory such as cached files, and then
   * kills all of its processes at once.
   *
   * @throws Error with the code of the system
   */
  boundMemory(bytes: number): void {
    this.write("memory.max", String(bytes));
    // Some kernels lack these: without swap, and before Linux 4.19.
    this.tryToWrite("memory.swap.max", "0");
    this.tryToWrite("memory.oom.group", "1");
  }

  /** Lift the bound of {@link boundMemory}, for processes that outlive their command. */
  unboundMemory(): void {
    this.tryToWrite("memory.max", "max");
    this.tryToWrite("memory.swap.max", "max");
    this.tryToWrite("memory.oom.group", "0");
  }

  /**
   * Freeze all processes, or let them continue. They may take a moment to stop.
   *
   * @throws Error with the code of the system
   */
  freeze(isFrozen: boolean): void {
    this.write("cgroup.freeze", isFrozen ? "1" : "0");
  }

  /** Move a process into it. @returns false if that is not possible; true if it has ended */
  add(pid: number): boolean {
    try {
      this.write("cgroup.procs", String(pid));
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ESRCH";
    }
  }

  /** Kill all processes, in groups below it too; frozen ones as well. */
  kill(): void {
    if (this.tryToWrite("cgroup.kill", "1")) return;
    // Before Linux 5.14.
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const { pids } = this;
      if (pids.length === 0) return;
      for (const pid of pids) killProcess(pid);
    }
  }

  /** Remove it. @returns false if it has processes, or groups below it, or may not be removed */
  remove(): boolean {
    try {
      rmdirSync(this.path);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT";
    }
  }

  read(name: string): string | null {
    return readSystemFile(join(this.path, name))?.trim() ?? null;
  }

  /** Write to one of its files. @throws Error with the code of the system */
  write(name: string, value: string): void {
    const file = openSync(join(this.path, name), constants.O_WRONLY);
    try {
      writeSync(file, value);
    } finally {
      closeSync(file);
    }
  }

  /** Write to one of its files. @returns false if that is not possible */
  tryToWrite(name: string, value: string): boolean {
    try {
      this.write(name, value);
      return true;
    } catch {
      return false;
    }
  }

  /** A number in a file of lines such as `populated 1`; null if missing. */
  #valueOf(name: string, key: string): number | null {
    const text = `\n${this.read(name) ?? ""}\n`;
    const at = text.indexOf(`\n${key} `);
    if (at < 0) return null;
    const from = at + key.length + 2;
    return Number(text.slice(from, text.indexOf("\n", from)));
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
