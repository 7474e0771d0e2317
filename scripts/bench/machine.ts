import { readdirSync, readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { VERSION } from "../../src/platform/version.ts";

/** The machine that figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly runtime: string;
  readonly version: string;
}

/** This machine and runtime. */
export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    runtime: `Bun ${process.versions.bun}`,
    version: VERSION,
  };
}

/** The machine in one line. */
export function machineText(of: Machine): string {
  return `${of.cores} cores (${of.cpu}), ${of.memoryGb} GB, ${of.system}, ${of.runtime}`;
}

/** Resources of a process at one moment. */
export interface ProcessCost {
  readonly rssMb: number;
  /** Processor time so far, in ms, of each thread that is alive. */
  readonly threads: ReadonlyMap<string, number>;
}

/** Memory in use and processor time of a process. Linux only. */
export function processCost(pid: number): ProcessCost {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
  return { rssMb: rssKb / 1_024, threads: threadTimes(pid) };
}

/** Processor time between two moments, in ms, of the threads that lived at the second. */
export function cpuBetween(before: ProcessCost, after: ProcessCost): number {
  let sum = 0;
  for (const [thread, ms] of after.threads) sum += ms - (before.threads.get(thread) ?? 0);
  return sum;
}

function threadTimes(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
      times.set(thread, Number(ns) / 1_000_000);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return times;
}
