import { writeSync } from "node:fs";
import { WorkerSession } from "../../../src/worker/inside/worker_session.ts";
import type { FromWorker, ToWorker, WireJob } from "../../../src/worker/protocol.ts";
import { makeInstance, makeJob } from "../attempts.ts";
import { taskInstance } from "../../../src/worker/protocol.ts";

// A worker whose daemon sends the next run as soon as it has a result. The argument is a module
// whose first run leaves an unhandled rejection. Prints the messages of the worker.

const source = { type: "module", path: process.argv[2]!, entry: "work", version: "1" } as const;
const { kind, signature } = makeJob("work", source);

function runOf(run: number): ToWorker {
  const instance = taskInstance(makeInstance(makeJob("work", source), [run]));
  const shared = { handler: null, wantsStarted: false, wantsMarks: false };
  return { type: "run", run, ref: 1, instance, token: "token", workerId: "w1", ...shared };
}

const sent: FromWorker[] = [];

function send(message: FromWorker): void {
  sent.push(message);
  const isLast = message.type === "refused" || message.type === "result" && message.run === 2;
  if (message.type === "result" && message.run === 1) session.receive(runOf(2));
  if (!isLast) return;
  // Whatever is late shows before the end of the next turn.
  setImmediate(() =>
    setImmediate(() => {
      writeSync(1, JSON.stringify(sent));
      process.exit(0);
    })
  );
}

const session: WorkerSession = new WorkerSession({
  guard: {
    isKilling: () => false,
    killAll: () => process.exit(1),
  },
  send,
  deliver: (message) => Promise.resolve(send(message)),
  isIntact: () => true,
});
process.on("unhandledRejection", (thrown) => session.uncaught(thrown));
session.receive({ type: "job", ref: 1, job: { kind, source, signature } as WireJob });
session.receive(runOf(1));
