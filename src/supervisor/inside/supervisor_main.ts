import { JobError } from "../../core/errors.ts";
import type { LogEntry } from "../../core/instance.ts";
import { systemClock } from "../../platform/clock.ts";
import { HIDDEN_COMMANDS } from "../../platform/system/runtime.ts";
import { adoptOrphans, signalAtParentDeath } from "../../platform/process/process_control.ts";
import { takeSetup } from "../../platform/process/process_setup.ts";
import type { FromSupervisor, ToSupervisor } from "../protocol.ts";
import type { SupervisorPlace } from "../supervisor_folder.ts";
import type { AdoptionSocket } from "./adoption_socket.ts";
import { Supervisor, type SupervisorLink } from "./supervisor.ts";

/** Interval between checks of the parent where its death sends no signal. */
const PARENT_LOOK_MS = 250;
/** Interval between checks, without a daemon, whether one can still find this process. */
const RECORD_LOOK_MS = 250;

/**
 * The program of the supervisor: runs commands for the daemon that started it, and for the next one
 * if it can be found. Otherwise it kills all of them and ends when the daemon closes the
 * connection.
 *
 * @throws JobError `unavailable` if no daemon started it
 */
export async function supervisorMain(): Promise<void> {
  if (!process.send) {
    throw new JobError("unavailable", "Cannot run commands: no daemon started this process", {
      hint: 'It is started by "jobctl serve"',
    });
  }
  const link = createLink(process.send.bind(process));
  adoptOrphans();
  // Before the change of user: the new one may not enter the folder of the socket.
  const socket = await openSocket();
  const problem = takeSetup();
  // A command that signals its parent can only end itself. With a handler, programs that are
  // started do not inherit this.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  // Its end of the pipe is with the daemon.
  process.stderr.on("error", () => {});
  const supervisor = new Supervisor(link, {
    adoption: socket && { graceMs: socket.record.graceMs, ends: socket.ends },
    onEnd: () => process.exit(0),
    onAlone: () => watchRecord(socket!, supervisor),
  });
  process.once("exit", () => {
    supervisor.killAll();
    socket?.remove();
  });
  const lost = () => supervisor.lost(link);
  watchParent(lost);
  process.once("disconnect", lost);
  if (problem !== null) link.send({ type: "unfit", message: problem });
  else {
    socket?.serve(supervisor);
    process.on("message", (message) => supervisor.receive(message as ToSupervisor));
  }
  supervisor.greet();
  await new Promise<never>(() => {});
}

async function openSocket(): Promise<AdoptionSocket | null> {
  const place = placeOf(process.argv);
  if (place === null) return null;
  const { AdoptionSocket } = await import("./adoption_socket.ts");
  return await AdoptionSocket.open(place);
}

/** The argument after the subcommand, unless that is the setup. */
function placeOf(argv: readonly string[]): SupervisorPlace | null {
  const given = argv[argv.indexOf(HIDDEN_COMMANDS.supervisor) + 1];
  return given === undefined || given.startsWith("{") ? null : given;
}

/**
 * Notice that the daemon is gone. The connection alone may not show it: Deno reports no end of it
 * if the daemon was killed with messages unread.
 */
function watchParent(lost: () => void): void {
  const parent = process.ppid;
  const look = () => {
    if (process.ppid !== parent) lost();
    return process.ppid === parent;
  };
  process.on("SIGCONT", look);
  // The daemon may stop this process before it kills it: if the daemon dies in between, this
  // process must continue. Set after the change of user, which would cancel it.
  if (signalAtParentDeath("SIGCONT")) return;
  const lookAgain = () => {
    if (look()) systemClock.timer(PARENT_LOOK_MS, lookAgain);
  };
  lookAgain();
}

let isWatched = false;

/**
 * While it has no daemon, end this process when its record was removed: a daemon that does not find
 * it runs its instances again, beside the commands that run here.
 */
function watchRecord(socket: AdoptionSocket, supervisor: Supervisor): void {
  if (isWatched) return;
  isWatched = true;
  const look = () => {
    isWatched = supervisor.isAlone;
    if (!isWatched) return;
    if (!socket.isFindable) process.exit(0);
    systemClock.timer(RECORD_LOOK_MS, look);
  };
  look();
}

function createLink(send: NonNullable<typeof process.send>): SupervisorLink {
  let unreadBytes = 0;
  return {
    get unreadBytes() {
      return unreadBytes;
    },
    send(message: FromSupervisor): void {
      if (!process.connected) return;
      const bytes = message.type === "log" ? lengthOf(message.entries) : 0;
      unreadBytes += bytes;
      send(message, undefined, undefined, () => unreadBytes -= bytes);
    },
    close() {
      if (process.connected) process.disconnect?.();
    },
  };
}

function lengthOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { message }) => sum + message.length, 0);
}
