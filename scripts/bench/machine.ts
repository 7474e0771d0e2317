import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { lazyLibc } from "../../src/platform/system/libc.ts";
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
  /** Processor time so far, in ms, of all threads, also of those that have ended. */
  readonly cpuMs: number;
}

/** Memory in use and processor time of a process. Linux only. */
export function processCost(pid: number): ProcessCost {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
  return { rssMb: rssKb / 1_024, cpuMs: processorClock(pid) ?? processorTicks(pid) };
}

/** Processor time between two moments, in ms. */
export function cpuBetween(before: ProcessCost, after: ProcessCost): number {
  return after.cpuMs - before.cpuMs;
}

const libc = lazyLibc("clock_gettime");

/** A process's processor time so far, in ms, from the kernel; null if it cannot be read. */
function processorClock(pid: number): number | null {
  const time = new BigInt64Array(2);
  // As clock_getcpuclockid() makes it: CPUCLOCK_SCHED of the whole process.
  if (libc()?.symbols.clock_gettime((~pid << 3) | 2, time) !== 0) return null;
  return Number(time[0]) * 1_000 + Number(time[1]) / 1_000_000;
}

/** The same in ticks of 10 ms. */
function processorTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
