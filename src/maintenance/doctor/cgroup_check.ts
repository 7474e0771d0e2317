import { statSync } from "node:fs";
import { join } from "node:path";
import { readSystemFile } from "../../platform/files/read_file.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** The control group of the daemon. */
export interface CgroupFacts {
  /** Where version 2 is mounted; null if it is not. */
  readonly root: string | null;
  /** Null if it cannot be found. */
  readonly path: string | null;
  readonly controllers: readonly string[];
  /** True if the daemon's user may make groups below its own. */
  readonly isDelegated: boolean;
  /** Null for no limit. */
  readonly memoryMax: number | null;
  readonly pidsMax: number | null;
  readonly pids: number | null;
  readonly isService: boolean;
}

const ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const MIB = 2 ** 20;
/** A daemon alone needs about half of it. */
const MEMORY_MIN = 256 * MIB;
const PIDS_SHARE = 0.8;

/** Read the group of a process. @param pid null for this one */
export function readCgroup(
  pid: number | null,
  { uid, isService }: { readonly uid: number; readonly isService: boolean },
): CgroupFacts {
  const root = ROOTS.find((each) => readSystemFile(join(each, "cgroup.controllers")) !== null) ??
    null;
  const own = /^0::(\/.*)$/m.exec(readSystemFile(`/proc/${pid ?? "self"}/cgroup`) ?? "")?.[1];
  const path = root === null || own === undefined || own.includes("/../") ? null : join(root, own);
  const read = (name: string) =>
    path === null ? null : readSystemFile(join(path, name))?.trim() ?? null;
  const number = (name: string) => {
    const text = read(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  return {
    root,
    path,
    controllers: read("cgroup.controllers")?.split(" ").filter((name) => name !== "") ?? [],
    isDelegated: path !== null && isWritable(join(path, "cgroup.subtree_control"), uid),
    memoryMax: number("memory.max"),
    pidsMax: number("pids.max"),
    pids: number("pids.current"),
    isService,
  };
}

function isWritable(file: string, uid: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  // Root may write everywhere, but a service's group is its own only if it was delegated.
  return found !== undefined && found.uid === uid && (found.mode & 0o200) !== 0;
}

/** Judge the control group. Jobs need none, so what is missing is not a fault. */
export function checkCgroup(facts: CgroupFacts): Finding[] {
  const { root, path, controllers, isDelegated, memoryMax, pidsMax, pids, isService } = facts;
  const { ok, warning } = findingsOf("cgroup");
  if (root === null) return [ok("version 2 of control groups is not there, and not needed")];
  if (path === null) return [ok("the group of the daemon is not visible here, and not needed")];
  const findings: Finding[] = [];
  if (memoryMax !== null && memoryMax < MEMORY_MIN) {
    const text = `the daemon and its jobs may use ${Math.floor(memoryMax / MIB)} MiB of memory`;
    findings.push(warning(text, raise(isService, "MemoryMax", "infinity")));
  }
  if (pidsMax !== null && pids !== null && pids > pidsMax * PIDS_SHARE) {
    const text = `the daemon and its jobs have ${pids} of ${pidsMax} tasks`;
    findings.push(warning(text, raise(isService, "TasksMax", String(pidsMax * 4))));
  }
  const names = controllers.length === 0 ? "no controllers" : controllers.join(", ");
  const delegated = isDelegated ? "delegated" : "not delegated, and not needed";
  return [...findings, ok(`version 2, with ${names}; ${delegated}`)];
}

function raise(isService: boolean, key: string, value: string): string {
  return isService
    ? `sudo systemctl set-property jobctl ${key}=${value}`
    : "raise the limit of the container or slice that it runs in";
}
