import type { Clock, Timer } from "../../../src/platform/clock.ts";
import { type Family, MARKER_VARIABLE } from "../../../src/platform/process/descendants.ts";
import { ClaimSeal } from "../../../src/supervisor/claim_seal.ts";
import type { FoundSupervisor } from "../../../src/supervisor/find_supervisors.ts";
import {
  type FoundRun,
  type FromSupervisor,
  type SealedClaim,
  SUPERVISOR_VERSION,
  type ToFoundSupervisor,
  type ToSupervisor,
} from "../../../src/supervisor/protocol.ts";
import { listPlaces, readRecord, removePlace } from "../../../src/supervisor/supervisor_folder.ts";
import type { PeerEvents, SupervisorPeer } from "../../../src/supervisor/supervisor_peer.ts";
import type { SupervisorSystem } from "../../../src/supervisor/supervisor_system.ts";
import type { SimClock } from "../../support/worlds/sim_clock.ts";

/** How long a message is on its way, and a process takes to end. */
const TRAVEL_MS = 1;
const END_MS = 3;

/** A bug of the processes, the system or the daemon that the checks must find. */
export type Plant =
  /** Messages overtake the request to attach, as if the daemon did not wait for its answer. */
  | "sends before it is attached"
  /** A supervisor forgets to report how commands end. */
  | "ends unreported"
  /** A supervisor ends, and its daemon is not told. */
  | "exits unreported"
  /** The same, and nobody looks. */
  | "exits unseen"
  /** What a dead supervisor ran is not killed. */
  | "kills nothing"
  /** The store takes back the claims of commands that run. */
  | "keeps no claims";

/** A command that has begun. */
export interface SimRun {
  readonly instance: string;
  readonly fence: number;
  readonly marker: string;
  readonly begunMs: number;
  /** Null while its process runs. */
  endedMs: number | null;
}

interface SimCommand {
  readonly run: number;
  readonly claim: SealedClaim;
  readonly process: SimRun;
  readonly timers: Timer[];
  deadlineMs: number;
  deadline: Timer | null;
  /** How it ended, until a daemon has recorded it. */
  ended: Extract<FromSupervisor, { readonly type: "ended" }> | null;
}

/** A connection between a daemon and a supervisor. */
class SimLink {
  readonly owner: Clock;
  state: "looking" | "attached";
  isOpen = true;
  events: PeerEvents | null = null;

  constructor(owner: Clock, state: "looking" | "attached") {
    this.owner = owner;
    this.state = state;
  }

  toDaemon(deliver: (events: PeerEvents) => void): void {
    this.owner.timer(TRAVEL_MS, () => {
      if (this.events !== null) deliver(this.events);
    });
  }

  say(message: FromSupervisor): void {
    if (this.isOpen) this.toDaemon((events) => events.onMessage(message));
  }

  /** Its other end, or something between, has gone. */
  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.toDaemon((events) => events.onClosed());
  }
}

/** A supervisor, as its messages show it. */
export class SimSupervisor {
  readonly pid: number;
  readonly token: string;
  readonly place: string | null;
  readonly #system: SimSystem;
  readonly #commands = new Map<number, SimCommand>();
  isAlive = true;
  link: SimLink | null;
  #isEnding = false;
  #alone: Timer | null = null;

  constructor(
    system: SimSystem,
    parts: Pick<SimSupervisor, "pid" | "token" | "place"> & { readonly link: SimLink },
  ) {
    this.#system = system;
    this.pid = parts.pid;
    this.token = parts.token;
    this.place = parts.place;
    this.link = parts.link;
    const hello = { type: "hello", version: SUPERVISOR_VERSION, pid: this.pid } as const;
    this.link.say({ ...hello, isAdoptable: true, program: "0", lastRun: 0 });
  }

  receive(link: SimLink, message: ToSupervisor | ToFoundSupervisor): void {
    if (!this.isAlive || !link.isOpen) return;
    if (link.state === "attached") return this.#obey(message as ToSupervisor);
    if (message.type !== "attach") return link.cut();
    link.state = "attached";
    this.#alone?.cancel();
    const before = this.link;
    this.link = link;
    before?.cut();
    link.say({ type: "attached" });
    for (const { ended } of this.#commands.values()) if (ended !== null) link.say(ended);
  }

  #obey(message: ToSupervisor): void {
    switch (message.type) {
      case "run":
        return this.#begin(message);
      case "until":
        for (const run of message.runs) this.#extend(run, message.untilMs);
        return;
      case "signal":
        return this.#end(message.run, message.signal);
      case "ack":
        for (const run of message.done) this.#commands.delete(run);
        return this.#endIfIdle();
      case "check": {
        const runs = [...this.#commands.values()].filter(({ ended }) => ended === null);
        return this.link?.say({ type: "running", runs: runs.map(({ run }) => run) });
      }
      case "detach":
        return this.lost();
      case "end":
        this.#isEnding = true;
        return this.#endIfIdle();
      case "quit":
        return this.die(true);
    }
  }

  #begin({ run, claim, command, untilMs }: Extract<ToSupervisor, { readonly type: "run" }>): void {
    const { clock } = this.#system;
    const process = this.#system.begin(claim, command.marker);
    const durationMs = this.#system.durationOf(command.argv[0]!);
    const timers = [clock.timer(durationMs, () => this.#end(run, null))];
    const parts = { run, claim, process, timers, deadlineMs: 0, deadline: null, ended: null };
    this.#commands.set(run, parts);
    this.#extend(run, untilMs);
    this.link?.say({ type: "started", run, pid: 1_000_000 + run, isBounded: false });
  }

  #extend(run: number, untilMs: number): void {
    const { clock } = this.#system;
    const command = this.#commands.get(run);
    if (command === undefined || command.ended !== null) return;
    command.deadline?.cancel();
    command.deadlineMs = clock.now().monotonicMs + untilMs;
    command.deadline = clock.timer(untilMs, () => this.#end(run, "deadline"));
  }

  /** @param why a signal, "deadline", or null for its own end */
  #end(run: number, why: string | null): void {
    const { clock, plant } = this.#system;
    const command = this.#commands.get(run);
    if (!this.isAlive || command === undefined || command.ended !== null) return;
    clock.timer(END_MS, () => {
      if (!this.isAlive || command.ended !== null) return;
      this.#system.end(command.process);
      command.deadline?.cancel();
      for (const timer of command.timers) timer.cancel();
      const error = { name: "CommandError", message: "ended", signal: why ?? "" };
      const result = why === null
        ? { type: "ok", resultsJson: "[]", exitCode: 0 } as const
        : { type: "error", error } as const;
      const tail = { stderrTail: "", usage: null };
      command.ended = { type: "ended", run, result: why === "deadline" ? null : result, ...tail };
      if (plant !== "ends unreported") this.link?.say(command.ended);
    });
  }

  #endIfIdle(): void {
    if (this.#isEnding && this.#commands.size === 0) this.die(true);
  }

  /** Its daemon is gone. */
  lost(): void {
    const { clock, graceMs } = this.#system;
    this.link?.cut();
    this.link = null;
    if (this.#commands.size === 0) return this.die(true);
    for (const run of this.#commands.keys()) this.#extend(run, graceMs);
    this.#alone = clock.timer(graceMs + 1_000, () => this.die(true));
  }

  /** @param killsAll true if it ends by itself: then it kills what it runs */
  die(killsAll: boolean): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#alone?.cancel();
    for (const { process, timers, deadline } of this.#commands.values()) {
      // Without their parent, programs end when they are done.
      deadline?.cancel();
      if (!killsAll) continue;
      for (const timer of timers) timer.cancel();
      this.#system.end(process);
    }
    if (killsAll && this.place !== null) removePlace(this.place);
    if (!this.#system.plant?.startsWith("exits")) this.#system.reportExit(this);
  }

  list(nowMs: number): readonly FoundRun[] {
    return [...this.#commands.values()].map(({ run, claim, process, deadlineMs, ended }) => ({
      ...{ run, claim, pid: 1_000_000 + run, isFrozen: false, frozenMs: 0 },
      ageMs: nowMs - process.begunMs,
      endedAgoMs: ended === null ? null : nowMs - process.endedMs!,
      leftMs: Math.max(0, deadlineMs - nowMs),
    }));
  }

  /** The processes that it has begun and that run. */
  get processes(): readonly SimRun[] {
    return [...this.#commands.values()].map(({ process }) => process);
  }
}

/** The processes of a simulated host. */
export class SimSystem implements SupervisorSystem {
  readonly clock: SimClock;
  readonly plant: Plant | null;
  readonly graceMs: number;
  readonly durationOf: (program: string) => number;
  /** All commands that have ever begun. */
  readonly runs: SimRun[] = [];
  readonly supervisors: SimSupervisor[] = [];
  /** The first one is that of the daemon that has started it. */
  readonly #links = new Map<SimSupervisor, SimLink[]>();

  constructor(
    parts: Pick<SimSystem, "clock" | "plant" | "graceMs" | "durationOf">,
  ) {
    this.clock = parts.clock;
    this.plant = parts.plant;
    this.graceMs = parts.graceMs;
    this.durationOf = parts.durationOf;
  }

  begin({ id, fence }: SealedClaim, marker: string): SimRun {
    const { monotonicMs: begunMs } = this.clock.now();
    const run = { instance: id, fence, marker, begunMs, endedMs: null };
    this.runs.push(run);
    return run;
  }

  end(run: SimRun): void {
    run.endedMs ??= this.clock.now().monotonicMs;
  }

  start: SupervisorSystem["start"] = ({ argv, env }, clock) => {
    const link = new SimLink(clock, "attached");
    const place = argv[argv.indexOf("__supervisor") + 1]!;
    const pid = 5_000_000 + this.supervisors.length;
    const token = env[MARKER_VARIABLE]!;
    const supervisor = new SimSupervisor(this, { pid, token, place, link });
    this.supervisors.push(supervisor);
    this.#links.set(supervisor, [link]);
    return this.#peer(supervisor, link, false);
  };

  find: SupervisorSystem["find"] = async (folder, { clock }) => {
    const found: FoundSupervisor[] = [];
    const places = new Set(listPlaces(folder));
    await new Promise<void>((resolve) => void clock.timer(TRAVEL_MS, resolve));
    for (const supervisor of this.supervisors) {
      const { place } = supervisor;
      const record = place !== null && places.has(place) ? readRecord(place) : null;
      if (record === null) continue;
      if (!supervisor.isAlive) {
        if (this.plant !== "kills nothing") supervisor.processes.forEach((each) => this.end(each));
        removePlace(place!);
        continue;
      }
      const link = new SimLink(clock, "looking");
      this.#links.get(supervisor)!.push(link);
      const runs = supervisor.list(this.clock.now().monotonicMs);
      const peer = this.#peer(supervisor, link, true);
      const parts = { place: place!, record, runs, peer, program: null, lastRun: 0 };
      found.push({ ...parts, leave: () => this.#close(supervisor, link) });
    }
    await new Promise<void>((resolve) => void clock.timer(TRAVEL_MS, resolve));
    // Seals are of the folder, so they are genuine.
    if (found.length > 0 && ClaimSeal.read(folder) === null) throw new Error("no key");
    return found;
  };

  #peer(supervisor: SimSupervisor, link: SimLink, isFound: boolean): SupervisorPeer {
    const later = this.plant === "sends before it is attached" ? 5 * TRAVEL_MS : 0;
    return {
      ...{ pid: supervisor.pid, isFound, answers: true, words: "" },
      open: (events) => {
        link.events = events;
        if (!link.isOpen) link.toDaemon(({ onClosed }) => onClosed());
        return {
          send: (message: unknown) => {
            const given = message as ToSupervisor | ToFoundSupervisor;
            const delayMs = TRAVEL_MS + (given.type === "attach" ? later : 0);
            // The planted daemon takes it for answered, and so sends what follows at once.
            if (given.type === "attach" && later > 0) link.say({ type: "attached" });
            this.clock.timer(delayMs, () => supervisor.receive(link, given));
          },
          close: () => this.#close(supervisor, link),
        };
      },
      release() {},
    };
  }

  #close(supervisor: SimSupervisor, link: SimLink): void {
    if (!link.isOpen) return;
    link.isOpen = false;
    if (supervisor.link === link) this.clock.timer(TRAVEL_MS, () => this.#left(supervisor, link));
  }

  #left(supervisor: SimSupervisor, link: SimLink): void {
    if (supervisor.isAlive && supervisor.link === link) supervisor.lost();
  }

  /** A daemon is killed: its connections end, and its children lose it. */
  daemonDied(clock: Clock): void {
    for (const [supervisor, links] of this.#links) {
      for (const link of links) if (link.owner === clock) this.#close(supervisor, link);
    }
  }

  /** The connection of the daemon to each supervisor ends, and nothing else. */
  cutConnections(): void {
    for (const supervisor of this.supervisors) {
      if (!supervisor.isAlive) continue;
      for (const link of this.#links.get(supervisor)!) link.cut();
      if (supervisor.link !== null) supervisor.lost();
    }
  }

  /** Its parent sees the exit of its child, and others the end of their connections. */
  reportExit(supervisor: SimSupervisor): void {
    const links = this.#links.get(supervisor)!;
    links[0]!.toDaemon((events) => events.onExit({ code: null, signal: "SIGKILL" }));
    for (const link of links) link.cut();
  }

  readonly isSupervisor = (pid: number, token: string) => {
    return this.supervisors.some((each) => {
      return each.isAlive && each.pid === pid && each.token === token;
    });
  };

  readonly isOf = () => true;

  readonly lifeOf = (pid: number) => {
    if (this.plant === "exits unseen") return "runs";
    return this.supervisors.some((each) => each.isAlive && each.pid === pid) ? "runs" : "gone";
  };

  readonly signalGroup = (pid: number, signal: string) => {
    if (signal !== "SIGKILL") return;
    this.supervisors.find((each) => each.pid === pid)?.die(false);
  };

  readonly killFamily = async ({ marker, isPrefix }: Family, clock: Clock) => {
    await new Promise<void>((resolve) => void clock.timer(TRAVEL_MS, resolve));
    if (this.plant === "kills nothing") return 0;
    const living = this.runs.filter((run) => {
      const isMember = isPrefix ? run.marker.startsWith(`${marker}.`) : run.marker === marker;
      return run.endedMs === null && isMember;
    });
    for (const run of living) this.end(run);
    return living.length;
  };

  readonly killTree = () => {};
  readonly removeTree = () => {};
}
