import { existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { errorCode } from "../../core/errors.ts";
import type { Clock } from "../clock.ts";
import { readSystemFile } from "../files/read_file.ts";
import { Slices } from "../slices.ts";
import { isWindows } from "../system/runtime.ts";
import { START_TICKS, statOf } from "./process_identity.ts";

/** Environment variable that marks the processes of one worker, in any session. */
export const MARKER_VARIABLE = "JOBCTL_WORKER";
/** If more processes than this are new, all processes are listed. */
const RANGE_MAX = 500;
/** Most room for descriptors in a process for which they are listed. */
const OPEN_FILES_MAX = 16_384;
/** Most searches in a row while new processes appear. */
const ROUNDS_MAX = 20;

/** Marks of the processes of one worker, or of one command. */
export interface Family {
  /** Value of {@link MARKER_VARIABLE}. */
  readonly marker: string;
  /** True for the families of all markers that begin with `marker` and a dot. */
  readonly isPrefix?: boolean;
  /** Processes that lead a session: the worker, and its command. */
  readonly sessions: ReadonlySet<number>;
}

/** A process in /proc. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it was started, in ticks since boot. */
  readonly startTicks: number;
}

/** True if a process's own data prove that it belongs to a family. */
type Evidence = (entry: ProcessEntry) => boolean;

/** A process, and whether its own data prove that it belongs to a family. */
interface Member extends ProcessEntry {
  readonly isMember: boolean;
}

/**
 * Every living process of a family: in its sessions, with its marker, and descendants of either and
 * of `except`, but not `except` itself. Linux only; finds nothing elsewhere, nor processes we may
 * not read.
 *
 * A process that cleared its environment, left the session and lost its parent is found as a child
 * of the worker, which adopts it. It is not found where adoption is impossible, or after the worker
 * itself has ended.
 *
 * @param pids processes to search; all by default
 */
export function findFamily(
  family: Family,
  except: number | null,
  pids: readonly number[] = allPids(),
): number[] {
  const evidence = evidenceOf(family);
  const entries = pids.map((pid) => readMember(pid, evidence)).filter((entry) => entry !== null);
  return membersOf(entries, except);
}

/**
 * Kill every process of a family except `except`, until none is left. All are stopped first, so
 * that they cannot start others meanwhile.
 *
 * @param killed processes killed before; the others are added to it
 * @returns the size of `killed` afterwards
 */
export function killFamily(
  family: Family,
  except: number,
  killed: Set<number> = new Set(),
): number {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    // A killed process may take a moment to disappear.
    const living = findFamily(family, except).filter((pid) => !killed.has(pid));
    if (living.length === 0) break;
    killAll(living);
    for (const pid of living) killed.add(pid);
  }
  return killed.size;
}

/** Like {@link findFamily}, in slices of time: jobs may start very many processes. */
export async function findFamilyInTurns(
  family: Family,
  except: number | null,
  clock: Clock,
): Promise<number[]> {
  return membersOf(await readAllInTurns(evidenceOf(family), new Slices(clock)), except);
}

/**
 * Like {@link killFamily}, in slices of time. Each process is stopped when found, so that its pid
 * cannot be reused before it is killed.
 *
 * @returns the number killed
 */
export function killFamilyInTurns(
  family: Family,
  except: number | null,
  clock: Clock,
): Promise<number> {
  return killInTurns(evidenceOf(family), except, clock);
}

/**
 * The same for all processes with certain markers, and their descendants.
 *
 * @param isWanted true for the markers in question
 */
export function killMarkedInTurns(
  isWanted: (marker: string) => boolean,
  clock: Clock,
): Promise<number> {
  return killInTurns((entry) => markersOf(entry).some(isWanted), null, clock);
}

/** All living processes that have a marker, by their markers. */
export async function markedProcesses(
  clock: Clock,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, number[]>();
  const slices = new Slices(clock);
  for (const pid of allPids()) {
    await slices.pause();
    const entry = readEntry(pid);
    const marker = entry && markerOf(entry);
    if (marker === null) continue;
    const others = found.get(marker);
    if (others === undefined) found.set(marker, [pid]);
    else others.push(pid);
  }
  return found;
}

async function killInTurns(
  evidence: Evidence,
  except: number | null,
  clock: Clock,
): Promise<number> {
  const slices = new Slices(clock);
  const killed = new Set<number>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const stop = ({ pid, isMember }: Member) => {
      if (isMember && pid !== except && !killed.has(pid)) send(pid, "SIGSTOP");
    };
    const entries = await readAllInTurns(evidence, slices, stop);
    const living = membersOf(entries, except).filter((pid) => !killed.has(pid));
    if (living.length === 0) break;
    for (const pid of living) {
      await slices.pause();
      if (send(pid, "SIGKILL")) killed.add(pid);
    }
  }
  return killed.size;
}

async function readAllInTurns(
  evidence: Evidence,
  slices: Slices,
  onRead: (entry: Member) => void = () => {},
): Promise<readonly Member[]> {
  const entries: Member[] = [];
  for (const pid of allPids()) {
    await slices.pause();
    const entry = readMember(pid, evidence);
    if (entry === null) continue;
    onRead(entry);
    entries.push(entry);
  }
  return entries;
}

/**
 * Signal a whole process group. Does nothing if the group is gone. On Windows, which has neither
 * groups nor signals, SIGTERM and SIGKILL end its first process at once.
 */
export function killGroup(
  group: number,
  signal: "SIGTERM" | "SIGSTOP" | "SIGCONT" | "SIGKILL",
): void {
  // Group 0 is our own and 1 would be everything.
  if (!Number.isInteger(group) || group <= 1) return;
  if (isWindows() && (signal === "SIGSTOP" || signal === "SIGCONT")) return;
  try {
    process.kill(isWindows() ? group : -group, signal);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

/** Number of processes that are named. */
const NAMES_MAX = 5;

/** The first of some processes by name, as `sleep (4711)`. */
export function namesOf(pids: readonly number[]): readonly string[] {
  return pids.slice(0, NAMES_MAX).map((pid) => {
    const name = readSystemFile(`/proc/${pid}/comm`);
    return name === null ? `process ${pid}` : `${name.trim()} (${pid})`;
  });
}

/** Result of a search for processes that job code left behind. */
export interface Sweep {
  /** The first of them, as `sleep (4711)`. */
  readonly names: readonly string[];
  /** Their number. */
  readonly found: number;
  /** True if no process can have started on this host since the last search. */
  readonly isQuiet: boolean;
}

/**
 * Finds processes that job code left behind. The cost grows with the processes started since the
 * last search, not with all processes of the host. Linux only; finds nothing elsewhere.
 */
export class FamilySweeper {
  readonly #marker: string;
  readonly #own: number;
  #lastPid: number | null = lastPid();
  #session: number | null = null;

  /** @param own the worker, which leads a session and is never killed */
  constructor(marker: string, own: number) {
    this.#marker = marker;
    this.#own = own;
  }

  /** A session beside the worker's own, which the next sweep searches: its command's. */
  addSession(session: number): void {
    this.#session = session;
  }

  /** Find processes that were started since the last call and still run, without ending them. */
  look(): Sweep {
    const from = this.#lastPid;
    const to = lastPid();
    if (from !== null && from === to) return { names: [], found: 0, isQuiet: true };
    const pids = from === null || to === null ? undefined : candidates(from, to);
    const found = findFamily(this.#family(), this.#own, pids);
    this.#lastPid = to;
    return { names: namesOf(found), found: found.length, isQuiet: false };
  }

  /** Kill processes started since the last look. */
  sweep(): Sweep {
    let from = this.#lastPid;
    const to = lastPid();
    if (from === null || to === null) return { names: [], found: 0, isQuiet: false };
    if (from === to) return { names: [], found: 0, isQuiet: true };
    const family = this.#family();
    const names: string[] = [];
    const killed = new Set<number>();
    let seen = to;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const found = findFamily(family, this.#own, candidates(from, seen));
      names.push(...namesOf(found.filter((pid) => !killed.has(pid))));
      killAll(found);
      for (const pid of found) killed.add(pid);
      // One may have started another after the list was read.
      const now = lastPid() ?? seen;
      if (now === seen && found.length === 0) break;
      // Only new ones: others may keep starting processes, and this must still end.
      from = seen;
      seen = now;
    }
    // Later processes can have any number.
    if (killed.size > 0) killFamily(family, this.#own, killed);
    this.#lastPid = seen;
    return { names: names.slice(0, NAMES_MAX), found: killed.size, isQuiet: false };
  }

  #family(): Family {
    const sessions = new Set(this.#session === null ? [this.#own] : [this.#own, this.#session]);
    this.#session = null;
    return { marker: this.#marker, sessions };
  }
}

/** Memory of a process, processor time of it and its ended children; null if it is gone. */
export function usageOf(
  pid: number,
): { readonly rssBytes: number; readonly cpuTicks: number; readonly parent: number } | null {
  const fields = statOf(pid);
  if (fields === null) return null;
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  const rssBytes = Number(fields[21]) * PAGE_BYTES;
  return { rssBytes, cpuTicks: ticks, parent: Number(fields[1]) };
}

/** The most memory that a process has taken at one moment; null if unknown. */
export function peakRssBytes(pid: number): number | null {
  const text = readSystemFile(`/proc/${pid}/status`) ?? "";
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(text)?.[1];
  return kib === undefined ? null : Number(kib) * 1_024;
}

/** Number of a process's open files; null if unreadable, or too many to count. */
export function openFilesOf(pid: number): number | null {
  const folder = `/proc/${pid}/fd`;
  try {
    // Since Linux 6.2.
    const { size } = statSync(folder);
    if (size > 0) return size;
    const status = readSystemFile(`/proc/${pid}/status`) ?? "";
    const room = Number(/^FDSize:\s+(\d+)/m.exec(status)?.[1]);
    return room <= OPEN_FILES_MAX ? readdirSync(folder).length : null;
  } catch {
    return null;
  }
}

/** Memory of a process, with its share of memory that others use too; null if unknown. */
export function sharedOutBytes(pid: number): number | null {
  const text = readSystemFile(`/proc/${pid}/smaps_rollup`) ?? "";
  const kib = /^Pss:\s+(\d+) kB/m.exec(text)?.[1];
  const swap = /^SwapPss:\s+(\d+) kB/m.exec(text)?.[1];
  return kib === undefined ? null : (Number(kib) + Number(swap ?? 0)) * 1_024;
}

/** Linux has pages of 4 KiB on every platform that we are built for. */
const PAGE_BYTES = 4_096;
/** Ticks of processor time a second. */
export const TICKS_PER_SECOND = 100;

/** Kill processes. All are stopped first, so that none can start another meanwhile. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) send(pid, "SIGSTOP");
  for (const pid of pids) send(pid, "SIGKILL");
}

/** Kill processes with all of their descendants. */
export function killTrees(roots: readonly number[]): void {
  const found = new Set(roots);
  for (let stopped = 0, round = 0; found.size > stopped && round < ROUNDS_MAX; round++) {
    for (const pid of [...found].slice(stopped)) send(pid, "SIGSTOP");
    stopped = found.size;
    // Until they stopped, they may have started others.
    addDescendants(found, allPids().map(readEntry).filter((entry) => entry !== null));
  }
  killAll([...found]);
}

function send(pid: number, signal: "SIGSTOP" | "SIGKILL"): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // It has already ended, or is not ours to end.
    return false;
  }
}

function readMember(pid: number, evidence: Evidence): Member | null {
  const entry = readEntry(pid);
  return entry === null ? null : { ...entry, isMember: evidence(entry) };
}

/** The members and all descendants of members and of `except`, without `except` itself. */
function membersOf(entries: readonly Member[], except: number | null): number[] {
  const found = new Set<number>(except === null ? [] : [except]);
  for (const { pid, isMember } of entries) if (isMember) found.add(pid);
  addDescendants(found, entries);
  if (except !== null) found.delete(except);
  return [...found];
}

function addDescendants(found: Set<number>, entries: readonly ProcessEntry[]): void {
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const { pid, parent } of entries) if (found.has(parent)) found.add(pid);
  }
}

function evidenceOf({ sessions, marker, isPrefix }: Family): Evidence {
  return (entry) => {
    if (sessions.has(entry.session) || sessions.has(entry.group)) return true;
    return markersOf(entry).some((each) => {
      return isPrefix ? each.startsWith(`${marker}.`) : each === marker;
    });
  };
}

/** The marker of a process; null without one, or if unreadable. */
export function markerOf(entry: ProcessEntry): string | null {
  return markersOf(entry)[0] ?? null;
}

/** A process may have set itself several markers; programs see the first. */
function markersOf({ pid, parent }: ProcessEntry): readonly string[] {
  if (parent === KERNEL_PID) return [];
  const text = "\0" + (environmentOf(pid) ?? "");
  return text.split(`\0${MARKER_VARIABLE}=`).slice(1).map((rest) => rest.split("\0", 1)[0]!);
}

/** True if a process lives and has exactly this marker. */
export function isMarked(pid: number, marker: string): boolean {
  const entry = readEntry(pid);
  return entry !== null && markerOf(entry) === marker;
}

/** During an exec, the environment reads as empty for some microseconds: read it again then. */
function environmentOf(pid: number): string | null {
  for (let tries = 1;; tries++) {
    const text = readSystemFile(`/proc/${pid}/environ`);
    if (text !== "" || tries >= READ_TRIES_MAX) return text;
    Atomics.wait(pause, 0, 0, 0.1);
  }
}

/** Null when it is gone or dead. */
export function readEntry(pid: number): ProcessEntry | null {
  const fields = statOf(pid);
  if (fields === null || fields[0] === "Z" || fields[0] === "X") return null;
  const [, parent, group, session] = fields.map(Number) as [number, number, number, number];
  return { pid, parent, group, session, startTicks: Number(fields[START_TICKS]) };
}

/**
 * Living processes numbered after `from` up to `to`; all processes if these are many.
 *
 * @param known processes to skip
 */
export function candidates(
  from: number,
  to: number,
  known?: { has(pid: number): boolean },
): readonly number[] {
  if (to < from || to - from > RANGE_MAX) return allPids();
  const range = Array.from({ length: to - from }, (_, index) => from + 1 + index);
  // Most are gone by now, and an error would cost twice the time of this check.
  return range.filter((pid) => !known?.has(pid) && existsSync(`/proc/${pid}`) && !isThread(pid));
}

function isThread(pid: number): boolean {
  const status = readSystemFile(`/proc/${pid}/status`) ?? "";
  return Number(/^Tgid:\t(\d+)/m.exec(status)?.[1]) !== pid;
}

/** All processes that /proc lists. */
export function allPids(): readonly number[] {
  try {
    return readdirSync("/proc").map(Number).filter((pid) => pid > 1);
  } catch {
    return [];
  }
}

/** Parent of the kernel's own threads, which have no environment. */
const KERNEL_PID = 2;
const READ_TRIES_MAX = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

const digits = new Uint8Array(16);
let lastPidFile: number | null = null;

/**
 * The number of the last started process or thread on this system; null if unknown.
 *
 * Read after each attempt. The file stays open: opening it takes ten times as long as reading it.
 */
export function lastPid(): number | null {
  try {
    lastPidFile ??= openSync("/proc/sys/kernel/ns_last_pid", "r");
    const length = readSync(lastPidFile, digits, 0, digits.length, 0);
    let pid = 0;
    for (let index = 0; index < length - 1; index++) pid = pid * 10 + digits[index]! - 48;
    return pid;
  } catch {
    return null;
  }
}
