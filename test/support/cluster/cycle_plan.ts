import { seededRandom } from "../seeded_random.ts";

/** Stores that cycles run on. */
export const CYCLE_STORES = ["sqlite", "valkey", "etcd"] as const;
export type CycleStore = (typeof CYCLE_STORES)[number];

/** Shortest and longest time of a command, in milliseconds. */
const COMMAND_MS_MIN = 30;
const COMMAND_MS_MAX = 25_000;
/** Commands of a cycle of faults by chance. */
const COMMANDS = 8;
/** Time within which the commands of a cycle come. */
const COME_MS = 3_000;
/** Most lines that a command prints to each of its two streams. */
const LINES_MAX = 1_000;
/** Longest pause between two lines. */
const TICK_MS = 500;
/** The exit code of every third command. */
const FAILURE = 3;
/** Latest moment of a second fault, from the start of a daemon on. */
const AT_START_MS = 500;

/** What a command does, and what is done to it. */
export interface PlannedCommand {
  readonly uuid: string;
  /** When it is scheduled, from the begin of its cycle on. */
  readonly atMs: number;
  /** It prints as often, then waits so long. */
  readonly ticks: number;
  readonly pauseMs: number;
  /** How many lines it prints to each stream each time. */
  readonly lines: number;
  readonly code: number;
  /** 0 for none. */
  readonly timeoutMs: number;
  /** When it is canceled after it was accepted; null for never. */
  readonly cancelAfterMs: number | null;
  /** True if it takes no notice of SIGTERM. */
  readonly isStubborn: boolean;
  /** True if it leaves a process behind. */
  readonly hasChild: boolean;
}

/** Another fault while a daemon starts or hands over. */
interface FaultMeanwhile {
  readonly target: "daemon" | "supervisor";
  readonly action: "kill" | "freeze";
  readonly afterMs: number;
}

/** What happens to the processes of a node. */
export interface PlannedFault {
  /** From the begin of its cycle on, or from when all of its commands run. */
  readonly atMs: number;
  readonly isAfterBegin: boolean;
  /** "upgrade" and "kill while it starts" are for daemons only. */
  readonly action: "kill" | "freeze" | "restart" | "upgrade" | "kill while it starts";
  readonly target: "daemon" | "supervisor" | "both";
  /** How long the daemon is down, or how long processes are frozen. */
  readonly forMs: number;
  readonly meanwhile: FaultMeanwhile | null;
}

/** Commands, and a fault while they run. */
export interface Cycle {
  readonly commands: readonly PlannedCommand[];
  readonly fault: PlannedFault;
}

/** All that a run does, which its seed determines. */
export interface CyclePlan {
  readonly seed: number;
  readonly leaseMs: number;
  readonly onStop: "keep" | "drain";
  readonly cycles: readonly Cycle[];
}

/** Draws numbers by a seed. */
class Dice {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** True with this probability. */
  is(share: number): boolean {
    return this.#random.next() < share;
  }

  between(from: number, to: number): number {
    return Math.round(from + this.#random.next() * (to - from));
  }

  /** As many short as long ones, by order of magnitude. */
  spread(from: number, to: number): number {
    return Math.round(from * (to / from) ** this.#random.next());
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)]!;
  }

  uuid(): string {
    const hex = [...this.#random.bytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
    return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20)].join("-");
  }
}

/** A command of about `ms` that prints a little, with exit code 0. */
function command(dice: Dice, ms: number, changes: Partial<PlannedCommand> = {}): PlannedCommand {
  const pauseMs = Math.min(TICK_MS, ms);
  return {
    ...{ uuid: dice.uuid(), atMs: 0, ticks: Math.round(ms / pauseMs), pauseMs, lines: 1, code: 0 },
    ...{ timeoutMs: 0, cancelAfterMs: null, isStubborn: false, hasChild: false },
    ...changes,
  };
}

function randomCommand(dice: Dice, msMax: number): PlannedCommand {
  const isTimed = dice.is(0.15);
  const ms = isTimed ? COMMAND_MS_MAX : dice.spread(COMMAND_MS_MIN, msMax);
  // Short ones may have a limit that they keep, even on a busy machine.
  const kept = ms < 2_000 && dice.is(0.3) ? COMMAND_MS_MAX : 0;
  const made = command(dice, ms, {
    atMs: dice.is(0.5) ? 0 : dice.between(0, COME_MS),
    code: dice.is(1 / 3) ? FAILURE : 0,
    timeoutMs: isTimed ? dice.between(300, 6_000) : kept,
    cancelAfterMs: dice.is(0.15) ? dice.between(0, 6_000) : null,
    isStubborn: dice.is(0.1),
    hasChild: dice.is(0.15),
  });
  const lines = dice.pick([1, 1, 1, 1, 1, 20, 20, 400]);
  return { ...made, lines: Math.max(1, Math.min(lines, Math.floor(LINES_MAX / made.ticks))) };
}

function randomFault(dice: Dice, leaseMs: number): PlannedFault {
  const action = dice.pick(
    [
      "kill",
      "kill",
      "kill",
      "freeze",
      "freeze",
      "restart",
      "restart",
      "upgrade",
      "upgrade",
      "kill while it starts",
    ] as const,
  );
  const isForDaemon = action === "upgrade" || action === "kill while it starts";
  const target = isForDaemon
    ? "daemon"
    : dice.pick(["daemon", "daemon", "supervisor", "both"] as const);
  const forMs = dice.pick([
    dice.between(0, 300),
    dice.between(0, 300),
    dice.between(300, 4_000),
    dice.between(300, leaseMs * 1.5),
  ]);
  const starts = action !== "freeze" && target !== "supervisor";
  const meanwhile = starts && dice.is(0.35)
    ? {
      // Only a daemon that hands over is there to be killed.
      target: action === "upgrade" && dice.is(0.3) ? "daemon" as const : "supervisor" as const,
      action: dice.is(0.75) ? "kill" as const : "freeze" as const,
      afterMs: dice.between(0, AT_START_MS),
    }
    : null;
  return { atMs: dice.between(100, 4_000), isAfterBegin: false, action, target, forMs, meanwhile };
}

/** Cycles of faults by chance over commands by chance. @param msMax of a command */
export function randomPlan(seed: number, cycles: number, msMax = COMMAND_MS_MAX): CyclePlan {
  const dice = new Dice(seed);
  const leaseMs = dice.pick([5_000, 8_000, 15_000]);
  return {
    ...{ seed, leaseMs, onStop: dice.is(0.7) ? "keep" : "drain" },
    cycles: Array.from({ length: cycles }, () => ({
      commands: Array.from({ length: COMMANDS }, () => randomCommand(dice, msMax)),
      fault: randomFault(dice, leaseMs),
    })),
  };
}

/** kill -9 of a daemon under commands, and of the supervisor 0 to 500 ms after the next start. */
export function supervisorAtStartPlan(seed: number, kills: number): CyclePlan {
  const dice = new Dice(seed);
  return {
    ...{ seed, leaseMs: 15_000, onStop: "keep" },
    cycles: Array.from({ length: kills }, () => ({
      commands: Array.from({ length: COMMANDS }, () => command(dice, dice.between(1_000, 6_000))),
      fault: {
        ...killDaemon(dice.between(0, 500), 0),
        meanwhile: {
          ...{ target: "supervisor", action: "kill", afterMs: dice.between(0, AT_START_MS) },
        },
      },
    })),
  };
}

/** One command whose timeout passes while no daemon runs, beside others that print much. */
export function timeoutWhileDownPlan(seed: number, others: number): CyclePlan {
  const dice = new Dice(seed);
  const timed = command(dice, COMMAND_MS_MAX, { timeoutMs: 2_000 });
  const rest = Array.from({ length: others }, () => command(dice, 6_000, { lines: 80 }));
  return {
    ...{ seed, leaseMs: 15_000, onStop: "keep" },
    cycles: [{ commands: [timed, ...rest], fault: killDaemon(1_000, 2_000) }],
  };
}

/** Commands that end while no daemon runs, for this long; the lease is 5 s. */
export function endedWhileDownPlan(seed: number, downMs: number): CyclePlan {
  const dice = new Dice(seed);
  const commands = [0, FAILURE].map((code) => command(dice, 1_500, { code, lines: 20 }));
  return {
    ...{ seed, leaseMs: 5_000, onStop: "keep" },
    cycles: [{ commands, fault: killDaemon(700, downMs) }],
  };
}

function killDaemon(atMs: number, forMs: number): PlannedFault {
  const isAfterBegin = true;
  return { atMs, isAfterBegin, action: "kill", target: "daemon", forMs, meanwhile: null };
}

/** How long a command runs if nothing ends it, in milliseconds. */
export function lengthOf({ ticks, pauseMs }: PlannedCommand): number {
  return ticks * pauseMs;
}

/** A fault as figures count it. */
export function nameOf({ action, target, meanwhile }: PlannedFault): string {
  const more = meanwhile === null ? "" : `, ${meanwhile.action} ${meanwhile.target} meanwhile`;
  return `${action} ${target}${more}`;
}
