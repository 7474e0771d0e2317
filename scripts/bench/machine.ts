import { readdirSync, readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { VERSION } from "../../src/platform/version.ts";

/** What figures were measured on. */
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

/** Memory in use and processor time of a process so far, of all its threads that are alive. Linux only. */
export function processCost(pid: number): { readonly rssMb: number; readonly cpuMs: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]);
  return { rssMb: rssKb / 1_024, cpuMs: threadsMs(pid) };
}

function threadsMs(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread has ended meanwhile.
      return 0;
    }
  });
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1_000_000;
}
