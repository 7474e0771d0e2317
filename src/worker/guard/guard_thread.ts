import { createReadStream } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock, type Timer } from "../../platform/clock.ts";
import { killWorker } from "./guard.ts";
import type { GuardMessage } from "../protocol.ts";

// The guard of a worker is a thread, so that it acts even while job code spins. It kills the groups
// when the daemon's end of the line closes (the daemon is dead), and when the granted time is over
// (the daemon is frozen).

const { descriptor, cell, marker } = workerData as {
  /** Identifies the worker's processes. */
  readonly marker: string;
  readonly descriptor: number;
  /** Set when the guard acts. */
  readonly cell: Int32Array<SharedArrayBuffer>;
};
let timer: Timer | null = null;
let pending = "";

function killAll(): void {
  Atomics.store(cell, 0, 1);
  killWorker(marker);
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

const line = createReadStream("", { fd: descriptor, autoClose: false });
line.on("data", read);
line.on("error", killAll);
line.on("end", killAll);
line.on("close", killAll);

parentPort!.postMessage("ready");
