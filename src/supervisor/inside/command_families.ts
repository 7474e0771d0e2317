import type { Cgroup } from "../../platform/process/cgroup.ts";
import {
  allPids,
  candidates,
  killAll,
  killGroup,
  killTrees,
  lastPid,
  markerOf,
  namesOf,
  type ProcessEntry,
  readEntry,
} from "../../platform/process/descendants.ts";

/** Most searches in a row while new processes appear. */
const ROUNDS_MAX = 20;
/** Number of searches after which all processes of the host are read. */
const WHOLE_FIND_EVERY = 30;
/** Number of processes that are named. */
const NAMES_MAX = 5;

type Found = Omit<Leftovers, "isComplete">;

const NOTHING: Found = { names: [], found: 0 };

const NONE_KNOWN: ReadonlyMap<number, TrackedCommand> = new Map();

/** A running command, and the marks of its processes. */
export interface TrackedCommand {
  readonly marker: string;
  /** Its first process, which leads a session and a group. */
  readonly leader: number;
  /** Its control group, which its processes cannot leave; null without one. */
  readonly cgroup: Cgroup | null;
}

/** The processes that a command left behind. */
export interface Leftovers {
  /** The first of them, as `sleep (4711)`. */
  readonly names: readonly string[];
  readonly found: number;
  /** True if certainly no other process can have its open files. */
  readonly isComplete: boolean;
}

/** A command that has ended, and whether to end its leftover processes. */
export interface EndedCommand {
  readonly command: TrackedCommand;
  readonly isLeft: boolean;
}

/**
 * The processes of all commands of one supervisor, even after they left: in a command's session or
 * group, with its marker, and descendants of either. Linux only; elsewhere only process groups are
 * ended.
 *
 * A process that cleared its environment, left the session and lost its parent has become a child
 * of the supervisor, and its owner is unknown. It is ended when all commands have ended that ran
 * when it was started.
 */
export class CommandFamilies {
  readonly #startTicks = readEntry(process.pid)?.startTicks ?? 0;
  readonly #byMarker = new Map<string, TrackedCommand>();
  readonly #byLeader = new Map<number, TrackedCommand>();
  /** Processes of unknown commands, each with the running commands that may have started it. */
  readonly #strays = new Map<number, Set<TrackedCommand>>();
  /** Strays that a command may have left to run. */
  readonly #left = new Set<number>();
  /** Processes of no command at the last find: most processes of a host. */
  readonly #others = new Set<number>();
  /** Processes that belonged to a command at the last look. */
  #known: ReadonlyMap<number, TrackedCommand> = NONE_KNOWN;
  #finds = 0;

  begin(command: TrackedCommand): void {
    this.#byMarker.set(command.marker, command);
    this.#byLeader.set(command.leader, command);
  }

  /**
   * Commands have ended: find their leftovers, and kill them unless they are to keep running.
   *
   * The cost grows with the processes started since the oldest command, not with all of the host.
   */
  end(ended: readonly EndedCommand[]): ReadonlyMap<TrackedCommand, Leftovers> {
    const commands = ended.map(({ command }) => command);
    const killed = new Set(ended.filter(({ isLeft }) => !isLeft).map(({ command }) => command));
    const canSearch = lastPid() !== null;
    let found: ReadonlyMap<TrackedCommand, Found> = new Map();
    if (canSearch) {
      const from = Math.min(...commands.map(({ leader }) => leader));
      const list = () => candidates(from, lastPid() ?? from, this.#byLeader);
      found = this.#search(list, new Set(commands), killed);
    } else {
      for (const { leader } of killed) killGroup(leader, "SIGKILL");
    }
    const isComplete = canSearch && this.#strays.size === 0;
    for (const { command, isLeft } of ended) this.#forget(command, isLeft);
    return new Map(commands.map((command) => {
      return [command, { ...found.get(command) ?? NOTHING, isComplete }];
    }));
  }

  /**
   * The current processes of commands. May miss a process that reuses the number of a process which
   * was nobody's a moment ago.
   */
  find<Command extends TrackedCommand>(
    commands: ReadonlySet<Command>,
  ): ReadonlyMap<Command, readonly number[]> {
    return this.#find(commands, allPids()).found;
  }

  /**
   * Like {@link find}, for figures only: it does not read earlier results again. If the id of a
   * process is reused, the new process may count for the wrong command for some seconds.
   */
  look<Command extends TrackedCommand>(
    commands: ReadonlySet<Command>,
  ): ReadonlyMap<Command, readonly number[]> {
    const pids = allPids();
    const living = new Set(pids);
    const known = new Map([...this.#known].filter(([pid, owner]) => {
      return living.has(pid) && this.#byLeader.get(owner.leader) === owner;
    }));
    const { found, owners } = this.#find(commands, pids, known);
    this.#known = owners;
    return found;
  }

  /** @param known processes with known owners */
  #find<Command extends TrackedCommand>(
    commands: ReadonlySet<Command>,
    pids: readonly number[],
    known = NONE_KNOWN,
  ): {
    readonly found: ReadonlyMap<Command, readonly number[]>;
    readonly owners: ReadonlyMap<number, TrackedCommand>;
  } {
    const found = new Map<TrackedCommand, number[]>();
    for (const command of commands) found.set(command, []);
    const isWhole = this.#finds % WHOLE_FIND_EVERY === 0;
    if (isWhole) this.#others.clear();
    this.#finds += 1;
    const before = isWhole ? NONE_KNOWN : known;
    const unknown = pids.filter((pid) => !this.#others.has(pid) && !before.has(pid));
    const owners = this.#ownersOf(unknown, commands, before);
    for (const [pid, owner] of owners) found.get(owner)?.push(pid);
    for (const pid of unknown) if (!owners.has(pid)) this.#others.add(pid);
    return {
      found: found as ReadonlyMap<TrackedCommand, number[]> as ReadonlyMap<Command, number[]>,
      owners,
    };
  }

  /** Kill all processes of commands. The ends of the first processes then end the commands. */
  kill(commands: ReadonlySet<TrackedCommand>): void {
    for (const { cgroup } of commands) cgroup?.kill();
    this.#search(allPids, commands, commands);
    for (const command of commands) {
      const { leader } = command;
      if (this.#byLeader.get(leader) === command) killGroup(leader, "SIGKILL");
    }
  }

  /** Kill the processes of all commands, and all of unknown commands. */
  killAll(): void {
    const all = new Set(this.#byLeader.values());
    for (const { leader } of all) killGroup(leader, "SIGSTOP");
    for (const { cgroup } of all) cgroup?.kill();
    this.#search(allPids, all, all);
    for (const { leader } of all) killGroup(leader, "SIGKILL");
    killTrees([...this.#strays.keys()].filter(isOurs));
  }

  /** Find processes of `commands`, and kill processes of `killed` until none is left. */
  #search(
    list: () => readonly number[],
    commands: ReadonlySet<TrackedCommand>,
    killed: ReadonlySet<TrackedCommand>,
  ): ReadonlyMap<TrackedCommand, Found> {
    const found = new Map<TrackedCommand, Found>();
    const known = new Set<number>();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const fresh = [...this.#ownersOf(list(), commands)].filter(([pid, owner]) => {
        return commands.has(owner) && !known.has(pid);
      });
      for (const [pid, owner] of fresh) {
        known.add(pid);
        const { names, found: count } = found.get(owner) ?? NOTHING;
        const more = count < NAMES_MAX ? namesOf([pid]) : [];
        found.set(owner, { names: [...names, ...more], found: count + 1 });
      }
      const doomed = fresh.filter(([, owner]) => killed.has(owner)).map(([pid]) => pid);
      // One of them may have started another after the list was read.
      if (doomed.length === 0) break;
      killAll(doomed);
    }
    return found;
  }

  /**
   * Owners of the living processes that belong to a command. Also notes strays.
   *
   * @param commands commands whose processes are all wanted
   * @param known processes with known owners, which are returned too
   */
  #ownersOf(
    pids: readonly number[],
    commands: ReadonlySet<TrackedCommand>,
    known = NONE_KNOWN,
  ): ReadonlyMap<number, TrackedCommand> {
    const owners = new Map(known);
    for (const command of commands) {
      for (const pid of command.cgroup?.pids ?? []) owners.set(pid, command);
    }
    const others: (ProcessEntry & { readonly marker: string | null })[] = [];
    for (const pid of pids) {
      const entry = readEntry(pid);
      // Most processes of a host are older than this one, so nothing else is read of them.
      if (entry === null || entry.startTicks < this.#startTicks) continue;
      const leader = this.#byLeader.get(entry.session) ?? this.#byLeader.get(entry.group);
      const marker = leader === undefined ? markerOf(entry) : null;
      const owner = leader ?? (marker === null ? undefined : this.#byMarker.get(marker));
      if (owner === undefined) others.push({ ...entry, marker });
      else if (!owners.has(pid)) owners.set(pid, owner);
    }
    for (let size = -1; size !== owners.size;) {
      size = owners.size;
      for (const { pid, parent } of others) {
        const owner = owners.get(parent);
        if (owner !== undefined) owners.set(pid, owner);
      }
    }
    for (const { pid, parent, marker } of others) {
      // A process with a marker was left running by a command that has ended.
      if (parent === process.pid && marker === null && !owners.has(pid)) this.#noteStray(pid);
    }
    return owners;
  }

  #noteStray(pid: number): void {
    if (this.#strays.has(pid) || this.#left.has(pid) || this.#byLeader.size === 0) return;
    const older = [...this.#byLeader.values()].filter(({ leader }) => leader < pid);
    // If numbers have begun again since, none is older.
    this.#strays.set(pid, new Set(older.length > 0 ? older : this.#byLeader.values()));
  }

  #forget(command: TrackedCommand, isLeft: boolean): void {
    this.#byMarker.delete(command.marker);
    this.#byLeader.delete(command.leader);
    const doomed = [];
    for (const [pid, commands] of this.#strays) {
      if (!commands.delete(command)) continue;
      // With `isLeft`, it may be meant to keep running.
      if (!isLeft && commands.size > 0) continue;
      this.#strays.delete(pid);
      if (isLeft) this.#left.add(pid);
      else doomed.push(pid);
    }
    killTrees(doomed.filter(isOurs));
    if (this.#byLeader.size === 0) this.#known = NONE_KNOWN;
    for (const pid of this.#left) if (!isOurs(pid)) this.#left.delete(pid);
  }
}

/** True if a process is still a child of this one: another process may have its number by now. */
function isOurs(pid: number): boolean {
  return readEntry(pid)?.parent === process.pid;
}
