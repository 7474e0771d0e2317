import process from "node:process";
import type { Clock } from "../platform/clock.ts";
import { Cgroup } from "../platform/process/cgroup.ts";
import { commandCgroups, removeTree, treePath } from "../platform/process/cgroup_tree.ts";
import {
  type Family,
  findFamily,
  isMarked,
  killFamilyInTurns,
  killGroup,
} from "../platform/process/descendants.ts";
import { lifeOf, type LifeOfProcess } from "../platform/process/process_identity.ts";
import { findSupervisors } from "./find_supervisors.ts";
import { startPeer } from "./supervisor_peer.ts";

/**
 * The daemon's calls on processes of supervisors and commands. Tests replace it by a system that
 * runs on a simulated clock.
 */
export interface SupervisorSystem {
  readonly start: typeof startPeer;
  readonly find: typeof findSupervisors;
  readonly lifeOf: (pid: number) => LifeOfProcess;
  /** True if a process is the supervisor with this token; false if unknown. */
  readonly isSupervisor: (pid: number, token: string) => boolean;
  /** True if a process belongs to a family; true also if unknown. */
  readonly isOf: (pid: number, family: Family) => boolean;
  readonly signalGroup: typeof killGroup;
  /** Kill all processes of a family. @returns their number */
  readonly killFamily: (family: Family, clock: Clock) => Promise<number>;
  /** Kill everything in the control groups of a supervisor and its commands. */
  readonly killTree: (token: string) => void;
  /** Remove these groups. */
  readonly removeTree: (token: string) => void;
}

/** The system that this process runs on. */
export const SYSTEM: SupervisorSystem = {
  start: startPeer,
  find: findSupervisors,
  lifeOf,
  isSupervisor: isMarked,
  isOf: (pid, family) => {
    return process.platform !== "linux" || findFamily(family, null, [pid]).length > 0;
  },
  signalGroup: killGroup,
  killFamily: (family, clock) => killFamilyInTurns(family, null, clock),
  killTree: (token) => treeOf(token)?.kill(),
  removeTree: (token) => {
    const tree = treeOf(token);
    if (tree !== null) removeTree(tree.path);
  },
};

function treeOf(token: string): Cgroup | null {
  const tree = commandCgroups(token);
  return tree && new Cgroup(treePath(tree));
}
