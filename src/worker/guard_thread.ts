import { createReadStream } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock, type Timer } from "../platform/clock.ts";
import { killGroup } from "./groups.ts";
import type { GuardMessage } from "./protocol.ts";

// The guard of a worker: a thread of its own, so that it acts while job code spins. It kills the groups when the daemon's end of
// the line closes (the daemon is dead) and when the time that the daemon granted is over (the daemon is frozen).

let commandGroup: number | null = null;
let timer: Timer | null = null;
let pending = "";

function killAll(): void {
  if (commandGroup !== null) killGroup(commandGroup, "SIGKILL");
  killGroup(process.pid, "SIGKILL");
}

function obey(line: string): void {
  const { untilMs } = JSON.parse(line) as GuardMessage;
  timer?.cancel();
  timer = untilMs === null ? null : systemClock.timer(untilMs, killAll);
}

function read(chunk: string | Buffer): void {
  const lines = (pending + String(chunk)).split("\n");
  pending = lines.pop()!;
  const last = lines.at(-1);
  if (last !== undefined) obey(last);
}

const { descriptor } = workerData as { readonly descriptor: number };
const line = createReadStream("", { fd: descriptor, autoClose: false });
line.on("data", read);
line.on("error", killAll);
line.on("end", killAll);
line.on("close", killAll);

parentPort!.on("message", (group: number | null) => {
  commandGroup = group;
});
parentPort!.postMessage("ready");
