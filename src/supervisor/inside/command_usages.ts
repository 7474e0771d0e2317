import type { AttemptUsage, LiveUsage } from "../../core/instance.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { CgroupUsage } from "../../platform/process/cgroup.ts";
import { openFilesOf, TICKS_PER_SECOND, usageOf } from "../../platform/process/descendants.ts";
import { Slices } from "../../platform/slices.ts";
import type { TrackedCommand } from "./command_families.ts";

/** Time between two looks at a command, and until the first one: most commands end sooner. */
const LOOK_EVERY_MS = 1_000;
/** Most commands of one look; the next look is at others. */
const COMMANDS_MAX = 100;
/** Looks take at most this part of a processor. */
const SHARE = 1 / 2_000;

interface UsageHost<Command extends TrackedCommand> {
  readonly clock: Clock;
  /** Processor time that this process has used, in ms. */
  readonly spentMs: () => number;
  /** The processes of commands, as they are now. */
  readonly find: (
    commands: ReadonlySet<Command>,
  ) => ReadonlyMap<Command, readonly number[]>;
  /** Resource use of commands that have run for a while. */
  readonly report: (usages: ReadonlyMap<Command, LiveUsage>) => void;
}

/** Observed facts about a command. */
interface SeenCommand {
  readonly usage: LiveUsage;
  /** Processor time of processes whose parent is gone: nobody but us waits for them. */
  readonly orphans: ReadonlyMap<number, number>;
  /** Processor time of orphans that have ended. */
  readonly lostTicks: number;
}

/** Most commands have no orphans. */
const NO_ORPHANS: ReadonlyMap<number, number> = new Map();

/**
 * Resource use of commands. For a command that ends within a second, the kernel's account of its
 * first process must do. All processes of longer ones are looked at from time to time, a limited
 * number of commands at once, for at most a two-thousandth of a processor.
 */
export class CommandUsages<Command extends TrackedCommand> {
  readonly #host: UsageHost<Command>;
  /** Running commands, with the monotonic ms of their next look; earliest first. */
  readonly #dueMs = new Map<Command, number>();
  readonly #seen = new Map<Command, SeenCommand>();
  readonly #timer: LazyTimer;
  #isLooking = false;

  constructor(host: UsageHost<Command>) {
    this.#host = host;
    this.#timer = new LazyTimer(host.clock, () => void this.#look());
  }

  begin(command: Command): void {
    this.#dueMs.set(command, this.#nowMs() + LOOK_EVERY_MS);
    if (!this.#isLooking) this.#timer.setWithin(LOOK_EVERY_MS);
  }

  /**
   * The command has ended.
   *
   * @param exit the kernel's account of its first process
   * @returns resource use of all its processes; null if unknown
   */
  end(command: Command, exit: AttemptUsage | null): AttemptUsage | null {
    const hasBegun = this.#dueMs.delete(command);
    const seen = this.#seen.get(command);
    this.#seen.delete(command);
    const used = seen === undefined ? exit : withOrphans(seen, exit);
    return command.cgroup === null || !hasBegun ? used : withGroup(command.cgroup.usage, used);
  }

  async #look(): Promise<void> {
    const { spentMs } = this.#host;
    const startMs = this.#nowMs();
    const beforeMs = spentMs();
    const commands = this.#takeDue(startMs);
    this.#isLooking = true;
    try {
      if (commands.size > 0) await this.#lookAt(commands);
    } catch {
      // Only figures are missing, and the next look may find them.
    } finally {
      this.#isLooking = false;
    }
    const [nextMs] = this.#dueMs.values();
    if (nextMs === undefined) return;
    this.#timer.set(Math.max(nextMs, startMs + (spentMs() - beforeMs) / SHARE));
  }

  /** The commands of this look, which come last in the next one. */
  #takeDue(nowMs: number): ReadonlySet<Command> {
    const due = new Set<Command>();
    for (const [command, dueMs] of this.#dueMs) {
      if (dueMs > nowMs || due.size === COMMANDS_MAX) break;
      due.add(command);
    }
    for (const command of due) {
      this.#dueMs.delete(command);
      this.#dueMs.set(command, nowMs + LOOK_EVERY_MS);
    }
    return due;
  }

  async #lookAt(commands: ReadonlySet<Command>): Promise<void> {
    const { clock, find, report } = this.#host;
    const slices = new Slices(clock);
    const usages = new Map<Command, LiveUsage>();
    for (const [command, pids] of find(commands)) {
      const seen = await this.#measure(command, pids, slices);
      if (!this.#dueMs.has(command) || seen.usage.processes === 0) continue;
      this.#seen.set(command, seen);
      usages.set(command, seen.usage);
    }
    report(usages);
  }

  async #measure(
    command: Command,
    pids: readonly number[],
    slices: Slices,
  ): Promise<SeenCommand> {
    const before = this.#seen.get(command);
    const orphans = new Map<number, number>();
    let lostTicks = before?.lostTicks ?? 0;
    let processes = 0;
    let ticks = 0;
    let rssBytes = 0;
    let openFiles: number | null = 0;
    for (const pid of pids) {
      await slices.pause();
      const usage = usageOf(pid);
      if (usage === null) continue;
      const files = openFilesOf(pid);
      openFiles = openFiles === null || files === null ? null : openFiles + files;
      ticks += usage.cpuTicks;
      rssBytes += usage.rssBytes;
      processes += 1;
      const isOrphan = pid !== command.leader && usage.parent === process.pid;
      if (isOrphan) orphans.set(pid, usage.cpuTicks);
    }
    for (const [pid, last] of before?.orphans ?? NO_ORPHANS) {
      if (!orphans.has(pid)) lostTicks += last;
    }
    const usage = {
      rssBytes,
      openFiles,
      processes,
      maxRssBytes: Math.max(rssBytes, before?.usage.maxRssBytes ?? 0),
      // Less only after losing a process that nobody waited for.
      cpuMs: Math.max(msOf(ticks + lostTicks), before?.usage.cpuMs ?? 0),
    };
    return { usage, orphans: orphans.size === 0 ? NO_ORPHANS : orphans, lostTicks };
  }

  #nowMs(): number {
    return this.#host.clock.now().monotonicMs;
  }
}

/** Observed use of a command, added to the kernel's account of its first process. */
function withOrphans(
  { usage, orphans, lostTicks }: SeenCommand,
  exit: AttemptUsage | null,
): AttemptUsage {
  // The kernel counts processes that the first process waited for, which excludes orphans.
  const orphanTicks = [...orphans.values()].reduce((sum, ticks) => sum + ticks, lostTicks);
  const counted = exit?.cpuMs == null ? 0 : exit.cpuMs + msOf(orphanTicks);
  return {
    maxRssBytes: Math.max(usage.maxRssBytes!, exit?.maxRssBytes ?? 0),
    cpuMs: Math.max(usage.cpuMs!, counted),
  };
}

/**
 * The same with the counters of the command's control group: all processor time since it was made,
 * and memory if that is bounded.
 */
function withGroup(group: CgroupUsage, used: AttemptUsage | null): AttemptUsage | null {
  const { cpuMs, memoryBytes } = group;
  if (cpuMs === null) return used;
  return {
    maxRssBytes: memoryBytes ?? used?.maxRssBytes ?? null,
    // A command may have been moved into its group later.
    cpuMs: Math.max(Math.round(cpuMs), used?.cpuMs ?? 0),
  };
}

function msOf(ticks: number): number {
  return ticks * 1_000 / TICKS_PER_SECOND;
}
