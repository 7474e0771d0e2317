import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { messageOf } from "../core/errors.ts";
import { isObject } from "../core/text/object_keys.ts";
import type { Clock } from "../platform/clock.ts";
import { readRegularFile } from "../platform/files/read_file.ts";
import type { Logger } from "../platform/logger.ts";
import type { FoundSupervisor } from "./find_supervisors.ts";
import type { FoundRun, FromSupervisor, ToFoundSupervisor, ToSupervisor } from "./protocol.ts";
import { readMessage } from "./read_message.ts";
import {
  endedOf,
  listPlaces,
  recordOf,
  removeEnded,
  type SupervisorPlace,
} from "./supervisor_folder.ts";
import type { PeerConnection, PeerEvents, SupervisorPeer } from "./supervisor_peer.ts";

/** Longest file that is read, in bytes: more than a supervisor writes. */
const FILE_BYTES_MAX = 134_217_728;
const NEWLINE = 10;

/** A message about a run that has ended. */
type RunMessage = Extract<FromSupervisor, { readonly type: "log" | "ended" }>;

/** A supervisor's own file about the commands that ended while no daemon ran. */
interface EndedRuns {
  readonly token: string;
  readonly runs: readonly FoundRun[];
  readonly messages: readonly RunMessage[];
}

/**
 * Read the files in which ended supervisors noted how commands ended while no daemon ran. Each
 * appears as a supervisor without running commands that reports these ends.
 *
 * Call it after the search for live supervisors: their files belong to them.
 */
export function findEnded(
  folder: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): readonly FoundSupervisor[] {
  return placesIn(folder).flatMap((place) => {
    if (existsSync(recordOf(place))) return [];
    try {
      const ended = readEnded(place, clock.now().wallMs);
      if (ended !== null && ended.runs.length > 0) return [foundOf(place, ended, clock)];
      removeEnded(place);
    } catch (error) {
      logger.warn("Cannot read how commands ended that no daemon has recorded", {
        file: endedOf(place),
        problem: messageOf(error),
      });
    }
    return [];
  });
}

/** Empty for another user's folder: the search for supervisors has logged why. */
function placesIn(folder: string): readonly SupervisorPlace[] {
  try {
    return listPlaces(folder, "ended");
  } catch {
    return [];
  }
}

function foundOf(
  place: SupervisorPlace,
  { token, runs, messages }: EndedRuns,
  clock: Clock,
): FoundSupervisor {
  const peer = new EndedPeer(place, { clock, runs, messages });
  const record = { secret: "", token, key: "", isForeign: true, graceMs: null, daemon: null };
  return { place, record, runs, peer, program: null, lastRun: 0, leave() {} };
}

/** Stands in for a supervisor that has ended: reports its file, and removes acknowledged runs. */
class EndedPeer implements SupervisorPeer {
  readonly pid = null;
  readonly isFound = true;
  readonly answers = true;
  readonly words = "";
  readonly #place: SupervisorPlace;
  readonly #clock: Clock;
  readonly #messages: readonly RunMessage[];
  /** Runs that no daemon has recorded. */
  readonly #unrecorded: Set<number>;
  #events: PeerEvents | null = null;

  constructor(
    place: SupervisorPlace,
    { clock, runs, messages }: Pick<EndedRuns, "runs" | "messages"> & { readonly clock: Clock },
  ) {
    this.#place = place;
    this.#clock = clock;
    this.#messages = messages;
    this.#unrecorded = new Set(runs.map(({ run }) => run));
  }

  open(events: PeerEvents): PeerConnection {
    this.#events = events;
    return {
      send: (message) => this.#receive(message as ToSupervisor | ToFoundSupervisor),
      close: () => this.#events = null,
    };
  }

  release(): void {}

  #receive(message: ToSupervisor | ToFoundSupervisor): void {
    if (message.type === "attach") {
      return this.#later(({ onMessage }) => {
        onMessage({ type: "attached" });
        for (const each of this.#messages) onMessage(each);
      });
    }
    if (message.type === "ack") {
      for (const run of message.done) this.#unrecorded.delete(run);
      if (this.#unrecorded.size > 0) return;
      removeEnded(this.#place);
    }
    const isOver = message.type === "quit" || this.#unrecorded.size === 0;
    if (isOver) this.#later(({ onClosed }) => onClosed());
  }

  #later(deliver: (events: PeerEvents) => void): void {
    this.#clock.defer(() => {
      if (this.#events !== null) deliver(this.#events);
    });
  }
}

/**
 * Read the file of a place. Its supervisor may have been killed while it wrote: only runs whose end
 * is complete count.
 *
 * @throws the system's error
 */
function readEnded(place: SupervisorPlace, nowMs: number): EndedRuns | null {
  const bytes = readRegularFile(endedOf(place), FILE_BYTES_MAX)?.bytes;
  if (bytes === undefined) return null;
  const runs: FoundRun[] = [];
  const messages: RunMessage[] = [];
  let token = "";
  let current: { readonly run: FoundRun; readonly logs: RunMessage[] } | null = null;
  // A view: a copy would double the memory.
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const value of valuesIn(view)) {
    if (isObject(value) && typeof value.token === "string") token = value.token;
    const message = readMessage(value);
    if (message?.type === "runs") {
      const agoMs = agoOf(value, nowMs);
      const [run] = message.runs;
      current = run === undefined ? null : { run: endedRun(run, agoMs), logs: [] };
    } else if (message?.type === "log" && message.run === current?.run.run) {
      current.logs.push(message);
    } else if (message?.type === "ended" && message.run === current?.run.run) {
      runs.push(current.run);
      messages.push(...current.logs, { ...message, agoMs: current.run.endedAgoMs! });
      current = null;
    }
  }
  return { token, runs, messages };
}

function endedRun(run: FoundRun, agoMs: number): FoundRun {
  // Another process may have its number by now.
  return { ...run, pid: null, ageMs: run.ageMs + agoMs, endedAgoMs: agoMs, leftMs: 0 };
}

function agoOf(value: unknown, nowMs: number): number {
  const at = isObject(value) ? Number(value.at) : NaN;
  return Number.isFinite(at) ? Math.max(0, Math.floor(nowMs - at)) : 0;
}

/** The values of complete lines. */
function* valuesIn(bytes: Buffer): Iterable<unknown> {
  for (let from = 0;;) {
    const end = bytes.indexOf(NEWLINE, from);
    if (end < 0) return;
    try {
      yield JSON.parse(bytes.subarray(from, end).toString());
    } catch {
      // The line was cut when its supervisor was killed.
    }
    from = end + 1;
  }
}
