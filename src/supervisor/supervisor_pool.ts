import type { CommandSpec } from "../core/job/job.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import { thisProcess } from "../platform/process/process_identity.ts";
import { VERSION } from "../platform/version.ts";
import type { WorkerSettings } from "../worker/process/worker_pool.ts";
import { isForeignCommand, supervisorKey, supervisorLaunch } from "./command_launch.ts";
import type { FoundSupervisor } from "./find_supervisors.ts";
import { LAST_RUN_MAX } from "./protocol.ts";
import { hasSameLaunch } from "./same_launch.ts";
import {
  removeEnded,
  removePlace,
  type SupervisorPlace,
  type SupervisorRecord,
} from "./supervisor_folder.ts";
import type { SupervisorPeer } from "./supervisor_peer.ts";
import { SupervisorProcess } from "./supervisor_process.ts";
import { type RecordsOptions, SupervisorRecords } from "./supervisor_records.ts";
import type { SupervisorSystem } from "./supervisor_system.ts";
import { WaitingClaims } from "./waiting_claims.ts";

/** Interval between memory checks of a supervisor. */
const MEMORY_EVERY_MS = 250;

/** Options for starting and keeping supervisors. */
export interface SupervisorPoolOptions
  extends RecordsOptions, Pick<WorkerSettings, "idleMs" | "command" | "recycle"> {
  /** False to run commands without control groups, as on systems without them. */
  readonly hasCgroups: boolean;
  /** Called when a command begins, and when it has ended. */
  readonly onWork: () => void;
  /** Its calls on processes; tests replace them. */
  readonly system: SupervisorSystem;
}

/** The supervisors of this daemon: starts, reuses, replaces and ends them. */
export class SupervisorPool {
  readonly records: SupervisorRecords;
  readonly #options: SupervisorPoolOptions;
  /** By key, the supervisors that take commands. */
  readonly #supervisors = new Map<string, SupervisorProcess>();
  readonly #all = new Set<SupervisorProcess>();
  /** Adopted ones, still to be compared with a new launch by this daemon. */
  readonly #unchecked = new Map<SupervisorProcess, FoundSupervisor>();
  /** Supervisors that no daemon could find because their record could not be written. */
  readonly #unrecorded = new Set<SupervisorProcess>();
  readonly #reaper: LazyTimer;
  #lastRun = 0;
  #memorySeenMs = -Infinity;
  #failedStarts = 0;
  #onEmpty: (() => void) | null = null;

  constructor(options: SupervisorPoolOptions) {
    this.#options = options;
    this.records = new SupervisorRecords(options);
    this.#reaper = new LazyTimer(options.clock, () => this.#reap());
  }

  /** End all but the supervisors that were left, with their commands, to the next daemon. */
  async close(): Promise<void> {
    this.#reaper.cancel();
    for (const supervisor of this.#all) supervisor.close();
    if (this.#all.size > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
    this.records.removeUnused();
  }

  /** Kill all but the supervisors that were left. */
  kill(): void {
    for (const supervisor of this.#all) if (!supervisor.hasLeft) supervisor.giveUp();
  }

  stats(): { readonly alive: number; readonly failedStarts?: number; readonly silent?: number } {
    const failedStarts = this.#failedStarts === 0 ? {} : { failedStarts: this.#failedStarts };
    const silent = [...this.#all].filter(({ isSilent }) => isSilent).length;
    return { alive: this.#all.size, ...failedStarts, ...(silent === 0 ? {} : { silent }) };
  }

  /** A new, unique number for a command. */
  nextRun(): number {
    return this.#lastRun += 1;
  }

  /** Start the supervisor that a command will need, unless it runs. @throws as {@link acquire} */
  prepare(spec: CommandSpec): void {
    const supervisor = this.acquire(spec);
    if (supervisor.busy === 0) this.#rest(supervisor);
  }

  /** The supervisor for a command. @throws JobError if its user does not exist */
  acquire(spec: CommandSpec): SupervisorProcess {
    const key = supervisorKey(spec);
    const known = this.#supervisors.get(key);
    const isUsable = known !== undefined && !known.isRetired && this.#suits(known, spec);
    if (isUsable && !this.#unrecorded.has(known)) return known;
    const { clock, logger, command, hasCgroups, outliving, system } = this.#options;
    const token = this.records.secret(16);
    const isForeign = isForeignCommand(spec);
    const place = this.records.write({ token, key, isForeign });
    if (isUsable && place === null) return known;
    known?.end();
    const launch = supervisorLaunch(spec, { command, place, marker: token, hasCgroups });
    const peer = system.start(launch, clock);
    const supervisor = this.#add({ peer, token, isForeign, key, place });
    this.#supervisors.set(key, supervisor);
    if (place === null && outliving !== null) this.#unrecorded.add(supervisor);
    logger.debug("supervisor of commands started", { pid: supervisor.pid });
    return supervisor;
  }

  /** Take over a supervisor of an earlier daemon, until its commands have ended. */
  adopt({ peer, place, record }: FoundSupervisor): SupervisorProcess {
    const { token, isForeign, key } = record;
    const { logger } = this.#options;
    logger.debug("supervisor of commands adopted", { pid: peer.pid });
    return this.#add({ peer, token, isForeign, key, place });
  }

  /**
   * Let a supervisor of an earlier daemon take new commands, if its program is this version.
   *
   * @returns false if it must end with its last command
   */
  reuse(supervisor: SupervisorProcess, found: FoundSupervisor): boolean {
    const { record: { key, graceMs }, program, lastRun } = found;
    const { outliving } = this.#options;
    const isSame = program === VERSION && graceMs === outliving?.graceMs;
    if (!isSame || lastRun > LAST_RUN_MAX || this.#supervisors.has(key)) return false;
    // The seal lets the next daemon recognize their claims.
    if (!this.records.readSeal()) return false;
    // Leftovers of its commands are recognized by their numbers.
    this.#lastRun = Math.max(this.#lastRun, lastRun);
    supervisor.isRetired = false;
    this.#supervisors.set(key, supervisor);
    this.#unchecked.set(supervisor, found);
    if (supervisor.busy === 0) this.#rest(supervisor);
    return true;
  }

  /** Compare a found supervisor before its first new command; end it if it differs. */
  #suits(supervisor: SupervisorProcess, spec: CommandSpec): boolean {
    const found = this.#unchecked.get(supervisor);
    if (found === undefined) return true;
    this.#unchecked.delete(supervisor);
    const { command, hasCgroups } = this.#options;
    const { place, record: { token: marker } } = found;
    const launch = supervisorLaunch(spec, { command, place, marker, hasCgroups });
    if (hasSameLaunch(supervisor.pid!, launch, spec.nice ?? null)) return true;
    supervisor.end();
    return false;
  }

  #add(
    { key, place, ...parts }: Pick<SupervisorRecord, "token" | "isForeign" | "key"> & {
      readonly peer: SupervisorPeer;
      readonly place: SupervisorPlace | null;
    },
  ): SupervisorProcess {
    const { clock, logger, system } = this.#options;
    const { process: daemon } = thisProcess();
    const hasWaiting = place !== null && daemon !== null;
    const { peer } = parts;
    const supervisor = new SupervisorProcess({
      ...parts,
      clock,
      logger,
      system,
      waiting: hasWaiting ? new WaitingClaims(place, { clock, daemon }) : null,
      onEnd: (each) => this.#ended(each),
      onGone: (each) => {
        if (place !== null && !each.hasLeft) {
          removePlace(place);
          // Its notes from before this daemon, and losses, have been reported here.
          if (peer.pid !== null) removeEnded(place);
        }
        this.#forget(key, each);
      },
    });
    this.#all.add(supervisor);
    return supervisor;
  }

  #ended(supervisor: SupervisorProcess): void {
    this.#failedStarts = 0;
    this.#options.onWork();
    if (this.#isWornOut(supervisor)) supervisor.isRetired = true;
    if (supervisor.busy > 0) return;
    if (supervisor.isRetired) return supervisor.end();
    this.#rest(supervisor);
  }

  /** It runs nothing now: end it if it stays idle. */
  #rest(supervisor: SupervisorProcess): void {
    supervisor.idleSinceMs = this.#nowMs();
    this.#reaper.setBy(supervisor.idleSinceMs + this.#options.idleMs);
  }

  #isWornOut(supervisor: SupervisorProcess): boolean {
    const { runs, memoryBytes } = this.#options.recycle;
    if (supervisor.runs >= runs) return true;
    const nowMs = this.#nowMs();
    if (nowMs - this.#memorySeenMs < MEMORY_EVERY_MS) return false;
    this.#memorySeenMs = nowMs;
    return supervisor.memoryBytes > memoryBytes;
  }

  #reap(): void {
    const nowMs = this.#nowMs();
    for (const supervisor of this.#supervisors.values()) {
      if (supervisor.busy > 0 || supervisor.isRetired) continue;
      const endMs = supervisor.idleSinceMs + this.#options.idleMs;
      if (endMs > nowMs) this.#reaper.setBy(endMs);
      else supervisor.end();
    }
  }

  #forget(key: string, supervisor: SupervisorProcess): void {
    if (this.#supervisors.get(key) === supervisor) this.#supervisors.delete(key);
    this.#all.delete(supervisor);
    this.#unchecked.delete(supervisor);
    this.#unrecorded.delete(supervisor);
    if (!supervisor.hasStarted) this.#failedStarts += 1;
    const { logger } = this.#options;
    logger.debug("supervisor of commands ended", { pid: supervisor.pid, runs: supervisor.runs });
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }
}
