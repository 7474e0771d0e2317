import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Daemon, startDaemon } from "../../test/support/processes/daemon.ts";
import { type Call, inTurns } from "./in_turns.ts";
import { type Figures, scaled, type Settings } from "./scenario.ts";
import { scratchStore } from "./scratch_store.ts";

const CALLS = 8_000;
/**
 * Calls to each before any is measured: until then their code is still being compiled. They take
 * turns in these too, because a daemon that rests gives back its compiled code.
 */
const WARM_CALLS = 100_000;

/** How many callers call at once, one measurement each. */
export const CALLERS = [1, 16, 100];

/** A server that does nothing but answer. */
export interface BareServer {
  readonly call: Call;
  stop(): Promise<void>;
}

/** What {@link measureBeside} compares. */
export interface Beside {
  /** Of the bare server, in the names of figures. */
  readonly name: string;
  /** A durable request to run the job `noop`. */
  readonly scheduleBy: (daemon: Daemon) => Call;
  readonly startBare: () => Promise<BareServer>;
}

/** Measure requests to a daemon in turns with those to a bare server. Calls per second. */
export async function measureBeside(
  { name, scheduleBy, startBare }: Beside,
  settings: Settings,
): Promise<Figures> {
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({
    toml: 'worker = { count = 0 }\n[jobs.noop]\ncommand = ["true"]\n' +
      '[server]\nsocket = ""\nauth = { mode = "none" }\n',
    env: {
      ...scratch.env,
      JOBCTL_SERVER_SOCKET: undefined,
      JOBCTL_SERVER_AUTH_TOKEN_FILE: undefined,
    },
  });
  const bare = await startBare();
  try {
    const schedule = scheduleBy(daemon);
    await inTurns([schedule, bare.call], 100, settings.isQuick ? 100 : WARM_CALLS);
    const figures: Record<string, number> = {};
    for (const callers of CALLERS) {
      const calls = scaled(settings, callers === 1 ? CALLS / 4 : CALLS, 200);
      const [scheduled, answered] = await inTurns([schedule, bare.call], callers, calls);
      figures[`schedule-${callers}`] = scheduled!;
      figures[`${name}-${callers}`] = answered!;
      figures[`ratio-${callers}`] = scheduled! / answered!;
    }
    return figures;
  } finally {
    await bare.stop();
    await daemon.stop();
    await scratch.clean();
  }
}

/** Start a server of a file, which prints its port; `stop` ends its process. */
export async function startServer(
  file: string,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = spawn(process.execPath, [file], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  return {
    port: Number(line),
    async stop() {
      server.kill();
      await once(server, "exit");
    },
  };
}
