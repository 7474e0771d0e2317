import { JobError } from "../../core/errors.ts";
import type { LogEntry } from "../../core/instance.ts";
import { systemClock } from "../../platform/clock.ts";
import { adoptOrphans, signalAtParentDeath } from "../../platform/process/process_control.ts";
import { takeSetup } from "../../platform/process/process_setup.ts";
import { type FromSupervisor, SUPERVISOR_VERSION, type ToSupervisor } from "../protocol.ts";
import { Supervisor, type SupervisorLink } from "./supervisor.ts";

/** How often the parent is looked for where its death sends no signal. */
const PARENT_LOOK_MS = 250;

/**
 * The program of the supervisor: runs commands for the daemon that started it. Kills all of them
 * and ends when the daemon closes the connection.
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
  const problem = takeSetup();
  watchParent();
  // A command that signals its parent ends itself at most. With a handler, programs that are
  // started do not inherit this.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  const disconnected = new Promise<void>((resolve) => process.once("disconnect", resolve));
  const supervisor = new Supervisor(link, () => process.exit(0));
  process.once("exit", () => supervisor.killAll());
  if (problem !== null) link.send({ type: "unfit", message: problem });
  else process.on("message", (message) => supervisor.receive(message as ToSupervisor));
  link.send({ type: "hello", version: SUPERVISOR_VERSION, pid: process.pid });
  await disconnected;
  process.exit(0);
}

/**
 * End this process when its daemon is gone. The connection alone does not always tell: Deno reports
 * no end of it if the daemon was killed with messages unread.
 */
function watchParent(): void {
  const parent = process.ppid;
  const look = () => {
    if (process.ppid !== parent) process.exit(0);
  };
  process.on("SIGCONT", look);
  // The daemon may stop this process before it kills it: if the daemon dies in between, this
  // process must continue. Set after the change of user, which would cancel it.
  if (signalAtParentDeath("SIGCONT")) return;
  const lookAgain = () => {
    look();
    systemClock.timer(PARENT_LOOK_MS, lookAgain);
  };
  lookAgain();
}

function createLink(send: NonNullable<typeof process.send>): SupervisorLink {
  let unreadBytes = 0;
  return {
    get unreadBytes() {
      return unreadBytes;
    },
    send(message: FromSupervisor): void {
      const bytes = message.type === "log" ? lengthOf(message.entries) : 0;
      unreadBytes += bytes;
      send(message, undefined, undefined, () => unreadBytes -= bytes);
    },
  };
}

function lengthOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { message }) => sum + message.length, 0);
}
