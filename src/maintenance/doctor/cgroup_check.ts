import { join } from "node:path";
import { readSystemFile } from "../../platform/files/read_file.ts";
import { baseOf, findCgroup, mayBound, mayUse } from "../../platform/process/cgroup_tree.ts";
import { type Finding, findingsOf } from "./finding.ts";

/** The control group of the daemon. */
export type CgroupFacts = ReturnType<typeof readCgroup>;

const MIB = 2 ** 20;
/** A daemon alone needs about half of it. */
const MEMORY_MIN = 256 * MIB;
const PIDS_SHARE = 0.8;

/** Read the group of a process. @param pid null for this one */
export function readCgroup(
  pid: number | null,
  { uid, isService }: { readonly uid: number; readonly isService: boolean },
) {
  const place = findCgroup(pid);
  const path = place?.path ?? null;
  const base = path === null ? null : baseOf(path);
  const read = (name: string, folder = path) =>
    folder === null ? null : readSystemFile(join(folder, name))?.trim() ?? null;
  const number = (name: string) => {
    const text = read(name, base);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  const controllers = read("cgroup.controllers", base)?.split(" ").filter((name) => name !== "");
  return {
    /** Mount point of version 2; null if it is not mounted. */
    root: place?.root ?? null,
    /** Null if it cannot be found. */
    path,
    controllers: controllers ?? [],
    /** True if the daemon may make groups for commands. */
    isUsable: place !== null && base !== null && mayUse(place, base, uid),
    /** True if these can bound memory. */
    canBound: path !== null && mayBound(path),
    /** Null for no limit. */
    memoryMax: number("memory.max"),
    pidsMax: number("pids.max"),
    pids: number("pids.current"),
    isService,
  };
}

/** Judge the control group. Commands also run without groups, so a missing one is not a fault. */
export function checkCgroup(facts: CgroupFacts): Finding[] {
  const { memoryMax, pidsMax, pids, isService } = facts;
  const { warning } = findingsOf("cgroup");
  const findings: Finding[] = [];
  if (memoryMax !== null && memoryMax < MEMORY_MIN) {
    const text = `the daemon and its jobs may use ${Math.floor(memoryMax / MIB)} MiB of memory`;
    findings.push(warning(text, raise(isService, "MemoryMax", "infinity")));
  }
  if (pidsMax !== null && pids !== null && pids > pidsMax * PIDS_SHARE) {
    const text = `the daemon and its jobs have ${pids} of ${pidsMax} tasks`;
    findings.push(warning(text, raise(isService, "TasksMax", String(pidsMax * 4))));
  }
  return [...findings, groupsFinding(facts)];
}

/** Features that command groups offer here. */
function groupsFinding(facts: CgroupFacts): Finding {
  const { root, path, controllers, isUsable, canBound, isService } = facts;
  const { ok, note } = findingsOf("cgroup");
  if (root === null) return ok(`version 2 is not there: ${WITHOUT}`);
  if (path === null) return ok(`the group of the daemon is not visible here: ${WITHOUT}`);
  if (!isUsable) return note(`not delegated to the daemon: ${WITHOUT}`, delegate(isService));
  if (!canBound) {
    const hasMemory = controllers.includes("memory");
    const why = hasMemory ? "the daemon has no group of its own" : "memory is not delegated";
    const text = `commands have groups, but their memory is only watched: ${why}`;
    return note(text, delegate(isService));
  }
  return ok("each command has a group of its own, which bounds its memory");
}

/** Consequence of missing groups. */
const WITHOUT = "memory of commands is only watched, and they cannot be frozen";

function delegate(isService: boolean): string {
  return isService
    ? "sudo jobctl install-service, with systemd 254 or newer"
    : "sudo systemd-run --scope -p Delegate=memory jobctl serve";
}

function raise(isService: boolean, key: string, value: string): string {
  return isService
    ? `sudo systemctl set-property jobctl ${key}=${value}`
    : "raise the limit of the container or slice that it runs in";
}
