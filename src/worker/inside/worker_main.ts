import { JobError } from "../../core/errors.ts";
import { startGuard } from "../guard/guard.ts";
import { type FromWorker, PROTOCOL_VERSION, type ToWorker } from "../protocol.ts";
import {
  adoptOrphans,
  OrphanReaper,
  signalAtParentDeath,
} from "../../platform/process/process_control.ts";
import { takeSetup } from "../../platform/process/process_setup.ts";
import { WorkerSession } from "./worker_session.ts";

/**
 * The program of a worker process: executes the runs that the daemon which started it sends, one at
 * a time. Kills its process group when the daemon closes the connection.
 *
 * @throws JobError `unavailable` if no daemon started it
 */
export async function workerMain(): Promise<void> {
  if (!process.send) {
    throw new JobError("unavailable", "Cannot run as a worker: no daemon started this process", {
      hint: 'Workers are started by "jobctl serve"',
    });
  }
  // Job code may replace these.
  const sendMessage = process.send.bind(process);
  const send = (message: FromWorker) => {
    if (message.type === "result" && guard.isKilling()) return;
    sendMessage(message, undefined, undefined, () => {});
  };
  const deliver = (message: FromWorker) =>
    new Promise<void>((resolve) => {
      sendMessage(message, undefined, undefined, () => resolve());
    });

  adoptOrphans();
  const guard = await startGuard();
  const problem = takeSetup();
  if (problem !== null) send({ type: "unfit", message: problem });
  // The daemon stops a worker before it kills it: if the daemon dies in between, the guard must
  // continue. Set after the change of user, which would cancel it.
  signalAtParentDeath("SIGCONT");
  const disconnected = new Promise<void>((resolve) => process.once("disconnect", resolve));
  const reaper = new OrphanReaper(() => session.isBusy);
  const onMessage = (message: unknown) => {
    session.receive(message as ToWorker);
    reaper.start();
  };
  const onUncaught = (thrown: unknown) => session.uncaught(thrown);
  const session: WorkerSession = new WorkerSession({
    guard,
    send,
    deliver,
    isIntact: () =>
      process.listeners("message").includes(onMessage) &&
      process.listeners("uncaughtException").includes(onUncaught) &&
      process.listeners("unhandledRejection").includes(onUncaught),
  });
  process.on("message", onMessage);
  process.on("uncaughtException", onUncaught);
  process.on("unhandledRejection", onUncaught);
  process.once("exit", () => session.exiting());
  send({ type: "hello", version: PROTOCOL_VERSION, pid: process.pid });
  await disconnected;
  guard.killAll();
}
