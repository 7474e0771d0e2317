import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../../../test/support/processes/daemon.ts";
import { EXACT_CLOCK_SOURCE, exactNow } from "../exact_clock.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { summarize } from "../statistics.ts";
import { wait } from "../wait.ts";

const KILLS = 5;
const POLL_MS = 5;
const STARTED_MS_MAX = 60_000;

/**
 * Its first attempt runs until it is killed. Each start is a line of `starts.txt`: when, and in
 * which process.
 */
const MODULE = `${EXACT_CLOCK_SOURCE}
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";

export default async function long(context: Context): Promise<void> {
  const startedAt = exactNow();
  appendFileSync(process.env.STARTS!, startedAt + " " + process.pid + "\\n");
  if (context.instance.attempt === 1) await new Promise((resolve) => setTimeout(resolve, 600_000));
}
`;

interface Start {
  readonly at: number;
  readonly pid: number;
}

function readStarts(file: string): readonly Start[] {
  try {
    // The last piece is empty, or a line that is being written.
    return readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => {
      const [at, pid] = line.split(" ").map(Number);
      return { at: at!, pid: pid! };
    });
  } catch {
    // Nothing has started yet.
    return [];
  }
}

async function startNumber(file: string, count: number): Promise<Start> {
  const begunAt = performance.now();
  while (performance.now() - begunAt < STARTED_MS_MAX) {
    const start = readStarts(file)[count - 1];
    if (start) return start;
    await wait(POLL_MS);
  }
  throw new Error(`Start ${count} of the job did not come within ${STARTED_MS_MAX} ms`);
}

/**
 * Milliseconds until the job runs again, over some kills; `strike` kills and tells when the time
 * begins.
 */
async function recover(
  settings: Settings,
  strike: (
    daemon: Daemon,
    pid: number,
  ) => Promise<{ readonly daemon: Daemon; readonly at: number }>,
): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const file = join(scratch.dir, "starts.txt");
  let daemon = await startDaemon({
    toml: `[jobs.long]\nenv = { STARTS = ${JSON.stringify(file)} }\n`,
    modules: { "long.ts": MODULE },
    env: scratch.env,
  });
  const times: number[] = [];
  try {
    for (let kill = 0; kill < scaled(settings, KILLS, 1); kill++) {
      const { instance } = await daemon.client().scheduleJob({ kind: "long" });
      const { pid } = await startNumber(file, kill * 2 + 1);
      const struck = await strike(daemon, pid);
      daemon = struck.daemon;
      const again = await startNumber(file, kill * 2 + 2);
      times.push(again.at - struck.at);
      await daemon.client().waitInstance({ uuid: instance!.uuid, waitMs: 10_000n });
    }
  } finally {
    await daemon.stop();
    await scratch.clean();
  }
  return { again: summarize(times).median };
}

function scenario(
  name: string,
  about: string,
  targetMs: number,
  strike: Parameters<typeof recover>[1],
): Scenario {
  return {
    ...{ name, about, usesStore: true },
    figures: [{ name: "again", unit: "ms", better: "lower", target: { sqlite: targetMs } }],
    run: (settings) => recover(settings, strike),
  };
}

/** How soon a running instance runs again when what ran it was killed. */
export const RECOVERY: readonly Scenario[] = [
  scenario(
    "recovery-worker",
    "kill -9 of the worker process to the next start of the job's code",
    200,
    async (daemon, pid) => {
      const at = exactNow();
      process.kill(pid, "SIGKILL");
      return { daemon, at };
    },
  ),
  scenario(
    "recovery-daemon",
    "kill -9 of the daemon, and its restart at once, to the next start of the job's code",
    1_000,
    async (daemon) => {
      await daemon.kill();
      const at = exactNow();
      return { daemon: await daemon.restart(), at };
    },
  ),
];
