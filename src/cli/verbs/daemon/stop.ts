import { isJobError, JobError } from "../../../core/errors.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shortIds } from "../../../core/text/short_ids.ts";
import { roughDuration } from "../../../core/time/duration.ts";
import { sleep } from "../../../platform/clock.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type {
  GetStatusResponse,
  JobInstance,
  StopDaemonResponse,
} from "../../../rpc/gen/job_pb.ts";
import { confirm } from "../../lookup/confirm.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { unlessInterrupted, withInterrupt } from "../../verb/follow.ts";
import { collect, lookupInstances } from "../../lookup/lookup.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { msOf, stateOfName } from "../../io/wire.ts";

/** Most running instances that a message names. */
const NAMED_MAX = 5;
/** Most running instances that are read. */
const READ_MAX = 1_000;
/** Shortest and longest pause between two checks whether the daemon still runs. */
const LOOK_MS = { min: 100, max: 500 };
/** An unchanged wait is reported again after this long. */
const REPEAT_MS = 10_000;
/** Consecutive calls that must fail: a single one may get lost. */
const MISSES = 2;

/** The end of a wait for a daemon to stop. */
type WaitEnd = "stopped" | "timeout" | "interrupted";

/** The instances that run on a node, the oldest first. */
async function runningOn(client: JobClient, node: string): Promise<readonly JobInstance[]> {
  const query = { state: stateOfName("processing")!, node };
  const found = await collect(lookupInstances(client, query, READ_MAX));
  return found.sort((a, b) => (msOf(a.processedAt) ?? 0) - (msOf(b.processedAt) ?? 0));
}

/** For example `2 instances: report 3f9a01c2 (for 2m), mail 0a1b77de (for 3s)`. */
function runningText(running: readonly JobInstance[], nowMs: number): string {
  const shortId = shortIds(running.map(({ uuid }) => uuid));
  const named = running.slice(0, NAMED_MAX).map(({ kind, uuid, processedAt }) => {
    const forMs = Math.max(0, nowMs - (msOf(processedAt) ?? nowMs));
    return `${makeVisible(kind)} ${shortId(uuid)} (for ${roughDuration(forMs)})`;
  });
  const more = running.length - named.length;
  const count = countText(running.length, "instance");
  return `${count}: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

async function isAway(client: JobClient): Promise<boolean> {
  try {
    await client.getVersion({});
    return false;
  } catch (error) {
    if (isJobError(error, "unavailable")) return true;
    // Slow, but there.
    if (isJobError(error, "timeout")) return false;
    throw error;
  }
}

/** The daemon to stop. If it cannot report its status, only its node is known. */
type Stopped = Pick<GetStatusResponse, "node" | "startedAt">;

/** The status of the daemon; null if it responds, but its store does not. */
async function statusOf(client: JobClient): Promise<GetStatusResponse | null> {
  try {
    return await client.getStatus({});
  } catch (error) {
    if (isJobError(error, "unavailable") && !await isAway(client)) return null;
    throw error;
  }
}

/** True if another daemon than before listens at the address. */
async function isReplaced(client: JobClient, before: Stopped): Promise<boolean> {
  if (before.startedAt === undefined) return false;
  try {
    const { node, startedAt } = await client.getStatus({});
    return node !== before.node || msOf(startedAt) !== msOf(before.startedAt);
  } catch {
    // Its store is closed before its listeners.
    return false;
  }
}

async function waitForEnd(
  client: JobClient,
  before: Stopped,
  { io, signal, timeoutMs }: Pick<VerbContext, "io"> & {
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
  },
): Promise<WaitEnd> {
  const now = () => io.clock.now().monotonicMs;
  const beganMs = now();
  const endMs = beganMs + timeoutMs;
  let shown = { ids: "", atMs: -Infinity };
  for (let misses = 0; misses < MISSES;) {
    if (await isAway(client)) misses += 1;
    else {
      misses = 0;
      if (await isReplaced(client, before)) return "stopped";
      const running = await runningOn(client, before.node).catch(() => []);
      const ids = running.map(({ uuid }) => uuid).join();
      if (running.length > 0 && (ids !== shown.ids || now() - shown.atMs >= REPEAT_MS)) {
        shown = { ids, atMs: now() };
        await writeMessage(io, `Waiting for ${runningText(running, io.clock.now().wallMs)}`);
      }
    }
    if (misses >= MISSES) break;
    if (signal.aborted) return "interrupted";
    if (now() >= endMs) return "timeout";
    const pauseMs = Math.min(LOOK_MS.max, LOOK_MS.min + (now() - beganMs) / 20, endMs - now());
    await sleep(io.clock, Math.max(1, pauseMs), signal);
  }
  return "stopped";
}

/** Effect on running attempts: `1 running instance has at most 30s to end`. */
function stoppingText({ running, drainMs }: StopDaemonResponse, isNow: boolean): string {
  if (running === 0) return "";
  const count = countText(running, "running instance");
  if (isNow) return `: aborting ${count}`;
  const has = running === 1 ? "has" : "have";
  return `: ${count} ${has} at most ${roughDuration(Number(drainMs))} to end`;
}

/** Fate of unfinished instances; null without any. */
function unfinishedText({ kinds, nodes, storeType }: GetStatusResponse, running: number) {
  const waiting = Number(kinds.reduce((sum, { scheduled }) => sum + scheduled, 0n));
  if (running + waiting === 0) return null;
  if (storeType === "memory") return "Its store is in memory: what has not ended is lost";
  const what = [
    ...(running > 0 ? ["what is aborted"] : []),
    ...(waiting > 0 ? [countText(waiting, "waiting instance")] : []),
  ].join(" and ");
  return nodes > 1 ? `The other nodes will run ${what}` : `The next daemon will run ${what}`;
}

/** Refuse a name that is not the node's, before any request. */
function checkNode(asked: string | undefined, { node }: GetStatusResponse): void {
  if (asked === undefined || asked === node) return;
  throw new JobError(
    "conflict",
    `Cannot stop node "${makeVisible(asked)}": the daemon here is node "${makeVisible(node)}"`,
    { hint: "Call the daemon of the other node: give --host or --socket" },
  );
}

/** `jobctl stop` */
export const STOP: Verb = {
  name: "stop",
  summary: "Stop the daemon, and wait until it has ended",
  details: [
    "Stops the one daemon that responds, and all that it runs: nothing new starts, and running",
    "attempts, also commands, have worker.drain, or the drain of their job, to end. Then they are",
    "aborted, and run again when a daemon starts; to end them for good, first run",
    '"jobctl cancel instances --all". Says which node it is and what it waits for. On a terminal it',
    "asks first if instances run. With Ctrl-C or --wait-timeout only the waiting ends: the daemon",
    "continues to stop. A service manager that restarts a daemon on failure does not restart it.",
  ].join(" "),
  options: {
    node: { value: "NAME", describe: "Stop the daemon only if it is this node" },
    now: {
      describe: "Abort running attempts at once, also those of a stop that has begun",
      isFlag: true,
    },
    "wait-timeout": { value: "DURATION", describe: "Wait no longer than this: exit code 124" },
    yes: { alias: "y", describe: "Do not ask", isFlag: true },
  },
  examples: [
    ["jobctl stop", "Let what runs end, then stop"],
    ["jobctl stop --now --yes", "Abort what runs"],
    ["jobctl stop --node web-1 --wait-timeout 5m", "In a script: no other node, 5 minutes at most"],
  ],
  async run(args, context) {
    const { io, printer } = context;
    const timeoutMs = args.durationMs("wait-timeout") ?? Infinity;
    const isNow = args.flag("now");
    const client = await context.client();
    const status = await statusOf(client);
    if (status !== null) checkNode(args.text("node"), status);
    const running = status === null ? [] : await runningOn(client, status.node);
    if (running.length > 0 && io.isInteractive && !args.flag("yes")) {
      await writeMessage(io, `Running: ${runningText(running, io.clock.now().wallMs)}`);
      const what = countText(running.length, "running instance");
      const node = makeVisible(status!.node);
      await confirm(io, `stop node ${node} and ${isNow ? "abort" : "wait for"} ${what}`, false);
    }
    const beganMs = io.clock.now().monotonicMs;
    const asking = client.stopDaemon({ node: status?.node ?? args.text("node"), now: isNow });
    const stopping = await unlessInterrupted(context, asking, "jobctl status");
    const before: Stopped = status ?? { node: stopping.node };
    const node = makeVisible(before.node);
    await writeMessage(io, `Stopping node ${node}${stoppingText(stopping, isNow)}`);
    const unfinished = status && unfinishedText(status, stopping.running);
    if (unfinished !== null) await writeMessage(io, unfinished);
    const end = await withInterrupt(
      context,
      (signal) => waitForEnd(client, before, { io, signal, timeoutMs }),
    );
    const tookMs = Math.round(io.clock.now().monotonicMs - beganMs);
    const record = { node: before.node, is_stopped: end === "stopped", waited_ms: tookMs };
    if (end === "stopped") {
      const line = `Stopped node ${node} after ${roughDuration(tookMs)}`;
      await printer.details(record, before.node, [line]);
      return EXIT.ok;
    }
    const line =
      `Node ${node} continues to stop: jobctl stop waits again, jobctl stop --now aborts`;
    await printer.details(record, before.node, [line]);
    return end === "timeout" ? EXIT.timedOut : EXIT.interrupted;
  },
};
