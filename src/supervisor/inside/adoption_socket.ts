import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { chmodSync, fstatSync, openSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { isObject } from "../../core/text/object_keys.ts";
import { systemClock } from "../../platform/clock.ts";
import { PRIVATE_FILE } from "../../platform/files/private_files.ts";
import { ChildChannel } from "../../platform/process/child_channel.ts";
import {
  ANSWERING_VERSION,
  commonVersion,
  FOUND_BYTES_MAX,
  RUNS_MAX,
  SUPERVISOR_VERSION,
  type ToSupervisor,
} from "../protocol.ts";
import {
  readRecord,
  recordOf,
  removeEnded,
  removePlace,
  removeUnused,
  socketOf,
  type SupervisorPlace,
  type SupervisorRecord,
} from "../supervisor_folder.ts";
import { EndedFile } from "./ended_file.ts";
import type { Supervisor, SupervisorLink } from "./supervisor.ts";

/** Most daemons that look at once: one takes over, and another may be starting in vain. */
const CONNECTIONS_MAX = 8;
/** Time for a daemon to look without taking over: it opens its store meanwhile. */
const LOOK_MS_MAX = 600_000;
/** Time for which a process may be connected without having shown the secret. */
const SECRET_MS_MAX = 5_000;

/**
 * The way for a daemon to find this supervisor: a Unix socket in a folder that only the daemon's
 * user may enter. It is opened while this process still has that user's rights.
 */
export class AdoptionSocket {
  readonly record: SupervisorRecord;
  /** Stores how commands end while no daemon runs. */
  readonly ends: EndedFile;
  readonly #place: SupervisorPlace;
  readonly #server: Server;
  /** The record as an open file: shows if it was removed, even without rights to its folder. */
  readonly #file: number;
  readonly #connections = new Set<Socket>();
  #supervisor: Supervisor | null = null;

  private constructor(place: SupervisorPlace, record: SupervisorRecord) {
    this.record = record;
    this.#place = place;
    this.#file = openSync(recordOf(place), "r");
    this.ends = EndedFile.open(place, record.token);
    this.#server = createServer((socket) => this.#connected(socket));
  }

  /** @returns null if no daemon could find it: it then ends with its daemon */
  static async open(place: SupervisorPlace): Promise<AdoptionSocket | null> {
    const record = readRecord(place);
    if (record === null) return null;
    try {
      const socket = new AdoptionSocket(place, record);
      await socket.#listen();
      return socket;
    } catch {
      return null;
    }
  }

  /** False once its record was removed: no daemon will find this supervisor. */
  get isFindable(): boolean {
    return fstatSync(this.#file).nlink > 0;
  }

  /** Let daemons find the supervisor. */
  serve(supervisor: Supervisor): void {
    this.#supervisor = supervisor;
  }

  /** Remove it, if this process still has the rights. */
  remove(): void {
    removePlace(this.#place);
    if (this.ends.isEmpty) removeEnded(this.#place);
    removeUnused(dirname(this.#place));
  }

  #listen(): Promise<void> {
    const path = socketOf(this.#place);
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        this.#server.off("error", reject);
        this.#server.on("error", () => {});
        chmodSync(path, PRIVATE_FILE);
        resolve();
      });
    });
  }

  #connected(socket: Socket): void {
    const supervisor = this.#supervisor;
    if (supervisor === null || this.#connections.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    new DaemonConnection(socket, { supervisor, secret: this.record.secret });
  }
}

/** A daemon that has found this supervisor. */
class DaemonConnection implements SupervisorLink {
  readonly #supervisor: Supervisor;
  readonly #secret: string;
  readonly #channel: ChildChannel;
  #state: "unknown" | "looking" | "attached" = "unknown";
  /** The protocol version that both ends know. */
  #version = SUPERVISOR_VERSION;
  #limit: { cancel(): void };

  constructor(
    stream: Socket,
    { supervisor, secret }: { readonly supervisor: Supervisor; readonly secret: string },
  ) {
    this.#supervisor = supervisor;
    this.#secret = secret;
    this.#channel = new ChildChannel({
      clock: systemClock,
      stream,
      lineBytesMax: FOUND_BYTES_MAX,
      isTrusted: true,
      onMessage: (message) => this.#receive(message),
      onFault: () => this.#gone(),
    });
    this.#limit = this.#closeIn(SECRET_MS_MAX);
    supervisor.called(this);
    this.#channel.whenClosed(() => this.#gone());
  }

  get unreadBytes(): number {
    return this.#channel.unreadBytes;
  }

  send(message: Parameters<SupervisorLink["send"]>[0]): void {
    this.#channel.send(message);
  }

  close(): void {
    this.#limit.cancel();
    this.#supervisor.closed(this);
    this.#channel.close();
  }

  #closeIn(ms: number): { cancel(): void } {
    return systemClock.timer(ms, () => this.close(), { unref: true });
  }

  #gone(): void {
    this.close();
    this.#supervisor.lost(this);
  }

  #receive(message: unknown): void {
    if (this.#state === "attached") return this.#supervisor.receive(message as ToSupervisor);
    const given = isObject(message) ? message : {};
    if (this.#state === "unknown") return this.#list(given.version, given.secret);
    if (given.type !== "attach") return this.close();
    this.#state = "attached";
    this.#limit.cancel();
    if (this.#version >= ANSWERING_VERSION) this.send({ type: "attached" });
    this.#supervisor.attach(this);
  }

  #list(version: unknown, secret: unknown): void {
    const own = Buffer.from(this.#secret);
    const given = Buffer.from(typeof secret === "string" ? secret : "");
    const isKnown = given.length === own.length && timingSafeEqual(given, own);
    const common = typeof version === "number" ? commonVersion(SUPERVISOR_VERSION, version) : null;
    if (!isKnown || common === null) return this.close();
    this.#state = "looking";
    this.#version = common;
    this.#limit.cancel();
    this.#limit = this.#closeIn(LOOK_MS_MAX);
    this.#supervisor.looked(this);
    this.send(this.#supervisor.hello);
    const runs = this.#supervisor.list();
    for (let from = 0; from === 0 || from < runs.length; from += RUNS_MAX) {
      const isLast = from + RUNS_MAX >= runs.length;
      this.send({ type: "runs", runs: runs.slice(from, from + RUNS_MAX), isLast });
    }
    this.#supervisor.answered(this);
  }
}
