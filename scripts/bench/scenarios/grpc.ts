import * as grpc from "@grpc/grpc-js";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../../../test/support/processes/daemon.ts";
import { type Call, inTurns, secondsOf } from "../in_turns.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";

const CALLS = 8_000;
/** Calls to each before any is measured: until then their code is still being compiled. */
const WARM_CALLS = 30_000;
const CALLERS = [1, 16, 100];
const ECHO_SERVER = fileURLToPath(new URL("../echo_server.ts", import.meta.url));
/** As long as a request of ScheduleJob. */
const ECHO_BYTES = 24;

async function measure(settings: Settings): Promise<Figures> {
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
  const echo = await startEcho();
  const client = daemon.client();
  try {
    const schedule = () => client.scheduleJob({ kind: "noop" });
    for (const call of [schedule, echo.call]) {
      await secondsOf(call, 16, scaled(settings, WARM_CALLS, 50));
    }
    const figures: Record<string, number> = {};
    for (const callers of CALLERS) {
      const calls = scaled(settings, callers === 1 ? CALLS / 4 : CALLS, 200);
      const [scheduled, echoed] = await inTurns([schedule, echo.call], callers, calls);
      figures[`schedule-${callers}`] = scheduled!;
      figures[`echo-${callers}`] = echoed!;
      figures[`ratio-${callers}`] = scheduled! / echoed!;
    }
    return figures;
  } finally {
    await echo.stop();
    await daemon.stop();
    await scratch.clean();
  }
}

async function startEcho(): Promise<{ readonly call: Call; stop(): Promise<void> }> {
  const server = spawn(process.execPath, [ECHO_SERVER], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(server.stdout.setEncoding("utf8"), "data");
  const credentials = grpc.credentials.createInsecure();
  const client = new grpc.Client(`127.0.0.1:${Number(line)}`, credentials);
  const same = (bytes: Buffer) => bytes;
  const message = Buffer.alloc(ECHO_BYTES);
  return {
    call: () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest("/bench.Echo/Echo", same, same, message, (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        });
      }),
    async stop() {
      client.close();
      server.kill();
      await once(server, "exit");
    },
  };
}

/** Durable ScheduleJob requests against a daemon, beside a server that does nothing. */
export const GRPC: readonly Scenario[] = [{
  name: "grpc",
  about: "ScheduleJob by gRPC, durable: 1, 16 and 100 callers, beside a bare grpc-js echo",
  usesStore: true,
  figures: CALLERS.flatMap((callers) => [
    { name: `schedule-${callers}`, unit: "calls/s", better: "higher" } as const,
    { name: `echo-${callers}`, unit: "calls/s", better: "higher" } as const,
    {
      ...{ name: `ratio-${callers}`, unit: "× echo", better: "higher" } as const,
      ...(callers === 16 ? { target: { sqlite: 0.7 } } : {}),
    },
  ]),
  run: measure,
}];
