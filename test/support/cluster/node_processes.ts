import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

/** Finds the supervisors of a node and the processes of its commands, whoever is their parent. */
export class NodeProcesses {
  /** Each of its commands has this text in its environment. */
  readonly #mark: string;
  /** All supervisors of a node have their records in one folder; null until one was seen. */
  #folder: string | null = null;

  constructor(mark: string) {
    this.#mark = mark;
  }

  /** @param daemon the process whose child a supervisor is before another daemon adopts it */
  supervisors(daemon: number): readonly number[] {
    const all = numbersOfProcesses().flatMap((pid) => {
      const [, name, place] = textOf(pid, "cmdline").split("\0");
      return name === "__supervisor" && place !== undefined ? [{ pid, place }] : [];
    });
    const own = all.find(({ pid }) => parentOf(pid) === daemon);
    this.#folder ??= own === undefined ? null : dirname(own.place);
    const found = all.filter(({ place }) => dirname(place) === this.#folder).map(({ pid }) => pid);
    // A command has the arguments of its supervisor until it executes its program.
    return found.filter((pid) => !found.includes(parentOf(pid)));
  }

  commands(): readonly number[] {
    return numbersOfProcesses().filter((pid) => textOf(pid, "environ").includes(this.#mark));
  }
}

/** The worker processes of a daemon. */
export function workersOf(daemon: number): readonly number[] {
  return numbersOfProcesses().filter((pid) => {
    const [, name] = textOf(pid, "cmdline").split("\0");
    return name === "__worker" && parentOf(pid) === daemon;
  });
}

/** A process with what it is, as people read it. */
export function describeProcess(pid: number): string {
  return `${pid} ${textOf(pid, "cmdline").replaceAll("\0", " ").slice(0, 120)}`;
}

/** Send a signal to a process that may be gone. */
export function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

function numbersOfProcesses(): readonly number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
}

function parentOf(pid: number): number {
  return Number(textOf(pid, "stat").split(") ")[1]?.split(" ")[1]);
}

/** A file of a process in /proc; empty if it has ended. */
function textOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}
