import { Buffer } from "node:buffer";
import { closeSync, constants, mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { Cgroup, type CgroupUsage } from "../../platform/process/cgroup.ts";
import { type CgroupTree, TREE_GROUPS, treePath } from "../../platform/process/cgroup_tree.ts";

/** Most groups kept for the next commands. */
const UNUSED_MAX = 64;
/** Most searches in a row while new processes appear. */
const ROUNDS_MAX = 20;
/** Most groups remembered that contain leftover processes. */
const LEFT_MAX = 1_000;

/** Files of a group that are read for every command. */
const OFTEN_READ = ["cgroup.events", "cpu.stat"];
const BUFFER = Buffer.alloc(4_096);

/** The group of one command. */
export class CommandCgroup extends Cgroup {
  /** The bound of its memory; null for none. */
  readonly memoryBytes: number | null;
  /** Descriptors of its files and its folder, kept once another command uses it. */
  readonly #open = new Map<string, number>();
  #keepsOpen = false;
  /** Processor time of commands that had this group before. */
  #beforeMs = 0;
  #wasFrozen = false;
  #wasKilled = false;

  constructor(path: string, memoryBytes: number | null) {
    super(path);
    this.memoryBytes = memoryBytes;
  }

  /** Resource use of the command; memory is counted only if it is bounded. */
  override get usage(): CgroupUsage {
    const { spentMs } = this;
    return {
      cpuMs: spentMs === null ? null : spentMs - this.#beforeMs,
      // Looking for a missing file takes longer than all the rest.
      memoryBytes: this.memoryBytes === null ? null : super.usage.memoryBytes,
    };
  }

  override get pids(): readonly number[] {
    // Most ended commands left nothing behind, and that is quicker to find out.
    return this.#keepsOpen && !this.isPopulated ? [] : super.pids;
  }

  /** True if processes of the command were killed because they needed too much memory. */
  get isOverMemory(): boolean {
    return this.memoryBytes !== null && this.memoryKills > 0;
  }

  /** True if the next command may have it. */
  get isReusable(): boolean {
    // From 6.14 on, Linux also kills processes started later in a killed group. A command may have
    // frozen its group itself.
    return this.memoryBytes === null && !this.#wasFrozen && !this.#wasKilled && !this.isFrozen;
  }

  /** A descriptor of its folder, for starting a program in it. Call {@link started} next. */
  openFolder(): number {
    return this.#descriptor(".", constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** The program has been started, or not. */
  started(): void {
    if (!this.#keepsOpen) this.#close();
  }

  override freeze(isFrozen: boolean): void {
    super.freeze(isFrozen);
    this.#wasFrozen = true;
  }

  override kill(): void {
    super.kill();
    this.#wasKilled = true;
  }

  /** The next command begins. */
  renew(): void {
    this.#keepsOpen = true;
    this.#beforeMs = this.spentMs ?? 0;
  }

  // Opening a file takes the kernel five times as long as reading it.
  override read(name: string): string | null {
    if (!this.#keepsOpen || !OFTEN_READ.includes(name)) return super.read(name);
    try {
      const file = this.#descriptor(name, constants.O_RDONLY);
      return BUFFER.toString("latin1", 0, readSync(file, BUFFER, 0, BUFFER.length, 0)).trim();
    } catch {
      return null;
    }
  }

  override remove(): boolean {
    this.#close();
    return super.remove();
  }

  #descriptor(name: string, flags: number): number {
    const open = this.#open.get(name) ?? openSync(join(this.path, name), flags);
    this.#open.set(name, open);
    return open;
  }

  #close(): void {
    for (const file of this.#open.values()) closeSync(file);
    this.#open.clear();
  }
}

interface CgroupOptions {
  /** True if programs can be started in a group. Otherwise processes move into one later. */
  readonly canStart: () => boolean;
  /** Makes a folder. Tests make its files, too, which the kernel does elsewhere. */
  readonly makeFolder?: (path: string) => void;
}

/**
 * The groups of a supervisor's commands. Making and removing one takes as long as all other costs
 * of a group for a command, so a clean one is used again, unless its memory was bounded: files that
 * the kernel has cached for one command would count for the next.
 *
 * Programs are started in their groups, which costs almost nothing. Where the kernel or a sandbox
 * prevents that, they would have to be moved, for which the kernel may stop every fork of the
 * system for some milliseconds. Then only commands with a bound are in a group from the beginning,
 * and others once they have run for a while, or are to be frozen.
 */
export class CommandCgroups {
  readonly #tree: CgroupTree;
  readonly #options: Required<CgroupOptions>;
  readonly #unused: CommandCgroup[] = [];
  readonly #left = new Set<CommandCgroup>();
  #made = 0;

  constructor(tree: CgroupTree, options: CgroupOptions) {
    this.#tree = tree;
    this.#options = { makeFolder: (path) => mkdirSync(path), ...options };
  }

  get canStart(): boolean {
    return this.#options.canStart();
  }

  /**
   * A group for a program that is about to start; null if unneeded or impossible.
   *
   * @param memoryBytes the bound of its memory; null for none
   */
  take(memoryBytes: number | null): CommandCgroup | null {
    const bound = this.#tree.canBound ? memoryBytes : null;
    if (bound !== null) return this.#make(bound);
    return this.canStart ? this.#unused.pop() ?? this.#make(null) : null;
  }

  /**
   * Move running commands into groups, each with all of its processes.
   *
   * @param find the processes of these commands
   */
  gather<Command extends object>(
    commands: ReadonlySet<Command>,
    find: () => ReadonlyMap<Command, readonly number[]>,
  ): ReadonlyMap<Command, CommandCgroup> {
    const groups = new Map<Command, CommandCgroup>();
    for (const command of commands) {
      const group = this.#unused.pop() ?? this.#make(null);
      if (group !== null) groups.set(command, group);
    }
    const moved = new Set<number>();
    for (let round = 0, count = -1; round < ROUNDS_MAX && count !== moved.size; round++) {
      count = moved.size;
      // A process that was not moved yet may have started another one meanwhile.
      for (const [command, pids] of find()) {
        const group = groups.get(command);
        const outside = pids.filter((pid) => !moved.has(pid));
        for (const pid of outside) moved.add(pid);
        if (group === undefined || outside.every((pid) => group.add(pid))) continue;
        groups.delete(command);
        this.#left.add(group);
      }
    }
    return groups;
  }

  /** The command has ended. Processes that it left running keep the group. */
  release(group: CommandCgroup): void {
    for (const each of this.#left) {
      if (each.isPopulated) continue;
      this.#left.delete(each);
      each.remove();
    }
    if (group.isPopulated) {
      // Its limits belong to the command.
      if (group.memoryBytes !== null) group.unboundMemory();
      if (this.#left.size < LEFT_MAX) this.#left.add(group);
    } else if (group.isReusable && this.#unused.length < UNUSED_MAX) {
      group.renew();
      this.#unused.push(group);
    } else group.remove();
  }

  #make(memoryBytes: number | null): CommandCgroup | null {
    const kind = memoryBytes === null ? TREE_GROUPS.plain : TREE_GROUPS.bounded;
    this.#made += 1;
    const path = join(treePath(this.#tree), kind, String(this.#made));
    const group = new CommandCgroup(path, memoryBytes);
    try {
      this.#options.makeFolder(path);
      if (memoryBytes !== null) group.boundMemory(memoryBytes);
      return group;
    } catch {
      // The system's limit of groups may be reached, or somebody has removed the tree.
      group.remove();
      return null;
    }
  }
}

/** An argv that enters a group before it runs `argv`. If that fails it runs all the same. */
export function entering(group: Cgroup, argv: readonly string[]): readonly string[] {
  const file = join(group.path, "cgroup.procs");
  return ["/bin/sh", "-c", '{ echo 0 > "$0"; } 2>/dev/null; exec "$@"', file, ...argv];
}
