import { statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename } from "node:path";
import { toJobError } from "../core/errors.ts";
import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { Cgroup } from "../platform/process/cgroup.ts";
import { commandCgroups, treePath } from "../platform/process/cgroup_tree.ts";
import { ChildChannel } from "../platform/process/child_channel.ts";
import {
  isMarked,
  killGroup,
  killMarkedInTurns,
  markedProcesses,
  usageOf,
} from "../platform/process/descendants.ts";
import type { ProcessIdentity } from "../platform/process/process_identity.ts";
import {
  ANSWERING_VERSION,
  commonVersion,
  type FoundRun,
  RUNS_TOTAL_MAX,
  SUPERVISOR_VERSION,
} from "./protocol.ts";
import { readMessage } from "./read_message.ts";
import {
  isOfPlace,
  listPlaces,
  readRecord,
  removePlace,
  socketOf,
  type SupervisorPlace,
  type SupervisorRecord,
} from "./supervisor_folder.ts";
import { MESSAGE_BYTES_MAX, type PeerEvents, type SupervisorPeer } from "./supervisor_peer.ts";

/** Time for a supervisor to list its commands, even on an overloaded host. */
const LIST_MS_MAX = 10_000;
/** After this time it may be stopped, and is continued. */
const CONTINUE_MS = 250;

/** A supervisor of an earlier daemon. */
export interface FoundSupervisor {
  readonly place: SupervisorPlace;
  readonly record: SupervisorRecord;
  readonly runs: readonly FoundRun[];
  /** The version of its program; null if it ends with its commands. */
  readonly program: string | null;
  readonly lastRun: number;
  readonly peer: SupervisorPeer;
  leave(): void;
}

interface SearchDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: Pick<ProcessIdentity, "fateOf">;
}

/**
 * Find the supervisors that earlier daemons recorded in a folder, and their commands. Responsive
 * ones stay as they are. Processes of the others are killed if their daemon is dead.
 */
export async function findSupervisors(
  folder: string,
  deps: SearchDeps,
): Promise<readonly FoundSupervisor[]> {
  const places = placesIn(folder, deps.logger);
  if (places.length === 0) return [];
  const search = await Search.begin(deps);
  const found = await Promise.all(places.map((place) => search.find(place)));
  await search.end();
  return found.filter((each) => each !== null);
}

/** Skip a folder that others can have filled: they would choose the processes to adopt and kill. */
function placesIn(folder: string, logger: Logger): readonly SupervisorPlace[] {
  try {
    return listPlaces(folder);
  } catch (error) {
    const { message, hint } = toJobError(error, `Cannot use the folder "${folder}"`);
    logger.warn("Did not look for commands of an earlier daemon", { problem: message, hint });
    return [];
  }
}

/** The search for all supervisors of a folder: the processes of the system are read once. */
class Search {
  readonly #deps: SearchDeps;
  /** The processes of supervisors and their commands, by marker; null if unknown. */
  readonly #marked: ReadonlyMap<string, readonly number[]> | null;
  /** Tokens of supervisors that have not yet listed their commands. */
  readonly #silent = new Set<string>();
  /** Tokens of supervisors that are dead or do not respond, and whose daemons are dead. */
  readonly #dead = new Map<SupervisorPlace, string>();
  /** Places whose records are unreadable, and whose supervisors have no daemon. */
  readonly #nameless = new Set<SupervisorPlace>();
  readonly #wake: Timer;

  private constructor(
    deps: SearchDeps,
    marked: ReadonlyMap<string, readonly number[]> | null,
  ) {
    this.#deps = deps;
    this.#marked = marked;
    this.#wake = deps.clock.timer(CONTINUE_MS, () => this.#continue(), { unref: true });
  }

  static async begin(deps: SearchDeps): Promise<Search> {
    const isLinux = process.platform === "linux";
    return new Search(deps, isLinux ? await markedProcesses(deps.clock) : null);
  }

  async find(place: SupervisorPlace): Promise<FoundSupervisor | null> {
    const record = readRecord(place);
    if (record !== null) {
      const socket = await connectTo(socketOf(place));
      const found = socket && await this.#look(place, record, socket);
      if (found !== null) return found;
      const fate = this.#deps.identity.fateOf(record.daemon);
      // It may be starting if its daemon is alive, and hang if the fate of its daemon is unknown.
      if (fate === "alive" || (fate === "unknown" && socket !== null)) return null;
      if (fate === "gone") {
        this.#dead.set(place, record.token);
        return null;
      }
    } else {
      if (!this.#hasDaemon(place)) this.#nameless.add(place);
      return null;
    }
    removePlace(place);
    return null;
  }

  /** True if the supervisor of an unreadable record is a child of another live daemon. */
  #hasDaemon(place: SupervisorPlace): boolean {
    return [...this.#marked ?? []].some(([marker, pids]) => {
      if (marker.includes(".") || !isOfPlace(place, marker)) return false;
      return pids.some((pid) => {
        const parent = usageOf(pid)?.parent ?? process.pid;
        // Once its daemon has ended, its parent is another program.
        return parent !== process.pid && isSameProgram(pid, parent);
      });
    });
  }

  /** End supervisors that do not respond, and processes left by them or by dead ones. */
  async end(): Promise<void> {
    this.#wake.cancel();
    const { clock, logger } = this.#deps;
    if (this.#dead.size + this.#nameless.size === 0) return;
    const tokens = new Set(this.#dead.values());
    const isDead = (marker: string) => {
      const token = marker.split(".", 1)[0]!;
      return tokens.has(token) || [...this.#nameless].some((place) => isOfPlace(place, token));
    };
    const killed = await killMarkedInTurns(isDead, clock);
    for (const place of this.#nameless) {
      logger.warn("Removed a record of a supervisor that cannot be read, and what it names", {
        place,
      });
      this.#end(place, basename(place));
    }
    for (const [place, token] of this.#dead) this.#end(place, token);
    if (killed > 0) logger.warn("Ended what a dead supervisor of commands left", { killed });
  }

  #end(place: SupervisorPlace, token: string): void {
    // A command may have cleared its environment, by which other processes were found.
    const tree = commandCgroups(token);
    if (tree !== null) new Cgroup(treePath(tree)).kill();
    removePlace(place);
  }

  /** Let supervisors continue that may have been stopped by a signal. */
  #continue(): void {
    for (const token of this.#silent) {
      for (const pid of this.#marked?.get(token) ?? []) {
        if (isMarked(pid, token)) killGroup(pid, "SIGCONT");
      }
    }
  }

  async #look(
    place: SupervisorPlace,
    record: SupervisorRecord,
    socket: Socket,
  ): Promise<FoundSupervisor | null> {
    const { secret, token } = record;
    // No process is the supervisor of this record, even if something listens.
    if (this.#marked?.has(token) === false) {
      socket.destroy();
      return null;
    }
    const peer = new FoundPeer(socket, this.#deps.clock);
    this.#silent.add(token);
    peer.send({ type: "list", version: SUPERVISOR_VERSION, secret });
    const runs = await peer.list(LIST_MS_MAX);
    this.#silent.delete(token);
    // It receives our signals: with fewer rights it must not name a foreign process.
    const isOurs = peer.pid !== null && (this.#marked === null || isMarked(peer.pid, token));
    if (runs === null || !isOurs) {
      peer.close();
      return null;
    }
    return {
      place,
      record,
      runs,
      peer,
      program: peer.program,
      lastRun: peer.lastRun,
      leave: () => peer.close(),
    };
  }
}

function isSameProgram(one: number, other: number): boolean {
  try {
    const [first, second] = [statSync(`/proc/${one}/exe`), statSync(`/proc/${other}/exe`)];
    return first.dev === second.dev && first.ino === second.ino;
  } catch {
    return false;
  }
}

function connectTo(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("error", () => {
      socket.destroy();
      resolve(null);
    });
    socket.once("connect", () => resolve(socket));
  });
}

/** The connection to a supervisor that was found. */
class FoundPeer implements SupervisorPeer {
  readonly isFound = true;
  readonly words = "";
  answers = false;
  pid: number | null = null;
  program: string | null = null;
  lastRun = 0;
  readonly #clock: Clock;
  readonly #channel: ChildChannel;
  readonly #runs: FoundRun[] = [];
  readonly #listed = Promise.withResolvers<readonly FoundRun[] | null>();
  #events: PeerEvents | null = null;

  constructor(stream: Socket, clock: Clock) {
    this.#clock = clock;
    this.#channel = new ChildChannel({
      clock,
      stream,
      lineBytesMax: MESSAGE_BYTES_MAX,
      onMessage: (message) => {
        if (this.#events === null) this.#look(message);
        else this.#events.onMessage(message);
      },
      onFault: (problem) => {
        this.#listed.resolve(null);
        this.#events?.onFault(problem);
      },
    });
    this.#channel.whenClosed(() => this.#listed.resolve(null));
  }

  send(message: unknown): void {
    this.#channel.send(message);
  }

  close(): void {
    this.#channel.close();
  }

  /** List its commands; null if it does not answer in time. */
  async list(limitMs: number): Promise<readonly FoundRun[] | null> {
    const timer = this.#clock.timer(limitMs, () => this.#listed.resolve(null));
    try {
      return await this.#listed.promise;
    } finally {
      timer.cancel();
    }
  }

  open(events: PeerEvents): ChildChannel {
    this.#events = events;
    // It may have ended since it was found.
    this.#channel.whenClosed(() => this.#clock.defer(() => events.onClosed()));
    return this.#channel;
  }

  release(): void {}

  #look(given: unknown): void {
    const message = readMessage(given);
    if (message?.type === "hello" && this.pid === null) {
      const version = commonVersion(SUPERVISOR_VERSION, message.version);
      if (version === null) return this.#listed.resolve(null);
      this.answers = version >= ANSWERING_VERSION;
      ({ pid: this.pid, program: this.program, lastRun: this.lastRun } = message);
    } else if (message?.type === "runs" && this.pid !== null) {
      this.#runs.push(...message.runs);
      if (message.isLast) this.#listed.resolve(this.#runs);
      else if (this.#runs.length > RUNS_TOTAL_MAX) this.#listed.resolve(null);
    } else this.#listed.resolve(null);
  }
}
