import { connect, type JobClient } from "../../../src/rpc/client/client.ts";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import type { Attack, Running, Target } from "../attack.ts";
import { pause } from "../connections.ts";

const KIND = "attacker";
const CALL_MS = 15_000;
/** Every attempt of the job must be over by then, whatever it claims. */
const TIMEOUT_MS = 1_000;
const OVER_MS = 8_000;

/** Writes a whole chunk to a descriptor that may accept only part of it. */
const WRITE_ALL = `
import { writeSync } from "node:fs";
const sleeper = new Int32Array(new SharedArrayBuffer(4));
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}
/** The worker's channel to the daemon. */
const CHANNEL = 4;
`;

/** A job that writes the same bytes forever, or a given number of times. */
function writer(descriptor: string, bytes: string, total = "Infinity"): string {
  return `${WRITE_ALL}
export default function attacker(): void {
  const bytes = Buffer.from(${bytes});
  for (let left = ${total}; left > 0; left -= bytes.length) writeAll(${descriptor}, bytes);
}
`;
}

/** Messages of the worker protocol as sent over the channel, for every possible run number. */
function forger(message: string, repeat: number): string {
  const runs = `Array.from({ length: ${repeat} }, (_, place) => place % 20 + 1)`;
  return writer("CHANNEL", `${runs}.map((run) => JSON.stringify(${message}) + "\\n").join("")`);
}

function client(target: Target): JobClient {
  const { port, tokens } = target;
  return connect({
    ...{ host: "127.0.0.1", port, socket: null, token: tokens.operator, timeoutMs: CALL_MS },
  });
}

const UNFINISHED = [JobState.CREATED, JobState.SCHEDULED, JobState.PROCESSING];
const ENDED = { instance: { state: JobState.COMPLETED } };

/** As many at once as there is room for. */
async function runMany(running: Running): Promise<void> {
  await Promise.all(Array.from({ length: 6 }, () => runJob(running)));
}

/** Run the job again and again until the time is over, and cancel the last run. */
async function runJob({ target, signal, count }: Running): Promise<void> {
  const calls = client(target);
  try {
    while (!signal.aborted) {
      const { instance } = await calls.scheduleJob({ kind: KIND });
      count("runs");
      const uuid = instance!.uuid;
      const isOver = async () => {
        // An instance whose result cannot be shown has ended.
        const { instance: now } = await calls.getInstance({ uuid }).catch(() => ENDED);
        return now !== undefined && !UNFINISHED.includes(now.state);
      };
      while (!signal.aborted && !await isOver()) await pause(250, signal);
      if (signal.aborted) await calls.cancelInstances({ query: { uuid } });
    }
  } finally {
    calls.close();
  }
}

/** Whether others can read what it left. */
async function readsWork(target: Target): Promise<string | null> {
  const calls = client(target);
  try {
    await calls.lookupInstances({ query: { kind: KIND } });
    await calls.lookupInstances({});
    await calls.lookupInstanceLogs({ query: { kind: KIND } });
    return null;
  } catch (error) {
    return `others cannot read: ${(error as Error).message}`;
  } finally {
    calls.close();
  }
}

/** Whether the first attempt has ended, by its own timeout or before. */
async function hasEnded(target: Target): Promise<string | null> {
  const calls = client(target);
  const endMs = Date.now() + OVER_MS;
  try {
    for (;;) {
      const { instances } = await calls.lookupInstances({
        query: { kind: KIND, oldestFirst: true, pageSize: 1 },
      });
      const state = instances[0]?.state;
      if (state !== undefined && !UNFINISHED.includes(state)) return null;
      if (Date.now() > endMs) return "its timeout did not end the attempt";
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    calls.close();
  }
}

const FORGED_MODULE = `
export default async function attacker(): Promise<void> {
  // As fast as the channel accepts them, without blocking the job's event loop.
  for (;;) {
    for (let run = 1; run <= 20; run += 1) {
      process.send!({ type: "started", run });
      process.send!({ type: "hello", version: 4, pid: process.pid });
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
`;

const DECIDED_MODULE = `${WRITE_ALL}
export default function attacker(): void {
  const text = Buffer.alloc(20_000_000, "x");
  for (let run = 1; run <= 2; run += 1) {
    const head = '{"type":"decided","run":' + run + ',"result":{"type":"ok","resultsJson":"[\\\\"';
    writeAll(CHANNEL, Buffer.from(head));
    writeAll(CHANNEL, text);
    writeAll(CHANNEL, Buffer.from('\\\\"]"}}\\n'));
  }
  // The decided result is final, because a handler that ends its process must not undo it.
  process.exit();
}
`;

const CALLS_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  for (;;) {
    await Promise.allSettled(Array.from({ length: 1_000 }, () => ctx.manager.lookupInstances()));
  }
}
`;

const LOGS_MODULE = `
import type { Context } from "ts-job";
export default function attacker(ctx: Context): void {
  const text = "x".repeat(200);
  for (;;) ctx.log.error(text);
}
`;

function job(
  name: string,
  about: string,
  source: string,
  { options = "", probe }: { readonly options?: string; readonly probe?: Attack["probe"] } = {},
): Attack {
  return {
    ...{ name: `job-${name}`, about, family: "jobs", run: runJob, probe, after: readsWork },
    needs: {
      modules: { [`${KIND}.ts`]: source },
      // With its own environment it never shares a worker, so it is always the first run of its
      // worker.
      toml: `[jobs.${KIND}]\nretry = 0\nkill_after = "200ms"\nenv = { ATTACKER = "1" }\n${options}`,
    },
  };
}

const EIGHT_GB = "8e9";

/** Started one after another, to leave processor time; killed with their job. */
const PROCESSES_MODULE = `
import { spawn } from "node:child_process";
export default async function attacker(): Promise<void> {
  const script = "i=0; while [ $i -lt 3000 ]; do sleep 600 & i=$((i+1)); done; wait";
  spawn("/bin/sh", ["-c", script], { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
`;

const LARGE_READS_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  const text = "x".repeat(1_000_000);
  for (let count = 0; count < 100; count++) {
    await ctx.manager.scheduleJob("idle", { arguments: [text], afterMs: 1e9 } as never);
  }
  for (;;) {
    await Promise.allSettled(Array.from({ length: 1_000 }, () => ctx.manager.lookupInstances({}, { limit: 1_000 })));
  }
}
`;

const LARGE_GETS_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  const text = "x".repeat(1_000_000);
  const { id } = await ctx.manager.scheduleJob("idle", { arguments: [text], afterMs: 1e9 } as never);
  for (;;) {
    await Promise.allSettled(Array.from({ length: 1_000 }, () => ctx.manager.getInstance(id)));
  }
}
`;

const LARGE_WAITS_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  const text = "x".repeat(1_000_000);
  const { id } = await ctx.manager.scheduleJob("idle", { arguments: [text], afterMs: 1e9 } as never);
  await ctx.manager.cancelInstances({ ids: [id] });
  for (;;) {
    await Promise.allSettled(Array.from({ length: 1_000 }, () => ctx.manager.waitInstance(id)));
  }
}
`;

const LARGE_KEYS_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  const text = "x".repeat(1_000_000);
  const options = { uniqueKey: "key", onConflict: "keep", afterMs: 1e9 };
  await ctx.manager.scheduleJob("idle", { ...options, arguments: [text] } as never);
  for (;;) {
    await Promise.allSettled(Array.from({ length: 1_000 }, () => ctx.manager.scheduleJob("idle", options as never)));
  }
}
`;

const STORM_MODULE = `
import type { Context } from "ts-job";
export default async function attacker(ctx: Context): Promise<void> {
  const request = { kind: "idle", arguments: ["x"], afterMs: 1e9 };
  for (;;) {
    await Promise.allSettled(Array.from({ length: 16 }, () => ctx.manager.scheduleJobs(Array(1_000).fill(request) as never)));
  }
}
`;

const OUTPUT_MODULE = writer("1", '"x".repeat(65_536)');

/** Attacks by job code on the daemon that runs it. */
export const JOBS: readonly Attack[] = [
  job(
    "channel",
    "8 GB without a newline on its channel",
    writer("CHANNEL", '"x".repeat(65_536)', EIGHT_GB),
  ),
  job("output", "8 GB without a newline on stdout", writer("1", '"x".repeat(65_536)', EIGHT_GB)),
  job(
    "lines",
    "lines of 1 byte on stdout, as fast as they are taken",
    writer("1", '"x\\n".repeat(32_768)'),
  ),
  job(
    "lines-long",
    "lines of 200 bytes on stdout, as fast as they are taken",
    writer("1", '("x".repeat(200) + "\\n").repeat(326)'),
  ),
  job("logs", "records of its log without pause", LOGS_MODULE),
  job(
    "late",
    "forged errors of code that an attempt left behind",
    forger('{ type: "late", run, error: { name: "Error", message: "x".repeat(300) } }', 100),
  ),
  job(
    "progress",
    "forged progress",
    forger('{ type: "progress", run, progress: { done: run, total: 20 } }', 1_000),
  ),
  job(
    "call",
    "forged calls of the manager, whose answers nobody reads",
    forger('{ type: "call", run, call: run, method: "lookupInstances", args: [{}] }', 500),
  ),
  job("decided", "forged results of 20 MB", DECIDED_MODULE),
  job(
    "decided-many",
    "forged small results",
    forger('{ type: "decided", run, result: { type: "ok", resultsJson: "[1]" } }', 500),
  ),
  job("forged", "forged beginnings; its timeout must end it all the same", FORGED_MODULE, {
    options: `timeout = "${TIMEOUT_MS}ms"\n`,
    probe: hasEnded,
  }),
  job("manager", "calls of the manager without pause", CALLS_MODULE),
  job("processes", "3,000 processes, with a limit of memory", PROCESSES_MODULE, {
    options: `limits = { memory = "100GB" }\n`,
  }),
  job("large-reads", "look-ups of 100 instances with arguments of 1 MB", LARGE_READS_MODULE),
  job("large-gets", "reads of one instance with arguments of 1 MB", LARGE_GETS_MODULE),
  {
    ...job(
      "large-gets-many",
      "reads of one instance with arguments of 1 MB, from 6 workers at once",
      LARGE_GETS_MODULE,
    ),
    run: runMany,
  },
  job("large-waits", "waits for an ended instance with arguments of 1 MB", LARGE_WAITS_MODULE),
  job("large-keys", "asks for an instance of 1 MB by its unique key", LARGE_KEYS_MODULE),
  job("storm", "batches of 1,000 instances that are due much later", STORM_MODULE),
  {
    ...job(
      "output-many",
      "bytes without a newline on stdout, from 6 workers at once",
      OUTPUT_MODULE,
    ),
    run: runMany,
  },
];
