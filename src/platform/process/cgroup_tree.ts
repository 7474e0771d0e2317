import { chownSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readSystemFile } from "../files/read_file.ts";
import { Cgroup } from "./cgroup.ts";
import { lazyLibc } from "../system/libc.ts";
import type { User } from "../system/user_rights.ts";

/** Mount points of version 2: alone, or beside version 1. */
const ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/** Present on a host that is managed by systemd. */
const SYSTEMD_FOLDER = "/run/systemd/system";
/** The group of the daemon itself; `DelegateSubgroup=` of our units names it. */
const DAEMON_GROUP = "daemon";
/** Trees of supervisors begin with this. */
const TREE_PREFIX = "jobctl-";
/** Length of the part of a token that names a tree. */
const TOKEN_LENGTH = 16;
/** Most levels of groups below a tree: it has two levels itself. */
const DEPTH_MAX = 4;
/** Most groups below a tree. Its user may make more in vain: the daemon has to remove them. */
const GROUPS_MAX = 4_096;
/** Processes and threads that commands leave to the daemon: it dies if it cannot start a thread. */
const PROCESSES_SPARED = 256;
/** The same for the supervisor, within its tree. */
const SUPERVISOR_SPARED = 64;
/** Limits of the whole system. */
const SYSTEM_LIMITS = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"];
/** Time for a supervisor to enter its tree. */
const YOUNG_MS = 10_000;
/** Files of a group that its user needs to move processes within it. */
const DELEGATED_FILES = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];
/** Attributes by which systemd marks a group whose service may make others below it. */
const DELEGATE_ATTRIBUTES = ["trusted.delegate", "user.delegate"];

const openLibc = lazyLibc("getxattr");

/** Place of a process among the groups of this system. */
export interface CgroupPlace {
  /** Mount point of version 2. */
  readonly root: string;
  /** The folder of its group; null if that lies outside of the mount. */
  readonly path: string | null;
}

/** A group below which a daemon may make others. */
export interface CgroupBase {
  readonly path: string;
  /** True if memory can be bounded below it. */
  readonly canBound: boolean;
  /** Most processes and threads of commands at once; null for any number. */
  readonly processesMax: number | null;
}

/** The tree of one supervisor. */
export interface CgroupTree extends CgroupBase {
  /** Its name in the base. */
  readonly name: string;
}

/** Find the group of a process. @param pid null for this one. @returns null without version 2 */
export function findCgroup(pid: number | null): CgroupPlace | null {
  const root = ROOTS.find((each) => readSystemFile(join(each, "cgroup.controllers")) !== null);
  if (root === undefined) return null;
  const text = readSystemFile(`/proc/${pid ?? "self"}/cgroup`) ?? "";
  const own = /^0::(\/.*)$/m.exec(text)?.[1];
  return { root, path: own === undefined || own.includes("/../") ? null : join(root, own) };
}

/**
 * The parent group for the groups of a process: its own, or the one above if the process is in a
 * group for daemons.
 */
export function baseOf(path: string): string {
  return basename(path) === DAEMON_GROUP ? dirname(path) : path;
}

/**
 * True if a process may make groups below a group. On a host with systemd the group must have been
 * delegated, because systemd may change all others at any time.
 */
export function mayUse({ root }: CgroupPlace, base: string, uid: number): boolean {
  const found = statSync(join(base, "cgroup.procs"), { throwIfNoEntry: false });
  if (found === undefined || (uid !== 0 && found.uid !== uid)) return false;
  const isManaged = statSync(SYSTEMD_FOLDER, { throwIfNoEntry: false }) !== undefined;
  // Older versions of systemd set only an attribute that root alone may read.
  const isOwn = uid !== 0 && !base.includes("/user@");
  return !isManaged || base === root || isOwn || isDelegated(base);
}

function isDelegated(base: string): boolean {
  const symbols = openLibc()?.symbols;
  const value = new Uint8Array(8);
  const path = Buffer.from(`${base}\0`);
  return DELEGATE_ATTRIBUTES.some((name) =>
    symbols?.getxattr(path, Buffer.from(`${name}\0`), value, value.length) === 1 &&
    value[0] === "1".charCodeAt(0)
  );
}

/** True if groups below the base of a group can bound memory, once prepared. */
export function mayBound(path: string): boolean {
  const base = new Cgroup(baseOf(path));
  if (hands(base)) return true;
  return has(base, "cgroup.controllers") && (path !== base.path || !isService(path));
}

/** Systemd restarts a service in its group: that must not enable memory control. */
function isService(path: string): boolean {
  return path.endsWith(".service");
}

/**
 * Prepare the parent group of commands' groups, and remove empty ones of earlier supervisors there.
 *
 * @param path the group of this process
 */
export function prepareBase(path: string): CgroupBase {
  const base = baseOf(path);
  for (const name of namesIn(base)) {
    const tree = join(base, name);
    if (name.startsWith(TREE_PREFIX) && !isYoung(tree)) removeTree(tree);
  }
  const canLeave = path === base && !isService(path);
  const canBound = handDown(new Cgroup(base), canLeave ? path : null);
  return { path: base, canBound, processesMax: canBound ? processesBelow(base) : null };
}

/** Most processes for commands, so that enough are left; null without a bound. */
function processesBelow(base: string): number | null {
  const group = new Cgroup(base);
  if (!has(group, "cgroup.controllers", "pids")) return null;
  if (!group.tryToWrite("cgroup.subtree_control", "+pids")) return null;
  const limits = SYSTEM_LIMITS.map((file) => readSystemFile(file));
  // The limit of each group around it counts, too.
  for (let path = base; readSystemFile(join(path, "cgroup.procs")) !== null; path = dirname(path)) {
    limits.push(new Cgroup(path).read("pids.max"));
  }
  const max = Math.min(...limits.map(Number).filter((limit) => limit > 0));
  return Number.isFinite(max) ? withSpared(max, PROCESSES_SPARED) : null;
}

function withSpared(max: number, spared: number): number {
  return max - Math.min(spared, Math.floor(max / 2));
}

/** True if its supervisor may not have entered it yet. */
function isYoung(tree: string): boolean {
  const madeMs = statSync(tree, { throwIfNoEntry: false })?.ctimeMs ?? 0;
  return Date.now() - madeMs < YOUNG_MS;
}

/**
 * Enable memory control for the groups below one.
 *
 * @param own the group of this process, if it may leave that: a group with this control must not
 * contain processes itself
 */
function handDown(group: Cgroup, own: string | null): boolean {
  if (hands(group)) return true;
  if (!has(group, "cgroup.controllers")) return false;
  if (group.tryToWrite("cgroup.subtree_control", "+memory")) return true;
  if (own === null || group.pids.some((pid) => pid !== process.pid)) return false;
  const inner = join(own, DAEMON_GROUP);
  try {
    mkdirSync(inner, { recursive: true });
  } catch {
    return false;
  }
  return new Cgroup(inner).add(process.pid) &&
    group.tryToWrite("cgroup.subtree_control", "+memory");
}

function hands(group: Cgroup): boolean {
  return has(group, "cgroup.subtree_control");
}

function has(
  group: Cgroup,
  name: "cgroup.controllers" | "cgroup.subtree_control",
  controller: "memory" | "pids" = "memory",
): boolean {
  return (group.read(name) ?? "").trim().split(" ").includes(controller);
}

/** Parent of this process's groups; null if it may not make any, undefined while unknown. */
let ownBase: CgroupBase | null | undefined;

/**
 * The control groups for the commands of a supervisor: one for each command.
 *
 * @param token the markers of its commands begin with this
 * @returns null where this process may make none, or programs cannot be started in them
 */
export function commandCgroups(token: string): CgroupTree | null {
  if (ownBase === undefined) ownBase = findBase();
  return ownBase && { ...ownBase, name: `${TREE_PREFIX}${token.slice(0, TOKEN_LENGTH)}` };
}

function findBase(): CgroupBase | null {
  // Without these functions no program can be started in a group.
  const uid = process.getuid?.();
  if (uid === undefined || openLibc() === null) return null;
  const place = findCgroup(null);
  if (place === null || place.path === null) return null;
  const base = baseOf(place.path);
  if (!mayUse(place, base, uid)) return null;
  return prepareBase(place.path);
}

/** The tree that this process has entered. */
let entered: CgroupTree | null = null;

/** The tree of this process as a supervisor; null without one. */
export function ownTree(): CgroupTree | null {
  return entered;
}

/** Folders of a tree. */
export const TREE_GROUPS = {
  /** The supervisor itself. */
  supervisor: "supervisor",
  /** Commands whose memory has no bound. */
  plain: "plain",
  /** Commands with a bound: each such group takes longer to make. */
  bounded: "bounded",
} as const;

/**
 * Make the tree of this process, a supervisor, and move into it. All its descendants are then in
 * the tree. Does nothing if that fails: commands run without groups.
 *
 * @param user the supervisor's later user; null to keep the current one
 */
export function enterTree(tree: CgroupTree, user: User | null): void {
  const path = treePath(tree);
  try {
    mkdirSync(path);
    const group = new Cgroup(path);
    const { supervisor, plain } = TREE_GROUPS;
    const made = [path, ...[supervisor, plain].map((name) => join(path, name))];
    for (const folder of made.slice(1)) mkdirSync(folder);
    if (tree.canBound) {
      const bounded = join(path, TREE_GROUPS.bounded);
      group.write("cgroup.subtree_control", "+memory");
      mkdirSync(bounded);
      new Cgroup(bounded).write("cgroup.subtree_control", "+memory");
      made.push(bounded);
    }
    if (tree.processesMax !== null) {
      // Commands that are moved to their groups later begin beside the supervisor.
      group.tryToWrite("pids.max", String(tree.processesMax));
      group.tryToWrite("cgroup.subtree_control", "+pids");
      const most = String(withSpared(tree.processesMax, SUPERVISOR_SPARED));
      for (const folder of made.slice(2)) new Cgroup(folder).tryToWrite("pids.max", most);
    }
    new Cgroup(join(path, supervisor)).write("cgroup.procs", "0");
    group.write("cgroup.max.depth", String(DEPTH_MAX));
    group.write("cgroup.max.descendants", String(GROUPS_MAX));
    if (user !== null) { for (const folder of made) giveTo(folder, user); }
    entered = tree;
  } catch {
    removeTree(path);
  }
}

function giveTo(folder: string, { uid, gid }: User): void {
  chownSync(folder, uid, gid);
  for (const name of DELEGATED_FILES) chownSync(join(folder, name), uid, gid);
}

/** The folder of a tree. */
export function treePath({ path, name }: CgroupTree): string {
  return join(path, name);
}

/** Remove a group with those below it, unless one of them has processes. */
export function removeTree(path: string, depth = 0): void {
  const group = new Cgroup(path);
  if (depth === 0 && group.isPopulated) return;
  if (depth < DEPTH_MAX) {
    for (const name of namesIn(path)) {
      removeTree(join(path, name), depth + 1);
    }
  }
  group.remove();
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}
